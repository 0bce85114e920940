"""Whether what a claim counts is said by its windows in any form: other units, words, rounded, a date in two parts."""

from __future__ import annotations

from collections.abc import Sequence

from grounded.verification.analysis import Analysis
from grounded.verification.values import Quantity, agrees

_COUNTED_WORDS = {
    0: "no none never without nobody nothing zero",
    1: "a an one single once sole only lone each per every",
    2: "both two twice twin twins couple pair double doubled duo second either neither half",
    3: "three thrice triple tripled trio third",
    4: "four quadruple quartet fourth quarter",
    5: "five quintet fifth",
    10: "ten decade tenth",
    12: "twelve dozen twelfth",
    20: "twenty score",
    50: "half fifty",
    100: "hundred century centennial hundredth",
    1000: "thousand millennium",
}
_SAID_AS = {float(value): frozenset(words.split()) for value, words in _COUNTED_WORDS.items()}
_SMALL_COUNT = 12
"""Up to here people count what a source only lists: "three brothers" for A, B and C."""


def unsaid(claim: Analysis, windows: Sequence[Analysis]) -> list[Quantity]:
    """The quantities of a claim that none of the windows says in any form.

    Codes and ordinals are left to the words, and so are small bare counts, which a source may only list.
    """
    return [mine for mine in claim.quantities if _is_counted(mine) and not said(mine, windows)]


def _is_counted(mine: Quantity) -> bool:
    small = mine.kind == "number" and all(value <= _SMALL_COUNT and value == int(value) for value in mine.raw)
    return mine.kind not in ("code", "ordinal") and not small


def said(mine: Quantity, windows: Sequence[Analysis]) -> bool:
    """Whether windows may be said to state a quantity; not that they state it of the same thing."""
    for window in windows:
        if any(agrees(mine, theirs) for theirs in window.quantities):
            return True
        if any(_SAID_AS.get(abs(value), frozenset()) & window.words for value in mine.raw):
            return True
    return mine.kind == "date" and _said_in_parts(mine, [each for window in windows for each in window.quantities])


def _said_in_parts(mine: Quantity, theirs: Sequence[Quantity]) -> bool:
    """The day in one place ("on 7 May"), its year in another."""
    for year, month, day in mine.days:
        placed = [other for quantity in theirs if quantity.kind == "date" for other in quantity.days]
        exact = any(
            other[1] == month and other[2] == day and other[0] in (None, year) for other in placed if month is not None
        )
        if exact and (year is None or any(other[0] == year for other in placed) or not any(o[0] for o in placed)):
            return True
    return False
