"""Slices of canonical text, read block by block and kept in a bounded cache."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cache
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, or_, select

from grounded.ingestion.ledger.schema import BLOCK_CHARACTERS, texts
from grounded.ingestion.ledger.writes import slices

CACHED_BLOCKS = 512
"""At most 8 Mi code points: 8 to 32 MiB."""

Slice = tuple[int, int, int]
"""``(version id, start, end)`` in code points."""

_PORTION = 200


class TextCache:
    """Reads canonical text. Thread-safe; a version's text never changes, so nothing is ever invalidated."""

    def __init__(self, blocks: int = CACHED_BLOCKS) -> None:
        self._blocks: OrderedDict[tuple[int, int], str] = OrderedDict()
        self._limit = blocks
        self._lock = Lock()

    def read(self, connection: Connection, wanted: Sequence[Slice]) -> list[str]:
        """The text of each slice, in the order given; what is not in the cache takes one query per 200 blocks."""
        needed = dict.fromkeys(block for each in wanted for block in _blocks_of(each))
        blocks = self._cached(needed)
        missing = [block for block in needed if block not in blocks]
        for some in slices(missing, _PORTION):
            found = connection.execute(*_asked_for(some))
            loaded = {(row.version_id, row.block): row.content.decode("utf-8", "surrogatepass") for row in found}
            blocks.update(loaded)
            self._keep(loaded)
        return [_cut(blocks, each) for each in wanted]

    def _cached(self, needed: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
        with self._lock:
            found = {block: self._blocks[block] for block in needed if block in self._blocks}
            for block in found:
                self._blocks.move_to_end(block)
        return found

    def _keep(self, loaded: dict[tuple[int, int], str]) -> None:
        with self._lock:
            self._blocks.update(loaded)
            while len(self._blocks) > self._limit:
                self._blocks.popitem(last=False)


def _asked_for(blocks: Iterable[tuple[int, int]]) -> tuple[Select[Any], dict[str, Any]]:
    """The statement that reads these blocks, and its values.

    Written as a list of pairs it would make SQLite read the whole table.
    """
    versions: dict[int, list[int]] = {}
    for version_id, number in blocks:
        versions.setdefault(number, []).append(version_id)
    values: dict[str, Any] = {}
    for place, (number, ids) in enumerate(versions.items()):
        values |= {f"number{place}": number, f"versions{place}": ids}
    return _statement(len(versions)), values


@cache
def _statement(numbers: int) -> Select[Any]:
    """One for so many numbers of blocks: to make it anew takes longer than SQLite takes for it."""
    wanted = (
        and_(
            texts.c.block == bindparam(f"number{place}"),
            texts.c.version_id.in_(bindparam(f"versions{place}", expanding=True)),
        )
        for place in range(numbers)
    )
    return select(texts).where(or_(*wanted))


def _blocks_of(wanted: Slice) -> list[tuple[int, int]]:
    version_id, start, end = wanted
    last = max(start, end - 1) // BLOCK_CHARACTERS
    return [(version_id, number) for number in range(start // BLOCK_CHARACTERS, last + 1)] if end > start else []


def _cut(blocks: dict[tuple[int, int], str], wanted: Slice) -> str:
    _, start, end = wanted
    numbers = _blocks_of(wanted)
    if not numbers:
        return ""
    joined = "".join(blocks[number] for number in numbers)
    offset = numbers[0][1] * BLOCK_CHARACTERS
    return joined[start - offset : end - offset]
