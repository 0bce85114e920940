"""Fusion of scores: range, order, weights, small stores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.models.embedder import default_embedder
from grounded.models.remembering import RememberingEmbedder
from grounded.protocols import Scored
from grounded.retrieval.fusion import DENSE_WEIGHT, SCALE_DEPTH, UNREAD_WEIGHT, dense_weight, fuse


def _ranking(low: float, high: float) -> st.SearchStrategy[list[Scored]]:
    return st.dictionaries(st.sampled_from("abcdefgh"), st.floats(low, high), max_size=8).map(
        lambda found: sorted((Scored(*each) for each in found.items()), key=lambda each: (-each.score, each.id))
    )


DENSE, SPARSE = _ranking(-1.0, 1.0), _ranking(0.01, 40.0)


def test_the_formula() -> None:
    dense = [Scored("a", 0.9), Scored("b", 0.7), Scored("c", 0.5)]
    sparse = [Scored("b", 8.0), Scored("d", 2.0)]
    fused = {each.id: each for each in fuse(dense, sparse, dense_weight=0.6)}
    assert fused["b"].score == pytest.approx(0.6 * 0.5 + 0.4)
    assert fused["a"].score == pytest.approx(0.6)
    assert fused["d"].score == pytest.approx(0.4 * 0.25)
    assert (fused["b"].dense_rank, fused["b"].sparse_rank) == (2, 1)
    assert (fused["d"].dense_rank, fused["d"].sparse_rank) == (None, 2)


def test_first_by_meaning_and_by_words_scores_one() -> None:
    assert fuse([Scored("a", 0.3)], [Scored("a", 5.0)])[0].score == pytest.approx(1)
    assert fuse([Scored("a", 0.3)], [])[0].score == pytest.approx(0.5)


def test_ties_are_broken_by_id() -> None:
    tied = [Scored("b", 0.5), Scored("a", 0.5)]
    assert [each.id for each in fuse(tied, [])] == ["a", "b"]


def test_a_hair_by_meaning_does_not_outweigh_words() -> None:
    # Two chunks in the whole store: the place between best and last would make 0.81 and 0.80 one and nothing.
    fused = fuse([Scored("a", 0.81), Scored("b", 0.80)], [Scored("b", 6.0), Scored("a", 2.0)])
    assert [each.id for each in fused] == ["b", "a"]


def test_fetching_more_changes_no_score() -> None:
    dense = [Scored(f"{rank:03}", 0.9 - rank / 200) for rank in range(4 * SCALE_DEPTH // 2)]
    few = {each.id: each.score for each in fuse(dense[:SCALE_DEPTH], [])}
    many = {each.id: each.score for each in fuse(dense, [])}
    assert {identity: many[identity] for identity in few} == few
    assert [each.id for each in fuse(dense, [])] == [each.id for each in dense]


@given(DENSE, SPARSE)
def test_invariants(dense: list[Scored], sparse: list[Scored]) -> None:
    fused = fuse(dense, sparse)
    assert {each.id for each in fused} == {each.id for each in (*dense, *sparse)}
    assert all(0 < each.score <= 1 + 1e-9 for each in fused)
    assert fused == sorted(fused, key=lambda each: (-each.score, each.id))


@given(SPARSE)
def test_words_alone_keep_their_order(sparse: list[Scored]) -> None:
    assert [each.id for each in fuse([], sparse)] == [each.id for each in sparse]


def test_meaning_counts_less_in_a_script_the_embedder_cannot_read() -> None:
    embedder = default_embedder()
    assert dense_weight(embedder, "How long is the warranty?") == DENSE_WEIGHT
    assert dense_weight(embedder, "42?") == DENSE_WEIGHT
    assert dense_weight(embedder, "保修期有多长？") == UNREAD_WEIGHT
    assert dense_weight(RememberingEmbedder(embedder), "Сколько длится гарантия?") == UNREAD_WEIGHT
