"""HTML: the text a reader sees, with headings as sections and table rows as lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from grounded.errors import EmptyDocumentError
from grounded.ingestion.parsers.building import TextBuilder, too_deep
from grounded.ingestion.parsers.rows import clean, render_table
from grounded.ingestion.parsers.source import Limits, Source, words
from grounded.records import Parsed

CELL_CHARACTERS = 400
"""A table with longer cells is layout, not data, and is read as ordinary text."""

_SPAN_LIMIT = 100
_SPREAD_COLUMNS = 200  # beyond this column a cell is no longer spread over several: spans multiply
_UNSEEN = words("script style noscript template head nav iframe object embed canvas svg math audio video datalist")
_PARAGRAPH = words(
    "p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre table section article main header footer nav aside "
    "figure form fieldset details hr address body"
)
_BREAK = words("br div li dt dd tr caption figcaption summary option legend")
_HEADING = re.compile(r"^h([1-6])$")
_HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


def parse(source: Source) -> Parsed:
    """The visible text; scripts, styles, navigation, comments and hidden elements are left out.

    Raises:
        EmptyDocumentError: There is no element in it.
        LimitExceededError: The text is too long.
    """
    return read_html(source.text or "", source.limits)


def read_html(text: str, limits: Limits) -> Parsed:
    """Canonical text of HTML source; see ``parse``."""
    # Bytes, because lxml refuses text that carries an encoding declaration of its own. Without huge_tree the
    # parser drops whatever is nested deeper than 256 elements (with it, 2,048), and only its log says so.
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise too_deep()
    if root is None:
        raise EmptyDocumentError("The HTML holds no element.")
    reader = _Reader(limits)
    reader.read(root)
    title = clean(root.findtext(".//head/title") or "")
    return reader.builder.parsed(title=title or reader.title, media_type="text/html")


class _Reader:
    """Walks the tree once, without recursion, and writes lines."""

    def __init__(self, limits: Limits) -> None:
        self.builder = TextBuilder(limits)
        self.title = ""
        self._inline: list[str] = []
        self._newlines = 0
        self._preformatted = 0
        self._tables = 0

    def read(self, root: etree._Element) -> None:
        walker = etree.iterwalk(root, events=("start", "end"))
        for event, element in walker:
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                if not tag or _is_hidden(element, tag) or self._whole(element, tag):
                    walker.skip_subtree()
                    continue
                self._start(element, tag)
            else:
                if not _is_hidden(element, tag):
                    self._end(tag)
                self._text(element.tail)
        self._flush()

    def _start(self, element: etree._Element, tag: str) -> None:
        self._break(tag)
        if tag == "pre":
            self._preformatted += 1
        if tag == "li":
            self._inline.append("- ")
        if element.text and not (element.text.isspace() and self._inline == ["- "]):
            self._text(element.text)

    def _end(self, tag: str) -> None:
        if tag == "pre":
            self._flush()
            self._preformatted -= 1
        if tag in ("td", "th"):
            self._inline.append(" ")
        if tag not in ("br", "hr"):
            self._break(tag)

    def _whole(self, element: etree._Element, tag: str) -> bool:
        """Headings and data tables are written at once; True when this element was."""
        heading = _HEADING.match(tag)
        if heading and element.find(".//table") is None:
            self._break(tag)
            self._heading(int(heading.group(1)), clean(_seen_text(element)))
            return True
        if tag == "table":
            rows = _data_rows(element)
            if rows is not None:
                self._break(tag)
                self._table(element, rows)
                return True
        return False

    def _heading(self, level: int, title: str) -> None:
        if title:
            self._space()
            self.builder.open_section(level, title)
            self.builder.add(title)
            self.title = self.title or title
            self._newlines = 2

    def _table(self, element: etree._Element, rows: list[tuple[bool, list[str]]]) -> None:
        self._tables += 1
        heads = [number for number, (is_header, _) in enumerate(rows, start=1) if is_header]
        numbered = [(number, cells) for number, (_, cells) in enumerate(rows, start=1)]
        lines = render_table(numbered, header=heads[0] if heads else None)
        caption = clean(element.findtext("caption") or "")
        self._space()
        if caption:
            self.builder.line(caption)
        for line in lines:
            self.builder.mark(self.builder.line(line.text), "table_row", table=self._tables, row=line.number)
        self._newlines = 2

    def _text(self, text: str | None) -> None:
        if text:
            self._inline.append(text)

    def _break(self, tag: str) -> None:
        newlines = 2 if tag in _PARAGRAPH else 1 if tag in _BREAK else 0
        if newlines and self._inline != ["- "]:  # an item's first block stands behind its dash
            self._flush()
            self._newlines = max(self._newlines, newlines)

    def _flush(self) -> None:
        raw = "".join(self._inline)
        self._inline.clear()
        text = raw.replace("\r\n", "\n").strip("\n") if self._preformatted else " ".join(raw.split())
        if not text.strip() or text == "-":
            return
        self._space()
        self.builder.add(text)

    def _space(self) -> None:
        if self._newlines:
            self.builder.separate(self._newlines)
            self._newlines = 0


def _is_hidden(element: etree._Element, tag: str) -> bool:
    if tag in _UNSEEN:
        return True
    attributes = element.attrib
    if not attributes:
        return False
    style = attributes.get("style")
    return "hidden" in attributes or bool(style and _HIDDEN.search(style))


def _seen_text(element: etree._Element) -> str:
    """The text inside an element, without what is hidden."""
    parts: list[str] = []
    walker = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walker:
        tag = inner.tag if isinstance(inner.tag, str) else ""
        if event == "start":
            if not tag or _is_hidden(inner, tag):
                walker.skip_subtree()
                continue
            parts.append(" " if tag in _PARAGRAPH or tag in _BREAK else "")
            parts.append(inner.text or "")
        elif inner is not element:
            parts.append(" " if tag in _PARAGRAPH or tag in _BREAK else "")
            parts.append(inner.tail or "")
    return "".join(parts)


def _data_rows(table: etree._Element) -> list[tuple[bool, list[str]]] | None:
    """``(is header, cells)`` of every row, or None when the table only arranges the page."""
    if table.find(".//table") is not None:
        return None
    rows: list[tuple[bool, list[str]]] = []
    carried: dict[int, tuple[int, str]] = {}
    for row in table.iter("tr"):
        if _is_hidden(row, "tr"):
            continue
        cells = [cell for cell in row if cell.tag in ("td", "th")]
        texts = list(_cells(cells, carried))
        if any(len(text) > CELL_CHARACTERS for text in texts):
            return None
        parent = row.getparent()
        in_head = parent is not None and parent.tag == "thead"
        all_heads = bool(cells) and all(cell.tag == "th" for cell in cells)
        rows.append((in_head or all_heads, texts))
    wide = max((len(texts) for _, texts in rows), default=0) > 1
    return rows if wide else None


def _cells(cells: list[etree._Element], carried: dict[int, tuple[int, str]]) -> Iterator[str]:
    """Cell texts by column; a cell over several rows is repeated in each, one over several columns is not."""
    column = 0
    for cell in cells:
        while column in carried:
            yield _carry(carried, column)
            column += 1
        text = "" if _is_hidden(cell, "td") else clean(_seen_text(cell))
        rows, columns = _number(cell.get("rowspan")), _number(cell.get("colspan"))
        for offset in range(max(1, min(columns, _SPREAD_COLUMNS - column))):
            if rows > 1:
                carried[column] = (rows - 1, text if not offset else "")
            yield text if not offset else ""
            column += 1
    while column in carried:
        yield _carry(carried, column)
        column += 1


def _carry(carried: dict[int, tuple[int, str]], column: int) -> str:
    left, text = carried[column]
    if left > 1:
        carried[column] = (left - 1, text)
    else:
        del carried[column]
    return text


def _number(value: str | None) -> int:
    return min(_SPAN_LIMIT, max(1, int(value))) if value and value.strip().isdecimal() and len(value) < 9 else 1
