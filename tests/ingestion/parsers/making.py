"""Small real files, made by the libraries that people make them with."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import docx
import pptx
import xlsxwriter  # type: ignore[import-untyped]  # it ships no types
from reportlab.lib import pdfencrypt
from reportlab.pdfgen.canvas import Canvas

from grounded.ingestion.parsers import Limits, parse
from grounded.records import Parsed, RawDocument


def read(content: bytes | str, name: str = "", limits: Limits | None = None) -> Parsed:
    data = content.encode() if isinstance(content, str) else content
    return parse(RawDocument(key="k", content=data, name=name), limits=limits)


def places(parsed: Parsed, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """``(text, fields)`` of every segment of a kind."""
    found = [segment for segment in parsed.segments if segment.locator.kind == kind]
    return [(segment.span.slice(parsed.text), segment.locator.fields) for segment in found]


def pdf(pages: Iterable[Sequence[str]], *, title: str = "", password: str = "") -> bytes:
    buffer = io.BytesIO()
    encryption = pdfencrypt.StandardEncryption(password) if password else None
    canvas = Canvas(buffer, encrypt=encryption)
    if title:
        canvas.setTitle(title)
    for lines in pages:
        for row, line in enumerate(lines):
            canvas.drawString(72, 760 - 16 * row, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def word(blocks: Iterable[tuple[str, Any]], *, title: str = "") -> bytes:
    document = docx.Document()
    document.core_properties.title = title
    for kind, value in blocks:
        if kind == "table":
            table = document.add_table(rows=len(value), cols=len(value[0]))
            for row, cells in zip(table.rows, value, strict=True):
                for cell, text in zip(row.cells, cells, strict=True):
                    cell.text = text
        elif kind == "p":
            document.add_paragraph(value)
        else:
            document.add_heading(value, int(kind))
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def slides(made: Iterable[tuple[str, str, str]]) -> bytes:
    """``(title, body, notes)`` per slide."""
    presentation = pptx.Presentation()
    for title, body, notes in made:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for row, cells in enumerate(rows):
                sheet.write_row(row, 0, cells)
    return buffer.getvalue()


def archive(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()
