"""The default embedder by onnxruntime and by OpenVINO: chunks per second of processor time, one thread.

    pip install openvino
    python benchmarks/runtimes.py [--chunks 48]

The chunks are the beginnings of this package's own modules. The model is 8 bits wide with scales that are computed for
each text (``grounded/models/granite/MODEL_CARD.md``).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grounded.models import runtime
from grounded.models.embedder import FOLDER, byte_pairs_of

TOKENS = 254
PASSES = 3
Run = Callable[[Any], Any]


def encoded(count: int) -> list[Any]:
    """Model inputs of ``count`` texts."""
    tokenizer = byte_pairs_of(FOLDER)
    files = sorted(Path(__file__).parents[1].glob("grounded/**/*.py"))
    texts = [file.read_text(encoding="utf-8")[:900] for file in files if file.stat().st_size > 900]
    ids = ([tokenizer.first_id, *tokenizer.ids(text, TOKENS), tokenizer.last_id] for text in texts[:count])
    return [np.array([each], dtype=np.int64) for each in ids]


def by_onnxruntime() -> Run:
    """As the package runs it."""
    session = runtime.session(FOLDER)
    return lambda ids: session.run(["embedding"], {"input_ids": ids})[0][0]


def by_openvino() -> Run:
    """The same file, compiled for one stream of one thread."""
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(core.read_model(str(FOLDER / "model.onnx")), "CPU", options).create_infer_request()
    return lambda ids: next(iter(request.infer({"input_ids": ids}).values()))[0]


def rate(run: Run, inputs: Sequence[Any]) -> float:
    """Texts per second of processor time, best of some passes."""
    best = 0.0
    for _ in range(PASSES):
        started = time.process_time()
        for ids in inputs:
            run(ids)
        best = max(best, len(inputs) / (time.process_time() - started))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--chunks", type=int, default=48)
    inputs = encoded(parser.parse_args().chunks)
    print(f"{len(inputs)} chunks of {np.mean([ids.shape[1] for ids in inputs]):.0f} tokens")
    known = None
    for name, opened in (("onnxruntime", by_onnxruntime), ("openvino", by_openvino)):
        run = opened()
        vector = run(inputs[0])
        known = vector if known is None else known
        print(f"{name}: {rate(run, inputs):.1f} chunks per CPU second, cosine to the first {vector @ known:.4f}")


if __name__ == "__main__":
    main()
