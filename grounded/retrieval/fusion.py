"""Joining what was found by meaning and by words: a weighted mean of scores brought to one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grounded.protocols import Embedder, Scored

DENSE_WEIGHT = 0.5
"""What meaning counts for; words count for the rest. 0.4 to 0.6 give the same mean over the measured sets."""
UNREAD_WEIGHT = 0.1
"""What meaning counts for when the embedder cannot read the question: enough to choose where no word is shared."""
SCALE_DEPTH = 50
"""Rank by meaning at which a share ends; it does not depend on how many were fetched."""
LEAST_SPREAD = 0.05
"""Cosines closer than this are as good as equal, so that the few points of a small store are not blown up."""
_TAIL = 1e-3


class Fused(NamedTuple):
    """One id with its joint score in (0, 1] and its rank in either ranking, from 1; None where it is missing."""

    id: str
    score: float
    dense_rank: int | None
    sparse_rank: int | None


def fuse(dense: Sequence[Scored], sparse: Sequence[Scored], *, dense_weight: float = DENSE_WEIGHT) -> list[Fused]:
    """Join two rankings: highest score first, ties by id.

    The score is ``w * dense share + (1 - w) * sparse share``; what is missing in a ranking has no share of it. A
    BM25 score is divided by the best one. Cosines use a narrow part of their range, another one for every question,
    so theirs is the place between the 50th and the best. 1 means "first by meaning and by words"; it compares ids
    within one call only. After Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (ACM
    TOIS 2023), section 4; figures against reciprocal rank fusion are in docs/retrieval.md.

    Args:
        dense: Ids with cosine similarities, best first, each at most once.
        sparse: Ids with BM25 scores above 0, best first, each at most once.
        dense_weight: What meaning counts for, in [0, 1].
    """
    meaning, words = _shares(dense, _dense_floor(dense)), _shares(sparse, 0.0)
    dense_ranks = {each.id: rank for rank, each in enumerate(dense, start=1)}
    sparse_ranks = {each.id: rank for rank, each in enumerate(sparse, start=1)}
    fused = [
        Fused(
            id=identity,
            score=dense_weight * meaning.get(identity, 0.0) + (1 - dense_weight) * words.get(identity, 0.0),
            dense_rank=dense_ranks.get(identity),
            sparse_rank=sparse_ranks.get(identity),
        )
        for identity in {**dense_ranks, **sparse_ranks}
    ]
    return sorted(fused, key=lambda each: (-each.score, each.id))


def dense_weight(embedder: Embedder, question: str) -> float:
    """What meaning counts for: less for a question in a script that the embedder was not trained on.

    An embedder that has a method ``reads(text: str) -> bool`` is asked; any other is taken to read everything.
    """
    reads = getattr(embedder, "reads", None)
    return UNREAD_WEIGHT if reads is not None and not reads(question) else DENSE_WEIGHT


def _dense_floor(dense: Sequence[Scored]) -> float:
    if not dense:
        return 0.0
    return min(dense[min(SCALE_DEPTH, len(dense)) - 1].score, dense[0].score - LEAST_SPREAD)


def _shares(ranking: Sequence[Scored], floor: float) -> dict[str, float]:
    """1 for the best, falling to the floor; from there on hardly more than nothing, in the order of the ranking."""
    if not ranking:
        return {}
    spread = ranking[0].score - floor
    return {
        each.id: max((each.score - floor) / spread if spread > 0 else 1.0, _TAIL / rank)
        for rank, each in enumerate(ranking, start=1)
    }
