"""Rows of tables as lines that read on their own: ``column: value; column: value``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

HEADER_SEARCH_ROWS = 20
HEADER_CELL_CHARACTERS = 100

_VALUE = re.compile(r"^[\s(+\-−~<>≤≥$€£¥%#.,:/\d)]*\d[\s)%$€£¥.,:/\d\-−]*$")

Row = tuple[int, Sequence[str]]
"""A row's number as the file shows it, and its cells."""


@dataclass(frozen=True, slots=True)
class Line:
    """One rendered row; ``number`` as the file shows it."""

    number: int
    text: str


def clean(value: str) -> str:
    """A cell on one line: every run of white space becomes one space."""
    return " ".join(value.split())


def render(header: Sequence[str] | None, cells: Sequence[str]) -> str:
    """One row as one line; empty cells are left out, a cell without a column name stands alone."""
    if header is None:
        return " | ".join(cell for cell in cells if cell)
    names = [*header, *[""] * (len(cells) - len(header))]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=False) if cell)


def render_table(rows: Sequence[Row]) -> list[Line]:
    """Every row as a line, with column names where the table has a header.

    Rows above the header (titles, notes) are kept as lines; the header itself is not repeated as a row unless
    nothing follows it. Empty rows are left out.
    """
    filled = [(number, [clean(cell) for cell in cells]) for number, cells in rows]
    filled = [(number, cells) for number, cells in filled if any(cells)]
    at = _header_index([cells for _, cells in filled])
    if at is None or at == len(filled) - 1:
        return [Line(number, render(None, cells)) for number, cells in filled]
    header = filled[at][1]
    above = [Line(number, render(None, cells)) for number, cells in filled[:at]]
    below = [Line(number, render(header, cells)) for number, cells in filled[at + 1 :]]
    return [*above, *below]


def _header_index(rows: Sequence[Sequence[str]]) -> int | None:
    """The first row that is as wide as the table and holds only distinct, short names."""
    if len(rows) < 2:
        return None
    head = rows[:HEADER_SEARCH_ROWS]
    width = max(_count(cells) for cells in head)
    if width < 2:
        return None
    for index, cells in enumerate(head):
        if _count(cells) < 0.6 * width:
            continue  # a title or a note above the table
        return index if _names(cells) else None
    return None


def _names(cells: Sequence[str]) -> bool:
    names = [cell for cell in cells if cell]
    return (
        len({name.casefold() for name in names}) == len(names)
        and not any(_VALUE.match(name) and not _is_year(name) for name in names)
        and not all(_VALUE.match(name) for name in names)
        and all(len(name) <= HEADER_CELL_CHARACTERS for name in names)
    )


def _is_year(name: str) -> bool:
    return len(name) == 4 and name.isdigit() and name[:2] in ("19", "20")


def _count(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell)
