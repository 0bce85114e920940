"""The embedded vector store: Qdrant's engine in this process, searched exactly.

Rules of the engine that this wrapper keeps, all measured: a second opening damages the first holder's files
before it is refused, so our own lock comes first; a refused update returns after the next opening, so
everything is checked before; every call holds the interpreter lock, so batches are small; a full disk ends
the process with a bus error, so free space is checked before every write; errors are bare ``Exception``.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qdrant_edge

from grounded.errors import KnowledgeBaseNotFoundError, StoreError, UsageError
from grounded.protocols import Point, Scored, SparseVector
from grounded.records import SYSTEM_KEYS, Condition, KeyKind
from grounded.retrieval import compacting, folder
from grounded.retrieval.engine import (
    DENSE,
    GROWTH_BYTES,
    RESERVE_BYTES,
    SCHEMA_TYPES,
    SPARSE,
    EdgeDialect,
    check_space,
    edge_point,
    edge_sparse,
    is_met_by_all,
    point_of,
    translated,
)
from grounded.retrieval.filters import check_declared, key_of, path_of, translate, what_decides
from grounded.retrieval.locking import FileLock
from grounded.retrieval.points import (
    check_declaration,
    check_dense,
    check_ids,
    check_payload,
    check_points,
    check_sparse,
)
from grounded.retrieval.ranking import ranked

if TYPE_CHECKING:
    from grounded.protocols import Vector

log = logging.getLogger(__name__)

BATCH_POINTS = 100
"""Points per update: about 2 ms in which no other thread of the process runs."""
PAGE_IDS = 1000
GONE_POINTS = 20_000
"""Deleted points of which the engine may keep words and places in memory, 0.7 KB each, until it is opened again."""
SMALL_POINTS = 10_000
"""A store of so many points is copied in three seconds, in which nobody can search it."""
LARGE_POINTS = 250_000
"""Above this many points an exact search takes tens of milliseconds; a Qdrant server with an index is better."""
UNINDEXED: Mapping[str, KeyKind] = {"document_id": SYSTEM_KEYS["document_id"]}
"""Filterable, but looked up point by point: no search of ours asks for it, and an index of a value that nearly every
point has for itself would take 0.3 KB of memory a point."""


class EdgeStore:
    """A vector store in a folder, held by one process at a time. Thread-safe; implements ``VectorStore``.

    Searches compare with every point that passes the filter, so nothing is ever missed; that stays fast up
    to about 250,000 points, above which a Qdrant server is the better store (``is_large``).

    Args:
        path: The store's folder; created mode 0700 with ``create``.
        dimension: Length of the dense vectors.
        create: Make the store when there is none; an existing one is opened as it is.

    Raises:
        KnowledgeBaseLockedError: Another process, or this one, holds the folder.
        KnowledgeBaseNotFoundError: There is no store and ``create`` is false.
        EmbedderMismatchError: The store holds vectors of another dimension.
        SchemaError: The folder was written by a newer release, or its description is damaged.
        StoreError: The engine cannot open it.
    """

    def __init__(self, path: Path, *, dimension: int, create: bool) -> None:
        if dimension < 1:
            raise UsageError(f"A vector has at least one dimension, not {dimension}.")
        self._path = Path(path)
        self._dimension = dimension
        self._guard = threading.RLock()
        self._pid = os.getpid()
        if not create and not (folder.is_there(self._path) or (self._path / compacting.OLD).exists()):
            raise KnowledgeBaseNotFoundError(f"There is no vector store at {self._path}.")
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = FileLock(self._path / "lock")
        self._shard: Any = None
        self._gone = 0  # points deleted since it was opened
        self._counts_deleted = False  # whether the engine's statistics of words still count some of them
        self._last: tuple[Condition | None, Any] = None, None  # the last condition, as the engine's filter
        try:
            self._shard = self._open()
            self._kinds = self._declared()
            for key in SYSTEM_KEYS:
                if key not in UNINDEXED:
                    self.declare(key, SYSTEM_KEYS[key])
            self._kinds = {**self._kinds, **UNINDEXED}
            folder.make_private(self._path)
        except BaseException:
            self._release()
            raise

    @property
    def dimension(self) -> int:
        """Length of the dense vectors."""
        return self._dimension

    @property
    def is_large(self) -> bool:
        """Whether there are so many points that a Qdrant server with an index would answer faster."""
        return self.count() > LARGE_POINTS

    def declare(self, key: str, kind: KeyKind) -> None:
        """Make a payload key filterable; declaring it again changes nothing.

        Raises:
            UsageError: The key is reserved, unusable, or was declared with another kind.
            StoreError: The store is closed or failed.
        """
        with self._guard:
            if check_declaration(key, kind, self._kinds):
                self._update(qdrant_edge.UpdateOperation.create_field_index(path_of(key), SCHEMA_TYPES[kind]))
                self._kinds = {**self._kinds, key: kind}

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points; all are validated before any is written. Survives the end of the process at once.

        Raises:
            StoreError: A point is malformed, the disk is full, or the store failed.
        """
        checked = check_points(points, self._dimension, self._kinds)
        for start in range(0, len(checked), BATCH_POINTS):
            batch = [edge_point(point) for point in checked[start : start + BATCH_POINTS]]
            self._update(qdrant_edge.UpdateOperation.upsert_points(batch), reserve=GROWTH_BYTES)

    def set_payload(self, ids: Sequence[str], payload: Mapping[str, Any]) -> None:
        """Replace the given payload keys of existing points; unknown ids are ignored.

        Raises:
            StoreError: The payload is malformed, or the store failed.
        """
        values = check_payload(payload, self._kinds)
        wanted = check_ids(ids)
        with self._guard:
            # The engine logs the update, then refuses it when a point is missing.
            present = self.existing(wanted)
            known: list[Any] = [each for each in wanted if each in present]
            for start in range(0, len(known), PAGE_IDS):
                part = known[start : start + PAGE_IDS]
                self._update(qdrant_edge.UpdateOperation.set_payload(part, values))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored.

        Raises:
            StoreError: An id is malformed, or the store failed.
        """
        wanted: list[Any] = check_ids(ids)
        with self._guard:
            self._counts_deleted |= bool(wanted)
            for start in range(0, len(wanted), PAGE_IDS):
                self._update(qdrant_edge.UpdateOperation.delete_points(wanted[start : start + PAGE_IDS]))
            self._gone += len(wanted)

    def dense(self, vector: Vector, *, limit: int, condition: Condition | None = None) -> list[Scored]:
        """The nearest points by cosine similarity in [-1, 1]: highest first, ties by id.

        Raises:
            StoreError: The vector is malformed, or the store failed.
            UnknownNameError: The condition mentions an undeclared key.
        """
        query: Any = check_dense(vector, self._dimension, unit=False)
        parameters = qdrant_edge.SearchParams(exact=True)
        return self._nearest(qdrant_edge.Query.Nearest(query, using=DENSE), parameters, limit, condition)

    def sparse(self, vector: SparseVector, *, limit: int, condition: Condition | None = None) -> list[Scored]:
        """The best points by inner product with inverse document frequency; highest first, ties by id.

        Raises:
            StoreError: The vector is malformed, or the store failed.
            UnknownNameError: The condition mentions an undeclared key.
        """
        check_sparse(vector)
        if not vector.indices:
            return []
        query = qdrant_edge.Query.Nearest(edge_sparse(vector), using=SPARSE)
        with self._guard:
            # The engine's own statistics count deleted points until the next opening; a corpus that is everything
            # makes it count what is there. 1.3 ms at 100,000 points.
            everything = qdrant_edge.IdfParams(corpus=qdrant_edge.Filter()) if self._counts_deleted else None
            parameters = qdrant_edge.SearchParams(exact=True, idf=everything)
            return self._nearest(query, parameters, limit, condition)

    def ids(self) -> Iterator[str]:
        """Every id in the store, in no promised order; points written meanwhile may or may not be among them."""
        offset: Any = None
        while True:
            request = qdrant_edge.ScrollRequest(offset=offset, limit=PAGE_IDS, with_payload=False, with_vector=False)
            records, offset = self._call("scroll", request)
            yield from (str(record.id) for record in records)
            if offset is None:
                return

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that the store holds.

        Raises:
            StoreError: An id is malformed, or the store failed.
        """
        wanted: list[Any] = check_ids(ids)
        found: set[str] = set()
        for start in range(0, len(wanted), PAGE_IDS):
            part = wanted[start : start + PAGE_IDS]
            records = self._call("retrieve", part, with_payload=False, with_vector=False)
            found.update(str(record.id) for record in records)
        return found

    def points(self, ids: Sequence[str]) -> list[Point]:
        """Those of ``ids`` that the store holds, with vectors and payloads, in no promised order.

        Raises:
            StoreError: An id is malformed, or the store failed.
        """
        wanted: list[Any] = check_ids(ids)
        found: list[Point] = []
        for start in range(0, len(wanted), BATCH_POINTS):
            part = wanted[start : start + BATCH_POINTS]
            records = self._call("retrieve", part, with_payload=True, with_vector=True)
            found.extend(point_of(record) for record in records)
        return found

    def count(self, condition: Condition | None = None) -> int:
        """How many points there are, exactly."""
        with self._guard:
            wanted = self._filter(condition)
            if wanted is None:
                return int(self._call("info").points_count)
            return int(self._call("count", qdrant_edge.CountRequest(exact=True, filter=wanted)))

    def compact(self) -> None:
        """Rewrite the store's files, so that they hold nothing of points that were deleted.

        Raises:
            StoreError: The disk is full, or the store failed; it is as it was before.
        """
        with self._guard:
            compacting.recover(self._path)  # a copy that failed may hold what was deleted since
            with EdgeStore(self._path / compacting.FRESH, dimension=self._dimension, create=True) as fresh:
                compacting.copy(list(self.ids()), self.points, fresh, self._kinds)
                self._reopen(compacting.swap)

    def flush(self) -> None:
        """Return when everything written so far survives a crash of the machine.

        After many deletions the store is opened anew, or rewritten when it is small: the engine forgets deleted points
        no earlier.

        Raises:
            StoreError: The disk is full, or the store failed.
        """
        with self._guard:
            self._flush()
            if self._gone >= GONE_POINTS:
                self._forget()

    def close(self) -> None:
        """Flush and release; closing twice changes nothing.

        Raises:
            StoreError: The last writes could not be flushed; the store is released all the same.
        """
        with self._guard:
            if self._shard is None:
                return
            try:
                if self._pid == os.getpid():
                    self._flush()  # closing lets go of what was deleted anyway
            finally:
                self._release()

    def __enter__(self) -> EdgeStore:
        """The store itself; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _flush(self) -> None:
        check_space(self._path, RESERVE_BYTES)
        self._call("flush")

    def _forget(self) -> None:
        """Let go of deleted points where they are many for those that are left."""
        there, gone = self.count(), self._gone
        if gone < there // 2:
            return
        self._gone = 0
        if there > min(SMALL_POINTS, gone // 4):
            self._reopen()
            return
        try:
            self.compact()
        except StoreError as error:
            if self._shard is None:
                raise
            log.warning("the store keeps what was deleted, as it could not be rewritten: %s", error)

    def _reopen(self, between: Callable[[Path], None] | None = None) -> None:
        try:
            with translated("close"):
                self._shard.close()
            if between is not None:
                between(self._path)
            self._shard = self._open()
        except BaseException:
            self._shard = None
            self._lock.release()
            raise
        self._gone = 0

    def _open(self) -> Any:
        compacting.recover(self._path)
        folder.prepare(self._path, self._dimension)
        self._counts_deleted = False
        with translated("open"):
            return qdrant_edge.EdgeShard.load(str(self._path / "shard"))

    def _declared(self) -> dict[str, KeyKind]:
        schema = self._call("info").payload_schema
        types = {str(name): kind for kind, name in SCHEMA_TYPES.items()}
        return {key_of(path): types[str(info.data_type)] for path, info in schema.items()}

    def _nearest(self, query: Any, parameters: Any, limit: int, condition: Condition | None) -> list[Scored]:
        with self._guard:
            wanted = self._filter(condition)

            def fetch(count: int) -> list[Scored]:
                request = qdrant_edge.QueryRequest(
                    limit=count,
                    query=query,
                    filter=wanted,
                    params=parameters,
                    with_payload=False,
                    with_vector=False,
                )
                found = self._call("query", request)
                return [Scored(id=str(each.id), score=float(each.score)) for each in found]

            return ranked(fetch, limit)

    def _filter(self, condition: Condition | None) -> Any:
        """The condition without what all points meet, which doubles a search; the ledger checks again what is found."""
        if condition is None:
            return None
        if condition is not self._last[0]:
            check_declared(condition, self._kinds)
            left = what_decides(condition, lambda part: is_met_by_all(self._call, part))
            self._last = condition, None if left is None else translate(left, EdgeDialect(), self._kinds)
        return self._last[1]

    def _update(self, operation: Any, *, reserve: int = RESERVE_BYTES) -> None:
        with self._guard:
            self._last = None, None
            check_space(self._path, reserve)
            self._call("update", operation)

    def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        with self._guard:
            if self._shard is None:
                raise StoreError(f"The vector store at {self._path} is closed.", fix="Open it again.")
            if self._pid != os.getpid():
                raise StoreError(
                    f"The vector store at {self._path} was opened by process {self._pid} and is held by it.",
                    fix="Open the knowledge base after forking, in one process only.",
                )
            with translated(method):
                return getattr(self._shard, method)(*arguments, **named)

    def _release(self) -> None:
        shard, self._shard = self._shard, None
        try:
            if shard is not None and self._pid == os.getpid():
                with translated("close"):
                    shard.close()
                folder.make_private(self._path)
        finally:
            self._lock.release()
