"""What stands on a PDF page: pieces of lines with their places, form values, notes and drawn lines."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import pypdfium2
import pypdfium2.raw as raw

from grounded.ingestion.parsers.geometry import WIDE_GAP, Box, Piece, Rules, bounds

UNMAPPED_SHARE = 0.3
"""More signs than this without a letter in the font's table, and the text would be rubbish. Arabic texts with a few
unmapped ligatures stay below 0.2, fonts without a table are near 1 (measured on the public PDF samples)."""
_SAMPLED = 200
_OBJECTS = 20_000
_SEGMENTS = 2_000
_STRETCHED = 1.4  # a line with so much more width per character than usual has gaps inside
_THIN = 2.5
_VALUE_CHARACTERS = 10_000
_SIGNS = re.compile("[\ufffd\ue000-\uf8ff\x00-\x01\x03-\x08\x0e-\x1f]")
# pdfium writes U+0002 (or U+FFFE) for the hyphen that breaks a word, and often no line break behind it.
_LINES = re.compile("[^\n\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]")
_WORDS = re.compile(r"[^\s-]+-*|-+")  # behind a hyphen the next column may follow without a space


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it is in the file.

    Attributes:
        pieces: Runs of words on one line, in the order of the file.
        aside: Text that runs up or down the page, such as a stamp in the margin.
        notes: What annotations say that is not printed on the page.
        height: Of the page, points.
        rubbish: Whether its fonts do not say which letters their signs stand for.
    """

    pieces: tuple[Piece, ...]
    aside: tuple[Piece, ...] = ()
    notes: tuple[str, ...] = ()
    height: float = 0.0
    rubbish: bool = False


def read_page(page: pypdfium2.PdfPage, form: Any = None) -> Page:
    """The text layer of a page.

    Args:
        page: The page.
        form: The document's form environment, where it has a form.

    Raises:
        pypdfium2.PdfiumError: The page is damaged.
    """
    text_page = page.get_textpage()
    glyphs = _Glyphs(text_page)
    height = page.get_height()
    if glyphs.is_rubbish():
        return Page((), height=height, rubbish=True)
    pieces = list(glyphs.pieces())
    upright = [piece for piece in pieces if piece.order not in glyphs.turned]
    aside = _stamps([piece for piece in pieces if piece.order in glyphs.turned])
    if len(aside) > len(upright):
        upright, aside = _turned(pieces), []  # the whole page is turned
    notes: list[str] = []
    for value in _annotations(page, form):
        if isinstance(value, Piece):
            upright.append(value)
        else:
            notes.append(value)
    return Page(tuple(upright), tuple(aside), tuple(notes), height)


def letters_of(page: pypdfium2.PdfPage) -> list[tuple[str, Box]]:
    """Every letter and digit of a page, small, with its box, in the order of the file."""
    glyphs = _Glyphs(page.get_textpage())
    return [
        (small, glyphs.box(at))
        for at, character in enumerate(glyphs.text)
        for small in character.casefold()
        if small.isalnum()
    ]


def _stamps(pieces: list[Piece]) -> list[Piece]:
    """Words that run up or down the page, those that follow each other as one."""
    joined: list[Piece] = []
    for piece in pieces:
        before = joined[-1] if joined else None
        if before is not None and before.left < piece.right and piece.left < before.right:
            joined[-1] = Piece(*bounds([before, piece]), f"{before.text} {piece.text}", before.order)
        else:
            joined.append(piece)
    return joined


def _turned(pieces: list[Piece]) -> list[Piece]:
    """Pieces of a turned page one below the other, in the order of the file."""
    return [Piece(0, -10.0 * at - 9, 100, -10.0 * at, piece.text, at) for at, piece in enumerate(pieces)]


