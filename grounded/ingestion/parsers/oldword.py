"""Word 97-2003 (DOC): paragraphs, headings, tables, notes and comments, without deleted and hidden text."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grounded.errors import EncryptedDocumentError, ParseError, UnsupportedFormatError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.compound import read_compound
from grounded.ingestion.parsers.rows import clean, render_table
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

_PAGE = 512
_WORD_97 = 0xC1
# Places in the file information block: where tables lie in the table stream, and how long each part of the text is.
_CHARACTER_TABLE, _PARAGRAPH_TABLE, _PIECE_TABLE = 0xFA, 0x102, 0x1A2
_PARTS = (
    (0x4C, "text"),
    (0x50, "Footnote"),
    (0x54, ""),  # headers and footers
    (0x58, ""),
    (0x5C, "Comment"),
    (0x60, "Endnote"),
    (0x64, "text"),  # text boxes
)
_ROW_END, _IN_TABLE, _DELETED, _HIDDEN = 0x2417, 0x2416, 0x0800, 0x083C
_OPERANDS = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_GONE = "\x00"
_ENDS = re.compile("[\r\x07\x0c]")
_FIELD_CODE = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*)\x15|\x14|\x15)")
_SIGNS = str.maketrans({"\x0b": "\n", "\x1e": "-", **dict.fromkeys("\x00\x01\x02\x03\x04\x05\x08\x13\x14\x15\x1f", "")})


def parse(source: Source) -> Parsed:
    """Paragraphs and headings in order, table rows as ``table_row``, then notes and comments.

    Raises:
        EncryptedDocumentError: It needs a password.
        UnsupportedFormatError: It is older than Word 97.
        ParseError: It is damaged.
        LimitExceededError: The text is too long.
    """
    streams = read_compound(source.content).streams
    stream = streams.get("WordDocument", b"")
    ident, version = struct.unpack_from("<HH", stream)
    flags = struct.unpack_from("<H", stream, 10)[0]
    if flags & 0x0100:
        raise EncryptedDocumentError("The document is protected by a password.", fix="Save it without protection.")
    if ident != 0xA5EC or version < _WORD_97:
        raise UnsupportedFormatError("The document is older than Word 97.", fix="Save it as DOCX.")
    table = streams.get("1Table" if flags & 0x0200 else "0Table", b"")
    builder = TextBuilder(source.limits)
    writer = _Writer(builder)
    for part, paragraph in _paragraphs(stream, table):
        writer.paragraph(part, paragraph)
    writer.end()
    return builder.parsed(title=writer.title, media_type="application/msword")


@dataclass(frozen=True, slots=True)
class _Paragraph:
    text: str
    mark: str
    style: int
    in_table: bool
    ends_row: bool


class _Writer:
    """Puts paragraphs into text; the cells of a table are collected until it ends."""

    def __init__(self, builder: TextBuilder) -> None:
        self.title = ""
        self._builder = builder
        self._tables = 0
        self._rows: list[list[str]] = []
        self._cells: list[str] = []
        self._cell: list[str] = []

    def paragraph(self, part: str, paragraph: _Paragraph) -> None:
        """Take the next paragraph of a part of the document."""
        if part == "text" and (paragraph.in_table or paragraph.mark == "\x07"):
            self._table_piece(paragraph)
            return
        self.end()
        text = paragraph.text.strip("\n")
        if not text.strip():
            return
        self._builder.separate()
        if part != "text":
            self._builder.add(f"{part}: {clean(text)}")
            return
        if 1 <= paragraph.style <= 9:  # the styles of headings always have these numbers
            self.title = self.title or clean(text)
            self._builder.open_section(paragraph.style, text)
        self._builder.add(text)

    def end(self) -> None:
        """Write the table that is open."""
        if self._cells or self._cell:
            self._end_row()
        if not self._rows:
            return
        self._tables += 1
        lines = render_table(list(enumerate(self._rows, start=1)))
        self._rows = []
        if lines:
            self._builder.separate()
        for line in lines:
            self._builder.mark(self._builder.line(line.text), "table_row", table=self._tables, row=line.number)

    def _table_piece(self, paragraph: _Paragraph) -> None:
        if paragraph.ends_row:
            self._end_row()
            return
        self._cell.append(paragraph.text)
        if paragraph.mark == "\x07":
            self._cells.append(clean(" ".join(self._cell)))
            self._cell = []

    def _end_row(self) -> None:
        if self._cell:
            self._cells.append(clean(" ".join(self._cell)))
        self._rows.append(self._cells)
        self._cells, self._cell = [], []


def _paragraphs(stream: bytes, table: bytes) -> Iterator[tuple[str, _Paragraph]]:
    """Every paragraph with the part of the document it belongs to."""
    parts: list[tuple[int, str]] = []
    end = 0
    for place, name in _PARTS:
        end += max(0, struct.unpack_from("<i", stream, place)[0])
        parts.append((end, name))
    ends = [end for end, _ in parts]
    styles = _Runs(_runs(stream, table, _PARAGRAPH_TABLE))
    at, waiting = 0, ""
    for text, places in _pieces(stream, table):
        start = 0
        for found in _ENDS.finditer(text):
            style, sprms = styles.at(places[0] + found.start() * places[1])
            part = parts[min(bisect_right(ends, at + found.start()), len(parts) - 1)][1]
            if part:
                said = _readable(waiting + text[start : found.start()])
                yield part, _Paragraph(said, found[0], style, _IN_TABLE in sprms, _ROW_END in sprms)
            waiting, start = "", found.end()
        waiting += text[start:]
        at += len(text)
    if waiting and ends[0] >= at:
        yield "text", _Paragraph(_readable(waiting), "\r", 0, False, False)


def _readable(text: str) -> str:
    """Text with field codes replaced by their results, and the signs of Word's own replaced or left out."""
    for _ in range(10):  # fields within fields, from the inside out
        text, count = _FIELD_CODE.subn(lambda found: found[1] or "", text)
        if not count:
            break
    text = text.translate(_SIGNS)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _pieces(stream: bytes, table: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
    """The text piece by piece: one sign for each of Word's, with where it lies and the bytes of a sign."""
    gone = [
        (start, end) for start, end, _, sprms in _runs(stream, table, _CHARACTER_TABLE) if sprms & {_DELETED, _HIDDEN}
    ]
    first, size = struct.unpack_from("<II", stream, _PIECE_TABLE)
    clx = table[first : first + size]
    while clx[:1] == b"\x01":
        clx = clx[3 + struct.unpack_from("<H", clx, 1)[0] :]
    if clx[:1] != b"\x02":
        raise ParseError("The document is damaged: it does not say where its text lies.", fix="Open and save it again.")
    pieces = clx[5 : 5 + struct.unpack_from("<I", clx, 1)[0]]
    count = (len(pieces) - 4) // 12
    places = struct.unpack_from(f"<{count + 1}I", pieces)
    for number in range(count):
        length = max(0, places[number + 1] - places[number])
        place = struct.unpack_from("<I", pieces, 4 * (count + 1) + 8 * number + 2)[0]
        narrow = bool(place & 0x40000000)
        start, width = ((place & 0x3FFFFFFF) // 2, 1) if narrow else (place, 2)
        raw = stream[start : start + length * width]
        units = struct.unpack(f"<{len(raw) // 2}H", raw[: len(raw) // 2 * 2]) if not narrow else ()
        text = raw.decode("cp1252", "replace") if narrow else "".join(map(chr, units))
        yield _without(text, gone, start, width), (start, width)


def _without(text: str, gone: Sequence[tuple[int, int]], start: int, width: int) -> str:
    """Text with what was deleted or hidden blanked; the ends of paragraphs stay."""
    for low, high in gone:
        left, right = max(0, (low - start) // width), min(len(text), (high - start) // width)
        if left < right:
            blank = "".join(sign if _ENDS.match(sign) else _GONE for sign in text[left:right])
            text = text[:left] + blank + text[right:]
    return text


class _Runs:
    """Properties of paragraphs, found by where in the file they lie."""

    def __init__(self, runs: Iterator[tuple[int, int, int, frozenset[int]]]) -> None:
        self._runs = sorted(runs, key=lambda run: run[0])
        self._starts = [run[0] for run in self._runs]

    def at(self, place: int) -> tuple[int, frozenset[int]]:
        """Style and set properties of the paragraph that holds a place."""
        number = bisect_right(self._starts, place) - 1
        if number < 0 or self._runs[number][1] <= place:
            return 0, frozenset()
        return self._runs[number][2:]


def _runs(stream: bytes, table: bytes, place: int) -> Iterator[tuple[int, int, int, frozenset[int]]]:
    """``(start, end, style, properties that are set)`` of all runs of paragraphs or characters."""
    is_paragraphs = place == _PARAGRAPH_TABLE
    first, size = struct.unpack_from("<II", stream, place)
    count = max(0, (min(size, len(table) - first) - 4) // 8)
    for number in dict.fromkeys(struct.unpack_from(f"<{count}I", table, first + 4 * (count + 1)) if count else ()):
        page = stream[(number & 0x3FFFFF) * _PAGE : ((number & 0x3FFFFF) + 1) * _PAGE]
        if len(page) < _PAGE:
            continue
        runs = min(page[-1], 100)
        places = struct.unpack_from(f"<{runs + 1}I", page)
        for run in range(runs):
            at = 2 * page[4 * (runs + 1) + run * (13 if is_paragraphs else 1)]
            style, data = _properties(page, at, is_paragraphs)
            yield places[run], places[run + 1], style, _set_in(data)


def _properties(page: bytes, at: int, is_paragraph: bool) -> tuple[int, bytes]:
    """Style and property list of a run in its page."""
    if not at or at >= _PAGE - 2:
        return 0, b""
    size = page[at]
    if not is_paragraph:
        return 0, page[at + 1 : at + 1 + size]
    data = page[at + 1 : at + 2 * size] if size else page[at + 2 : at + 2 + 2 * page[at + 1]]
    return (struct.unpack_from("<H", data)[0], data[2:]) if len(data) >= 2 else (0, b"")


def _set_in(data: bytes) -> frozenset[int]:
    """The properties of one byte that a list sets; those of other sizes are passed over."""
    found: set[int] = set()
    at = 0
    while at + 2 < len(data):
        kind = struct.unpack_from("<H", data, at)[0]
        at += 2
        size = _OPERANDS.get(kind >> 13)
        if size is None:
            size = struct.unpack_from("<H", data.ljust(at + 2, b"\x00"), at)[0] + 1 if kind == 0xD608 else data[at] + 1
        elif size == 1 and data[at]:
            found.add(kind)
        at += size
    return frozenset(found)
