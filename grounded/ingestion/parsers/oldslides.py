"""PowerPoint 97-2003 (PPT): titles, text and notes, slide by slide."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from grounded.errors import EncryptedDocumentError, ParseError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.compound import read_compound
from grounded.ingestion.parsers.rows import clean
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

_USER_EDIT, _DIRECTORY, _ENCRYPTION = 4085, 6002, 12052
_LIST, _PERSIST = 4080, 1011
_HEADER, _WIDE, _NARROW, _REFERENCE = 3999, 4000, 4008, 3998
_NOTES = 1009
_TITLES = (0, 6)
_ENCRYPTED = 0xF3D1C4DF
_DEPTH = 32


def parse(source: Source) -> Parsed:
    """Every slide as a ``slide`` segment, titled ones as sections, with its notes.

    Raises:
        EncryptedDocumentError: It needs a password.
        ParseError: It is damaged.
        LimitExceededError: The text is too long.
    """
    streams = read_compound(source.content).streams
    deck = _Deck(streams.get("PowerPoint Document", b""), streams.get("Current User", b""))
    builder = TextBuilder(source.limits)
    first = ""
    for number, slide in enumerate(deck.slides(), start=1):
        builder.separate()
        builder.close_sections()
        start = builder.length
        title = next((clean(text) for kind, text in slide.texts if kind in _TITLES and text.strip()), "")
        if title:
            first = first or title
            builder.open_section(1, title)
            builder.add(title)
        for kind, text in slide.texts:
            if text.strip() and not (kind in _TITLES and clean(text) == title):
                builder.separate()
                builder.add(text.strip("\n"))
        if slide.notes.strip():
            builder.separate()
            builder.add(f"Notes: {slide.notes.strip()}")
        builder.mark((start, builder.length), "slide", number=number)
    return builder.parsed(title=first, media_type="application/vnd.ms-powerpoint")


@dataclass(slots=True)
class _Slide:
    """A slide's texts with what kind of place each stands in, and its notes."""

    texts: list[tuple[int, str]] = field(default_factory=list)
    notes: str = ""


class _Deck:
    def __init__(self, stream: bytes, user: bytes) -> None:
        self._stream = stream
        if len(user) < 20 or not stream:
            raise ParseError("The presentation is damaged or cut off.", fix="Open and save it again.")
        mark, edit = struct.unpack_from("<II", user, 12)
        if mark == _ENCRYPTED:
            raise EncryptedDocumentError("The presentation is protected by a password.", fix="Save it unprotected.")
        self._places: dict[int, int] = {}
        self._document = self._directory(edit)

    def slides(self) -> Iterator[_Slide]:
        """The slides in order."""
        lists = [(instance, body) for kind, instance, body in self._records(self._at(self._document)) if kind == _LIST]
        notes = self._notes([body for instance, body in lists if instance == 2])
        for body in (body for instance, body in lists if instance == 0):
            for place, number, outline in self._outlines(body):
                slide = _Slide(list(self._texts(self._at(place), outline)))
                if not slide.texts:
                    slide.texts = outline
                slide.notes = notes.get(number, "")
                yield slide

    def _directory(self, edit: int) -> int:
        """Fill in where every part lies, the newest first; returns the number of the document's part."""
        document = 0
        seen: set[int] = set()
        while edit and edit not in seen:
            seen.add(edit)
            kind, _, body = self._record(edit)
            if kind != _USER_EDIT:
                raise ParseError("The presentation is damaged: its last edit is missing.", fix="Save it again.")
            before, directory, number = struct.unpack_from("<III", body, 8)
            document = document or number
            if len(body) >= 32:
                raise EncryptedDocumentError("The presentation is protected by a password.", fix="Save it unprotected.")
            _, _, table = self._record(directory)
            at = 0
            while at + 4 <= len(table):
                (head,) = struct.unpack_from("<I", table, at)
                first, count = head & 0xFFFFF, min(head >> 20, (len(table) - at - 4) // 4)
                for offset, place in enumerate(struct.unpack_from(f"<{count}I", table, at + 4)):
                    self._places.setdefault(first + offset, place)
                at += 4 + 4 * count
            edit = before
        return document

    def _at(self, number: int) -> bytes:
        place = self._places.get(number)
        return b"" if place is None else self._record(place)[2]

    def _record(self, place: int) -> tuple[int, int, bytes]:
        head, kind, size = struct.unpack_from("<HHI", self._stream, place)
        return kind, head >> 4, self._stream[place + 8 : place + 8 + size]

    def _records(self, body: bytes, depth: int = 0) -> Iterator[tuple[int, int, bytes]]:
        """All records below, lists and containers before what they hold."""
        at = 0
        while at + 8 <= len(body):
            head, kind, size = struct.unpack_from("<HHI", body, at)
            inner = body[at + 8 : at + 8 + size]
            yield kind, head >> 4, inner
            if head & 0xF == 0xF and kind != _LIST and depth < _DEPTH:
                yield from self._records(inner, depth + 1)
            at += 8 + size

    def _outlines(self, body: bytes) -> Iterator[tuple[int, int, list[tuple[int, str]]]]:
        """Part, number and outline texts of every slide in a list."""
        current: tuple[int, int, list[tuple[int, str]]] | None = None
        kind_of_text = 4
        for kind, _, inner in self._records(body):
            if kind == _PERSIST and len(inner) >= 16:
                if current:
                    yield current
                current = (struct.unpack_from("<I", inner)[0], struct.unpack_from("<I", inner, 12)[0], [])
            elif kind == _HEADER:
                kind_of_text = struct.unpack_from("<I", inner)[0]
            elif kind in (_WIDE, _NARROW) and current:
                current[2].append((kind_of_text, _text(kind, inner)))
        if current:
            yield current

    def _texts(self, slide: bytes, outline: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """The texts on a slide in the order of its shapes; some only refer to the outline."""
        kind_of_text = 4
        for kind, _, inner in self._records(slide):
            if kind == _HEADER:
                kind_of_text = struct.unpack_from("<I", inner)[0]
            elif kind in (_WIDE, _NARROW):
                yield kind_of_text, _text(kind, inner)
            elif kind == _REFERENCE:
                (number,) = struct.unpack_from("<I", inner)
                if number < len(outline):
                    yield outline[number]

    def _notes(self, lists: list[bytes]) -> dict[int, str]:
        """The notes by the number of their slide."""
        made: dict[int, str] = {}
        for body in lists:
            for place, _, outline in self._outlines(body):
                part = self._at(place)
                number = next((struct.unpack_from("<I", i)[0] for k, _, i in self._records(part) if k == _NOTES), 0)
                texts = list(self._texts(part, outline)) or outline
                made[number] = "\n".join(text.strip("\n") for kind, text in texts if kind == 2 and text.strip())
        return made


def _text(kind: int, body: bytes) -> str:
    text = body.decode("utf-16-le" if kind == _WIDE else "latin-1", "replace")
    return text.replace("\r", "\n").replace("\x0b", "\n")
