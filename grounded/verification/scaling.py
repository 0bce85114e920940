"""From a raw score to a probability: a two-number map that few labels cannot bend, and how far off it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grounded.records.calibrations import CLIP, ReliabilityBin, Scaling

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]

SHRINKAGE = 3.0
"""Pull of the slope towards 1, a tenth of it on the offset towards 0.

Chosen by held-out log loss among 0.1, 1, 3 and 10, and this map among the same for beta calibration (Kull et al. 2017)
and isotonic regression: it is the best with 40, 60 and 120 labels, and less than 0.002 from the best with 250 and 600.
``python benchmarks/calibration_maps.py`` prints the comparison on public claims (made with ``CLIP`` at 0.005). On the
network's own scores isotonic regression is no better: ``benchmarks/calibration.py``.
"""
BINS = 10
FOLDS = 3
_ROUNDS = 60


def fit(scores: Sequence[float], labels: Sequence[bool]) -> Scaling:
    """The map that fits the labels best, by penalised likelihood; it never falls.

    Args:
        scores: Raw scores in [0, 1].
        labels: Whether each is what the probability is of.
    """
    import numpy as np

    clipped = np.clip(np.asarray(scores, dtype=np.float64), CLIP, 1.0 - CLIP)
    features = np.stack([np.log(clipped / (1.0 - clipped)), np.ones_like(clipped)], axis=1)
    slope, offset = _newton(features, np.asarray(labels, dtype=np.float64), np.array([1.0, 0.0]))
    if slope < 0.0:
        # The scores say nothing, or the wrong thing: the best rising map is a flat one.
        slope, (offset,) = 0.0, _newton(features[:, 1:], np.asarray(labels, dtype=np.float64), np.array([0.0]))
    return Scaling(slope=float(slope), offset=float(offset))


def _newton(features: np.ndarray, labels: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Damped Newton steps; the penalised loss is strictly convex, so they end at its one minimum."""
    import numpy as np

    pull = np.diag(np.where(start == 1.0, SHRINKAGE, SHRINKAGE / 10))

    def loss(weights: np.ndarray) -> float:
        odds, away = features @ weights, weights - start
        return float((np.logaddexp(0.0, odds) - labels * odds).sum() + 0.5 * away @ pull @ away)

    weights = start.copy()
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(features @ weights, -500, 500)))
        slope = features.T @ (chance - labels) + pull @ (weights - start)
        step = np.linalg.solve(features.T @ (features * (chance * (1.0 - chance))[:, None]) + pull, slope)
        size, before = 1.0, loss(weights)
        while size > 1e-6 and loss(weights - size * step) > before - 1e-4 * size * float(slope @ step):
            size /= 2
        weights = weights - size * step
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights


def held_out(scores: Sequence[float], labels: Sequence[bool], groups: Sequence[int]) -> list[float]:
    """A probability for each claim from a map fitted on other groups, so that none is judged by its own label.

    Args:
        scores: Raw scores in [0, 1].
        labels: Whether each is supported.
        groups: Claims of one group stay together; groups are numbered in the order they first occur.
    """
    folds = [group % FOLDS for group in groups]
    found = [0.0] * len(scores)
    for fold in range(FOLDS):
        rest = [index for index, other in enumerate(folds) if other != fold]
        scaling = fit([scores[index] for index in rest], [labels[index] for index in rest])
        for index, own in enumerate(folds):
            if own == fold:
                found[index] = scaling.probability(scores[index])
    return found


def reliability(predicted: Sequence[float], labels: Sequence[bool]) -> tuple[ReliabilityBin, ...]:
    """Up to ``BINS`` bins of about equal size, lowest prediction first; equal predictions share one."""
    order = sorted(range(len(predicted)), key=lambda index: predicted[index])
    bins: list[list[int]] = []
    for rank, index in enumerate(order):
        same = bool(bins) and predicted[bins[-1][-1]] == predicted[index]
        if not bins or (not same and rank * BINS // len(order) != (rank - len(bins[-1])) * BINS // len(order)):
            bins.append([])
        bins[-1].append(index)
    return tuple(
        ReliabilityBin(
            predicted=min(sum(predicted[i] for i in each) / len(each), 1.0),
            observed=sum(labels[i] for i in each) / len(each),
            count=len(each),
        )
        for each in bins
    )


def expected_error(bins: Sequence[ReliabilityBin]) -> float:
    """Expected calibration error: the mean distance of predicted from observed, weighted by claims.

    After Naeini, Cooper and Hauskrecht 2015, with bins of equal size. With few claims it is too high: ten bins of ten
    claims each are about 0.1 off by chance alone.
    """
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.predicted - each.observed) for each in bins) / total if total else 0.0
