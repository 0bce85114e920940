"""The order in which people read a page: columns one after the other, tables row by row.

Pure geometry over pieces of lines, as a PDF's text layer or character recognition gives them. A page is cut into
bands that share a white corridor; a band is either columns of prose, which are read one after the other, or a
table, which is read row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from statistics import median

from grounded.ingestion.parsers.geometry import (
    WIDE_GAP,
    Band,
    Block,
    Box,
    Paragraph,
    Piece,
    Row,
    Rules,
    bounds,
    by_column,
    flat,
    is_from_right,
    joined,
    rows_of,
)
from grounded.ingestion.parsers.tables import read_table, written_by_column

PARAGRAPH_GAP = 0.6
"""White space of this many line heights more than usual begins a paragraph."""
_FULL_WIDTH = 0.6
_DEPTH = 6


def arrange(pieces: Sequence[Piece], rules: Callable[[], Rules] = Rules) -> list[Block]:
    """The blocks of a page in reading order.

    Args:
        pieces: What stands on the page, in the order of the file; none spans a gap of ``WIDE_GAP``.
        rules: Called, at most once, where it must be decided whether something is a table.
    """
    if not pieces:
        return []
    drawn: list[Rules] = []

    def once() -> Rules:
        if not drawn:
            drawn.append(rules())
        return drawn[0]

    return list(_region(list(pieces), once, _DEPTH))


def _region(pieces: list[Piece], rules: Callable[[], Rules], depth: int) -> Iterator[Block]:
    rows = rows_of(pieces)
    if depth == 0 or max(p.left for p in pieces) < min(p.right for p in pieces):
        yield from _paragraphs(rows)
        return
    plain: list[Row] = []
    index = 0
    while index < len(rows):
        band = _band_from(rows, index, pieces)
        later = _band_from(rows, index + 1, pieces) if band and len(rows[index]) < len(band.cover) + 1 else None
        if band and later and len(later.cover) > len(band.cover):
            band = None  # a title over some of the columns only
        table = read_table(band, rules) if band else None
        columns = _columns(band) if band and not table else None
        if band and (table or columns):
            yield from _paragraphs(plain)
            plain = []
            skipped = len(band.rows)
            if table:
                lead, made, skipped = table
                yield from _paragraphs(band.rows[:lead])
                yield made
            for column in columns or ():
                yield from _region(column, rules, depth - 1)
            index += skipped
        else:
            plain.append(rows[index])
            index += 1
    yield from _paragraphs(plain)


def _band_from(rows: list[Row], start: int, pieces: list[Piece]) -> Band | None:
    """The rows from ``start`` on through which a corridor runs; None when there is none, or one row only."""
    left, _, right, _ = bounds(pieces)
    height = median(p.top - p.bottom for p in pieces)
    band = Band()
    for row in rows[start:]:
        cover = _merged([*band.cover, *((p.left, p.right) for p in row)], WIDE_GAP * height)
        if band.rows and _begins_another(band, cover, row, height):
            break
        if len(cover) < len(band.cover) and (len(cover) == 1 or _closes_corridor(band, cover)):
            break
        if len(cover) == 1 and cover[0][1] - cover[0][0] > _FULL_WIDTH * (right - left):
            break
        band.rows.append(row)
        band.cover = cover
    following = start + len(band.rows)
    _leave_to_next(band, rows[following] if following < len(rows) else None, height)
    band.cover = _merged([(p.left, p.right) for row in band.rows for p in row], WIDE_GAP * height)
    return band if len(band.rows) > 1 and len(band.cover) > 1 and _beside(band) else None


def _closes_corridor(band: Band, cover: list[tuple[float, float]]) -> bool:
    """Whether a corridor that several rows keep open is covered; the one behind a heading's number is not such."""
    lost = [
        (one, other)
        for one, other in pairwise(band.cover)
        if any(left <= one[0] and other[1] <= right for left, right in cover)
    ]
    kept_open = (
        sum(
            any(p.right <= one[1] and p.left >= one[0] for p in row) and any(p.left >= other[0] for p in row)
            for row in band.rows
        )
        for one, other in lost
    )
    return max(kept_open, default=0) > 2


