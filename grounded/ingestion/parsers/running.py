"""Running headers and footers: lines at the edge of the pages that come again on page after page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from grounded.ingestion.parsers.geometry import Piece, rows_of
from grounded.ingestion.parsers.pages import Page

EDGE_SHARE = 0.18
"""Lines in this outermost part of a page are looked at; LaTeX sets its page numbers 15% above the edge."""
OUTER_SHARE = 0.085
"""Lines in this part need no white space between them and the text; usual margins are wider."""
SEEN_PAGES = 3
SEEN_SHARE = 0.4
"""A line runs when it stands on this share of the pages between its first and its last."""

_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"^\W*(?:page|p|seite|página|pagina|s)?\W*#(?:\W*(?:of|von|de|di|sur|/)?\W*#)?\W*$", re.I)
_PLACE = 4.0

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Running:
    """What runs: the pieces to leave out by page (counted from 0), and the lines as they first stand."""

    dropped: tuple[frozenset[Piece], ...]
    lines: tuple[str, ...]


def find_running(pages: Sequence[Page]) -> Running:
    """Lines that come again at the same height of the pages; numbers in them may differ.

    Each is left where it first stands, because it may say something; bare page numbers are left out everywhere.
    """
    if len(pages) < 2:
        return Running(tuple(frozenset[Piece]() for _ in pages), ())
    seen: dict[_Key, list[tuple[int, list[Piece]]]] = {}
    for at, page in enumerate(pages):
        for row in _at_edges(page):
            text = _NUMBER.sub("#", " ".join(p.text for p in row).casefold())
            seen.setdefault((text, round(row[0].bottom / _PLACE)), []).append((at, row))
    dropped: list[set[Piece]] = [set() for _ in pages]
    lines: list[str] = []
    for (text, _), places in seen.items():
        only_number = bool(_PAGE_NUMBER.match(text))
        if not _runs([at for at, _ in places], len(pages), only_number):
            continue
        if not only_number:
            lines.append(" ".join(p.text for p in places[0][1]))
        for at, row in places if only_number else places[1:]:
            dropped[at].update(row)
    return Running(tuple(frozenset(each) for each in dropped), tuple(dict.fromkeys(lines)))


def _runs(at: Sequence[int], pages: int, only_number: bool) -> bool:
    if only_number:
        return len(at) >= 2 and len(at) >= SEEN_SHARE * (at[-1] - at[0] + 1)
    return len(at) >= min(SEEN_PAGES, pages + 1) and len(at) >= SEEN_SHARE * (at[-1] - at[0] + 1)


def _at_edges(page: Page) -> list[list[Piece]]:
    """The outermost lines of a page that stand apart from its text."""
    edge = EDGE_SHARE * page.height
    near = [p for p in page.pieces if p.bottom > page.height - edge or p.top < edge]
    if not near:
        return []
    # One line more towards the middle, so that the white space to it is known.
    inner = sorted((p for p in page.pieces if p not in near), key=lambda p: p.bottom) if len(near) < 200 else []
    rows = rows_of([*near, *inner[:1], *inner[-1:]])
    found: list[list[Piece]] = []
    for sign, ordered in ((1, rows[:4]), (-1, rows[::-1][:4])):
        for row, following in pairwise(ordered):
            if row[0].bottom > page.height - edge if sign > 0 else row[0].top < edge:
                if not _apart(row, following, page.height):
                    break
                if row not in found:
                    found.append(row)
            else:
                break
    return found


def _apart(row: list[Piece], following: list[Piece], height: float) -> bool:
    outer = OUTER_SHARE * height
    if row[0].bottom > height - outer or row[0].top < outer:
        return True
    gap = max(row[0].bottom - following[0].top, following[0].bottom - row[0].top)
    return gap > 0.7 * (row[0].top - row[0].bottom)
