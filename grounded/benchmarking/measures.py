"""The usual figures of a detector and of a ranking, and how sure they are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

BOOTSTRAPS = 1000

Flags = NDArray[np.bool_]
Scores = NDArray[np.float64]


def balanced(label: Flags, said: Flags) -> float:
    """Mean of the recalls of both classes, in percent: guessing gives 50. NaN when a class is missing."""
    if label.all() or not label.any():
        return math.nan
    return 50.0 * float(said[label].mean() + (~said[~label]).mean())


def area(label: Flags, score: Scores) -> float:
    """Area under the receiver's curve, in percent; ties count half. NaN when a class is missing.

    Computed from ranks, as Mann and Whitney (1947) do, so that many rows cost no square of memory.
    """
    count = int(label.sum())
    if count in (0, len(label)):
        return math.nan
    values, inverse, repeats = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(repeats) - (repeats - 1) / 2
    ranks = float(middle[inverse.reshape(-1)][label].sum())
    del values
    return 100.0 * (ranks - count * (count + 1) / 2) / (count * (len(label) - count))


def f1(label: Flags, said: Flags) -> float:
    """F1 in percent of finding what is not supported, the class that RAGTruth's published figures call positive."""
    hits = int((~label & ~said).sum())
    wrong = int((~label).sum()) + int((~said).sum())
    return 200.0 * hits / wrong if wrong else math.nan


def best_threshold(label: Flags, score: Scores) -> float:
    """Balanced accuracy at the threshold that is best for these very rows, which nobody knows beforehand."""
    return max(balanced(label, score >= threshold) for threshold in np.unique(score.round(3)))


def interval(
    groups: Sequence[str], figure: Callable[[NDArray[np.intp]], float], *, repeats: int = BOOTSTRAPS
) -> tuple[float, float] | None:
    """95 % percentile bootstrap over groups (Efron and Tibshirani 1993, chapter 13); None when it has no answer.

    Args:
        groups: What each row shares with others, such as its source: groups are drawn, never single rows.
        figure: The figure of the rows drawn, by their numbers; NaN where it is not defined, which is left out.
        repeats: How many draws. The same rows give the same interval: the seed is fixed.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        rows[group].append(number)
    members = [np.array(each) for each in rows.values()]
    if len(members) < 2:
        return None
    chance, found = np.random.default_rng(0), []
    for _ in range(repeats):
        value = figure(np.concatenate([members[i] for i in chance.integers(0, len(members), len(members))]))
        if not math.isnan(value):
            found.append(value)
    if not found:
        return None
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def ndcg(ranking: Sequence[str], relevant: Mapping[str, int], k: int) -> float:
    """Normalised discounted cumulative gain of the first k, in [0, 1]; the gain is the grade (Järvelin 2002, as BEIR).

    Args:
        ranking: Ids, best first, each once.
        relevant: Grade by id; 0 and less count as not relevant.
        k: Cut-off, at least 1.
    """
    gained = sum(max(0, relevant.get(each, 0)) / math.log2(at + 1) for at, each in enumerate(ranking[:k], start=1))
    best = sorted((grade for grade in relevant.values() if grade > 0), reverse=True)[:k]
    ideal = sum(grade / math.log2(at + 1) for at, grade in enumerate(best, start=1))
    return gained / ideal if ideal else math.nan


def recall(ranking: Sequence[str], relevant: Mapping[str, int], k: int) -> float:
    """Share of the relevant ids that are among the first k, in [0, 1]; NaN when none is relevant."""
    wanted = {each for each, grade in relevant.items() if grade > 0}
    return len(wanted & set(ranking[:k])) / len(wanted) if wanted else math.nan
