"""Metrics of retrieval and context against the gold sources of a question.

A gold source is found by the first passage that holds it, so that two passages on the same place count once. With one
gold source that is the usual reciprocal rank, hit rate and nDCG (Järvelin and Kekäläinen 2002, binary gains).
"""

from __future__ import annotations

import math

from grounded.evaluation.metrics.base import Found, Measure, Sample, check_k, metric, numbered
from grounded.evaluation.metrics.gold import first_ranks, holds
from grounded.records import Passage

_NEEDS = ("passages", "sources")


def hit_rate(k: int | None = None) -> Measure:
    """Whether any gold source is among the first ``k`` passages found."""

    @metric(_named("hit_rate", k), _titled("Hit rate", k), needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Whether at least one gold source is among the passages found."""
        ranks = _ranks(sample, k)
        return float(any(ranks)), _where(ranks)

    return measured


def recall(k: int | None = None) -> Measure:
    """Share of gold sources among the first ``k`` passages found."""

    @metric(_named("recall", k), _titled("Recall", k), needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Gold sources found / gold sources."""
        ranks = _ranks(sample, k)
        return sum(rank is not None for rank in ranks) / len(ranks), _where(ranks)

    return measured


def mrr(k: int | None = None) -> Measure:
    """Reciprocal rank of the first gold source."""

    @metric(_named("mrr", k), _titled("Reciprocal rank", k), needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """1 / the rank of the first passage that holds a gold source, 0 when none does; its mean is the MRR."""
        ranks = _ranks(sample, k)
        first = min((rank for rank in ranks if rank is not None), default=None)
        return (1 / first if first else 0.0), _where(ranks)

    return measured


def ndcg(k: int | None = None) -> Measure:
    """Discounted gain of the gold sources."""

    @metric(_named("ndcg", k), _titled("nDCG", k), needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Sum over gold sources of 1 / log2(1 + rank), divided by the same for the best order possible."""
        ranks = _ranks(sample, k)
        # Several gold sources in one passage stand at one rank, and no order could do better than that.
        reached = sum(1 / math.log2(1 + rank) for rank in ranks if rank is not None)
        return min(1.0, reached / _ideal(ranks, k)), _where(ranks)

    return measured


def context_recall() -> Measure:
    """Share of gold sources that stood before the model."""

    @metric("context_recall", "Context recall", needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Gold sources among the passages that the answer was made from / gold sources."""
        ranks = first_ranks(sample.row.sources, _context(sample))
        return sum(rank is not None for rank in ranks) / len(ranks), _where(ranks)

    return measured


def context_precision() -> Measure:
    """Share of the passages before the model that hold a gold source."""

    @metric("context_precision", "Context precision", needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Passages that hold a gold source / passages that the answer was made from."""
        context = _context(sample)
        if not context:
            return 0.0, "There are no passages."
        right = sum(any(holds(gold, passage) for gold in sample.row.sources) for passage in context)
        return right / len(context), f"{right} of {numbered(len(context), 'passage')} hold a gold source."

    return measured


def context_sufficiency() -> Measure:
    """Whether all gold sources stood before the model."""

    @metric("context_sufficiency", "Context sufficiency", needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Whether every gold source is among the passages that the answer was made from."""
        ranks = first_ranks(sample.row.sources, _context(sample))
        return all(ranks), _where(ranks)

    return measured


def _named(name: str, k: int | None) -> str:
    check_k(k)
    return name if k is None else f"{name}@{k}"


def _titled(title: str, k: int | None) -> str:
    return title if k is None else f"{title} at {k}"


def _ranks(sample: Sample, k: int | None) -> list[int | None]:
    return first_ranks(sample.row.sources, sample.retrieved[:k])


def _context(sample: Sample) -> tuple[Passage, ...]:
    return sample.answer.passages if sample.answer is not None else ()


def _ideal(ranks: list[int | None], k: int | None) -> float:
    places = len(ranks) if k is None else min(len(ranks), k)
    return sum(1 / math.log2(1 + place) for place in range(1, places + 1))


def _where(ranks: list[int | None]) -> str:
    said = ", ".join("not found" if rank is None else f"at {rank}" for rank in ranks)
    return f"{numbered(len(ranks), 'gold source')}: {said}."
