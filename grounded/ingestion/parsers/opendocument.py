"""OpenDocument text and slides (ODT, ODP): headings, paragraphs, lists, tables, notes and comments, in order."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

from lxml import etree

from grounded.errors import ParseError
from grounded.ingestion.parsers.archives import open_archive
from grounded.ingestion.parsers.building import TextBuilder, real_title, too_deep
from grounded.ingestion.parsers.markup import safe_parser
from grounded.ingestion.parsers.rows import clean, render_table
from grounded.ingestion.parsers.source import Limits, Source
from grounded.records import Parsed

_URN = "{urn:oasis:names:tc:opendocument:xmlns:"
_OFFICE, _TEXT, _TABLE = f"{_URN}office:1.0}}", f"{_URN}text:1.0}}", f"{_URN}table:1.0}}"
_DRAW, _SLIDES = f"{_URN}drawing:1.0}}", f"{_URN}presentation:1.0}}"
_P, _H = f"{_TEXT}p", f"{_TEXT}h"
_NOTE, _COMMENT, _CHANGES = f"{_TEXT}note", f"{_OFFICE}annotation", f"{_TEXT}tracked-changes"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_BOX = f"{_DRAW}text-box"
_ASIDE = frozenset({_NOTE, _COMMENT, f"{_OFFICE}annotation-end"})
_SKIPPED = frozenset({_CHANGES, f"{_OFFICE}forms", f"{_SLIDES}settings", f"{_TEXT}sequence-decls"})
_SPREAD = 100


def parse_text(source: Source) -> Parsed:
    """An OpenDocument text.

    Raises:
        LimitExceededError: The text is too long.
        ParseError: It is damaged.
    """
    reader, title = _reader(source)
    reader.blocks(reader.body)
    reader.say_what_changed()
    return reader.builder.parsed(title=title or reader.title, media_type="application/vnd.oasis.opendocument.text")


def parse_slides(source: Source) -> Parsed:
    """OpenDocument slides: every slide a ``slide``, with its notes.

    Raises:
        LimitExceededError: The text is too long.
        ParseError: It is damaged.
    """
    reader, title = _reader(source)
    for number, page in enumerate(reader.body.iter(f"{_DRAW}page"), start=1):
        reader.slide(number, page)
    return reader.builder.parsed(
        title=title or reader.title, media_type="application/vnd.oasis.opendocument.presentation"
    )


def _reader(source: Source) -> tuple[_Reader, str]:
    with open_archive(source.content) as archive:
        content = etree.fromstring(_part(archive, "content.xml"), safe_parser())
        meta = _part(archive, "meta.xml", required=False)
    body = content.find(f"{_OFFICE}body")
    if body is None:
        raise ParseError("The document has no body.", fix="Open and save it again.")
    title = ""
    if meta:
        found = etree.fromstring(meta, safe_parser()).find(f".//{_TITLE}")
        title = real_title((found.text or "") if found is not None else "")
    return _Reader(body, source.limits), title


def _part(archive: zipfile.ZipFile, name: str, *, required: bool = True) -> bytes:
    try:
        return archive.read(name)
    except KeyError:
        if required:
            raise ParseError(f"The document has no {name!r}.", fix="Open and save it again.") from None
        return b""


class _Reader:
    def __init__(self, body: etree._Element, limits: Limits) -> None:
        self.body = body
        self.builder = TextBuilder(limits)
        self.title = ""
        self._depth = limits.depth
        self._tables = 0
        self._notes = 0

    def slide(self, number: int, page: etree._Element) -> None:
        """Append one slide; its first title is its heading."""
        builder = self.builder
        builder.separate()
        builder.close_sections()
        start = builder.length
        frames = page.iter(f"{_DRAW}frame")
        title = next((clean(_lines(each)) for each in frames if each.get(f"{_SLIDES}class") == "title"), "")
        if title:
            self.title = self.title or title
            builder.open_section(1, title)
            builder.add(title)
        for element in page.iterchildren("*"):
            if element.tag == f"{_SLIDES}notes":
                notes = _lines(element)
                if notes:
                    builder.separate()
                    builder.add(f"Notes: {notes}")
            elif element.get(f"{_SLIDES}class") != "title":
                self.blocks(element)
        builder.mark((start, builder.length), "slide", number=number)

    def blocks(self, parent: etree._Element, depth: int = 0, bullet: str = "") -> None:
        """Append every paragraph, list and table below ``parent``, in order."""
        if depth > self._depth:
            raise too_deep()
        for element in parent.iterchildren("*"):
            tag = element.tag
            if tag in (_P, _H):
                self._paragraph(element, bullet, depth)
            elif tag == f"{_TABLE}table":
                self._table(element)
            elif tag == f"{_TEXT}list-item":
                self.blocks(element, depth + 1, "- ")
            elif tag not in _SKIPPED and tag not in _ASIDE:
                self.blocks(element, depth + 1, bullet)

    def say_what_changed(self) -> None:
        """Warn of tracked changes: their insertions are read, their deletions are not."""
        changes = [change for each in self.body.iter(_CHANGES) for change in each.iterchildren("*")]
        if changes:
            self.builder.warnings.append(
                f"{len(changes)} tracked changes are not accepted yet: read with insertions and without deletions"
            )

    def _paragraph(self, paragraph: etree._Element, bullet: str, depth: int) -> None:
        text = _words(paragraph).strip("\n")
        if text.strip():
            self.builder.separate(1 if bullet else 2)
            if paragraph.tag == _H or paragraph.get(f"{_TEXT}style-name") == "Title":
                self.title = self.title or clean(text)
                level = paragraph.get(f"{_TEXT}outline-level", "1" if paragraph.tag == _H else "0")
                self.builder.open_section(int(level) if level.isdecimal() and len(level) < 3 else 1, text)
            self.builder.add(bullet + text)
        for inner in _outermost(paragraph, (_NOTE, _COMMENT, _BOX)):
            if inner.tag == _BOX:
                self.blocks(inner, depth + 1)
            else:
                self._aside(inner)

    def _aside(self, aside: etree._Element) -> None:
        """A foot- or endnote, or a comment with who made it, right below its paragraph."""
        body = [clean(_words(p)) for p in aside.iter(_P)]
        text = " ".join(filter(None, body))
        if not text:
            return
        self.builder.separate()
        if aside.tag == _NOTE:
            self._notes += 1
            citation = clean(aside.findtext(f"{_TEXT}note-citation") or "") or str(self._notes)
            kind = aside.get(f"{_TEXT}note-class", "footnote").capitalize()
            self.builder.add(f"{kind} {citation}: {text}")
        else:
            author = clean(aside.findtext(_CREATOR) or "")
            self.builder.add(f"Comment{f' by {author}' if author else ''}: {text}")

    def _table(self, table: etree._Element) -> None:
        self._tables += 1
        rows = [(number, list(_cells(row))) for number, row in enumerate(table.iter(f"{_TABLE}table-row"), start=1)]
        header = 1 if table.find(f"{_TABLE}table-header-rows") is not None else None
        lines = render_table(rows, header=header)
        if lines:
            self.builder.separate()
        for line in lines:
            self.builder.mark(self.builder.line(line.text), "table_row", table=self._tables, row=line.number)


def _outermost(element: etree._Element, tags: tuple[str, ...]) -> Iterator[etree._Element]:
    """The elements of these kinds below an element that do not lie in one another."""
    walker = etree.iterwalk(element, events=("start",))
    for _, inner in walker:
        if inner.tag in tags:
            walker.skip_subtree()
            yield inner


def _cells(row: etree._Element) -> Iterator[str]:
    for cell in row:
        if cell.tag in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            text = " ".join(filter(None, (clean(_words(p)) for p in cell.iter(_P, _H))))
            yield text
            times = cell.get(f"{_TABLE}number-columns-repeated", "1")
            yield from [text] * (min(int(times), _SPREAD) - 1 if times.isdecimal() and len(times) < 9 else 0)


def _lines(element: etree._Element) -> str:
    """The paragraphs below an element as lines."""
    return "\n".join(filter(str.strip, map(_words, element.iter(_P, _H))))


def _words(element: etree._Element) -> str:
    """What a reader sees of a paragraph (or of all below): blanks, tabs and breaks kept; notes and comments apart."""
    parts: list[str] = []
    walker = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walker:
        tag = inner.tag
        if event == "end":
            if inner is not element:
                parts.append(inner.tail or "")
            continue
        if not isinstance(tag, str) or (inner is not element and tag in (*_ASIDE, _BOX, *_SKIPPED)):
            walker.skip_subtree()
            continue
        if tag == f"{_TEXT}s":
            times = inner.get(f"{_TEXT}c", "1")
            parts.append(" " * min(int(times) if times.isdecimal() and len(times) < 9 else 1, _SPREAD))
        elif tag == f"{_TEXT}tab":
            parts.append("\t")
        elif tag == f"{_TEXT}line-break" or (tag in (_P, _H) and inner is not element and parts):
            parts.append("\n")
        parts.append(inner.text or "")
    return "".join(parts)
