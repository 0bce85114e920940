"""Fit the few numbers of `grounded.answering.sufficiency` and print how well they tell.

    python training/sufficiency/fit.py --data ../shared/data [--lexical]

The weights come from `shipped.py` only: sets whose licence lets weights trained on them ship, each set and label
with the same total weight. MTRAG chooses the threshold and nothing else. MTRAG, XQuAD, PubMedQA and a product's
documentation ("handbook") are scored and never fitted; each set fitted on is scored by a fit on the other five.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from cases import Case, handbook, mtrag, pubmedqa, xquad
from numpy.typing import NDArray
from shipped import shipped

from grounded.answering.sufficiency import FEATURES, features
from grounded.protocols import Embedder

Array = NDArray[np.float64]
Chosen = NDArray[np.bool_]
RIDGE = 2.0
KEPT = 0.90
"""Share of MTRAG's answerable questions that the threshold must keep."""
FITTED = ("halueval", "expertqa", "fool_me_twice", "factcheck", "wice", "scifact")
MEASURED = (
    ("mtrag", "mtrag"),
    ("xquad", "xquad without article"),
    ("xquad", "xquad without paragraph"),
    ("pubmedqa", "pubmedqa"),
    ("handbook", "handbook"),
)
"""Sources of the answerable and of the unanswerable cases."""


def main() -> None:
    """Run it."""
    options = _arguments()
    cases = _cases(Path(options.data), None if options.lexical else _embedder(), Path(options.cache))
    matrix = np.array([features(case.question, case.passages, case.best_dense) for case in cases])
    if options.lexical:
        matrix[:, FEATURES.index("dense")] = 0.0
    fitted = np.array([case.label in (0, 1) and _family(case) in FITTED for case in cases])
    weights = np.round(_fit(cases, matrix, fitted), 2)
    scores = _score(matrix, weights)
    threshold = _threshold([s for case, s in zip(cases, scores, strict=True) if _is_kept(case)])
    print("fitted on:", dict(Counter(f"{c.source}: {c.label}" for c, f in zip(cases, fitted, strict=True) if f)))
    print("weights:", dict(zip(("bias", *FEATURES), weights.tolist(), strict=True)))
    print(f"threshold: {threshold:.2f}")
    print("\nnever fitted; 95 % bootstrap intervals over questions")
    _report(cases, scores, threshold, MEASURED)
    _others(cases, scores, threshold)
    _by_collection(cases, scores)
    print("\nthe sets fitted on, each scored by a fit on the others")
    pairs = [(f, s) for f in FITTED for s in sorted({c.source for c in cases}) if s in (f"{f} far", f"{f} near")]
    _report(cases, _left_out(cases, matrix, fitted), threshold, pairs)
    _single(cases, matrix)


def _cases(data: Path, embedder: Embedder | None, cache: Path) -> list[Case]:
    measured = data / "retrieval"
    return [
        *shipped(data / "groundedness", embedder, cache),
        *mtrag(measured, embedder, cache),
        *xquad(measured, embedder, cache),
        *pubmedqa(measured, embedder, cache),
        *handbook(measured, embedder, cache),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--cache", default=".cache/sufficiency")
    parser.add_argument("--lexical", action="store_true", help="without the embedder")
    return parser.parse_args()


def _embedder() -> Embedder:
    from grounded.models.embedder import default_embedder

    return default_embedder()


def _family(case: Case) -> str:
    return case.source.split()[0]


def _fit(cases: Sequence[Case], matrix: Array, chosen: Chosen) -> Array:
    """Ridge logistic regression by Newton steps; each set and label weighs the same in total."""
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


def _left_out(cases: Sequence[Case], matrix: Array, fitted: Chosen) -> Array:
    """Scores of each set fitted on by a fit on the other sets."""
    families = np.array([_family(case) for case in cases])
    scores = np.zeros(len(cases))
    for family in FITTED:
        own = families == family
        scores[own] = _score(matrix[own], _fit(cases, matrix, fitted & ~own))
    return scores


def _is_kept(case: Case) -> bool:
    return case.source == "mtrag" and case.label == 1


def _threshold(answerable: Sequence[float]) -> float:
    """The highest threshold, in steps of 0.01, that keeps the share ``KEPT``."""
    return float(max(at for at in np.arange(0.01, 1.0, 0.01) if np.mean(np.array(answerable) >= at) >= KEPT))


def _by_collection(cases: Sequence[Case], scores: Array) -> None:
    """MTRAG judged with the threshold that its other collections choose."""
    rows = [(c.group, c.label, s) for c, s in zip(cases, scores, strict=True) if c.source == "mtrag"]
    kept, declined = [], []
    for group in sorted({group for group, _, _ in rows}):
        at = _threshold([s for other, label, s in rows if label == 1 and other != group])
        kept += [s >= at for own, label, s in rows if own == group and label == 1]
        declined += [s < at for own, label, s in rows if own == group and label == 0]
    print(f"mtrag, threshold from its other collections: keeps {np.mean(kept):.3f} declines {np.mean(declined):.3f}")


def auroc(positive: Array, negative: Array) -> float:
    """Chance that a positive outranks a negative, ties counting half."""
    order = np.concatenate([positive, negative])
    _, inverse, counts = np.unique(order, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def _report(cases: Sequence[Case], scores: Array, threshold: float, pairs: Sequence[tuple[str, str]]) -> None:
    for with_answer, without in pairs:
        yes = np.array([s for c, s in zip(cases, scores, strict=True) if (c.source, c.label) == (with_answer, 1)])
        no = np.array([s for c, s in zip(cases, scores, strict=True) if (c.source, c.label) == (without, 0)])
        lines = _interval(auroc, yes, no)
        keeps = _interval(lambda a, _: float(np.mean(a >= threshold)), yes, no)
        declines = _interval(lambda _, b: float(np.mean(b < threshold)), yes, no)
        print(f"{without:24s} n={len(yes)}+{len(no)} AUROC {lines} keeps {keeps} declines {declines}")


def _others(cases: Sequence[Case], scores: Array, threshold: float) -> None:
    """What is neither: partly answerable, underspecified, or with the right passage not among those found."""
    names = sorted({(c.source, c.label) for c in cases if isinstance(c.label, str) and _family(c) not in FITTED})
    for source, label in names:
        values = np.array([s for c, s in zip(cases, scores, strict=True) if (c.source, c.label) == (source, label)])
        print(f"{source} {label}: n={len(values)} declined {np.mean(values < threshold):.2f}")


def _interval(figure: Callable[[Array, Array], float], yes: Array, no: Array) -> str:
    random = np.random.default_rng(7)
    draws = [figure(random.choice(yes, len(yes)), random.choice(no, len(no))) for _ in range(1000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{figure(yes, no):.3f} [{low:.3f}, {high:.3f}]"


def _single(cases: Sequence[Case], matrix: Array) -> None:
    print("\nAUROC of each feature alone:", ", ".join(without for _, without in MEASURED))
    for column, name in enumerate(FEATURES):
        row = []
        for yes, no in MEASURED:
            positive = np.array([matrix[i, column] for i, c in enumerate(cases) if c.source == yes and c.label == 1])
            negative = np.array([matrix[i, column] for i, c in enumerate(cases) if c.source == no and c.label == 0])
            row.append(f"{auroc(positive, negative):.3f}")
        print(f"{name:14s}", *row)


if __name__ == "__main__":
    main()
