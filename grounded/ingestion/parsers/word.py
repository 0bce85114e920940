"""DOCX: paragraphs and tables in order, headings as nested sections."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import docx
from docx.document import Document as WordDocument
from docx.exceptions import PythonDocxError
from docx.opc.exceptions import OpcError
from lxml import etree

from grounded.ingestion.parsers.building import TextBuilder, damaged, real_title
from grounded.ingestion.parsers.markup import safe_parser
from grounded.ingestion.parsers.rows import render_table
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_P, _TBL, _TR, _TC, _SDT = f"{_W}p", f"{_W}tbl", f"{_W}tr", f"{_W}tc", f"{_W}sdt"
_VAL = f"{_W}val"
_NOTES = {"footnotes": "footnote", "endnotes": "endnote"}
# Deleted text, the old-format twin of a drawing, and field codes are not what a reader sees.
_SKIPPED = frozenset({f"{_W}pPr", f"{_W}del", f"{_W}moveFrom", f"{_MC}Fallback", f"{_W}instrText", f"{_W}delText"})
_CHANGES = tuple(f"{_W}{name}" for name in ("ins", "del", "moveFrom", "moveTo"))
ANCHOR_CHARACTERS = 120
"""A comment quotes so much of the words it stands at."""
_OPEN_COMMENTS = 100
_HEADING = re.compile(r"^heading\s+([1-9])$", re.IGNORECASE)


def parse(source: Source) -> Parsed:
    """Paragraphs, headings and table rows (``table_row``), then foot- and endnotes, then comments.

    Tracked changes are read with insertions and without deletions, and a warning counts them.

    Raises:
        ParseError: It is damaged.
        LimitExceededError: The text is too long.
    """
    try:
        return _read(source)
    except (PythonDocxError, OpcError) as error:
        raise damaged("document", error) from error


def _read(source: Source) -> Parsed:
    document = docx.Document(io.BytesIO(source.content))
    reader = _Reader(document, TextBuilder(source.limits))
    reader.blocks(document.element.body)
    reader.notes()
    reader.say_what_changed()
    title = real_title(document.core_properties.title or "")
    return reader.builder.parsed(
        title=title or reader.title,
        media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    )


class _Reader:
    """Walks the body's XML: python-docx finds the parts, its objects are too slow for every paragraph."""

    def __init__(self, document: WordDocument, builder: TextBuilder) -> None:
        self.builder = builder
        self.title = ""
        self._document = document
        self._levels = _heading_levels(document)
        self._tables = 0

    def blocks(self, parent: etree._Element) -> None:
        """Append every paragraph and table below ``parent``, in order."""
        for block in _blocks(parent):
            if block.tag == _P:
                self._paragraph(block)
            else:
                self._table(block)

    def notes(self) -> None:
        """Append foot- and endnotes and comments after the text."""
        for relation in self._document.part.rels.values():
            name = relation.reltype.rsplit("/", 1)[-1]
            if name in (*_NOTES, "comments") and not relation.is_external:
                root = etree.fromstring(relation.target_part.blob, safe_parser())
                if name in _NOTES:
                    self._note_lines(root, _NOTES[name])
                else:
                    self._comment_lines(root)

    def say_what_changed(self) -> None:
        """Warn of tracked changes."""
        changes = sum(1 for _ in self._document.element.body.iter(*_CHANGES))
        if changes:
            self.builder.warnings.append(
                f"{changes} tracked changes are not accepted yet: read with insertions and without deletions"
            )

    def _comment_lines(self, root: etree._Element) -> None:
        """Comments with who made them and the words they stand at."""
        anchors = _anchors(self._document.element.body)
        for comment in root.iter(f"{_W}comment"):
            text = " ".join(" ".join(_text(paragraph) for paragraph in comment.iter(_P)).split())
            if text:
                author = " ".join(comment.get(f"{_W}author", "").split())
                words = " ".join(anchors.get(comment.get(f"{_W}id", ""), "").split())[:ANCHOR_CHARACTERS]
                self.builder.separate()
                self.builder.add(
                    f"Comment{f' by {author}' if author else ''}{f' on “{words}”' if words else ''}: {text}"
                )

    def _note_lines(self, root: etree._Element, kind: str) -> None:
        for note in root.iter(f"{_W}{kind}"):
            text = " ".join(" ".join(_text(paragraph) for paragraph in note.iter(_P)).split())
            if text:
                self.builder.separate()
                self.builder.add(f"{kind.capitalize()} {note.get(f'{_W}id', '')}: {text}")

    def _paragraph(self, paragraph: etree._Element) -> None:
        text = _text(paragraph).strip("\n")
        if not text.strip():
            return
        self.builder.separate()
        level = self._level(paragraph)
        if level is not None:
            self.title = self.title or " ".join(text.split())
            self.builder.open_section(level, text)
        self.builder.add(text)

    def _level(self, paragraph: etree._Element) -> int | None:
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            return None
        outline = properties.find(f"{_W}outlineLvl")
        if outline is not None and outline.get(_VAL, "").isdecimal() and int(outline.get(_VAL, "9")) < 9:
            return int(outline.get(_VAL, "0")) + 1
        style = properties.find(f"{_W}pStyle")
        return self._levels.get(style.get(_VAL, "")) if style is not None else None

    def _table(self, table: etree._Element) -> None:
        self._tables += 1
        number = self._tables
        rows = [(index, _row_cells(row)) for index, row in enumerate(_children(table, _TR), start=1)]
        lines = render_table(rows)
        if lines:
            self.builder.separate()
            for line in lines:
                self.builder.mark(self.builder.line(line.text), "table_row", table=number, row=line.number)


