"""Workbooks (XLSX, XLSM, XLSB, XLS, ODS): every sheet, every row a line with its column names."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any

import python_calamine

from grounded.errors import EncryptedDocumentError, ParseError
from grounded.ingestion.parsers.archives import DAMAGE, open_archive
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.rows import render_table
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml$")
_NO_VALUE = re.compile(rb"<f\b[^<]*(?:/>|</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>")
_FORMULA_BYTES = 50_000_000
"""Larger sheets are not searched for formulas without a value: that would read them twice."""


def parse(source: Source) -> Parsed:
    """The rows of every sheet, each a section; a hidden sheet is read too, and its section says that it is hidden.

    Formulas give the values that were stored with them; those without any are a warning.

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
            hidden = sheet.visible != python_calamine.SheetVisibleEnum.Visible
            _add_sheet(builder, workbook, sheet.name, hidden)
    missing = _formulas_without_value(source.content)
    if missing:
        builder.warnings.append(f"{missing} formulas have no stored value; open and save it in a spreadsheet program")
    return builder.parsed(media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


def _add_sheet(builder: TextBuilder, workbook: python_calamine.CalamineWorkbook, name: str, hidden: bool) -> None:
    try:
        sheet = workbook.get_sheet_by_name(name)
        values = sheet.to_python(skip_empty_area=True)
    except python_calamine.CalamineError as error:
        builder.warnings.append(f"sheet {name!r} cannot be read: {error}")
        return
    first, left = (sheet.start[0] + 1, sheet.start[1]) if sheet.start else (1, 0)
    rows = [(number, [_cell(value) for value in row]) for number, row in enumerate(values, start=first)]
    lines = render_table(rows, narrowest=2)
    if not lines:
        return
    if hidden:
        builder.warnings.append(f"sheet {name!r} is hidden")
    title = " ".join(name.split()) + (" (hidden)" if hidden else "")
    builder.separate()
    builder.open_section(1, title)
    builder.line(title)
    cells = {number: _addresses(number, values, left) for number, values in rows}
    for line in lines:
        place = builder.line(line.text)
        builder.mark(place, "sheet_row", sheet=name, row=line.number, cells=cells[line.number])


def _addresses(row: int, values: list[str], left: int) -> str:
    """The addresses of a row's first and last filled cell: ``B4:D4``."""
    filled = [column for column, value in enumerate(values, start=left) if value.strip()]
    ends = dict.fromkeys((filled[0], filled[-1])) if filled else {left: None}
    return ":".join(f"{_letters(column)}{row}" for column in ends)


def _letters(column: int) -> str:
    """The letters of a column that counts from 0: A to Z, AA, AB."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def _formulas_without_value(content: bytes) -> int:
    """Cells of an XLSX whose formula was never worked out, as programs write it that only make files."""
    if not content.startswith(b"PK"):
        return 0
    missing = 0
    with suppress(ParseError, *DAMAGE), open_archive(content) as archive:  # its rows were read all the same
        for info in archive.infolist():
            if _SHEET.match(info.filename) and info.file_size <= _FORMULA_BYTES:
                missing += len(_NO_VALUE.findall(archive.read(info)))
    return missing


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
