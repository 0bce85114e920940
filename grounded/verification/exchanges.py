"""A word or a name where the source has another one in its place: what an edit of one word leaves behind."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

from grounded.text.terms import content_stems
from grounded.verification.alignment import Alignment
from grounded.verification.analysis import Analysis, Item
from grounded.verification.objections import Objection

_ALIKE = 0.84
_LONGEST_NAME = 4
"""Words of a name that is looked for in the place of another."""
_BE = r"(?:is|are|was|were|be|been|being)"
_PASSIVE = re.compile(
    rf"\b{_BE}\s+(?:\w+ly\s+)?(?P<verb>\w+)\s+(?:\w+\s+){{0,2}}?by\s+(?:the\s+|an?\s+)?(?P<agent>[^\W\d]\w*)"
)


def exchanged_word(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    """A word of the claim where the source has another one between the same neighbours: that is what was changed."""
    absent = {item.start for item in found.missing if item.quantity < 0}
    if not absent:
        return None
    theirs = _between_neighbours(window)
    mine = keys_of(claim)
    for before, item, after in zip(["", *mine], claim.items, [*mine[1:], ""], strict=False):
        if item.start in absent and (before or after):
            for other in theirs.get((before, after), ()):
                if other.key != item.key:
                    written, told = claim.text[item.start : item.end], window.text[other.start : other.end]
                    return Objection("denial", f"the source says {told!r} where the sentence says {written!r}")
    return None


def exchanged_name(claim: Analysis, window: Analysis) -> Objection | None:
    """Another name that a window has in the place of one that it does not know; None when it has none.

    In the place: between the same two neighbours, or, at either end of the claim, next to the same two. The latter
    is the weaker sign, since a source may call somebody by another name at the beginning of a sentence.
    """
    mine, theirs = keys_of(claim), keys_of(window)
    known, at = set(theirs), 0
    while at < len(mine):
        end = at
        while end < len(mine) and claim.items[end].is_name and mine[end] not in known:
            end += 1
        if end > at:
            other = _in_place_of(mine, at, end, theirs, window)
            if other is not None:
                written = claim.text[claim.items[at].start : claim.items[end - 1].end]
                return Objection(
                    "denial" if at and end < len(mine) else "doubt",
                    f"the source names {other!r} where the sentence names {written!r}",
                )
        at = end + 1
    return None


def _in_place_of(mine: Sequence[str], at: int, end: int, theirs: Sequence[str], window: Analysis) -> str | None:
    """The name that stands in a window where the items ``[at, end)`` of a claim stand."""
    before, after = mine[max(0, at - (1 if end < len(mine) else 2)) : at], mine[end : end + (1 if at else 2)]
    if len(before) + len(after) < 2:
        return None
    for low in range(len(theirs)):
        for high in range(low + 1, min(low + _LONGEST_NAME, len(theirs)) + 1):
            here = window.items[low:high]
            if not all(item.is_name for item in here) or any(item.key in mine for item in here):
                continue
            stands = theirs[max(0, low - len(before)) : low] == before and theirs[high : high + len(after)] == after
            apart = window.text[here[0].start : here[-1].end]
            if stands and not re.search(r"[.;:()]\s", apart):
                return None if _spelled_alike(mine[at:end], theirs[low:high]) else apart
    return None


def _spelled_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two names may be one in two spellings: Vasquez and Vázquez, Fredrick and Frederick."""
    return SequenceMatcher(a=_plain(one), b=_plain(other)).ratio() >= _ALIKE


def _plain(name: Sequence[str]) -> str:
    return re.sub(r"[^\w ]", "", unicodedata.normalize("NFKD", " ".join(name)))


def turned_voice(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    """Words in the same order with the verb turned round: who was sued by the city did not sue it."""
    for one, other in ((window, claim), (claim, window)):
        for match in _PASSIVE.finditer(one.text):
            verb = re.escape(match["verb"])
            turned = re.search(rf"\b{verb}\b", other.text) and not re.search(
                rf"\b{_BE}\s+(?:\w+ly\s+)?{verb}\b|\b{verb}\s+by\b", other.text
            )
            if turned and set(content_stems(match["agent"])) <= other.stems:
                return Objection("doubt", f"in the source it is the other way round: {match[0]!r}")
    return None


def keys_of(analysis: Analysis) -> list[str]:
    """The keys of the items in order, every quantity as ``#``."""
    return ["#" if item.quantity >= 0 else item.key for item in analysis.items]


def _between_neighbours(window: Analysis) -> dict[tuple[str, str], list[Item]]:
    """The words of a window by what stands on each side of them."""
    keys = keys_of(window)
    found: dict[tuple[str, str], list[Item]] = {}
    for before, item, after in zip(["", *keys], window.items, [*keys[1:], ""], strict=False):
        if item.quantity < 0:
            found.setdefault((before, after), []).append(item)
    return found
