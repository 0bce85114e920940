"""Rewriting an embedded store, so that its files hold nothing of points that were deleted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from grounded.protocols import Point, VectorStore
from grounded.records import KeyKind

BATCH_POINTS = 100
FRESH, SHARD, OLD = "fresh", "shard", "shard.old"
"""Folders of a store: the copy while it is made, the one in use, and the one it replaces."""


def recover(path: Path) -> None:
    """After a crash while a store was rewritten: the old one if it is all there is, and no leftovers."""
    old, shard = path / OLD, path / SHARD
    if old.exists() and not shard.exists():
        old.rename(shard)
    for leftover in (old, path / FRESH):
        if leftover.exists():
            shutil.rmtree(leftover)


def copy(
    ids: Sequence[str],
    read: Callable[[Sequence[str]], list[Point]],
    target: VectorStore,
    kinds: Mapping[str, KeyKind],
) -> None:
    """Copy points and declared keys to an empty store and close it; at most a hundred points in memory."""
    for key, kind in kinds.items():
        target.declare(key, kind)
    for start in range(0, len(ids), BATCH_POINTS):
        target.upsert(read(ids[start : start + BATCH_POINTS]))
    target.close()


def swap(path: Path) -> None:
    """Put the copy where the store was; both are closed. Whatever interrupts this, ``recover`` puts in order."""
    (path / SHARD).rename(path / OLD)
    (path / FRESH / SHARD).rename(path / SHARD)
    recover(path)
