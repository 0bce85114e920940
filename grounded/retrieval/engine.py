"""What the adapter to ``qdrant_edge`` says to it and hears from it: filters, points, settings, errors."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge

from grounded.errors import StoreError
from grounded.protocols import Point, SparseVector
from grounded.records import Absent, AnyOf, Condition, KeyKind
from grounded.retrieval.filters import PRINCIPALS, TENANT

DENSE, SPARSE = "dense", "bm25"

SCHEMA_TYPES: Mapping[KeyKind, Any] = {
    "keyword": qdrant_edge.PayloadSchemaType.Keyword,
    "integer": qdrant_edge.PayloadSchemaType.Integer,
    "float": qdrant_edge.PayloadSchemaType.Float,
    "bool": qdrant_edge.PayloadSchemaType.Bool,
}
"""The payload index of every kind of key."""

GROWTH_BYTES = 64 * 2**20
"""Free space needed to add points: two log files of 32 MiB are filled in place, then pages of indexes."""
RESERVE_BYTES = 16 * 2**20
"""Free space needed to flush, delete or change payloads: what points already added may still take."""
_FULL_DISK = ("no space left", "os error 28", "os error 112", "disk quota")


class EdgeDialect:
    """Filters as objects of ``qdrant_edge``."""

    def combine(self, *, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> Any:
        """A filter of filters."""
        return qdrant_edge.Filter(must=list(must), should=list(should), must_not=list(must_not))

    def among(self, key: str, values: list[str] | list[int]) -> Any:
        """One of the values."""
        return qdrant_edge.FieldCondition(key=key, match=qdrant_edge.MatchAny(values))

    def is_bool(self, key: str, value: bool) -> Any:
        """This boolean."""
        # The binding takes Python's own True for the integer 1, which matches nothing; numpy's it takes right.
        boolean: Any = np.bool_(value)
        return qdrant_edge.FieldCondition(key=key, match=qdrant_edge.MatchValue(boolean))

    def between(self, key: str, *, gte: float | None = None, lt: float | None = None) -> Any:
        """A number in ``[gte, lt)``."""
        return qdrant_edge.FieldCondition(key=key, range=qdrant_edge.RangeFloat(gte=gte, lt=lt))

    def number(self, key: str, value: float) -> Any:
        """This number."""
        return qdrant_edge.FieldCondition(key=key, range=qdrant_edge.RangeFloat(gte=value, lte=value))

    def absent(self, key: str) -> Any:
        """No value, or an empty list."""
        return qdrant_edge.IsEmptyCondition(key)


def is_met_by_all(call: Callable[..., Any], condition: Condition) -> bool:
    """Whether every point meets a part of ``filters.visible_to``, as the engine's indexes show at a glance.

    Args:
        call: Calls a method of the engine; no point may be written until the answer has been used.
        condition: False for any that is not such a part.
    """
    match condition:
        case Absent(key=key) if key == PRINCIPALS:
            return bool(call("info").payload_schema[key].points == 0)
        case AnyOf(key=key, values=(str(tenant),)) if key == TENANT:
            # Not exact means the number in the index, which is exact for a single value of one key.
            its_own = qdrant_edge.FieldCondition(key=key, match=qdrant_edge.MatchValue(tenant))
            request = qdrant_edge.CountRequest(filter=qdrant_edge.Filter(must=[its_own]), exact=False)
            return bool(call("count", request) == call("info").points_count)
        case _:
            return False


def check_space(path: Path, reserve: int) -> None:
    """Refuse to write where the disk would fill up, at which the engine ends the process.

    Raises:
        StoreError: Fewer than ``reserve`` bytes are free.
    """
    free = shutil.disk_usage(path).free
    if free < reserve:
        raise StoreError(
            f"The disk is full: {path} has {free // 2**20} MiB left and needs {reserve // 2**20} MiB.",
            fix="Free some space and run the same command again; nothing stored is lost.",
        )


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the engine's errors into ours; they have no types, only texts."""
    try:
        yield
    except StoreError:
        raise
    except BaseException as error:
        # A panic of the engine derives from BaseException; interrupts and exits of the user pass through.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _store_error(doing, error) from error


def _store_error(doing: str, error: BaseException) -> StoreError:
    text = str(error)
    if any(sign in text.lower() for sign in _FULL_DISK):
        return StoreError(
            f"The disk is full: the vector store refused to {doing}.",
            fix="Free some space and run the same command again.",
        )
    return StoreError(f"The vector store failed to {doing}: {text}")


def configuration(dimension: int) -> Any:
    """Cosine and BM25 vectors, every update logged before it is acknowledged."""
    return qdrant_edge.EdgeConfig(
        vectors={DENSE: qdrant_edge.EdgeVectorParams(size=dimension, distance=qdrant_edge.Distance.Cosine)},
        sparse_vectors={SPARSE: qdrant_edge.EdgeSparseVectorParams(modifier=qdrant_edge.Modifier.Idf)},
        wal_enabled=True,
    )


def edge_point(point: Point) -> Any:
    """A checked point as the engine's."""
    # The binding takes a list twice as fast as an array.
    vectors: dict[str, Any] = {DENSE: point.dense.tolist()}
    if point.sparse.indices:
        # A point without words must not count among those that could have had a word.
        vectors[SPARSE] = edge_sparse(point.sparse)
    return qdrant_edge.Point(point.id, vectors, dict(point.payload))


def edge_sparse(vector: SparseVector) -> Any:
    """A checked sparse vector as the engine's."""
    return qdrant_edge.SparseVector(list(vector.indices), list(vector.values))


def point_of(record: Any) -> Point:
    """One of our points as the engine returns it, with vectors and payload."""
    sparse = record.vector.get(SPARSE)
    words = SparseVector((), ())
    if sparse is not None:
        # The engine need not return them in order.
        pairs = sorted(zip(sparse.indices, sparse.values, strict=True))
        words = SparseVector(tuple(index for index, _ in pairs), tuple(value for _, value in pairs))
    dense = np.asarray(record.vector[DENSE], dtype=np.float32)
    return Point(str(record.id), dense, words, dict(record.payload or {}))
