"""A second look at the best passages: by a reranker, and for how much each adds to those before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from grounded.errors import RerankerError
from grounded.protocols import Reranker, VectorStore
from grounded.records import Passage

if TYPE_CHECKING:
    from grounded.protocols import Vector

RERANKED = 20
"""How many of the best passages a reranker reads, unless more are wanted."""
DIVERSIFIED = 50
"""How many of the best passages are weighed against each other."""


def reranked(
    question: str, passages: Sequence[Passage], reranker: Reranker, *, depth: int
) -> tuple[list[Passage], dict[str, float]]:
    """The first ``depth`` passages in the reranker's order, the rest behind them; and what it said, by id.

    A passage it has read has as its score its place between the worst and the best of them, moved into the upper half
    of (0, 1]; those it has not read keep half of theirs. So scores fall from the first to the last.

    Args:
        question: What is asked.
        passages: Best first, with scores.
        reranker: Reads question and passages.
        depth: How many it reads.

    Raises:
        RerankerError: It failed, or did not return one finite number for each passage.
    """
    read, rest = passages[:depth], passages[depth:]
    if not read:
        return [], {}
    said = _scores(question, read, reranker)
    low, high = min(said), max(said)
    shares = [(score - low) / (high - low) if high > low else 1.0 for score in said]
    order = sorted(range(len(read)), key=lambda place: (-said[place], place))
    scored = [(read[place], (1 + shares[place]) / 2) for place in order]
    scored += [(each, (each.score or 0.0) / 2) for each in rest]
    ordered = [each.model_copy(update={"score": score}) for each, score in scored]
    return ordered, {each.id: score for each, score in zip(read, said, strict=True)}


def _scores(question: str, passages: Sequence[Passage], reranker: Reranker) -> list[float]:
    texts = [f"{each.title}\n{each.text}" if each.title else each.text for each in passages]
    said = [float(score) for score in reranker.scores(question, texts)]
    if len(said) != len(texts) or not all(map(math.isfinite, said)):
        raise RerankerError(
            f"The reranker {reranker.name!r} returned {len(said)} scores for {len(texts)} passages, "
            f"{sum(map(math.isfinite, said))} of them finite numbers.",
            fix="It must return one finite number for each text, higher for better ones.",
        )
    return said


def diversified(passages: Sequence[Passage], store: VectorStore, diversity: float) -> list[Passage]:
    """The passages in an order in which each is good and unlike those before it; scores stay what they were.

    Next comes the one with the highest ``(1 - diversity) * score - diversity * likeness``, where likeness is the
    highest cosine to a passage chosen before. After Carbonell and Goldstein, "The Use of MMR" (SIGIR 1998).

    Args:
        passages: Best first, with scores; those behind the first ``DIVERSIFIED`` stay there.
        store: Holds their vectors; a passage whose vector is gone is like no other.
        diversity: In [0, 1]; 0 changes nothing.
    """
    if not diversity or len(passages) < 2:
        return list(passages)
    first, rest = list(passages[:DIVERSIFIED]), list(passages[DIVERSIFIED:])
    vectors = {point.id: point.dense for point in store.points([each.id for each in first])}
    chosen, likeness = [first.pop(0)], dict.fromkeys((each.id for each in passages), 0.0)
    while first:
        _note_likeness(likeness, chosen[-1], first, vectors)
        worth = [(1 - diversity) * (each.score or 0.0) - diversity * likeness[each.id] for each in first]
        chosen.append(first.pop(worth.index(max(worth))))
    return chosen + rest


def _note_likeness(
    likeness: dict[str, float], latest: Passage, others: Sequence[Passage], vectors: Mapping[str, Vector]
) -> None:
    vector = vectors.get(latest.id)
    for other in others:
        if vector is not None and other.id in vectors:
            likeness[other.id] = max(likeness[other.id], float(vector @ vectors[other.id]))
