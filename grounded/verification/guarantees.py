"""How far a threshold can be trusted, from labelled claims: exact bounds, how many labels, which threshold.

The bound is Clopper and Pearson's (1934, "The use of confidence or fiducial limits illustrated in the case of the
binomial"): exact for any number of labels. The threshold is found by fixed-sequence testing as in Angelopoulos, Bates,
Candès, Jordan and Lei (2021, "Learn then test: calibrating predictive algorithms to achieve risk control"): thresholds
are tested from strict to loose until the first that fails; with many labels from several starting points, which share
the level. The promise then holds for the loosest that passed although many were tried, under two conditions: the
labelled claims are an independent sample of those it is promised for, and stricter thresholds are not riskier.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate

from grounded.records.calibrations import RiskPoint

STARTS = (1 / 3, 2 / 3, 1.0)
"""Shares of the claims called supported, best first, at which a sequence of tests starts; with few only the first.

In simulations of six shapes of risk, three starts that share the level find a threshold as often as the best single
one or nearly so from 250 claims on, and one start does with fewer. A start is never so small that it cannot pass.
"""
SEVERAL = 4
"""Several starts are used from this many times the labels that an errorless promise needs."""
STEP = 1.1
"""Each tested threshold calls at least a tenth more claims supported than the one before."""
CURVE_POINTS = 40


def at_most(count: int, wrong: int, rate: float) -> float:
    """Probability of ``wrong`` or fewer errors among ``count`` when the true rate is ``rate`` (binomial)."""
    if wrong >= count:
        return 1.0
    if not 0.0 < rate < 1.0:
        return float(rate <= 0.0)
    log_rate, log_rest = math.log(rate), math.log1p(-rate)
    logs = (
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * log_rate + (count - k) * log_rest
        for k in range(wrong + 1)
    )
    return min(math.fsum(map(math.exp, logs)), 1.0)


def upper_bound(count: int, wrong: int, confidence: float) -> float:
    """The exact upper bound of an error rate after ``wrong`` errors in ``count`` (Clopper and Pearson 1934).

    Args:
        count: Claims looked at, at least 0.
        wrong: Errors among them.
        confidence: In (0, 1).
    """
    if wrong >= count:
        return 1.0
    low, high = wrong / count, 1.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (low, middle) if at_most(count, wrong, middle) <= 1.0 - confidence else (middle, high)
    return high


def labels_needed(error_rate: float, confidence: float, errors: int = 0) -> int:
    """How many labelled claims, ``errors`` of them wrong, show at most ``error_rate`` at ``confidence``.

    Without errors it is the least ``n`` with ``(1 - error_rate) ** n <= 1 - confidence``.

    >>> labels_needed(0.05, 0.95)
    59
    >>> labels_needed(0.05, 0.95, errors=1)
    93
    """
    low, high = errors, max(2 * errors, 1)
    while at_most(high, errors, error_rate) > 1.0 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at_most(middle, errors, error_rate) <= 1.0 - confidence else (middle, high)
    return high


def starts(count: int, error_rate: float, confidence: float) -> list[tuple[int, float]]:
    """Where sequences of tests start, as ``(claims called, confidence of each test)``; labels play no part in it."""
    several = count >= SEVERAL * labels_needed(error_rate, confidence)
    shares = STARTS if several else STARTS[:1]
    level = 1.0 - (1.0 - confidence) / len(shares)
    least = labels_needed(error_rate, level)
    return [(max(least, math.ceil(share * count)), level) for share in shares]


def tested(called: Sequence[tuple[float, bool]], start: int) -> Iterator[tuple[int, float]]:
    """The thresholds of one sequence as ``(claims called, threshold)``, strict to loose; labels play no part in it.

    Args:
        called: ``(score, is supported)`` of claims that may be called supported, best score first.
        start: Claims that the first threshold calls, at least.
    """
    reach = start
    while reach <= len(called):
        threshold = called[reach - 1][0]
        while reach < len(called) and called[reach][0] == threshold:
            reach += 1
        yield reach, threshold
        reach = len(called) + 1 if reach == len(called) else min(max(reach + 1, int(reach * STEP)), len(called))


def choose(
    called: Sequence[tuple[float, bool]], labels: int, *, error_rate: float, confidence: float
) -> RiskPoint | None:
    """The loosest threshold that keeps the promise, or None.

    Args:
        called: ``(score, is supported)`` of claims that may be called supported, best score first.
        labels: All labelled claims, for the coverage.
        error_rate: Largest allowed share of wrong ones among those called supported.
        confidence: How sure that must be.
    """
    wrong = _wrong_so_far(called)
    passed = (0, 0.0)
    for start, level in starts(len(called), error_rate, confidence):
        for reach, threshold in tested(called, start):
            if at_most(reach, wrong[reach], error_rate) > 1.0 - level:
                break
            passed = max(passed, (reach, threshold))
    return _point(*passed, wrong[passed[0]], labels, confidence) if passed[0] else None


def risk_curve(called: Sequence[tuple[float, bool]], labels: int, *, confidence: float) -> tuple[RiskPoint, ...]:
    """Risk against coverage at up to ``CURVE_POINTS`` thresholds, highest first."""
    ends = [n for n in range(1, len(called) + 1) if n == len(called) or called[n][0] != called[n - 1][0]]
    step = max(1, math.ceil(len(ends) / CURVE_POINTS))
    shown = ends[::-1][::step][::-1]
    wrong = _wrong_so_far(called)
    return tuple(_point(reach, called[reach - 1][0], wrong[reach], labels, confidence) for reach in shown)


def more_needed(
    called: Sequence[tuple[float, bool]], *, error_rate: float, confidence: float
) -> tuple[int | None, RiskPoint | None]:
    """How many more claims, if they turn out like these, would keep the promise; None when no number would.

    Returns:
        The number, and the point it is read off: the one tested first. No point: there are too few to test.
    """
    start, _ = starts(len(called), error_rate, confidence)[0]
    first = next(tested(called, start), None)
    if first is None:
        return start - len(called), None
    point = _point(*first, _wrong_so_far(called)[first[0]], len(called), confidence)
    if point.risk >= error_rate:
        return None, point

    def shows(count: int) -> bool:  # more labels may mean more starts, and then each must be surer
        _, level = starts(math.ceil(len(called) * count / point.called), error_rate, confidence)[0]
        return at_most(count, math.ceil(point.risk * count), error_rate) <= 1.0 - level

    count = point.called
    while not shows(count):
        count = max(count + 1, int(count * 1.02))
    return count - point.called, point


def _wrong_so_far(called: Sequence[tuple[float, bool]]) -> list[int]:
    return list(accumulate((not is_supported for _, is_supported in called), initial=0))


def _point(called: int, threshold: float, wrong: int, labels: int, confidence: float) -> RiskPoint:
    return RiskPoint(
        threshold=threshold,
        called=called,
        wrong=wrong,
        coverage=called / labels,
        risk=wrong / called,
        bound=upper_bound(called, wrong, confidence),
    )
