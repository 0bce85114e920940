"""Search: candidates by meaning and by words, fused, resolved to live passages, duplicates cited once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from grounded.errors import UsageError
from grounded.protocols import Embedder, Reranker, Scored, SparseVector, VectorStore
from grounded.records import Condition, Location, Passage, Record
from grounded.retrieval.bm25 import query_vector
from grounded.retrieval.fusion import Fused, dense_weight, fuse
from grounded.retrieval.neighbours import Group, SliceText, grouped, united
from grounded.retrieval.reranking import DIVERSIFIED, RERANKED, diversified, reranked

if TYPE_CHECKING:
    from grounded.protocols import Vector

log = logging.getLogger(__name__)

Lookup = Callable[[Sequence[str]], Mapping[str, Sequence[Passage]]]
"""The live passages, visible to the caller, of chunk ids; ids without one are left out."""

CANDIDATES = 50
"""Points taken from each ranking at first."""
_DEEPER = 4
_REACH = 3
"""Candidates looked up at first, in passages that are wanted."""
_FEW = 8


class Found(Record):
    """Why a passage was found.

    Attributes:
        dense_rank: Rank by meaning, from 1; None when it was not among the candidates.
        dense: Cosine similarity to the question.
        sparse_rank: Rank by words, from 1; None when it shares none or was not among the candidates.
        sparse: BM25 score.
        rerank: What the reranker said, on its own scale; None when it did not read it.
    """

    dense_rank: int | None = None
    dense: float | None = None
    sparse_rank: int | None = None
    sparse: float | None = None
    rerank: float | None = None


class SearchResult(Record):
    """Passages, best first, ties by chunk id.

    Attributes:
        passages: At most k; ``score`` is the fused score in (0, 1], 1 for first by meaning and by words; after a
            reranker its place in the reranker's order (``reranking.reranked``).
        hits: The passages before they were expanded; empty when they were not.
        found: Why each was found, in the same order; for merged neighbours the best of them.
        best_dense: Highest cosine similarity of a live, visible chunk to the question; 0 without any.
        examined: Candidates fused, those without a live, visible passage included.
    """

    passages: tuple[Passage, ...] = ()
    hits: tuple[Passage, ...] = ()
    found: tuple[Found, ...] = ()
    best_dense: float = 0.0
    examined: int = 0

    @property
    def judged(self) -> tuple[Passage, ...]:
        """The passages as they were found: what the sufficiency of a search is judged by."""
        return self.hits or self.passages

    def widened(self, passages: Sequence[Passage]) -> SearchResult:
        """The same result with expanded passages; those that lie in a better one are gone."""
        why = {passage.id: reason for passage, reason in zip(self.passages, self.found, strict=True)}
        return self.model_copy(
            update={
                "passages": tuple(passages),
                "hits": self.passages,
                "found": tuple(why[passage.id] for passage in passages),
            }
        )


def search(
    question: str,
    *,
    embedder: Embedder,
    store: VectorStore,
    lookup: Lookup,
    k: int,
    condition: Condition | None = None,
    candidates: int = CANDIDATES,
    slice_text: SliceText | None = None,
    reranker: Reranker | None = None,
    diversity: float = 0.0,
) -> SearchResult:
    """The passages most likely to answer a question.

    Takes candidates by meaning and by words under the condition, fuses them, keeps what ``lookup`` knows as
    live and visible, and fetches more until k passages remain or there are no more points. A text that
    several documents share is returned once, in its first place, with the others that were looked up in ``also``,
    unless their effective dates, trust or succession differ. Deterministic for a given store.

    Args:
        question: What is asked.
        embedder: Makes the question's vector.
        store: Holds the points.
        lookup: Resolves chunk ids; what it leaves out never appears.
        k: How many passages are wanted, at least 1.
        condition: What points must satisfy; ``filters.visible_to`` belongs here.
        candidates: Points taken from each ranking at first, at least k.
        slice_text: Canonical text of a document version. When given, passages that follow each other in one
            version become one (``neighbours.united``); without it each chunk stays its own passage.
        reranker: Puts the best ``RERANKED`` passages (k when that is more) into its own order.
        diversity: In [0, 1]; above 0 a passage that is like a better one gives way (``reranking.diversified``).

    Raises:
        UsageError: The question is empty, k is below 1, or diversity is outside its range.
        RerankerError: The reranker failed.
        UnknownNameError: The condition mentions an undeclared key.
        StoreError: The store failed.
    """
    if not question.strip():
        raise UsageError("The question is empty.", fix="Ask something.")
    if k < 1:
        raise UsageError(f"A search returns at least 1 passage, not {k}.")
    if not 0.0 <= diversity <= 1.0:
        raise UsageError(f"Diversity lies in [0, 1]; {diversity} does not.")
    weight = dense_weight(embedder, question)
    candidate_source = _Candidates(store, embedder.embed_query(question), query_vector(question), condition, weight)
    resolved = _Resolved(lookup)
    read = max(k, RERANKED if reranker else 0, DIVERSIFIED if diversity else 0)
    depth = max(candidates, 2 * read)
    while True:
        fused = candidate_source.fetch(depth)
        unique, groups = _enough(fused, resolved, k, read, joins=slice_text is not None)
        if candidate_source.exhausted or (len(groups) >= k and len(unique) >= read):
            break
        depth *= _DEEPER
    said: dict[str, float] = {}
    if reranker:
        unique, said = reranked(question, unique, reranker, depth=max(k, RERANKED))
    if reranker or diversity:
        groups = _groups(diversified(unique, store, diversity), k, joins=slice_text is not None)
    passages = [united(*group, slice_text) if slice_text else group.best for group in groups]
    log.debug("search: %d candidates, %d passages", len(fused), len(passages))
    return SearchResult(
        passages=tuple(passages),
        found=tuple(candidate_source.why(passage.id, said.get(passage.id)) for passage in passages),
        best_dense=candidate_source.best_dense(resolved),
        examined=len(fused),
    )


class _Ranking(NamedTuple):
    ranks: dict[str, int]
    scores: dict[str, float]

    @classmethod
    def of(cls, found: Sequence[Scored]) -> _Ranking:
        ranks = {each.id: rank for rank, each in enumerate(found, start=1)}
        return cls(ranks, {each.id: each.score for each in found})


class _Candidates:
    """Two rankings of one question, as deep as asked for."""

    def __init__(
        self, store: VectorStore, dense: Vector, sparse: SparseVector, condition: Condition | None, weight: float
    ) -> None:
        self._store, self._condition, self._weight = store, condition, weight
        self._dense_query, self._sparse_query = dense, sparse
        self._dense = self._sparse = _Ranking({}, {})
        self.exhausted = False

    def fetch(self, depth: int) -> list[Fused]:
        """The best ``depth`` of each ranking, fused."""
        dense = self._store.dense(self._dense_query, limit=depth, condition=self._condition)
        sparse = self._store.sparse(self._sparse_query, limit=depth, condition=self._condition)
        self._dense, self._sparse = _Ranking.of(dense), _Ranking.of(sparse)
        self.exhausted = len(dense) < depth and len(sparse) < depth
        return fuse(dense, sparse, dense_weight=self._weight)

    def why(self, identity: str, rerank: float | None) -> Found:
        """The ranks and scores of one id."""
        return Found(
            dense_rank=self._dense.ranks.get(identity),
            dense=self._dense.scores.get(identity),
            sparse_rank=self._sparse.ranks.get(identity),
            sparse=self._sparse.scores.get(identity),
            rerank=rerank,
        )

    def best_dense(self, resolved: _Resolved) -> float:
        """The highest cosine of an id that has a passage; what the caller may not see never counts."""
        best_first = list(self._dense.scores)
        for place, identity in enumerate(best_first):
            if identity not in resolved:
                resolved.look_up(best_first[place : place + _FEW])
            if resolved[identity]:
                return self._dense.scores[identity]
        return 0.0


class _Resolved(dict[str, Sequence[Passage]]):
    """What is known of ids; each is looked up once. Looking up is what a search takes longest for."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__()
        self._lookup = lookup

    def look_up(self, ids: Sequence[str]) -> None:
        """Know all of the ids."""
        fresh = [each for each in ids if each not in self]
        self.update({identity: () for identity in fresh} | dict(self._lookup(fresh) if fresh else {}))


