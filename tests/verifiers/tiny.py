"""Tiny models with random weights in the forms that people export: their outputs can be computed by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tokenizers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WORDS = [
    "the",
    "kettle",
    "is",
    "red",
    "blue",
    "warm",
    "cold",
    "old",
    "new",
    "and",
    "it",
    "has",
    "a",
    "lid",
    "or",
    "two",
    "but",
    "not",
    "three",
]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
VOCABULARY = {word: number for number, word in enumerate((*SPECIAL, *WORDS, "|", "."))}
_SIZE = len(VOCABULARY)

Weights = NDArray[np.float32]


def weights(outputs: int, seed: int = 0) -> Weights:
    found: Weights = np.random.default_rng(seed).normal(size=(_SIZE, outputs)).astype(np.float32)
    return found


def ids_of(text: str, special: bool = True) -> list[int]:
    words = [VOCABULARY.get(word, VOCABULARY["[UNK]"]) for word in re.findall(r"\w+|[^\w\s]+", text)]
    return [VOCABULARY["[CLS]"], *words, VOCABULARY["[SEP]"]] if special else words


def write_tokenizer(folder: Path) -> None:
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.add_special_tokens(list(SPECIAL))
    marks = [(name, VOCABULARY[name]) for name in ("[CLS]", "[SEP]")]
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=marks
    )
    made.enable_truncation(4)  # what a saved tokenizer may carry must not count
    made.enable_padding(length=40)
    made.save(str(folder / "tokenizer.json"))


def write_settings(folder: Path, **settings: Any) -> None:
    (folder / "verifier.json").write_text(json.dumps(settings), encoding="utf-8")


def _save(path: Path, nodes: list[Any], inputs: dict[str, int], rank: int, table: Weights) -> None:
    kinds = {"encoder_hidden_states": TensorProto.FLOAT}
    constants: dict[str, Any] = {
        "table": table,
        "one": np.array([1], dtype=np.int64),
        "two": np.array([2], dtype=np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(n, kinds.get(n, TensorProto.INT64), ["b", f"length of {n}", "n"][:size])
            for n, size in inputs.items()
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _summed(source: str) -> list[Any]:
    """The rows of ``source`` (b, s, n) where the mask is 1, added up: (b, n)."""
    return [
        helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "two"], ["column"]),
        helper.make_node("Mul", [source, "column"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["sum"], keepdims=0),
    ]


def write_classifier(path: Path, table: Weights) -> None:
    """Logits (b, n): the sum of the rows of all tokens that are not padding."""
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["rows"]), *_summed("rows")]
    nodes.append(helper.make_node("Identity", ["sum"], ["logits"]))
    _save(path, nodes, {"input_ids": 2, "attention_mask": 2}, 2, table)


def write_tagger(path: Path, table: Weights) -> None:
    """Logits (b, s, n): the row of each token."""
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["logits"])]
    _save(path, nodes, {"input_ids": 2, "attention_mask": 2}, 3, table)


def write_seq2seq(path: Path, table: Weights) -> None:
    """Logits (b, 1, n) of the first word written, in one graph; ``decoder_input_ids`` must be zeros."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        *_summed("rows"),
        helper.make_node("Unsqueeze", ["sum", "one"], ["written"]),
        helper.make_node("Gather", ["table", "decoder_input_ids"], ["start"]),
        helper.make_node("Add", ["written", "start"], ["logits"]),
    ]
    _save(path, nodes, {"input_ids": 2, "attention_mask": 2, "decoder_input_ids": 2}, 3, table)


def write_encoder_and_decoder(folder: Path, table: Weights) -> None:
    """The same in two graphs, as Optimum exports it."""
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["logits"])]
    _save(folder / "encoder_model.onnx", nodes, {"input_ids": 2, "attention_mask": 2}, 3, table)
    decoder = [helper.make_node("Identity", ["encoder_hidden_states"], ["rows"])]
    decoder.append(helper.make_node("Identity", ["encoder_attention_mask"], ["attention_mask"]))
    decoder += [
        *_summed("rows"),
        helper.make_node("Unsqueeze", ["sum", "one"], ["written"]),
        helper.make_node("Gather", ["table", "input_ids"], ["start"]),
        helper.make_node("Add", ["written", "start"], ["logits"]),
    ]
    inputs = {"input_ids": 2, "encoder_attention_mask": 2, "encoder_hidden_states": 3}
    _save(folder / "decoder_model.onnx", decoder, inputs, 3, table)


def softmax(row: Weights) -> NDArray[np.float64]:
    powers = np.exp(row.astype(np.float64) - row.max())
    found: NDArray[np.float64] = powers / powers.sum()
    return found
