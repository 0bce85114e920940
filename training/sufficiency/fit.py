"""Fit the few numbers of `grounded.answering.sufficiency` and print how well they tell.

    python training/sufficiency/fit.py --data ../shared/data/retrieval [--lexical]

Fitted on MTRAG's unanswerable tasks and XQuAD (every question with and without its paragraph), each source and
label with the same total weight; PubMedQA and a
product's documentation ("handbook") are never fitted, only scored. Figures marked "left out" come from fits
that never saw the collection (MTRAG) or the articles (XQuAD) they are scored on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cases import Case, handbook, mtrag, pubmedqa, xquad
from numpy.typing import NDArray

from grounded.answering.sufficiency import FEATURES, features
from grounded.protocols import Embedder

Array = NDArray[np.float64]
FITTED_ON = ("mtrag", "xquad")
RIDGE = 2.0
KEPT = 0.93
"""Share of the answerable questions of the sets fitted on that must be kept, the mean of both sets."""


def main() -> None:
    """Run it."""
    options = _arguments()
    embedder = None if options.lexical else _embedder()
    cache = Path(options.cache)
    data = Path(options.data)
    cases = [
        *mtrag(data, embedder, cache),
        *xquad(data, embedder, cache),
        *pubmedqa(data, embedder, cache),
        *handbook(data, embedder, cache),
    ]
    matrix = np.array([features(case.question, case.passages, case.best_dense) for case in cases])
    if options.lexical:
        matrix[:, FEATURES.index("dense")] = 0.0
    fitted = np.array([case.label in (0, 1) and _family(case) in FITTED_ON for case in cases])
    weights = _fit(cases, matrix, fitted)
    scores = _score(matrix, weights)
    threshold = _threshold(cases, scores, fitted)
    held_out = _left_out(cases, matrix, fitted)
    print("weights:", {n: round(float(w), 2) for n, w in zip(("bias", *FEATURES), weights, strict=True)})
    print(f"threshold: {threshold:.2f}")
    _report(cases, held_out, threshold)
    _single(cases, matrix)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="../shared/data/retrieval")
    parser.add_argument("--cache", default="training/work/sufficiency")
    parser.add_argument("--lexical", action="store_true", help="without the embedder")
    return parser.parse_args()


def _embedder() -> Embedder:
    from grounded.models.embedder import default_embedder

    return default_embedder()


def _family(case: Case) -> str:
    return case.source.split()[0]


def _fit(cases: Sequence[Case], matrix: Array, chosen: NDArray[np.bool_]) -> Array:
    """Ridge logistic regression by Newton steps; each family and label weighs the same in total."""
    rows = np.flatnonzero(chosen)
    keys = [(_family(cases[i]), cases[i].label) for i in rows]
    counts = {key: keys.count(key) for key in set(keys)}
    weight = np.array([1 / counts[key] for key in keys]) * len(rows) / len(counts)
    x = np.hstack([np.ones((len(rows), 1)), matrix[rows]])
    y = np.array([float(cases[i].label == 1) for i in rows])
    penalty = RIDGE * np.diag([0.0] + [1.0] * matrix.shape[1])
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weight * (p - y)) + penalty @ beta
        beta -= np.linalg.solve((x.T * (weight * p * (1 - p))) @ x + penalty, gradient)
    return beta


def _score(matrix: Array, beta: Array) -> Array:
    scores: Array = 1 / (1 + np.exp(-(beta[0] + matrix @ beta[1:])))
    return scores


def _left_out(cases: Sequence[Case], matrix: Array, fitted: NDArray[np.bool_]) -> Array:
    """Scores from fits without the case's own group; a source that is never fitted gets the whole fit."""
    scores = _score(matrix, _fit(cases, matrix, fitted))
    for group in sorted({case.group for case, used in zip(cases, fitted, strict=True) if used}):
        own = np.array([case.group == group for case in cases])
        scores[own & (np.array([_family(c) in FITTED_ON for c in cases]))] = _score(
            matrix[own & (np.array([_family(c) in FITTED_ON for c in cases]))], _fit(cases, matrix, fitted & ~own)
        )
    return scores


def _threshold(cases: Sequence[Case], scores: Array, fitted: NDArray[np.bool_]) -> float:
    def kept(at: float) -> float:
        shares = []
        for family in FITTED_ON:
            own = [
                s for c, s, f in zip(cases, scores, fitted, strict=True) if f and c.label == 1 and _family(c) == family
            ]
            shares.append(float(np.mean(np.array(own) >= at)))
        return float(np.mean(shares))

    return max(at for at in np.arange(0.01, 1.0, 0.01) if kept(float(at)) >= KEPT)


def auroc(positive: Array, negative: Array) -> float:
    """Chance that a positive outranks a negative, ties counting half."""
    order = np.concatenate([positive, negative])
    ranks = np.empty(len(order))
    values, inverse, counts = np.unique(order, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    n, m = len(positive), len(negative)
    del values
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def _report(cases: Sequence[Case], scores: Array, threshold: float) -> None:
    print("\nleft-out scores; 95 % bootstrap intervals over questions")
    by = {}
    for case, score in zip(cases, scores, strict=True):
        by.setdefault((case.source, case.label), []).append(score)
    pairs = [
        ("mtrag", "mtrag"),
        ("xquad", "xquad without article"),
        ("xquad", "xquad without paragraph"),
        ("pubmedqa", "pubmedqa"),
        ("handbook", "handbook"),
    ]
    for with_answer, without in pairs:
        yes, no = np.array(by[(with_answer, 1)]), np.array(by[(without, 0)])
        lines = _interval(lambda a, b: auroc(a, b), yes, no)
        keeps = _interval(lambda a, _: float(np.mean(a >= threshold)), yes, no)
        declines = _interval(lambda _, b: float(np.mean(b < threshold)), yes, no)
        print(f"{without:24s} n={len(yes)}+{len(no)} AUROC {lines} keeps {keeps} declines {declines}")
    for (source, label), values in sorted(by.items(), key=str):
        if isinstance(label, str):
            print(f"{source} {label}: n={len(values)} declined {np.mean(np.array(values) < threshold):.2f}")


def _interval(figure, yes: Array, no: Array) -> str:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(7)
    draws = [figure(random.choice(yes, len(yes)), random.choice(no, len(no))) for _ in range(1000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{figure(yes, no):.3f} [{low:.3f}, {high:.3f}]"


def _single(cases: Sequence[Case], matrix: Array) -> None:
    print("\nAUROC of each feature alone (mtrag, xquad -article, xquad -paragraph, pubmedqa)")
    for column, name in enumerate(FEATURES):
        row = []
        for yes, no in (
            ("mtrag", "mtrag"),
            ("xquad", "xquad without article"),
            ("xquad", "xquad without paragraph"),
            ("pubmedqa", "pubmedqa"),
        ):
            positive = np.array([matrix[i, column] for i, c in enumerate(cases) if c.source == yes and c.label == 1])
            negative = np.array([matrix[i, column] for i, c in enumerate(cases) if c.source == no and c.label == 0])
            row.append(f"{auroc(positive, negative):.3f}")
        print(f"{name:14s}", *row)


if __name__ == "__main__":
    main()
