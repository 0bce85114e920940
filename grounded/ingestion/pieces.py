"""The smallest parts a chunk is made of, and how they are packed."""

from __future__ import annotations

import re
import unicodedata
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from grounded.ingestion.sections import Section
from grounded.text.sentences import sentence_bounds

KEPT, SENTENCE, LINE, PARAGRAPH = -1, 0, 1, 2
"""How good a place for a border is; a higher one is preferred. ``KEPT``: after a colon, so rather not."""

CHARACTERS_PER_TOKEN = 16
"""This many code points weigh at least one token. English has four to a token; a tokenizer that makes one
unknown token of a long string would otherwise let a chunk grow without bounds."""

_CONTEXT_CHARACTERS = 64
_SEARCH_CHARACTERS = 64
_BLANK_LINE = re.compile(r"(?:\r\n|[\n\r])[^\S\r\n]*[\r\n]|[\f\u2029]")
_LINE_BREAK = re.compile(r"[\n\r\v\x85\u2028]")
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")


class Tokens:
    """Where the tokens of a text begin; counts them in any part of it."""

    def __init__(self, starts: Sequence[int]) -> None:
        self._starts = starts

    def weigh(self, start: int, end: int) -> int:
        """Tokens that begin in ``[start, end)``, at least one for each 16 code points."""
        count = bisect_left(self._starts, end) - bisect_left(self._starts, start)
        return max(count, -(-(end - start) // CHARACTERS_PER_TOKEN))

    def reach(self, start: int, end: int, most: int) -> int:
        """The furthest place up to ``end`` such that what lies before it weighs at most ``most``."""
        index = bisect_left(self._starts, start) + most
        by_tokens = self._starts[index] if index < len(self._starts) else end
        return max(start + 1, min(by_tokens, start + most * CHARACTERS_PER_TOKEN, end))

    def last_start(self, low: int, high: int, text: str) -> int | None:
        """The last token start in ``(low, high]`` at which ``text`` may be cut."""
        index = bisect_left(self._starts, high + 1) - 1
        while index >= 0 and self._starts[index] > low:
            if _may_cut(text, self._starts[index]):
                return self._starts[index]
            index -= 1
        return None


class Piece(NamedTuple):
    """Text that stays together: a sentence, a row, or part of one that is too long.

    Attributes:
        start: First code point, no white space.
        end: One past the last code point.
        border: How good a place for a border its start is.
    """

    start: int
    end: int
    border: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of a chunk in tokens: wanted ``low`` to ``high``, never above ``limit``."""

    low: int
    high: int
    limit: int


def pieces_of(section: Section, text: str, rows: Sequence[tuple[int, int]]) -> list[Piece]:
    """The pieces of a section in order; together they hold all its text but white space.

    Args:
        section: What to take apart.
        text: Canonical text of the document.
        rows: Spans of the table rows inside the section, in order, not overlapping.
    """
    spans = section.parts or tuple(_atoms(section, text, rows))
    found: list[Piece] = []
    position = section.start
    for number, (_, stop) in enumerate(spans):
        # Markers of lists and headings lie between sentences; they belong to what they mark.
        end = stop if number + 1 < len(spans) else section.end
        start, end = _trim(text, position, end)
        if start < end:
            border = PARAGRAPH if section.parts or not found else _border(text, found[-1].end, start)
            found.append(Piece(start, end, border))
            position = end
    return found


def shorten(pieces: Sequence[Piece], text: str, tokens: Tokens, most: int) -> Iterator[Piece]:
    """Cut pieces heavier than ``most`` at tokens, at white space where there is some."""
    for piece in pieces:
        if tokens.weigh(piece.start, piece.end) <= most:
            yield piece
            continue
        border = piece.border
        for start, end in cut(text, tokens, piece.start, piece.end, most):
            yield Piece(start, end, border)
            border = SENTENCE


def cut(text: str, tokens: Tokens, start: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """Parts of ``text[start:end]`` of at most ``most`` tokens, without white space around them."""
    while tokens.weigh(start, end) > most:
        border = _best_cut(text, tokens, start, tokens.reach(start, end, most))
        first, last = _trim(text, start, border)
        if first < last:
            yield first, last
        start = border
    first, last = _trim(text, start, end)
    if first < last:
        yield first, last


def pack(pieces: Sequence[Piece], text: str, tokens: Tokens, sizes: Sizes) -> Iterator[tuple[int, int]]:
    """Spans of chunks: pieces joined to the wanted size, with borders that do not depend on what comes before.

    Among the places that give a wanted size, the best kind of border wins, and among those of one kind the
    highest hash of the text around it. Two versions of a text that differ near the top therefore soon choose
    the same borders again, and chunks further down keep their identity.
    """
    first = 0
    while first < len(pieces):
        after = _end_of_chunk(pieces, first, text, tokens, sizes)
        yield pieces[first].start, pieces[after - 1].end
        first = after


def _end_of_chunk(pieces: Sequence[Piece], first: int, text: str, tokens: Tokens, sizes: Sizes) -> int:
    start, end = pieces[first].start, pieces[-1].end
    if tokens.weigh(start, end) <= sizes.high:
        return len(pieces)
    wanted: list[int] = []
    smaller, larger = first + 1, 0
    for after in range(first + 1, len(pieces)):
        size = tokens.weigh(start, pieces[after - 1].end)
        if size > sizes.high:
            larger = after if size <= sizes.limit else 0
            break
        if size >= sizes.low:
            wanted.append(after)
        else:
            smaller = after
    # A rest too small to stand alone is avoided, and joined where the limit allows it.
    wanted = [w for w in wanted if tokens.weigh(pieces[w].start, end) >= sizes.low // 4] or wanted
    if tokens.weigh(start, end) <= sizes.limit and tokens.weigh(pieces[-1].start, end) < sizes.low // 4:
        return len(pieces)
    if wanted:
        return max(wanted, key=lambda after: (pieces[after].border, _hash(text, pieces, after)))
    return larger or smaller


def _hash(text: str, pieces: Sequence[Piece], after: int) -> int:
    end, start = pieces[after - 1].end, pieces[after].start
    around = text[max(0, end - _CONTEXT_CHARACTERS) : end] + text[start : start + _CONTEXT_CHARACTERS]
    return zlib.crc32(around.encode("utf-8", "surrogatepass"))


def _atoms(section: Section, text: str, rows: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    position = section.start
    for start, end in [*rows, (section.end, section.end)]:
        for first, last in sentence_bounds(text[position:start]):
            yield position + first, position + last
        if start < end:
            yield start, end
        position = end


def _border(text: str, end: int, start: int) -> int:
    gap = text[end:start]
    if text[end - 1] == ":":
        return KEPT
    if _BLANK_LINE.search(gap):
        return PARAGRAPH
    return LINE if _LINE_BREAK.search(gap) else SENTENCE


def _best_cut(text: str, tokens: Tokens, start: int, far: int) -> int:
    middle = (start + far) // 2
    for place in range(far, middle, -1):
        if text[place - 1].isspace():
            return place
    token = tokens.last_start(start, far, text)
    if token is not None:
        return token
    # One token without an end in reach: any place that does not part a character from its marks.
    for place in range(far, max(start, far - _SEARCH_CHARACTERS), -1):
        if _may_cut(text, place):
            return place
    return far


def _may_cut(text: str, place: int) -> bool:
    if not 0 < place < len(text):
        return True
    before, after = text[place - 1], text[place]
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return False
    # Joined emoji, skin tones and everything that combines with the character before it.
    joined = before == "\u200d" or after in _JOINERS or "\U0001f3fb" <= after <= "\U0001f3ff"
    return not joined and not unicodedata.category(after).startswith("M")


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
