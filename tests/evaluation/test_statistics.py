from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.evaluation.statistics import compare, summarise
from grounded.evaluation.statistics.resampling import Pairs, exchanged
from grounded.evaluation.statistics.sizes import clusters_needed, holm, student_quantile, wilson
from grounded.records import MetricCard, MetricValue, Problem, Row, Trial

SCORE = MetricCard(name="score", title="Score", description="")
CLAIMS = MetricCard(name="claims", title="Claims", description="", per_claim=True)
NOTHING = Problem(error="X", message="x")


def pairs_of(first: np.ndarray, second: np.ndarray) -> Pairs:
    """Groups by rows: arrays of shape (n_groups, rows_of_a_group)."""
    size = float(first.shape[1])
    return Pairs(np.stack([first.sum(axis=1), second.sum(axis=1)]), np.full((2, len(first)), size))


def trial(row: str, variant: str, *values: MetricValue) -> Trial:
    return Trial(row=row, variant=variant, problem=NOTHING, values=values)


def scored(first: Sequence[float | None], second: Sequence[float | None]) -> tuple[list[Row], list[Trial]]:
    rows = [Row(id=str(n), question="?") for n in range(len(first))]
    trials = []
    for name, values in (("a", first), ("b", second)):
        for row, value in zip(rows, values, strict=True):
            status = {"status": "failed", "reason": "no reply"} if value is None else {}
            trials.append(trial(row.id, name, MetricValue(metric="score", value=value, **status)))
    return rows, trials


def test_the_exchange_test_is_the_exact_one_for_few_groups() -> None:
    differences = np.array([0.5, 0.3, -0.1, 0.4, 0.2, 0.6, -0.2])
    seen = abs(differences.sum())
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in itertools.product((1, -1), repeat=len(differences))]  # fmt: skip
    exact = np.mean([1.0 if s > seen + 1e-9 else 0.5 if abs(s - seen) <= 1e-9 else 0.0 for s in sums])
    found = exchanged(pairs_of(np.zeros((7, 1)), differences[:, None]))
    assert found == pytest.approx(exact, abs=0.01)


def test_a_clear_difference_is_told_and_says_which_way() -> None:
    draw = random.Random(1)
    first = [draw.random() * 0.5 for _ in range(80)]
    rows, trials = scored(first, [value + 0.3 + draw.random() * 0.1 for value in first])
    (found,) = compare(rows, ["a", "b"], [SCORE], trials)
    assert found.finding == "better"
    assert found.difference == pytest.approx(0.35, abs=0.02)
    assert 0.3 < (found.low or 0) < 0.35 < (found.high or 0) < 0.4
    lower = SCORE.model_copy(update={"better": "lower"})
    assert compare(rows, ["a", "b"], [lower], trials)[0].finding == "worse"
    shown = SCORE.model_copy(update={"better": "neither"})
    assert compare(rows, ["a", "b"], [shown], trials)[0].finding == "changed"


def test_chance_is_no_winner_and_says_how_much_is_missing() -> None:
    draw = random.Random(2)
    rows, trials = scored([draw.random() for _ in range(60)], [draw.random() for _ in range(60)])
    (found,) = compare(rows, ["a", "b"], [SCORE], trials)
    assert found.finding == "not_enough_data"
    assert (found.more_needed or 0) > 60


def test_missing_values_are_counted_and_never_numbers() -> None:
    rows, trials = scored([1.0, None, 0.0, 1.0], [1.0, 1.0, None, 0.0])
    first = summarise(rows, ["a", "b"], [SCORE], trials)[0]
    assert (first.rows, first.failed) == (3, 1)
    assert first.value == pytest.approx(2 / 3)
    (found,) = compare(rows, ["a", "b"], [SCORE], trials)
    assert (found.rows, found.difference) == (2, -0.5)
    assert found.finding == "not_enough_data"
    rows, trials = scored([None, None], [1.0, 1.0])
    assert compare(rows, ["a", "b"], [SCORE], trials)[0].finding == "not_available"
    assert summarise(rows, ["a"], [SCORE], trials)[0].value is None


def test_equal_values_are_the_same_and_their_interval_is_not_a_point() -> None:
    rows, trials = scored([1.0] * 20, [1.0] * 20)
    assert compare(rows, ["a", "b"], [SCORE], trials)[0].finding == "same"
    summary = summarise(rows, ["a"], [SCORE], trials)[0]
    assert (summary.value, summary.high) == (1.0, 1.0)
    assert summary.low == pytest.approx(wilson(1.0, 20)[0])


