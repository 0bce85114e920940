"""Joining rankings: weighted reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

K = 60
"""Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
Methods" (SIGIR 2009), section 2."""


@dataclass(frozen=True, slots=True)
class Fused:
    """One id with its joint score in (0, 1] and its rank in every ranking, from 1; None where it is missing."""

    id: str
    score: float
    ranks: tuple[int | None, ...]


def fuse(rankings: Sequence[Sequence[str]], weights: Sequence[float] | None = None) -> list[Fused]:
    """Join rankings: highest score first, ties by id.

    The score is ``Σ w / (K + rank)`` divided by its largest possible value, so that 1 means "first in every
    ranking". It compares ids within one call only.

    Args:
        rankings: Ids, best first, each at most once per ranking.
        weights: One positive number per ranking; equal when left out.
    """
    shares = [1.0] * len(rankings) if weights is None else list(weights)
    ranks: dict[str, list[int | None]] = {}
    for number, ranking in enumerate(rankings):
        for rank, identity in enumerate(ranking, start=1):
            ranks.setdefault(identity, [None] * len(rankings))[number] = rank
    largest = sum(shares) / (K + 1)
    fused = [
        Fused(
            id=identity,
            score=sum(w / (K + rank) for w, rank in zip(shares, found, strict=True) if rank is not None) / largest,
            ranks=tuple(found),
        )
        for identity, found in ranks.items()
    ]
    return sorted(fused, key=lambda each: (-each.score, each.id))
