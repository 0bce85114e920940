"""What a point must be like before any store sees it.

Both stores check with the same code and before anything is sent, for two reasons: their own checks differ,
and qdrant-edge logs an update before it looks at it, so that a refused one comes back after the next opening.
"""

from __future__ import annotations

import math
import operator
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from grounded.errors import StoreError, UsageError
from grounded.protocols import Point, SparseVector
from grounded.records import SYSTEM_KEYS, KeyKind
from grounded.retrieval.filters import LARGEST_INTEGER, SMALLEST_INTEGER

if TYPE_CHECKING:
    from grounded.protocols import Vector

_USUAL_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

LENGTH_TOLERANCE = 0.01
"""How far a stored vector's length may be from 1; half-precision embedders stay within 0.001."""


def check_declaration(key: str, kind: KeyKind, kinds: Mapping[str, KeyKind]) -> bool:
    """Whether the declaration is new.

    Raises:
        UsageError: The key is unusable, reserved, or was declared with another kind.
    """
    if not key or '"' in key or "\\" in key or not key.isprintable():
        raise UsageError(f"{key!r} cannot be a filter key.", fix='Use printable characters without " and \\.')
    known = kinds.get(key)
    if known is not None and known != kind:
        reserved = " and cannot be redeclared" if key in SYSTEM_KEYS else ""
        raise UsageError(
            f"The filter key {key!r} is declared as {known}{reserved}, not {kind}.",
            fix="Use another name, or build a new knowledge base.",
        )
    return known is None


def check_points(points: Iterable[Point], dimension: int, kinds: Mapping[str, KeyKind]) -> list[Point]:
    """The points with plain payloads and float32 vectors; of several with one id the last.

    Raises:
        StoreError: An id is not a UUID, a vector has another length or a value that is not finite, or a
            payload key is undeclared or has a value of another kind.
    """
    checked: dict[str, Point] = {}
    for point in points:
        check_id(point.id)
        checked[point.id] = Point(
            id=point.id,
            dense=check_dense(point.dense, dimension, unit=True),
            sparse=check_sparse(point.sparse),
            payload=check_payload(point.payload, kinds),
        )
    return list(checked.values())


def check_id(value: str) -> str:
    """The id, when it is a UUID in its usual form: lower case, with hyphens.

    Raises:
        StoreError: It is something else.
    """
    try:
        if _USUAL_ID.fullmatch(value):
            return value
        usual = str(uuid.UUID(value))
    except (ValueError, AttributeError, TypeError) as error:
        raise StoreError(f"A point's id must be a UUID, not {value!r}.") from error
    raise StoreError(f"A point's id must be written {usual!r}, not {value!r}.")


def check_ids(values: Sequence[str]) -> list[str]:
    """The ids without repetition, in order.

    Raises:
        StoreError: One of them is not a UUID in its usual form.
    """
    return list(dict.fromkeys(check_id(value) for value in values))


def check_dense(vector: Vector, dimension: int, *, unit: bool) -> Vector:
    """The vector as contiguous float32 of shape ``(dimension,)``.

    Raises:
        StoreError: Another shape, a value that is not finite, no direction, or with ``unit`` a length other
            than 1.
    """
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(vector, dtype=np.float32)
    if array.shape != (dimension,):
        raise StoreError(f"A vector has shape {array.shape}; this store holds vectors of shape ({dimension},).")
    length = float(np.linalg.norm(array.astype(np.float64)))
    if not math.isfinite(length):
        raise StoreError("A vector has a value that is not a finite number.")
    if unit and abs(length - 1) > LENGTH_TOLERANCE:
        raise StoreError(f"A vector has length {length:.4g}; the store takes vectors of length 1.")
    if length < np.finfo(np.float32).tiny:
        raise StoreError("A vector of length 0 has no direction.")
    return array


def check_sparse(vector: SparseVector) -> SparseVector:
    """The vector itself.

    Raises:
        StoreError: Indices and values differ in number, indices are not ascending in ``[0, 2**32)``, or a
            value is not finite.
    """
    indices = vector.indices
    if len(indices) != len(vector.values):
        raise StoreError(f"A sparse vector has {len(indices)} indices and {len(vector.values)} values.")
    if any(map(operator.ge, indices, indices[1:])):
        raise StoreError("The indices of a sparse vector must ascend without repetition.")
    if indices and not 0 <= indices[0] <= indices[-1] < 2**32:
        raise StoreError("The indices of a sparse vector must lie in [0, 2**32).")
    if not all(map(math.isfinite, vector.values)):
        raise StoreError("A sparse vector has a value that is not a finite number.")
    return vector


def check_payload(payload: Mapping[str, Any], kinds: Mapping[str, KeyKind]) -> dict[str, Any]:
    """The payload with lists for tuples and floats for whole numbers under float keys.

    Raises:
        StoreError: A key is undeclared, or a value is not of its kind; ``None`` never is, leave the key out
            or use an empty list.
    """
    checked: dict[str, Any] = {}
    for key, value in payload.items():
        kind = kinds.get(key)
        if kind is None:
            raise StoreError(
                f"The payload key {key!r} is not declared; declared: {', '.join(sorted(kinds))}.",
                fix="A store keeps ids and filterable values only: declare the key first.",
            )
        if isinstance(value, (list, tuple)):
            checked[key] = [_check_value(key, kind, each) for each in value]
        else:
            checked[key] = _check_value(key, kind, value)
    return checked


def same_points(left: Sequence[Point], right: Sequence[Point]) -> bool:
    """Whether points of two stores are the same: ids and payloads exactly, dense and sparse values to 1e-6."""
    ours, theirs = ({point.id: point for point in points} for points in (left, right))
    return ours.keys() == theirs.keys() and all(_same_point(ours[each], theirs[each]) for each in ours)


def _same_point(left: Point, right: Point) -> bool:
    near = bool(np.allclose(left.dense, right.dense, atol=1e-6))
    words = left.sparse.indices == right.sparse.indices and np.allclose(
        left.sparse.values, right.sparse.values, atol=1e-6
    )
    return near and bool(words) and _plain(left.payload) == _plain(right.payload)


def _plain(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in payload.items()}


def _check_value(key: str, kind: KeyKind, value: object) -> str | int | float | bool:
    match kind, value:
        case ("bool", bool()):
            return value
        case ("keyword", str()) if _is_text(value):
            return value
        case ("integer", int()) if not isinstance(value, bool) and _fits(value):
            return value
        case ("float", int() | float()) if not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    raise StoreError(f"The payload key {key!r} is declared as {kind}; {value!r} is not one it can keep.")


def _fits(value: int) -> bool:
    return SMALLEST_INTEGER <= value <= LARGEST_INTEGER


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: lone surrogates cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