def test_claims_weigh_alike_at_their_own_level() -> None:
    rows = [Row(id="1", question="?"), Row(id="2", question="?")]
    trials = [
        trial("1", "a", MetricValue(metric="claims", value=1.0, count=9, of=9)),
        trial("2", "a", MetricValue(metric="claims", value=0.0, count=0, of=1)),
    ]
    by_level = {each.level: each.value for each in summarise(rows, ["a"], [CLAIMS], trials)}
    assert by_level == {"answer": 0.5, "claim": 0.9}


def test_rows_of_one_group_are_one_observation() -> None:
    draw = random.Random(3)
    rows, trials = scored([0.0] * 60, [1.0 if draw.random() < 0.8 else 0.0 for _ in range(60)])
    grouped = [row.model_copy(update={"group": f"g{int(row.id) % 4}"}) for row in rows]
    (alone,), (together,) = (compare(each, ["a", "b"], [SCORE], trials) for each in (rows, grouped))
    assert alone.finding == "better"
    assert (together.finding, together.clusters) == ("not_enough_data", 4)
    assert "Only 4 independent groups" in together.note


def test_tags_have_their_own_rows() -> None:
    rows, trials = scored([0.0] * 20, [1.0] * 10 + [0.0] * 10)
    tagged = [row.model_copy(update={"tags": ("early",) if int(row.id) < 10 else ("late",)}) for row in rows]
    found = {each.tag: each for each in compare(tagged, ["a", "b"], [SCORE], trials)}
    assert (found["early"].difference, found["late"].finding) == (1.0, "same")


def test_many_comparisons_are_corrected_together() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_corrected_values_are_never_smaller_and_keep_their_order(values: list[float]) -> None:
    corrected = holm(values)
    assert all(c >= v for c, v in zip(corrected, values, strict=True))
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [corrected[n] for n in order] == sorted(corrected)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_holds_it(counted: tuple[int, int]) -> None:
    count, of = counted
    low, high = wilson(count / of, of)
    assert 0.0 <= low <= count / of <= high <= 1.0
    assert (low == 0.0) is (count == 0)
    assert (high == 1.0) is (count == of)


@pytest.mark.parametrize(("degrees", "quantile"), [(1, 12.706), (2, 4.303), (5, 2.571), (9, 2.262), (49, 2.010)])
def test_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(quantile, rel=0.002)


def test_the_order_of_rows_is_no_matter() -> None:
    draw = random.Random(4)
    rows, trials = scored([draw.random() for _ in range(30)], [draw.random() for _ in range(30)])
    shuffled = [*rows]
    draw.shuffle(shuffled)
    assert compare(shuffled, ["a", "b"], [SCORE], trials) == compare(rows, ["a", "b"], [SCORE], trials)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "of_each"), [(50, 1), (50, 4), (120, 1)])
def test_equal_variants_are_called_different_at_the_stated_rate(groups: int, of_each: int) -> None:
    """5 % ± 1 %; 4,000 simulations have a standard error of 0.34 %."""
    draw, alarms, runs = np.random.default_rng(5), 0, 4000
    for _ in range(runs):
        base = draw.normal(0, 1, (groups, 1))
        first, second = (np.exp(base + draw.normal(0, 1, (groups, of_each))) for _ in range(2))
        alarms += exchanged(pairs_of(first, second), draws=999) <= 0.05
    print(f"{groups} groups of {of_each}: {alarms / runs:.2%} false alarms")  # noqa: T201
    assert 0.04 <= alarms / runs <= 0.06


@pytest.mark.slow
def test_the_number_of_questions_named_shows_the_difference_four_times_in_five() -> None:
    """The number that in truth reaches 80 % lies within 20 % of the one named."""
    draw = np.random.default_rng(6)
    for difference, spread in ((0.1, 0.4), (0.25, 0.5)):
        named = clusters_needed(difference, spread)

        def power(count: int, size: float = difference, wide: float = spread) -> float:
            zero = np.zeros((count, 1))
            samples = (draw.normal(size, wide, (count, 1)) for _ in range(400))
            return float(np.mean([exchanged(pairs_of(zero, each), draws=499) <= 0.05 for each in samples]))

        low, high = power(math.floor(named * 0.8)), power(math.ceil(named * 1.2))
        print(f"{named} groups named for {difference}: power {low:.1%} at 0.8 ×, {high:.1%} at 1.2 ×")  # noqa: T201
        assert low < 0.8 < high
