"""Writes the trained network as an int8 ONNX file, and says what the export costs.

    python training/verifier/export.py work/run/model.pt --stack work/stack.json [--arithmetic tensor] [--output FOLDER]

The inputs ``input_ids`` and ``kinds`` have shape ``(1, tokens)``, int64; the outputs are ``pair``, ``(1, 3)``: logits
of supported, contradicted and neither, and ``token``, ``(1, tokens)``: logit of a word being unsupported.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from network import MAX_TOKENS, state_of
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).parents[1] / "embedder"))
from graph import CONTRIB, OPSET, Arithmetic, GraphBuilder, Weights

NAME = "grounded-entailment-small"
SOURCES = {
    6: "all-MiniLM-L6-v2, sentence-transformers, trained further by training/verifier",
    12: "gte-small, Alibaba DAMO Academy (MIT), trained further by training/verifier",
}
"""What training started from, by layers."""
OUTPUT = Path(__file__).parents[2] / "grounded" / "models" / "verifier"


def layers_of(state: dict[str, torch.Tensor]) -> int:
    """How many layers the weights have."""
    return sum(name.endswith("qkv.weight") for name in state)


def named(state: dict[str, torch.Tensor]) -> Weights:
    """The weights under the names that the embedder's graph uses."""
    found: Weights = {
        "embeddings.word_embeddings.weight": state["word.weight"].float().numpy(),
        "embeddings.position_embeddings.weight": state["position.weight"].float().numpy(),
        "embeddings.token_type_embeddings.weight": state["kind.weight"].float().numpy(),
        "embeddings.LayerNorm.weight": state["norm.weight"].float().numpy(),
        "embeddings.LayerNorm.bias": state["norm.bias"].float().numpy(),
    }
    for number in range(layers_of(state)):
        mine, theirs = f"layers.{number}", f"encoder.layer.{number}"
        for end in ("weight", "bias"):
            parts = np.split(state[f"{mine}.qkv.{end}"].float().numpy(), 3)
            for part, name in zip(parts, ("query", "key", "value"), strict=True):
                found[f"{theirs}.attention.self.{name}.{end}"] = part
            for own, name in (
                ("out", "attention.output.dense"),
                ("norm1", "attention.output.LayerNorm"),
                ("up", "intermediate.dense"),
                ("down", "output.dense"),
                ("norm2", "output.LayerNorm"),
            ):
                found[f"{theirs}.{name}.{end}"] = state[f"{mine}.{own}.{end}"].float().numpy()
    return found


class EntailmentGraph(GraphBuilder):
    """The embedder's encoder with segments and two heads."""

    def embeddings(self) -> str:
        """Word, position and segment embeddings, normalised."""
        table = self.weights["embeddings.word_embeddings.weight"]
        scale = np.abs(table).max(axis=1, keepdims=True) / 127
        levels = np.rint(table / scale).astype(np.int8)
        rows = self.node("Gather", self.constant("words.levels", levels), "input_ids")
        row_scale = self.node("Gather", self.constant("words.scale", scale.astype(np.float32)), "input_ids")
        words = self.node("Mul", self.node("Cast", rows, to=TensorProto.FLOAT), row_scale)
        places = self.weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
        length = self.node("Gather", self.node("Shape", "input_ids"), self.constant("1", np.array([1])))
        first = self.constant("0", np.array([0]))
        used = self.node("Slice", self.constant("places", places), first, length, first)
        kinds = self.weights["embeddings.token_type_embeddings.weight"]
        kind = self.node("Gather", self.constant("kinds.table", kinds), "kinds")
        return self.norm(self.node("Add", self.node("Add", words, used), kind), "embeddings.LayerNorm")

    def dense(self, x: str, name: str, state: dict[str, torch.Tensor]) -> str:
        """A small head in full precision."""
        weight = self.constant(f"{name}.weight", state[f"{name}.weight"].float().numpy().T)
        bias = self.constant(f"{name}.bias", state[f"{name}.bias"].float().numpy())
        return self.node("Add", self.node("MatMul", x, weight), bias)


def build(state: dict[str, torch.Tensor], arithmetic: Arithmetic) -> onnx.ModelProto:
    """The whole model."""
    graph = EntailmentGraph(named(state), arithmetic)
    x = graph.embeddings()
    for index in range(layers_of(state)):
        x = graph.layer(x, f"encoder.layer.{index}")
    one, last = graph.constant("1", np.array([1])), graph.constant("-1", np.array([-1]))
    token = graph.node("Squeeze", graph.dense(x, "token", state), last)
    claim = graph.node("Sub", graph.constant("1.0", np.array(1.0, np.float32)), graph.node("Cast", "kinds", to=1))
    claim = graph.node("Unsqueeze", claim, last)
    total = graph.node("ReduceSum", graph.node("Mul", x, claim), one, keepdims=0)
    mean = graph.node("Div", total, graph.node("ReduceSum", claim, one, keepdims=0))
    begin = graph.node("Squeeze", graph.node("Gather", x, graph.constant("0", np.array([0])), axis=1), one)
    pooled = graph.node("Tanh", graph.dense(graph.node("Concat", begin, mean, axis=-1), "pool", state))
    graph.nodes.append(helper.make_node("Identity", [graph.dense(pooled, "pair", state)], ["pair"], name="pair_out"))
    graph.nodes.append(helper.make_node("Identity", [token], ["token"], name="token_out"))
    made = helper.make_graph(
        graph.nodes,
        NAME,
        [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"]) for name in ("input_ids", "kinds")],
        [
            helper.make_tensor_value_info("pair", TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info("token", TensorProto.FLOAT, [1, "tokens"]),
        ],
        graph.initializers,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8, producer_name="grounded")


def describe(content: bytes, stack: dict[str, Any], arithmetic: str, layers: int) -> dict[str, Any]:
    """What ``build.json`` says; the identity covers the network and how its numbers are weighed."""
    digest = hashlib.sha256(content).hexdigest()
    decisive = hashlib.sha256((digest + json.dumps(stack, sort_keys=True)).encode()).hexdigest()
    return {
        "name": NAME,
        "identity": f"{NAME}@{decisive[:12]}",
        "arithmetic": arithmetic,
        "window_tokens": MAX_TOKENS,
        "licence": "Apache-2.0",
        "source": SOURCES[layers],
        "stack": stack,
        "files": {"model.onnx": {"sha256": digest, "bytes": len(content)}},
    }


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--stack", type=Path, help="what fit.py wrote")
    parser.add_argument("--arithmetic", default="tensor", choices=("fp32", "weight_only", "tensor", "token", "blocks"))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    state = state_of(options.weights)
    content = build(state, options.arithmetic).SerializeToString(deterministic=True)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "model.onnx").write_bytes(content)
    stack = json.loads(options.stack.read_text()) if options.stack else {}
    (options.output / "build.json").write_text(
        json.dumps(describe(content, stack, options.arithmetic, layers_of(state)), indent=2) + "\n"
    )
    print(options.output, len(content))


if __name__ == "__main__":
    main()
