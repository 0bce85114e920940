"""Reciprocal rank fusion: range, order, weights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.retrieval.fusion import K, fuse

RANKINGS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), min_size=1, max_size=4)


def test_the_formula() -> None:
    fused = {each.id: each for each in fuse([["a", "b"], ["b", "c"]])}
    assert fused["b"].score == pytest.approx((1 / (K + 2) + 1 / (K + 1)) / (2 / (K + 1)))
    assert fused["b"].ranks == (2, 1)
    assert fused["a"].ranks == (1, None)


def test_first_in_every_ranking_scores_one() -> None:
    assert fuse([["a"], ["a"]])[0].score == pytest.approx(1)
    assert fuse([["a"], []])[0].score == pytest.approx(0.5)


def test_ties_are_broken_by_id() -> None:
    assert [each.id for each in fuse([["b", "a"], ["a", "b"]])] == ["a", "b"]


def test_weights_decide() -> None:
    assert [each.id for each in fuse([["a"], ["b"]], [1, 2])] == ["b", "a"]


@given(RANKINGS)
def test_invariants(rankings: list[list[str]]) -> None:
    fused = fuse(rankings)
    assert {each.id for each in fused} == {identity for ranking in rankings for identity in ranking}
    assert all(0 < each.score <= 1 + 1e-9 for each in fused)
    assert fused == sorted(fused, key=lambda each: (-each.score, each.id))
    # Only the proportion of the weights counts.
    tripled = {each.id: each.score for each in fuse(rankings, [3.0] * len(rankings))}
    assert tripled == pytest.approx({each.id: each.score for each in fused})


@given(st.lists(st.sampled_from("abcdefgh"), unique=True))
def test_one_ranking_keeps_its_order(ranking: list[str]) -> None:
    assert [each.id for each in fuse([ranking])] == ranking