def _enough(
    fused: Sequence[Fused], resolved: _Resolved, k: int, read: int, *, joins: bool
) -> tuple[list[Passage], list[Group]]:
    """Distinct passages, ``read`` of them when there are so many, and the first k groups of neighbours among them."""
    unique: list[Passage] = []
    groups: list[Group] = []
    for reach in (_REACH * read, len(fused)):
        resolved.look_up([each.id for each in fused[:reach]])
        unique = _unique(fused[:reach], resolved)
        groups = _groups(unique, k, joins=joins)
        if len(groups) >= k and len(unique) >= read:
            break
    return unique, groups


def _unique(fused: Sequence[Fused], resolved: Mapping[str, Sequence[Passage]]) -> list[Passage]:
    """What was found, best first; one text in several places is one passage, unless what governs it differs."""
    unique: dict[object, Passage] = {}
    also: dict[object, list[Location]] = {}
    for each in fused:
        for passage in resolved[each.id]:
            meaning = (
                passage.text,
                passage.effective_from,
                passage.effective_to,
                passage.supersedes,
                passage.trust,
            )
            if meaning in unique:
                also.setdefault(meaning, []).append(passage.location())
            else:
                unique[meaning] = passage.model_copy(update={"score": each.score})
    return [
        passage.model_copy(update={"also": tuple(also[meaning])}) if meaning in also else passage
        for meaning, passage in unique.items()
    ]


def _groups(ordered: Sequence[Passage], k: int, *, joins: bool) -> list[Group]:
    """The first k groups of neighbours; when they are not to be joined each passage is one of its own."""
    if not joins:
        return [Group([passage], passage) for passage in ordered[:k]]
    taken = k
    groups = grouped(ordered[:taken])
    while len(groups) < k and taken < len(ordered):
        taken += k - len(groups)
        groups = grouped(ordered[:taken])
    return groups[:k]
