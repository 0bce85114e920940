"""Blocks of pages become text: words that a line end breaks are whole again, every block knows its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.geometry import Block, Box, Paragraph, Table, bounds
from grounded.ingestion.parsers.pages import Page
from grounded.ingestion.parsers.rows import render_table
from grounded.ingestion.parsers.source import words

Outline = dict[int, list[tuple[int, str]]]
"""``(level, title)`` of the outline's entries by page, counted from 1."""

_SENTENCE_END = re.compile(r"[.!?:;。！？…”\")\]]\s*$")
_BROKEN = re.compile("(\\w+)[\x02\ufffe\u00ad]$|([^\\W\\d_]+)[-‐]$")
_NEXT_WORD = re.compile(r"\w+")
_WORD = re.compile(r"\w+(?:-\w+)*")
_OF_THE_FILE = re.compile("[\x02\ufffe]")
# A hyphen behind these is part of the word more often than not, when the text itself does not show how it is written.
_KEEPS_HYPHEN = words("self non well ex half all cross high low long short full part real state third two e")


class PageWriter:
    """Writes pages into a builder, one after the other.

    Attributes:
        builder: Takes the text.
    """

    def __init__(self, builder: TextBuilder, pages: Sequence[Page], outline: Outline) -> None:
        self.builder = builder
        self._outline = outline
        self._pages = pages
        self._words: frozenset[str] | None = None
        self._tables = 0
        self._header: tuple[str, ...] = ()

    def page(self, number: int, blocks: Sequence[Block], page: Page) -> None:
        """Append one page: its blocks, then what runs along its edge, then its notes."""
        pending = list(self._outline.get(number, ()))
        lines = {_key(line) for block in blocks if isinstance(block, Paragraph) for line in block.lines}
        there = [entry for entry in pending if any(_names(line, entry[1]) for line in lines)]
        start: int | None = None
        for level, title in pending:
            if (level, title) not in there and blocks:
                self.builder.separate()
                self.builder.open_section(level, title)
        for at, block in enumerate(blocks):
            began = self._block(number, block, there, first=at == 0)
            start = began if start is None else start
        for piece in page.aside:
            start = self._plain(_whole(piece.text), start, number, piece[:4])
        for note in page.notes:
            start = self._plain(note, start, number, None)
        if start is not None:
            self.builder.mark((start, self.builder.length), "page", number=number)

    def _plain(self, text: str, start: int | None, number: int, box: Box | None) -> int:
        self.builder.separate()
        place = self.builder.add(text)
        if box is not None:
            self._mark_box(place, number, box)
        return place[0] if start is None else start

    def _block(self, number: int, block: Block, headings: list[tuple[int, str]], *, first: bool) -> int:
        if isinstance(block, Table):
            return self._table(number, block)
        start: int | None = None
        for paragraph, heading in _at_headings(block, headings):
            text = self._joined(paragraph.lines)
            # A sentence may run on over the column or page; a blank line would cut it in two.
            runs_on = heading is None and text[:1].islower() and not _SENTENCE_END.search(self.builder.tail)
            self.builder.separate(1 if runs_on else 2)
            if heading is not None:
                self.builder.open_section(*heading)
            place = self.builder.add(text)
            self._mark_box(place, number, bounds(paragraph.boxes))
            start = place[0] if start is None else start
        assert start is not None
        return start

    def _table(self, number: int, table: Table) -> int:
        """Rows as lines with their column names; a table without a header of its own keeps the one before."""
        self._tables += 1
        self.builder.separate()
        start = self.builder.length
        rows = [(at, [_whole(cell) for cell in row]) for at, row in enumerate(table.rows, start=1)]
        for line in render_table(rows):
            place = self.builder.line(line.text)
            self.builder.mark(place, "table_row", table=self._tables, row=line.number)
            self._mark_box(place, number, table.boxes[line.number - 1])
        return start

    def _mark_box(self, place: tuple[int, int], number: int, box: Box) -> None:
        left, bottom, right, top = (round(edge, 1) for edge in box)
        self.builder.mark(place, "box", page=number, left=left, bottom=bottom, right=right, top=top)

    def _joined(self, lines: Sequence[str]) -> str:
        """Lines with their breaks, but words broken by a hyphen are whole again."""
        parts = [lines[0]]
        for above, line in pairwise(lines):
            broken = _BROKEN.search(above)
            following = _NEXT_WORD.match(line)
            if broken and following and self._is_one_word(broken, following.group()):
                hyphen = "-" if self._keeps_hyphen(broken, following.group()) else ""
                parts[-1] = parts[-1][:-1] + hyphen + line
            else:
                parts.append(line)
        return "\n".join(map(_whole, parts))

    def _is_one_word(self, broken: re.Match[str], following: str) -> bool:
        # What the file marks as a broken word is one; a hyphen in print is, before a small letter.
        return broken.group(1) is not None or following[0].islower()

    def _keeps_hyphen(self, broken: re.Match[str], following: str) -> bool:
        before = broken.group(1) or broken.group(2) or ""
        if not following[0].islower() or before.isdigit() or before.casefold() in _KEEPS_HYPHEN:
            return True
        known = self._vocabulary()
        return f"{before}-{following}".casefold() in known and f"{before}{following}".casefold() not in known

    def _vocabulary(self) -> frozenset[str]:
        """The words of the document as it writes them within lines."""
        if self._words is None:
            found = (_WORD.findall(piece.text.casefold()) for page in self._pages for piece in page.pieces)
            self._words = frozenset(word for some in found for word in some)
        return self._words


def _whole(text: str) -> str:
    return _OF_THE_FILE.sub("-", text)


def _at_headings(block: Paragraph, headings: list[tuple[int, str]]) -> list[tuple[Paragraph, tuple[int, str] | None]]:
    """A paragraph, cut before every line that the outline names; each entry is used once."""
    cuts: list[tuple[int, tuple[int, str]]] = []
    if headings:
        for at, line in enumerate(block.lines):
            found = next((entry for entry in headings if _names(_key(line), entry[1])), None)
            if found is not None:
                headings.remove(found)
                cuts.append((at, found))
    if not cuts:
        return [(block, None)]
    edges = [*(at for at, _ in cuts), len(block.lines)]
    made: list[tuple[Paragraph, tuple[int, str] | None]] = []
    if edges[0] > 0:
        made.append((Paragraph(block.lines[: edges[0]], block.boxes[: edges[0]]), None))
    for (start, end), (_, entry) in zip(pairwise(edges), cuts, strict=True):
        made.append((Paragraph(block.lines[start:end], block.boxes[start:end]), entry))
    return made


def _key(line: str) -> str:
    return "".join(character for character in line.casefold() if character.isalpha())


def _names(line: str, title: str) -> bool:
    """Whether a line of letters is a heading's text, or the first half of one that runs over two lines."""
    wanted = _key(title)
    return bool(line) and (line == wanted or (len(line) >= 12 and wanted.startswith(line)))
