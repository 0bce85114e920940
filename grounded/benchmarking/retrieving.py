"""The retriever on trial: a set's documents ingested as a user would, its queries asked, its judgements applied."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grounded.benchmarking.measures import interval, ndcg, recall
from grounded.benchmarking.verifying import Figure
from grounded.records import DEFAULT_TENANT, Record, document_id

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grounded.benchmarking.beir import RetrievalSet
    from grounded.pipeline.knowledge_base import KnowledgeBase
    from grounded.protocols import Embedder

PASSAGES_PER_DOCUMENT = 4
"""How many passages are asked for, for each document that a figure looks at: several may lie in one document."""


_SOURCE = "records"
"""What records in memory are called; part of a document's identity."""


class RetrievalTrial(Record):
    """What the retriever came to on one set.

    Attributes:
        retriever: The embedding model's identity; words are always searched too.
        queries: How many were asked.
        of: How many there were to ask; more than ``queries`` when the trial was stopped.
        figures: ``ndcg@K`` and ``recall@K`` in percent, with 95 % bootstrap intervals over queries.
        ingest_seconds: Wall time to bring the documents in.
        milliseconds: Median wall time of a query.
    """

    set: str
    split: str
    retriever: str
    documents: int
    queries: int
    of: int
    figures: dict[str, Figure]
    ingest_seconds: float
    milliseconds: float

    @property
    def complete(self) -> bool:
        """Whether every query was asked."""
        return self.queries == self.of


def try_retriever(
    data: RetrievalSet,
    *,
    k: int = 10,
    deep: int = 100,
    limit: int | None = None,
    embedder: Embedder | None = None,
    progress: Callable[[int, int, str], object] = lambda done, of, step: None,
) -> RetrievalTrial:
    """Ingest the documents into a knowledge base that is thrown away, ask the queries, and count.

    Documents are split, embedded and searched as everywhere else; the first passage of a document gives it its rank.
    Interrupting it returns the figures of the queries asked so far.

    Args:
        data: The set.
        k: Cut-off of nDCG and of the first recall.
        deep: Cut-off of the second recall.
        limit: At most so many queries, drawn the same way every time; all for None.
        embedder: Another embedding model than the shipped one.
        progress: Told how many are done, of how many, and the step: ``documents`` or ``queries``.
    """
    from grounded.models.embedder import default_embedder
    from grounded.pipeline.knowledge_base import KnowledgeBase

    model = embedder or default_embedder()
    queries = list(data.queries.items())
    random.Random(5).shuffle(queries)
    chosen = queries[:limit]
    with (
        tempfile.TemporaryDirectory() as folder,
        KnowledgeBase.open(Path(folder) / "kb", create=True, embedder=model) as kb,
    ):
        started, done = time.perf_counter(), 0

        def ingested(_: object) -> None:
            nonlocal done
            done += 1
            progress(min(done, len(data.corpus)), len(data.corpus), "documents")

        kb.ingest(
            ({"key": key, "title": title, "text": text or title} for key, (title, text) in data.corpus.items()),
            progress=ingested,
        )
        spent = time.perf_counter() - started
        names = {document_id(DEFAULT_TENANT, _SOURCE, key): key for key in data.corpus}
        rankings, times = _ask(kb, [text for _, text in chosen], names, max(k, deep), progress)
    asked = chosen[: len(rankings)]
    pairs = [(found, data.judged[identity]) for found, (identity, _) in zip(rankings, asked, strict=True)]
    return RetrievalTrial(
        set=data.name,
        split=data.split,
        retriever=model.identity,
        documents=len(data.corpus),
        queries=len(rankings),
        of=len(chosen),
        figures={
            f"ndcg@{k}": _mean([ndcg(*pair, k) for pair in pairs]),
            f"recall@{k}": _mean([recall(*pair, k) for pair in pairs]),
            f"recall@{deep}": _mean([recall(*pair, deep) for pair in pairs]),
        },
        ingest_seconds=spent,
        milliseconds=1000 * float(np.median(times)) if times else 0.0,
    )


def _ask(
    kb: KnowledgeBase,
    questions: Sequence[str],
    names: Mapping[str, str],
    depth: int,
    progress: Callable[[int, int, str], object],
) -> tuple[list[list[str]], list[float]]:
    rankings, times = [], []
    try:
        for number, question in enumerate(questions, start=1):
            started = time.perf_counter()
            passages = kb.search(question, k=depth * PASSAGES_PER_DOCUMENT)
            times.append(time.perf_counter() - started)
            rankings.append(list(dict.fromkeys(names[passage.document_id or ""] for passage in passages)))
            progress(number, len(questions), "queries")
    except KeyboardInterrupt:
        pass
    return rankings, times


def _mean(values: Sequence[float]) -> Figure:
    if not values:
        return Figure(value=None)
    shares = np.array(values)

    def mean(at: NDArray[np.intp]) -> float:
        return 100.0 * float(shares[at].mean())

    value = mean(np.arange(len(shares)))
    if math.isnan(value):
        return Figure(value=None)
    low, high = interval([str(number) for number in range(len(values))], mean) or (None, None)
    return Figure(value=value, low=low, high=high)
