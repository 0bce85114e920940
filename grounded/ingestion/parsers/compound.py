"""Compound files (OLE2), the container of Outlook messages and of Office 97-2003: streams and storages by name."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from grounded.errors import ParseError

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_END = 0xFFFFFFFA
"""Sector numbers from here on are no sectors."""
_ENTRY = 128
_STREAM, _ROOT = 2, 5
_DEPTH = 40
_ENTRIES = 200_000


@dataclass(slots=True)
class Storage:
    """A folder of a compound file.

    Attributes:
        streams: Content by name.
        storages: Folders below it by name.
    """

    streams: dict[str, bytes] = field(default_factory=dict, repr=False)
    storages: dict[str, Storage] = field(default_factory=dict)


def read_compound(content: bytes) -> Storage:
    """The root of a compound file, everything below it read.

    Raises:
        ParseError: It is damaged or cut off, or holds more than it could: its parts overlap.
    """
    try:
        return _Compound(content).root()
    except (struct.error, IndexError) as error:
        raise _damaged("it is cut off") from error


class _Compound:
    def __init__(self, content: bytes) -> None:
        self._content = content
        shift, mini_shift = struct.unpack_from("<HH", content, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise _damaged("its header is wrong")
        self._size, self._mini_size = 1 << shift, 1 << mini_shift
        self._budget = 2 * len(content)
        (first_directory,) = struct.unpack_from("<I", content, 48)
        (self._cutoff, first_mini_fat) = struct.unpack_from("<II", content, 56)
        self._fat = self._allocation()
        self._mini_fat = _numbers(self._chain(first_mini_fat)) if first_mini_fat < _END else ()
        self._entries = self._chain(first_directory)
        (start, size) = struct.unpack_from("<IQ", self._entries, 116)
        self._mini = self._chain(start)[: size & 0xFFFFFFFF] if start < _END else b""

    def root(self) -> Storage:
        made = Storage()
        waiting = [(made, struct.unpack_from("<I", self._entries, 76)[0], 0)]
        seen: set[int] = set()
        while waiting:
            storage, number, depth = waiting.pop()
            if number >= _END or number in seen or number * _ENTRY + _ENTRY > len(self._entries):
                continue
            if len(seen) >= _ENTRIES or depth > _DEPTH:
                raise _damaged("it has too many or too deeply nested parts")
            seen.add(number)
            entry = self._entries[number * _ENTRY : (number + 1) * _ENTRY]
            length, kind = struct.unpack_from("<HB", entry, 64)
            left, right, child = struct.unpack_from("<III", entry, 68)
            name = entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            waiting.extend([(storage, left, depth), (storage, right, depth)])
            if kind == _STREAM:
                start, size = struct.unpack_from("<IQ", entry, 116)
                storage.streams[name] = self._stream(start, size & 0xFFFFFFFF)
            else:
                below = storage.storages.setdefault(name, Storage())
                waiting.append((below, child, depth + 1))
        return made

    def _stream(self, start: int, size: int) -> bytes:
        if start >= _END:
            return b""
        if size >= self._cutoff:
            return self._chain(start)[:size]
        parts: list[bytes] = []
        for number in _links(start, self._mini_fat):
            self._spend(self._mini_size)
            parts.append(self._mini[number * self._mini_size : (number + 1) * self._mini_size])
        return b"".join(parts)[:size]

    def _chain(self, start: int) -> bytes:
        parts: list[bytes] = []
        for number in _links(start, self._fat):
            self._spend(self._size)
            parts.append(self._sector(number))
        return b"".join(parts)

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._size
        return self._content[start : start + self._size]

    def _allocation(self) -> tuple[int, ...]:
        sectors = list(struct.unpack_from("<109I", self._content, 76))
        (following,) = struct.unpack_from("<I", self._content, 68)
        seen: set[int] = set()
        while following < _END and following not in seen:
            seen.add(following)
            more = _numbers(self._sector(following))
            if not more:
                break
            sectors.extend(more[:-1])
            following = more[-1]
        table = [self._sector(number) for number in dict.fromkeys(sectors) if number < _END]
        return _numbers(b"".join(table))

    def _spend(self, size: int) -> None:
        """No honest file gives out much more than it holds; chains that share sectors could go on for ever."""
        self._budget -= size
        if self._budget < 0:
            raise _damaged("its parts overlap")


def _links(start: int, table: Mapping[int, int] | tuple[int, ...]) -> Iterator[int]:
    """Sector numbers of a chain, ended where it leaves the table or comes back to itself."""
    number = start
    for _ in range(len(table)):
        if number >= len(table):
            return
        yield number
        number = table[number]
        if number == start:
            raise _damaged("its sectors run in a circle")


def _numbers(data: bytes) -> tuple[int, ...]:
    count = len(data) // 4
    return struct.unpack(f"<{count}I", data[: count * 4])


def _damaged(what: str) -> ParseError:
    return ParseError(f"The document is damaged: {what}.", fix="Open and save it again.")