class _Glyphs:
    """The characters of a page with their boxes, asked for as seldom as possible: each is a call into pdfium."""

    def __init__(self, page: pypdfium2.PdfTextPage) -> None:
        self.text = page.get_text_range() if page.count_chars() else ""
        self.turned: set[int] = set()
        self._page = page
        self._raw = page.raw
        self._rectangle = raw.FS_RECTF()
        self._reference = ctypes.byref(self._rectangle)
        self._indexes = None if len(self.text) == page.count_chars() else _char_indexes(page, self.text)

    def box(self, position: int) -> Box:
        """The box of the character at ``text[position]``: its font's height, its own width."""
        index = position if self._indexes is None else self._indexes[position]
        rectangle = self._rectangle
        if not raw.FPDFText_GetLooseCharBox(self._raw, index, self._reference):
            return (0.0, 0.0, 0.0, 0.0)
        return (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)

    def is_rubbish(self) -> bool:
        """Whether too many signs have no letter."""
        count = len(self.text)
        if not count:
            return False
        if len(_SIGNS.findall(self.text)) > UNMAPPED_SHARE * count:
            return True
        sampled = range(0, self._page.count_chars(), max(1, count // _SAMPLED))
        unmapped = sum(raw.FPDFText_HasUnicodeMapError(self._raw, index) == 1 for index in sampled)
        return bool(unmapped > UNMAPPED_SHARE * len(sampled))

    def pieces(self) -> Iterator[Piece]:
        """Runs of words with no wide gap inside, in the order of the file."""
        lines = list(self._lines())
        # Where every line is one object of the file, words in it are not set apart; stretched lines still may.
        plain = self._page.count_rects() <= len(lines)
        whole = [self._run(start, end) for start, end in lines] if plain else []
        usual = median((p.right - p.left) / len(p.text) for p in whole) if whole else 0.0
        order = 0
        for at, (start, end) in enumerate(lines):
            found = [whole[at]] if plain and _is_even(whole[at], usual) else list(self._parted(start, end))
            for piece in found:
                if self._is_turned(piece, start):
                    self.turned.add(order)
                yield piece._replace(order=order)
                order += 1

    def _is_turned(self, piece: Piece, position: int) -> bool:
        """Whether a piece in the line at ``position`` runs up or down; asked only of short and of high ones."""
        if len(piece.text) > 4 and piece.top - piece.bottom <= piece.right - piece.left:
            return False
        index = position if self._indexes is None else self._indexes[position]
        return bool(abs(math.sin(raw.FPDFText_GetCharAngle(self._raw, index))) > 0.5)

    def _lines(self) -> Iterator[tuple[int, int]]:
        for line in _LINES.finditer(self.text):
            kept = line.group().rstrip()
            lead = len(kept) - len(kept.lstrip())
            if len(kept) > lead:
                yield line.start() + lead, line.start() + len(kept)

    def _run(self, start: int, end: int) -> Piece:
        return _piece(self.box(start), self.box(end - 1), self.text[start:end])

    def _parted(self, start: int, end: int) -> Iterator[Piece]:
        """A line cut where a gap is wide, or where the text jumps back, up or down."""
        run: tuple[int, int, Box, Box] | None = None
        for from_, to, first, last in self._word_boxes(start, end):
            if run is not None and _is_apart(run[3], first):
                yield _piece(run[2], run[3], self.text[run[0] : run[1]])
                run = None
            run = (from_, to, first, last) if run is None else (run[0], to, run[2], last)
        if run is not None:
            yield _piece(run[2], run[3], self.text[run[0] : run[1]])

    def _word_boxes(self, start: int, end: int) -> Iterator[tuple[int, int, Box, Box]]:
        """Words with the boxes of their first and last letters; single letters where pdfium joins several lines."""
        for found in _WORDS.finditer(self.text, start, end):
            first = self.box(found.start())
            last = self.box(found.end() - 1) if found.end() - found.start() > 1 else first
            if abs((first[1] + first[3]) - (last[1] + last[3])) / 2 <= 0.7 * (first[3] - first[1]):
                yield found.start(), found.end(), first, last
                continue
            for at in range(found.start(), found.end()):
                box = self.box(at)
                yield at, at + 1, box, box


def _piece(first: Box, last: Box, text: str) -> Piece:
    left, right = min(first[0], last[0]), max(first[2], last[2])
    return Piece(left, min(first[1], last[1]), right, max(first[3], last[3]), text)


def _is_even(piece: Piece, usual: float) -> bool:
    """Whether a line has no gaps inside, by its width, and is not several short lines that pdfium joins."""
    width = piece.right - piece.left
    return width <= _STRETCHED * usual * len(piece.text) and piece.top - piece.bottom < max(3 * width, 1.0)


def _is_apart(before: Box, after: Box) -> bool:
    height = max(min(before[3] - before[1], after[3] - after[1]), 1.0)
    # Written from the right, the next word begins left of the one before.
    gap = after[0] - before[2] if after[0] >= before[0] else before[0] - after[2]
    shift = abs((after[1] + after[3]) - (before[1] + before[3])) / 2
    return gap > WIDE_GAP * height or shift > 0.7 * height


def _char_indexes(page: pypdfium2.PdfTextPage, text: str) -> list[int]:
    """For every position of the text the index of its character; pdfium counts UTF-16 units and skips some."""
    indexes: list[int] = []
    unit = 0
    for character in text:
        indexes.append(max(0, raw.FPDFText_GetCharIndexFromTextIndex(page, unit)))
        unit += 2 if ord(character) > 0xFFFF else 1
    return indexes


def _annotations(page: pypdfium2.PdfPage, form: Any) -> Iterator[Piece | str]:
    """Form values and free text where they stand, other notes as text."""
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), _OBJECTS)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            found = _annotation(annotation, form)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
        if found is not None:
            yield found


