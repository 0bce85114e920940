"""Points as bytes: ids and vectors as numpy arrays, without payloads."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from grounded.errors import SchemaError
from grounded.protocols import Point, SparseVector


def packed(points: Sequence[Point], dimension: int) -> bytes:
    """The points in one ``.npz`` file; sparse vectors stand one after the other, ``ends`` says where each ends."""
    lengths = [len(point.sparse.indices) for point in points]
    content = io.BytesIO()
    np.savez(
        content,
        ids=np.array([point.id for point in points], dtype="S36"),
        dense=np.array([point.dense for point in points], dtype=np.float32).reshape(len(points), dimension),
        ends=np.cumsum(lengths, dtype=np.int64),
        indices=np.array([index for point in points for index in point.sparse.indices], dtype=np.uint32),
        values=np.array([value for point in points for value in point.sparse.values], dtype=np.float32),
    )
    return content.getvalue()


def unpacked(content: bytes) -> dict[str, Point]:
    """What ``packed`` made, by id; the points have no payload.

    Raises:
        SchemaError: It is something else.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            ids = [str(each, "ascii") for each in arrays["ids"]]
            dense, ends = arrays["dense"], arrays["ends"].tolist()
            indices, values = arrays["indices"].tolist(), arrays["values"].tolist()
        found: dict[str, Point] = {}
        for number, identity in enumerate(ids):
            words = slice(ends[number - 1] if number else 0, ends[number])
            sparse = SparseVector(tuple(indices[words]), tuple(values[words]))
            found[identity] = Point(identity, dense[number], sparse)
    except (ValueError, KeyError, IndexError, TypeError, OSError, EOFError) as error:
        raise SchemaError(f"These are no packed points: {error}") from error
    return found
