"""Citation markers: found with their place, taken out for scoring, written back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from grounded.records import Span
from grounded.text.regions import code_spans, inside, thought_spans

MAX_NUMBER = 999
"""Longer numbers in brackets are years or identifiers, never markers."""
MAX_RANGE = 50
"""``[1-3]`` is a range; one that names more passages than this is something else."""

_LIST = r"\d{1,3}(?:\s*[-‐-–]\s*\d{1,3})?(?:\s*[,;]\s*\d{1,3}(?:\s*[-‐-–]\s*\d{1,3})?)*"
_MARKER = re.compile(
    rf"\[(?P<plain>\s*{_LIST}\s*)\](?:\((?:https?://|#)[^\s()]{{0,300}}\))?"
    r"|\[\^(?P<note>[^\s\[\]^]{1,30})\]"
    r"|【(?P<wide>[^【】\n]{1,60})】"
)
_PAIR = re.compile(r"(\d{1,3})(?:\s*[-‐-–]\s*(\d{1,3}))?")
_WIDE = re.compile(rf"\s*({_LIST})\s*(?:†[^【】]*)?")
_AFTER_INDEX = re.compile(r"\s*(?:=[^=>]|\.[a-z_]|\(|\[[a-z_\"'])")


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker as written.

    Attributes:
        start: First code point in the text.
        end: One past the last.
        text: ``text[start:end]``.
        numbers: What it cites, in order, without repetition; empty when it names no number.
    """

    start: int
    end: int
    text: str
    numbers: tuple[int, ...]

    @property
    def span(self) -> Span:
        """The marker's place."""
        return Span(start=self.start, end=self.end)


@dataclass(frozen=True, slots=True)
class Stripped:
    """Text without its markers, and the way back.

    Attributes:
        text: What is left.
        origins: For each character of ``text`` its position in the original; ascending.
    """

    text: str
    origins: tuple[int, ...]

    def origin(self, span: Span) -> Span:
        """The span of the original from the first to the last character of a span of ``text``."""
        if span.start >= span.end:
            at = self.origins[span.start] if span.start < len(self.origins) else 0
            return Span(start=at, end=at)
        return Span(start=self.origins[span.start], end=self.origins[span.end - 1] + 1)


def markers(text: str) -> list[Marker]:
    """The markers of an answer: ``[1]``, ``[1, 3]``, ``[1-3]``, ``[^1]``, ``[^name]``, ``【1】``, ``[1](#note)``.

    Numbers above 999, zero, descending ranges, anything inside code or reasoning, and an index such as
    ``rows[1] = 2`` or ``rows[1].name`` are not markers.

    Returns:
        Markers by place, not overlapping.
    """
    if "[" not in text and "【" not in text:
        return []
    skipped = [*code_spans(text), *thought_spans(text)]
    found: list[Marker] = []
    for match in _MARKER.finditer(text):
        numbers = _numbers(match)
        if numbers is not None and not inside(match.start(), skipped) and not _is_index(text, match):
            found.append(Marker(match.start(), match.end(), match.group(), numbers))
    return found


def strip_markers(text: str, found: Sequence[Marker] | None = None) -> Stripped:
    """Take markers out, with the blanks that set them off."""
    pieces: list[str] = []
    origins: list[int] = []
    position = 0
    for marker in markers(text) if found is None else found:
        start, end = marker.start, marker.end
        while start > position and text[start - 1] in " \t\u00a0\u202f":
            start -= 1
        if start == 0 or text[start - 1] == "\n":
            start = max(position, start)
            while end < len(text) and text[end] in " \t":
                end += 1
        pieces.append(text[position:start])
        origins.extend(range(position, start))
        position = end
    pieces.append(text[position:])
    origins.extend(range(position, len(text)))
    return Stripped("".join(pieces), tuple(origins))


def render_marker(numbers: Sequence[int]) -> str:
    """The marker that cites these passages: ``[1]`` or ``[1, 3]``; what ``markers`` reads back.

    Raises:
        ValueError: There is no number, or one is not in [1, 999].
    """
    if not numbers or any(not 1 <= number <= MAX_NUMBER for number in numbers):
        raise ValueError(f"a marker needs numbers from 1 to {MAX_NUMBER}, got {list(numbers)}")
    return f"[{', '.join(str(number) for number in dict.fromkeys(numbers))}]"


def _numbers(match: re.Match[str]) -> tuple[int, ...] | None:
    note, wide = match["note"], match["wide"]
    if note is not None:
        return (_expand(note) or ()) if note.isdecimal() and len(note) <= 3 else ()
    if wide is not None:
        inner = _WIDE.fullmatch(wide)
        # "【4:0†handbook】" is a marker too, although it names no passage by number.
        return _expand(inner.group(1)) if inner else (() if "†" in wide else None)
    return _expand(match["plain"])


def _expand(listing: str) -> tuple[int, ...] | None:
    numbers: list[int] = []
    for first, last in _PAIR.findall(listing):
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= MAX_NUMBER or high - low >= MAX_RANGE:
            return None
        numbers.extend(range(low, high + 1))
    return tuple(dict.fromkeys(numbers))


def _is_index(text: str, match: re.Match[str]) -> bool:
    """Whether ``name[1]`` reads like code: it touches a name and goes on like an expression."""
    start = match.start()
    touches = start > 0 and (text[start - 1].isalnum() or text[start - 1] in "_)")
    return touches and (text[start - 1] == "_" or bool(_AFTER_INDEX.match(text, match.end())))