def _annotation(annotation: Any, form: Any) -> Piece | str | None:
    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if kind in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP):
        return None
    if kind == raw.FPDF_ANNOT_WIDGET:
        return _placed(annotation, _field_value(annotation, form)) if form else None
    contents = " ".join(_string(annotation, b"Contents").split())
    if not contents:
        return None
    return _placed(annotation, contents) if kind == raw.FPDF_ANNOT_FREETEXT else f"Note: {contents}"


def _field_value(annotation: Any, form: Any) -> str:
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        return "☒" if raw.FPDFAnnot_IsChecked(form, annotation) else "☐"
    if kind in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        length = raw.FPDFAnnot_GetFormFieldValue(form, annotation, None, 0)
        return " ".join(_utf16(length, lambda b, n: raw.FPDFAnnot_GetFormFieldValue(form, annotation, b, n)).split())
    return ""


def _string(annotation: Any, key: bytes) -> str:
    length = raw.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    return _utf16(length, lambda b, n: raw.FPDFAnnot_GetStringValue(annotation, key, b, n))


def _utf16(length: int, fill: Any) -> str:
    """What a call of pdfium writes into a buffer of ``length`` bytes."""
    if not 2 < length <= 2 * _VALUE_CHARACTERS:
        return ""
    buffer = (ctypes.c_ushort * (length // 2 + 1))()
    fill(buffer, length)
    return bytes(memoryview(buffer))[: length - 2].decode("utf-16-le", "ignore")


def _placed(annotation: Any, text: str) -> Piece | None:
    rectangle = raw.FS_RECTF()
    if not text or not raw.FPDFAnnot_GetRect(annotation, ctypes.byref(rectangle)):
        return None
    bottom, top = sorted((rectangle.bottom, rectangle.top))
    left, right = sorted((rectangle.left, rectangle.right))
    return Piece(left, bottom, right, top, text, 1 << 30)


def read_rules(page: pypdfium2.PdfPage) -> Rules:
    """The straight lines and boxes drawn on a page."""
    across: list[tuple[float, float, float]] = []
    down: list[tuple[float, float, float]] = []
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    for index in range(min(raw.FPDFPage_CountObjects(page), _OBJECTS)):
        drawn = raw.FPDFPage_GetObject(page, index)
        if raw.FPDFPageObj_GetType(drawn) != raw.FPDF_PAGEOBJ_PATH:
            continue
        if not raw.FPDFPageObj_GetBounds(drawn, left, bottom, right, top):
            continue
        box = (left.value, bottom.value, right.value, top.value)
        for one in _edges(drawn, box):
            if one[3] - one[1] <= _THIN < one[2] - one[0]:
                across.append(((one[1] + one[3]) / 2, one[0], one[2]))
            elif one[2] - one[0] <= _THIN < one[3] - one[1]:
                down.append(((one[0] + one[2]) / 2, one[1], one[3]))
    return Rules(tuple(across), tuple(down))


def _edges(drawn: Any, box: Box) -> Iterator[Box]:
    """The straight parts of a path; all of a thin one, the four sides of a rectangle."""
    left, bottom, right, top = box
    count = raw.FPDFPath_CountSegments(drawn)
    if count <= 2 or min(right - left, top - bottom) <= _THIN:
        yield box
    elif count <= 5:
        yield from ((left, bottom, right, bottom), (left, top, right, top))
        yield from ((left, bottom, left, top), (right, bottom, right, top))
    elif count <= _SEGMENTS:
        yield from _segments(drawn, count)


def _segments(drawn: Any, count: int) -> Iterator[Box]:
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(drawn, ctypes.byref(matrix))
    x, y = ctypes.c_float(), ctypes.c_float()
    before: tuple[float, float] | None = None
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(drawn, index)
        kind = raw.FPDFPathSegment_GetType(segment)
        if not raw.FPDFPathSegment_GetPoint(segment, x, y):
            continue
        here = (matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f)
        if kind == raw.FPDF_SEGMENT_LINETO and before is not None:
            yield (min(before[0], here[0]), min(before[1], here[1]), max(before[0], here[0]), max(before[1], here[1]))
        before = here
