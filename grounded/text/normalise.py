"""Normalised text with a map back to the untouched original, for comparing what a model writes with a source."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass

from grounded.records import Span

_REPLACED = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "…": "...",
        "\u2044": "/",
    }
)
_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]"
)
_CLUSTER = re.compile(r"\s+|(?s:.)[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u20d0-\u20ff]*")


@dataclass(frozen=True, slots=True)
class Normalised:
    """Text in a form for comparison, and where each of its characters comes from.

    Attributes:
        text: NFKC, casefolded, quotes and dashes unified, invisible characters removed, white space collapsed
            to single blanks, none at the ends.
        starts: For each character of ``text``, the first code point of the original it stands for; ascending.
        ends: For each character of ``text``, one past the last code point it stands for; ascending.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def origin(self, start: int, end: int) -> Span:
        """The span of the original that ``text[start:end]`` stands for.

        Raises:
            ValueError: The range is not inside ``text``.
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"[{start}, {end}) is not inside a text of {len(self.text)} characters")
        if start == end:
            at = self.starts[start] if start < len(self.starts) else (self.ends[-1] if self.ends else 0)
            return Span(start=at, end=at)
        return Span(start=self.starts[start], end=self.ends[end - 1])

    def image(self, span: Span) -> tuple[int, int]:
        """The range of ``text`` that stands for the characters of the original which begin inside ``span``."""
        return bisect_left(self.starts, span.start), bisect_left(self.starts, span.end)


def normalise(text: str) -> Normalised:
    """Normalise for comparison; ``Normalised.origin`` leads back."""
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _CLUSTER.finditer(text):
        piece = _piece(match.group())
        if piece == " " and (not characters or characters[-1] == " "):
            continue
        for character in piece:
            characters.append(character)
            starts.append(match.start())
            ends.append(match.end())
    if characters and characters[-1] == " ":
        del characters[-1], starts[-1], ends[-1]
    return Normalised("".join(characters), tuple(starts), tuple(ends))


def _piece(cluster: str) -> str:
    if cluster.isspace():
        return " "
    if cluster.isascii():
        return cluster.lower().replace("`", "'")
    visible = _INVISIBLE.sub("", cluster)
    folded = unicodedata.normalize("NFKC", visible.translate(_REPLACED)).casefold()
    return " ".join(folded.split()) if not folded.isspace() else " "
