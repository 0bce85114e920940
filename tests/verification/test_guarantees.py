"""What is promised holds as often as stated, on simulated calibration sets."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grounded.verification.guarantees import at_most, choose, labels_needed, more_needed, risk_curve, upper_bound

SETS = 1000
RATE, CONFIDENCE = 0.05, 0.95
# Three standard errors above the stated 5 % of false promises.
TOLERATED = (1 - CONFIDENCE) + 3 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / SETS)

Scores = np.ndarray[tuple[int], np.dtype[np.float64]]


def exactly_at_most(count: int, wrong: int, rate: Fraction) -> Fraction:
    return sum((math.comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(wrong + 1)), Fraction(0))


@pytest.mark.parametrize("rate", ["1/100", "1/20", "1/10", "1/3"])
@pytest.mark.parametrize("confidence", ["9/10", "19/20", "99/100"])
@pytest.mark.parametrize("errors", [0, 1, 2, 5])
def test_the_number_of_labels_is_the_exact_binomial_one(rate: str, confidence: str, errors: int) -> None:
    share, sure = Fraction(rate), Fraction(confidence)
    needed = labels_needed(float(share), float(sure), errors)
    assert exactly_at_most(needed, errors, share) <= 1 - sure < exactly_at_most(needed - 1, errors, share)


def test_zero_errors_in_59_claims_show_five_percent() -> None:
    assert labels_needed(0.05, 0.95) == 59
    assert upper_bound(59, 0, 0.95) == pytest.approx(1 - 0.05 ** (1 / 59), abs=1e-9)
    assert upper_bound(58, 0, 0.95) > 0.05 > upper_bound(59, 0, 0.95)


@given(st.integers(1, 150), st.integers(0, 150), st.floats(0.5, 0.999))
@settings(max_examples=20)
def test_the_bound_is_where_so_few_errors_become_unlikely(count: int, wrong: int, confidence: float) -> None:
    wrong = min(wrong, count)
    bound = upper_bound(count, wrong, confidence)
    assert wrong / count <= bound <= 1.0
    if wrong < count:
        assert at_most(count, wrong, bound) == pytest.approx(1 - confidence, abs=1e-6)
        assert bound < upper_bound(count, wrong + 1, confidence)


def risk_above(error: Callable[[Scores], Scores], threshold: float, spread: Callable[[Scores], Scores]) -> float:
    """The true risk at a threshold, over a fine grid in place of the uniform distribution."""
    grid = spread(np.linspace(0.0, 1.0, 2001))
    return float(error(grid[grid >= threshold]).mean())


def plain(uniform: Scores) -> Scores:
    return uniform


def tied(uniform: Scores) -> Scores:
    return np.ceil(uniform * 8) / 8


MODELS: dict[str, tuple[Callable[[Scores], Scores], Callable[[Scores], Scores]]] = {
    "just too risky everywhere": (lambda s: np.full_like(s, 0.0501), plain),
    "too risky from the first threshold": (lambda s: np.where(s > 0.7, 0.051, 0.4), plain),
    "just within, then far off": (lambda s: np.where(s > 0.5, 0.05, 0.3), plain),
    "rising": (lambda s: np.clip(0.01 + 0.5 * (1 - s) ** 2, 0, 1), plain),
    "in steps, with ties": (lambda s: np.where(s > 0.8, 0.03, np.where(s > 0.4, 0.09, 0.4)), tied),
}


@pytest.mark.parametrize(
    ("name", "labels"),
    [(name, 300) for name in MODELS] + [("just too risky everywhere", labels) for labels in (60, 150)],
)
def test_false_promises_are_as_rare_as_stated(name: str, labels: int) -> None:
    error, spread = MODELS[name]
    draw = np.random.default_rng(labels)
    false = 0
    for _ in range(SETS):
        scores = np.sort(spread(draw.random(labels)))[::-1]
        wrong = draw.random(labels) < error(scores)
        pairs = list(zip(scores.tolist(), (~wrong).tolist(), strict=True))
        chosen = choose(pairs, labels, error_rate=RATE, confidence=CONFIDENCE)
        false += chosen is not None and risk_above(error, chosen.threshold, spread) > RATE
    assert false / SETS <= TOLERATED


def test_a_good_verifier_gets_its_promise() -> None:
    draw = np.random.default_rng(3)
    covered = []
    for _ in range(100):
        scores = np.sort(draw.random(500))[::-1]
        wrong = draw.random(500) < np.where(scores > 0.4, 0.01, 0.5)
        pairs = [pair for pair in zip(scores.tolist(), (~wrong).tolist(), strict=True) if pair[0] > 0.35]
        chosen = choose(pairs, 500, error_rate=RATE, confidence=CONFIDENCE)
        covered.append(0.0 if chosen is None else chosen.coverage)
    assert np.mean(np.array(covered) > 0) > 0.8
    assert np.mean(covered) > 0.4


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9, 1.0]), st.booleans()), min_size=1, max_size=80))
@settings(max_examples=20)
def test_the_curve_counts_what_a_threshold_calls(pairs: list[tuple[float, bool]]) -> None:
    pairs.sort(key=lambda pair: -pair[0])
    curve = risk_curve(pairs, len(pairs), confidence=0.95)
    assert curve[-1].coverage == 1.0
    for point in curve:
        called = [is_supported for score, is_supported in pairs if score >= point.threshold]
        assert (point.called, point.wrong) == (len(called), called.count(False))
        assert point.risk <= point.bound


@given(st.integers(1, 120), st.integers(0, 2))
@example(59, 2)
@settings(max_examples=20)
def test_as_many_more_labels_as_it_says_are_enough(count: int, wrong: int) -> None:
    """More of the same, with errors at the same rate, keep the promise; one fewer of all-right ones does not."""
    pairs = [(1.0, index >= wrong) for index in range(count)]
    if choose(pairs, count, error_rate=RATE, confidence=CONFIDENCE) is not None:
        return
    needed, point = more_needed(pairs, error_rate=RATE, confidence=CONFIDENCE)
    if needed is None:
        assert point is not None
        assert point.risk >= RATE
        return
    total = count + needed
    errors = 0 if point is None else math.ceil(point.risk * total)
    more = [(1.0, index >= errors) for index in range(total)]
    assert choose(more, total, error_rate=RATE, confidence=CONFIDENCE) is not None
    if point is None:
        assert choose(more[:-1], total, error_rate=RATE, confidence=CONFIDENCE) is None
