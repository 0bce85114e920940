"""The figures of a benchmark, against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.benchmarking import area, balanced, best_threshold, f1, interval, ndcg, published, recall

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30).filter(
    lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
)


@given(ROWS)
def test_area_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    label, score = np.array([each[0] for each in rows]), np.array([float(each[1]) for each in rows])
    mine, other = score[label][:, None], score[~label][None, :]
    assert area(label, score) == pytest.approx(100 * ((mine > other).mean() + 0.5 * (mine == other).mean()))
    assert area(label, -score) == pytest.approx(100 - area(label, score))


@given(ROWS)
def test_balanced_accuracy_is_the_mean_of_the_recalls(rows: list[tuple[bool, int]]) -> None:
    label, said = np.array([each[0] for each in rows]), np.array([each[1] > 2 for each in rows])
    assert balanced(label, label) == 100.0
    assert balanced(label, np.ones(len(rows), dtype=bool)) == 50.0
    assert balanced(label, said) + balanced(label, ~said) == pytest.approx(100)
    assert best_threshold(label, said.astype(float)) >= balanced(label, said)


def test_figures_of_one_class_are_not_defined() -> None:
    ones = np.ones(3, dtype=bool)
    assert math.isnan(balanced(ones, ones))
    assert math.isnan(area(ones, np.arange(3.0)))
    assert math.isnan(f1(ones, ones))


def test_f1_is_of_what_is_not_supported() -> None:
    label, said = np.array([False, False, True, True]), np.array([False, True, False, True])
    assert f1(label, said) == pytest.approx(50.0)
    assert f1(label, label) == 100.0


def test_the_interval_holds_the_mean_at_its_rate_and_draws_groups() -> None:
    chance, inside = np.random.default_rng(1), 0
    for _ in range(60):
        values = chance.normal(size=40)
        found = interval([str(n) for n in range(40)], lambda at, v=values: float(v[at].mean()), repeats=100)  # type: ignore[misc]
        assert found is not None
        inside += found[0] <= 0 <= found[1]
    assert 50 <= inside <= 60
    same = [str(n // 20) for n in range(40)]
    wide = interval(same, lambda at: float((at < 20).mean()))
    assert wide == (0.0, 1.0)
    assert interval(["a"] * 5, lambda at: 1.0) is None


def test_ndcg_and_recall_by_hand() -> None:
    relevant = {"a": 2, "b": 1, "c": 0}
    assert ndcg(["a", "b"], relevant, 10) == 1.0
    assert ndcg(["b", "x", "a"], relevant, 10) == pytest.approx((1 + 2 / 2) / (2 + 1 / math.log2(3)))
    assert ndcg(["x", "a"], relevant, 1) == 0.0
    assert recall(["x", "a", "b"], relevant, 2) == 0.5
    assert math.isnan(recall(["a"], {"c": 0}, 5))


def test_published_figures_are_found_whatever_the_case_and_name_their_source() -> None:
    found = published("SciFact")
    assert found[0].system == "ColBERT"
    assert all(each.source and each.dated and each.url.startswith("https://") for each in found)
    assert {each.metric for each in published("ragtruth QA")} == {"balanced_accuracy", "f1"}
    assert published("nothing") == ()
