"""Tables on a page: whether a band of lines is one, and which lines make up each of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

from grounded.ingestion.parsers.geometry import Band, Piece, Row, Rules, Table, bounds, by_column, joined, rows_of

_PROSE_CHARACTERS = 20
_PROSE_FILL = 0.6
_CELL_LINES = 12
_BULLET = re.compile(r"^(?:[•‣▪●○◦–—*\uf0b7-]|\(?\d{1,2}[.)]|[a-z][.)])(?:\s|$)")
_NUMBER = re.compile(r"^[\s(+\-−–~<>≤≥$€£¥%#.,:/\d)]*\d[\s)%$€£¥.,:/\d\-−]*(?:\s?[A-Za-z]{1,3})?$")


def read_table(band: Band, rules: Callable[[], Rules]) -> tuple[int, Table, int] | None:
    """``(rows before it, the table, rows used)`` when a band is read row by row; None when it is columns."""
    lead = next((at for at, row in enumerate(band.rows) if len(row) > 1), len(band.rows))
    rows = band.rows[lead:]
    last = max((at for at, row in enumerate(rows) if len(row) > 1), default=0)
    rows = rows[: last + 1 + _wrapped_below(rows[last:])] if rows else rows
    if sum(len(row) > 1 for row in rows) < 2:
        return None
    columns = by_column(band, [p for row in rows for p in row])
    left, bottom, right, top = bounds([p for row in rows for p in row])
    drawn = rules()
    across = sorted(
        {round(y) for y, start, end in drawn.across if bottom - 3 < y < top + 3 and end - start > 0.5 * (right - left)},
        reverse=True,
    )
    inside = [y for y in across if bottom + 3 < y < top - 3]
    if not _reads_by_row(columns, rows, ruled=len(inside) >= 1 and _crosses(band, drawn, inside)):
        return None
    groups = _grouped(rows, inside, len(band.cover))
    if max(len(rows_of(group)) for group in groups) > _CELL_LINES:
        return None
    made = [tuple(_cell(cell) for cell in by_column(band, group)) for group in groups]
    return lead, Table(tuple(made), tuple(bounds(group) for group in groups)), lead + len(rows)


def _wrapped_below(rows: list[Row]) -> int:
    """How many rows of one piece right below the last full one continue its cells."""
    count = 0
    for above, row in pairwise(rows):
        height = row[0].top - row[0].bottom
        if len(row) > 1 or min(p.bottom for p in above) - row[0].top > 0.3 * height:
            break
        count += 1
    return count


def _crosses(band: Band, drawn: Rules, inside: Sequence[float]) -> bool:
    """Whether lines run across the corridors, not only below a heading within one column."""
    middle = (band.cover[0][1] + band.cover[1][0]) / 2
    return any(start < middle < end and round(y) in inside for y, start, end in drawn.across)


def _reads_by_row(columns: list[list[Piece]], rows: list[Row], *, ruled: bool) -> bool:
    if ruled:
        return True
    both = sum(len(row) > 1 for row in rows) / len(rows)
    if _in_steps(rows, len(columns)) and not written_by_column(columns):
        return True
    if both < 0.5 or sum(map(_is_prose, columns)) >= min(2, len(columns)):
        return False
    if any(_is_numbers(column) for column in columns[1:]) or _are_labels(columns[0]):
        return True
    bulleted = any(sum(bool(_BULLET.match(p.text)) for p in c) >= max(2, len(c) / 2) for c in columns)
    return not bulleted and not written_by_column(columns)


def _in_steps(rows: list[Row], columns: int) -> bool:
    """Whether white space runs through all columns again and again, with cells that begin level below it."""
    gaps = [min(p.bottom for p in above) - max(p.top for p in row) for above, row in pairwise(rows)]
    height = median(p.top - p.bottom for row in rows for p in row)
    middle = (min(gaps) + max(gaps)) / 2
    below = [row for gap, row in zip(gaps, rows[1:], strict=True) if gap > middle]
    wrapped = len(rows) - 1 - len(below) >= len(below)
    steps = max(gaps) - min(gaps) > 0.25 * height and len(below) > 2 and wrapped
    return steps and all(len(row) == columns for row in below)


def _are_labels(column: list[Piece]) -> bool:
    """Whether a column names what stands beside it, as forms do."""
    return sum(p.text.endswith((":", "：")) for p in column) >= max(2, 0.6 * len(column))


def _is_prose(column: list[Piece]) -> bool:
    """Whether lines are long and mostly fill the column."""
    if len(column) < 3:
        return False
    left, _, right, _ = bounds(column)
    filled = median((p.right - p.left) / max(right - left, 1.0) for p in column)
    return filled >= _PROSE_FILL and median(len(p.text) for p in column) >= _PROSE_CHARACTERS


def _is_numbers(column: list[Piece]) -> bool:
    return sum(bool(_NUMBER.match(p.text)) for p in column) >= max(2, 0.6 * len(column))


def _grouped(rows: list[Row], inside: Sequence[float], columns: int) -> list[Row]:
    """Lines of the page by rows of the table: between the lines drawn, else by the white space between them."""
    height = median(p.top - p.bottom for row in rows for p in row)
    gaps = [min(p.bottom for p in above) - max(p.top for p in row) for above, row in pairwise(rows)]
    places = [sum(y > (row[0].top + row[0].bottom) / 2 for y in inside) for row in rows]
    parted = [one != other for one, other in pairwise(places)]
    across = [gap for gap, apart in zip(gaps, parted, strict=True) if apart]
    within = [gap for gap, apart in zip(gaps, parted, strict=True) if not apart]
    if across and within and min(across) > max(within) + 0.1 * height:
        return _cut(rows, parted)
    if not within or all(len(row) == columns for row in rows):
        return [list(row) for row in rows]
    middle = (min(gaps) + max(gaps)) / 2
    close = [len(row) < columns for gap, row in zip(gaps, rows[1:], strict=True) if gap <= middle]
    if max(gaps) - min(gaps) > 0.25 * height and sum(close) >= len(close) / 2:
        return _cut(rows, [gap > middle for gap in gaps])
    starts = [any(abs(p.left - rows[0][0].left) < height for p in row) for row in rows[1:]]
    return _cut(rows, [starting or gap > 0.3 * height for starting, gap in zip(starts, gaps, strict=True)])


def _cut(rows: list[Row], before: Sequence[bool]) -> list[Row]:
    """Rows joined but where ``before`` says that the next one stands apart."""
    groups = [list(rows[0])]
    for row, apart in zip(rows[1:], before, strict=True):
        if apart:
            groups.append(list(row))
        else:
            groups[-1].extend(row)
    return groups


def _cell(pieces: Sequence[Piece]) -> str:
    return " ".join(joined(row) for row in rows_of(pieces))


def written_by_column(columns: list[list[Piece]]) -> bool:
    """Whether the file holds one column after the other."""
    spans = sorted((min(p.order for p in c), max(p.order for p in c)) for c in columns if c)
    return all(one[1] < other[0] for one, other in pairwise(spans))