def _begins_another(band: Band, cover: list[tuple[float, float]], row: Row, height: float) -> bool:
    """Whether a row below white space is set out in other columns than those above it."""
    above = min(p.bottom for each in band.rows for p in each) - max(p.top for p in row)
    changes = len(cover) != len(band.cover) or len(row) > len(cover)
    return len(band.rows) > 1 and len(band.cover) > 1 and above > height and changes


def _merged(stretches: list[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for left, right in sorted(stretches):
        if merged and left - merged[-1][1] < gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return merged


def _leave_to_next(band: Band, following: Row | None, height: float) -> None:
    """Give up last rows of one piece that stand nearer to what follows, such as the heading above it."""
    if following is None:
        return
    below = max(p.top for p in following)
    while len(band.rows) > 2 and len(band.rows[-1]) == 1:
        last, before = band.rows[-1][0], band.rows[-2]
        above = min(p.bottom for p in before) - last.top
        if above < PARAGRAPH_GAP * height or above <= last.bottom - below:
            return
        below = last.top
        band.rows.pop()


def _beside(band: Band) -> bool:
    """Whether something stands beside something else, not only above and below."""
    if any(len(row) > 1 for row in band.rows):
        return True
    columns = [[p for p in flat(band) if left <= p.left and p.right <= right] for left, right in band.cover]
    spans = [(min(p.bottom for p in c), max(p.top for p in c)) for c in columns if c]
    return any(low < other_top and other_low < top for (low, top), (other_low, other_top) in pairwise(spans))


def _columns(band: Band) -> list[list[Piece]] | None:
    """The columns of a band that is none of a table; None when its rows are better read as lines."""
    columns = _joined_columns(band)
    if len(columns) < 2:
        return None
    if all(len(column) >= 3 for column in columns) or (
        all(len(column) >= 2 for column in columns) and written_by_column(columns)
    ):
        columns = [column for column in columns if column]
        return columns[::-1] if is_from_right(list(flat(band))) else columns
    return None


def _joined_columns(band: Band) -> list[list[Piece]]:
    """The columns, each of too few pieces (numbers of headings, marks) put to the one it stands nearest to."""
    cover = list(band.cover)
    columns = by_column(band, list(flat(band)))
    while len(columns) > 1 and len(thin := min(columns, key=len)) < 3 <= len(max(columns, key=len)):
        at = columns.index(thin)
        before = cover[at][0] - cover[at - 1][1] if at > 0 else float("inf")
        behind = cover[at + 1][0] - cover[at][1] if at + 1 < len(cover) else float("inf")
        first = at - 1 if before < behind else at
        cover[first : first + 2] = [(cover[first][0], cover[first + 1][1])]
        columns[first : first + 2] = [columns[first] + columns[first + 1]]
    return columns


def _paragraphs(rows: Sequence[Row]) -> Iterator[Paragraph]:
    """Lines from the top, parted where the white space or the size of the letters changes."""
    if not rows:
        return
    lines = [(joined(row), bounds(row)) for row in rows]
    gaps = [above[1][1] - below[1][3] for above, below in pairwise(lines)]
    usual = median(sorted(gaps)[: max(1, (len(gaps) * 3) // 4)]) if gaps else 0.0
    begun = [lines[0]]
    for gap, line in zip(gaps, lines[1:], strict=True):
        above, here = begun[-1][1], line[1]
        height = min(above[3] - above[1], here[3] - here[1])
        other_size = abs((above[3] - above[1]) - (here[3] - here[1])) > 0.25 * height
        if gap > max(usual, 0.0) + PARAGRAPH_GAP * height or (other_size and gap > 0) or gap < -2 * height:
            yield _paragraph(begun)
            begun = []
        begun.append(line)
    yield _paragraph(begun)


def _paragraph(lines: Sequence[tuple[str, Box]]) -> Paragraph:
    return Paragraph(tuple(text for text, _ in lines), tuple(box for _, box in lines))
