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


def render_table(rows: Sequence[Row], *, header: int | None = None, narrowest: int = 3) -> list[Line]:
    """Every row as a line, with column names where the table has a header.

    Rows above the header (titles, notes) are kept as lines; the header itself is not repeated as a row unless
    nothing follows it, also not where it comes again further down. Empty rows are left out.

    Args:
        rows: The rows in order.
        header: Number of the header row when the format says so; otherwise the first row that looks like one.
        narrowest: Look for a header only in tables of at least so many columns. A table of two columns in a
            text is mostly a list of properties, whose first row is no header.
    """
    cleaned = ((number, [clean(cell) for cell in cells]) for number, cells in rows)
    filled = [(number, cells) for number, cells in cleaned if any(cells)]
    if header is None:
        at = _header_index([cells for _, cells in filled], narrowest)
    else:
        at = next((index for index, (number, _) in enumerate(filled) if number == header), None)
    if at is None or at == len(filled) - 1:
        return [Line(number, render(None, cells)) for number, cells in filled]
    names = filled[at][1]
    above = [Line(number, render(None, cells)) for number, cells in filled[:at]]
    below = [Line(number, render(names, cells)) for number, cells in filled[at + 1 :] if cells != names]
    return [*above, *below]


def _header_index(rows: Sequence[Sequence[str]], narrowest: int) -> int | None:
    """The first row that is as wide as the table and holds only distinct, short names."""
    if len(rows) < 2:
        return None
    head = rows[:HEADER_SEARCH_ROWS]
    width = max(_count(cells) for cells in head)
    if width < narrowest:
        return None
    for index, cells in enumerate(head):
        if _count(cells) < 0.6 * width:
            continue  # a title or a note above the table
        return index if _names(cells, width) else None
    return None


def _names(cells: Sequence[str], width: int) -> bool:
    names = [cell for cell in cells if cell]
    if any(len(name) > HEADER_CELL_CHARACTERS for name in names):
        return False
    return (
        len({name.casefold() for name in names}) == len(names)
        and not any(_VALUE.match(name) and not _is_year(name) for name in names)
        and not all(_VALUE.match(name) for name in names)
        and not (width == 2 and any(character.isdigit() for character in "".join(names)))
    )


def _is_year(name: str) -> bool:
    return len(name) == 4 and name.isdigit() and name[:2] in ("19", "20")


def _count(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell)
