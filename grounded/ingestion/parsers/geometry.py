"""What stands on a page as geometry: pieces of lines, drawn lines, bands with corridors, and what comes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points from the lower left corner of the page."""

WIDE_GAP = 0.75
"""A gap of this many line heights parts a line; between words it is a third of that, set justified two thirds."""
SAME_LINE = 0.4
"""Pieces whose middles differ by less than this share of a line height stand on one line."""

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


class Piece(NamedTuple):
    """A run of words on one line; ``order`` is its position in the file."""

    left: float
    bottom: float
    right: float
    top: float
    text: str
    order: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """Lines drawn on a page: ``(y, from x, to x)`` across and ``(x, from y, to y)`` down."""

    across: tuple[tuple[float, float, float], ...] = ()
    down: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together, each with its box."""

    lines: tuple[str, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, each row with its box; every row has as many cells as there are columns."""

    rows: tuple[tuple[str, ...], ...]
    boxes: tuple[Box, ...]


Block = Paragraph | Table
Row = list[Piece]


@dataclass(slots=True)
class Band:
    """Rows with what they cover from left to right; more than one stretch where corridors run through."""

    rows: list[Row] = field(default_factory=list)
    cover: list[tuple[float, float]] = field(default_factory=list)


def bounds(boxes: Sequence[Box | Piece]) -> Box:
    """The smallest box around all of them."""
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))


def rows_of(pieces: Sequence[Piece]) -> list[Row]:
    """Pieces by line, from the top; within a line from the left, or from the right where it is written so."""
    rows: list[Row] = []
    for piece in sorted(pieces, key=lambda p: (-(p.top + p.bottom), p.left)):
        if rows and _on_line(rows[-1][0], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    for row in rows:
        if len(row) > 1:
            row.sort(key=lambda p: p.left)
    return rows


def _on_line(first: Piece, piece: Piece) -> bool:
    height = min(first.top - first.bottom, piece.top - piece.bottom)
    return abs(first.top + first.bottom - piece.top - piece.bottom) / 2 < SAME_LINE * max(height, 1.0)


def flat(band: Band) -> Iterator[Piece]:
    """All pieces of a band."""
    return (piece for row in band.rows for piece in row)


def by_column(band: Band, pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces by the stretch of the band that they stand in or nearest to."""
    columns: list[list[Piece]] = [[] for _ in band.cover]
    for piece in pieces:
        middle = (piece.left + piece.right) / 2
        nearest = min(range(len(band.cover)), key=lambda at: _distance(band.cover[at], middle))
        columns[nearest].append(piece)
    return columns


def _distance(stretch: tuple[float, float], x: float) -> float:
    return max(stretch[0] - x, x - stretch[1], 0.0)


def joined(row: Row) -> str:
    """The text of a line's pieces, from the right where it is written so."""
    if len(row) == 1:
        return row[0].text
    return " ".join(p.text for p in (reversed(row) if is_from_right(row) else row))


def is_from_right(pieces: Sequence[Piece]) -> bool:
    """Whether most of the pieces are written from the right."""
    return sum(bool(_RIGHT_TO_LEFT.search(piece.text)) for piece in pieces) > len(pieces) / 2