def _heading_levels(document: WordDocument) -> dict[str, int]:
    """Heading level by style id; the title of the document stands above all headings."""
    levels: dict[str, int] = {}
    for style in document.styles.element.iter(f"{_W}style"):
        name = style.find(f"{_W}name")
        value = name.get(_VAL, "") if name is not None else ""
        found = _HEADING.match(value)
        if found or value.lower() == "title":
            levels[style.get(f"{_W}styleId", "")] = int(found.group(1)) if found else 0
    return levels


def _blocks(parent: etree._Element) -> Iterator[etree._Element]:
    """Paragraphs and tables in order, also inside content controls and custom XML."""
    waiting = list(reversed(parent))
    while waiting:
        element = waiting.pop()
        if element.tag in (_P, _TBL):
            yield element
        elif element.tag not in _SKIPPED:
            waiting.extend(reversed(element))


def _children(parent: etree._Element, tag: str) -> Iterator[etree._Element]:
    """Rows of a table or cells of a row, also inside content controls, not those of nested tables."""
    waiting = list(reversed(parent))
    while waiting:
        element = waiting.pop()
        if element.tag == tag:
            yield element
        elif element.tag in (_SDT, f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"):
            waiting.extend(reversed(element))


def _row_cells(row: etree._Element) -> list[str]:
    cells: list[str] = []
    for cell in _children(row, _TC):
        cells.append(" ".join(_text(paragraph) for paragraph in cell.iter(_P)))
        span = cell.find(f"{_W}tcPr/{_W}gridSpan")
        value = span.get(_VAL, "1") if span is not None else "1"
        cells.extend([""] * (min(int(value), 100) - 1 if value.isdecimal() else 0))
    return cells


def _text(paragraph: etree._Element) -> str:
    """What a reader sees of a paragraph: tabs and breaks kept, deletions and hidden runs left out."""
    parts: list[str] = []
    waiting = list(reversed(paragraph))
    while waiting:
        element = waiting.pop()
        tag = element.tag
        if tag == f"{_W}t":
            parts.append(element.text or "")
        elif tag == f"{_W}tab":
            parts.append("\t")
        elif tag in (f"{_W}br", f"{_W}cr"):
            parts.append("\n")
        elif tag == f"{_W}noBreakHyphen":
            parts.append("-")
        elif tag == _P and parts:
            parts.append("\n")  # a text box inside the paragraph
            waiting.extend(reversed(element))
        elif tag not in _SKIPPED and not _is_hidden(element):
            waiting.extend(reversed(element))
    return "".join(parts)


def _is_hidden(element: etree._Element) -> bool:
    if element.tag != f"{_W}r":
        return False
    vanish = element.find(f"{_W}rPr/{_W}vanish")
    return vanish is not None and vanish.get(_VAL, "1") not in ("0", "false", "off")


def _anchors(body: etree._Element) -> dict[str, str]:
    """The words that comments stand at, by the comment's id."""
    open_now: set[str] = set()
    words: dict[str, str] = {}
    for element in body.iter(f"{_W}commentRangeStart", f"{_W}commentRangeEnd", f"{_W}t", _P):
        number = element.get(f"{_W}id", "")
        if element.tag == f"{_W}commentRangeStart" and len(open_now) < _OPEN_COMMENTS:
            open_now.add(number)
        elif element.tag == f"{_W}commentRangeEnd":
            open_now.discard(number)
        for each in open_now:
            said = words.get(each, "")
            if len(said) < ANCHOR_CHARACTERS:
                words[each] = said + (" " if element.tag == _P else element.text or "")
    return words
