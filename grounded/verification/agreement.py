"""Whether what a claim counts is said by its windows in any form: other units, words, rounded, a date in two parts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from grounded.protocols import Judgement
from grounded.verification.analysis import Analysis
from grounded.verification.values import Quantity, agrees
from grounded.verification.windows import Window

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
CALCULATED = "calculated: "
"""How the reason of a support by arithmetic begins."""
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
    theirs = [each for window in windows for each in window.quantities]
    years = {day[0] for each in theirs for day in each.days}
    if mine.kind == "number" and years & set(mine.raw):
        return True  # a year on its own reads as a number
    if any(year in years and (month, day) == (None, None) for year, month, day in mine.days if mine.kind == "date"):
        return True  # the first or last year of a period
    if mine.kind == "months":
        return _elapsed(mine, theirs)
    return mine.kind == "date" and _said_in_parts(mine, theirs)


def _elapsed(mine: Quantity, theirs: Sequence[Quantity]) -> bool:
    """Whether two years lie so far apart: "for eight years" from 2001 to 2009, and one more when both are counted."""
    years = {day[0] for quantity in theirs if quantity.kind == "date" for day in quantity.days if day[0] is not None}
    whole = {value / 12 for value in mine.values} | {value / 12 - 1 for value in mine.values}
    return any(abs(one - other) in whole for one in years for other in years if one != other)


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


def without_weaker(
    judged: Sequence[tuple[Window, Judgement]], outdated: Collection[int] = ()
) -> list[tuple[Window, Judgement]]:
    """What a model read, less the contradictions that are weaker than its best support by a source in force.

    A stretch that speaks of the same thing and does not say it is easily taken for one against it; where another
    says it, the stronger decides. A conflict is what is as strong on both sides.

    Args:
        judged: Each stretch with what the model says of it.
        outdated: Indices of passages out of force.
    """
    best = max((judgement.support for window, judgement in judged if window.passage not in outdated), default=0.0)
    return [
        (window, replace(judgement, contradiction=0.0, neither=1.0 - judgement.support))
        if judgement.contradiction < best and best >= 0.5
        else (window, judgement)
        for window, judgement in judged
    ]


def withhold(judgements: Sequence[Judgement], claim: Analysis, windows: Sequence[Analysis]) -> list[Judgement]:
    """Take support away from a claim with a value that none of its windows says in any form.

    It only forbids support and never contradicts: it is right too seldom for more, as ``benchmarks/checks.py`` prints
    under "unsaid". What was calculated stays.
    """
    missing = [] if any(each.reason.startswith(CALCULATED) for each in judgements) else unsaid(claim, windows)
    if not missing:
        return list(judgements)
    reason = f"no source says {claim.text[missing[0].start : missing[0].end]!r} of this"
    return [
        replace(each, support=0.0, neither=1.0 - each.contradiction, reason=reason)
        if each.support > each.contradiction
        else each
        for each in judgements
    ]
