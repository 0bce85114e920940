"""Server-Sent Events: the text format, read from pieces of bytes as they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LINE_BREAKS = (b"\r\n", b"\n", b"\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        data: Its lines of data, joined by line feeds.
        size: Bytes of data as they were sent, also when they were too many to be kept.
        kind: ``message`` unless it says otherwise.
        id: Its own; None when it has none.
    """

    data: bytes
    size: int
    kind: str
    id: str | None


class EventParser:
    """Events out of a stream of bytes, after the HTML standard, section 9.2.6.

    Args:
        max_bytes: Data beyond so many bytes of one event is counted and not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._skipped = 0
        self._after_return = False
        self._is_first = True
        self._begin()

    def _begin(self) -> None:
        self._data = bytearray()
        self._size = -1
        self._kind = ""
        self._id: str | None = None

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that are complete with this piece."""
        for line in self._lines(piece):
            event = self._take(line)
            if event is not None:
                yield event

    def _lines(self, piece: bytes) -> Iterator[bytes]:
        if self._after_return and piece[:1] == b"\n":
            piece = piece[1:]
        self._after_return = (self._after_return and not piece) or piece[-1:] == b"\r"
        *ended, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for part in ended:
            self._grow(part)
            line, self._line = bytes(self._line), bytearray()
            yield line
            self._skipped = 0
        self._grow(rest)

    def _grow(self, part: bytes) -> None:
        room = max(0, self._max_bytes + len(b"data: ") - len(self._line))
        self._line += part[:room]
        self._skipped += max(0, len(part) - room)

    def _take(self, line: bytes) -> Event | None:
        if self._is_first:
            line, self._is_first = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._add(value)
            case b"event":
                self._kind = value.decode("utf-8", "replace")
            case b"id" if b"\x00" not in value:
                self._id = value.decode("utf-8", "replace")
        return None

    def _add(self, value: bytes) -> None:
        if self._size >= 0:
            value = b"\n" + value
        self._size = max(self._size, 0) + len(value) + self._skipped
        if self._size <= self._max_bytes:
            self._data += value

    def _dispatch(self) -> Event | None:
        event = None
        if self._size >= 0:
            data = bytes(self._data) if self._size <= self._max_bytes else b""
            event = Event(data=data, size=self._size, kind=self._kind or "message", id=self._id)
        self._begin()
        return event
