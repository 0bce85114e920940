"""PPTX: titles, text, tables and notes, slide by slide."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

import pptx
from lxml import etree
from pptx.exc import PythonPptxError

from grounded.ingestion.parsers.building import TextBuilder, damaged, real_title
from grounded.ingestion.parsers.markup import safe_parser
from grounded.ingestion.parsers.rows import render_table
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed


def parse(source: Source) -> Parsed:
    """Every slide as a ``slide`` segment, titled ones as sections, table rows as ``table_row``, then its comments.

    Hidden slides are read too, with a warning.

    Raises:
        ParseError: It is damaged.
        LimitExceededError: The text is too long.
    """
    try:
        return _read(source)
    except PythonPptxError as error:
        raise damaged("presentation", error) from error


def _read(source: Source) -> Parsed:
    presentation = pptx.Presentation(io.BytesIO(source.content))
    builder = TextBuilder(source.limits)
    reader = _Reader(builder)
    for number, slide in enumerate(presentation.slides, start=1):
        reader.slide(number, slide)
    title = real_title(presentation.core_properties.title or "")
    return builder.parsed(
        title=title or reader.title,
        media_type="application/vnd.openxmlformats-officedocument.presentationml.presentation",
    )


class _Reader:
    def __init__(self, builder: TextBuilder) -> None:
        self.title = ""
        self._builder = builder
        self._tables = 0

    def slide(self, number: int, slide: Any) -> None:
        builder = self._builder
        builder.separate()
        builder.close_sections()
        start = builder.length
        titled = slide.shapes.title
        title = _frame(titled.text_frame) if titled is not None else ""
        if title.strip():
            self.title = self.title or " ".join(title.split())
            builder.open_section(1, title)
            builder.add(title)
        for shape in _shapes(slide.shapes):
            if titled is None or shape.shape_id != titled.shape_id:
                self._shape(shape)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            self._block("Notes: ", _frame(slide.notes_slide.notes_text_frame))
        for comment in _comments(slide):
            self._block("", comment)
        builder.mark((start, builder.length), "slide", number=number)
        if slide.element.get("show") in ("0", "false"):
            builder.warnings.append(f"slide {number} is hidden")

    def _shape(self, shape: Any) -> None:
        if getattr(shape, "has_table", False) and shape.has_table:
            self._table(shape.table)
        elif shape.has_text_frame:
            self._block("", _frame(shape.text_frame))

    def _block(self, label: str, text: str) -> None:
        if text.strip():
            self._builder.separate()
            self._builder.add(label + text)

    def _table(self, table: Any) -> None:
        self._tables += 1
        rows = [
            (index, [_frame(cell.text_frame) for cell in row.cells]) for index, row in enumerate(table.rows, start=1)
        ]
        lines = render_table(rows)
        if lines:
            self._builder.separate()
        for line in lines:
            self._builder.mark(self._builder.line(line.text), "table_row", table=self._tables, row=line.number)


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    """All shapes, those in groups too, in the order of the file."""
    waiting = list(reversed(list(shapes)))
    while waiting:
        shape = waiting.pop()
        if hasattr(shape, "shapes"):
            waiting.extend(reversed(list(shape.shapes)))
        else:
            yield shape


def _comments(slide: Any) -> Iterator[str]:
    """The comments on a slide, of both kinds that PowerPoint writes."""
    for relation in slide.part.rels.values():
        if relation.is_external or not relation.reltype.endswith("/comments"):
            continue
        root = etree.fromstring(relation.target_part.blob, safe_parser())
        for comment in root.iter("{*}cm", "{*}reply"):
            pieces = [each.text or "" for each in comment.iter("{*}text", "{*}t") if _owner(each) is comment]
            said = " ".join(" ".join(pieces).split())
            if said:
                yield f"Comment: {said}"


def _owner(element: etree._Element) -> etree._Element | None:
    """The comment or reply that a text belongs to."""
    return next((each for each in element.iterancestors() if etree.QName(each).localname in ("cm", "reply")), None)


def _frame(frame: Any) -> str:
    """A text frame's paragraphs as lines; the vertical tab is a line break within one."""
    return "\n".join(p.text.replace("\v", "\n") for p in frame.paragraphs if p.text.strip())
