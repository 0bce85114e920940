"""Workbooks (XLSX, XLSM, XLSB, XLS, ODS): every sheet, every row a line with its column names."""

from __future__ import annotations

import io
from datetime import date, datetime, time, timedelta
from typing import Any

import python_calamine

from grounded.errors import EncryptedDocumentError, ParseError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.delimited import add_rows
from grounded.ingestion.parsers.rows import render_table
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed


def parse(source: Source) -> Parsed:
    """The rows of every sheet, hidden ones too; each sheet is a section named after it.

    Raises:
        EncryptedDocumentError: It needs a password.
        ParseError: It is damaged.
        LimitExceededError: The text is too long.
    """
    try:
        workbook = python_calamine.load_workbook(io.BytesIO(source.content))
    except python_calamine.PasswordError as error:
        raise EncryptedDocumentError(
            "The workbook is protected by a password.", fix="Save it without protection."
        ) from error
    except python_calamine.CalamineError as error:
        raise ParseError(f"The workbook is damaged: {error}", fix="Open and save it again.") from error
    builder = TextBuilder(source.limits)
    for sheet in workbook.sheets_metadata:
        if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet:
            _add_sheet(builder, workbook, sheet.name)
    return builder.parsed(media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


def _add_sheet(builder: TextBuilder, workbook: python_calamine.CalamineWorkbook, name: str) -> None:
    try:
        sheet = workbook.get_sheet_by_name(name)
        values = sheet.to_python(skip_empty_area=True)
    except python_calamine.CalamineError as error:
        builder.warnings.append(f"sheet {name!r} cannot be read: {error}")
        return
    first = sheet.start[0] + 1 if sheet.start else 1
    rows = [(number, [_cell(value) for value in row]) for number, row in enumerate(values, start=first)]
    lines = render_table(rows, narrowest=2)
    if lines:
        builder.separate()
        builder.open_section(1, name)
        builder.line(" ".join(name.split()))
        add_rows(builder, lines, name)


def _cell(value: Any) -> str:
    """A cell as text: whole numbers without a fraction, dates as ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime):
        midnight = value.time() == time(0)
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
