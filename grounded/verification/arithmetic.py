"""Simple sums over cited numbers: "grew 12%" against 100 and 112, with the calculation as the reason.

Nothing is guessed. The claim must name the operation; the window must have exactly the operands and no other number of
their kind; all else the claim says must stand in the window, and the window must speak of nothing else. What has a
direction (growth, a rise by so much) needs one in the window too: years, or "from ... to ...".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from grounded.text.terms import content_stems
from grounded.verification.analysis import Analysis
from grounded.verification.cues import conditions, hedges, negations
from grounded.verification.values import Quantity


def _stems(words: str) -> frozenset[str]:
    return frozenset(content_stems(words)) | frozenset(words.split())


_UP = _stems(
    "grow grew grown growth rise rose risen increase increased climb climbed gain gained jump jumped up higher more"
)
_DOWN = _stems(
    "fall fell fallen drop dropped decrease decreased decline declined shrink shrank reduce reduced cut less"
)
_DOWN |= _stems("lower fewer down reduction")
_SUM = _stems("total totals totalled totaled together combined altogether sum overall")
_MEAN = _stems("average averaged averages mean")
_APART = _stems("difference gap apart")
_FACTORS = {"doubl": 2.0, "tripl": 3.0, "quadrupl": 4.0, "halv": 0.5}
_OPERATIONS = _UP | _DOWN | _SUM | _MEAN | _APART | _FACTORS.keys()
_COMMON = _UP | _DOWN | _stems("year month quarter week day later earlier previous follow next prior annual")
_COMMON |= _stems("amount amounted report reported reach reached stand stood record recorded come came respectively")
"""What may stand beside the operands without making the window about something else."""
_FROM = re.compile(r"\bfrom\s+$", re.IGNORECASE)
_TO = re.compile(r"[^.;]*\bto\s+$", re.IGNORECASE)
_REACHED = re.compile(r"\b(?:from|to)\s+$", re.IGNORECASE)
_INCREMENT = _stems("growth gain gained reduction add added by")
"""Words that make the numbers beside them changes themselves."""
_UNCOUNTED = ("date", "period", "ordinal", "code", "clock")
_MOST_OPERANDS = 6
_FACTOR_SLACK = 0.025
""" "Doubled" may be said of 98 and 200."""


@dataclass(frozen=True, slots=True)
class Calculation:
    """What the numbers of a window give for the one derived value of a claim.

    Attributes:
        shown: The calculation as a person would write it: ``112 / 100 - 1 = 12%``.
        holds: Whether the claim's value is the result, rounded to the digits that the claim writes.
    """

    shown: str
    holds: bool


def may_reckon(claim: Analysis) -> bool:
    """Whether a claim names an operation and a result at all; cheap, so that other claims lose no time."""
    return bool(_OPERATIONS & claim.stems) and (bool(_factor(claim)) or any(_counted(q) for q in claim.quantities))


def calculation(claim: Analysis, window: Analysis) -> Calculation | None:
    """The calculation that decides a claim's derived value; None when the window does not give exactly one."""
    derived = [q for q in claim.quantities if _counted(q) and not any(q.equals(w) for w in window.quantities)]
    factor = 0.0 if _factor(window) else _factor(claim)  # what the source calls doubled is no sum of ours
    if len(derived) + bool(factor) != 1 or any(q.bound not in ("", "about") for q in derived):
        return None
    operands = [q for q in window.quantities if _counted(q)]
    if not (claim.is_english and window.is_english) or not _same_subject(claim, window, derived, operands):
        return None
    if not 2 <= len(operands) <= _MOST_OPERANDS or len({(q.kind, _unit(q)) for q in operands}) != 1:
        return None
    if any(q.bound or len(q.values) != 1 for q in operands):
        return None
    if factor:
        return _times(factor, _in_time(claim, window, operands))
    return _by_name(claim, derived[0], operands, window)


def _by_name(claim: Analysis, mine: Quantity, operands: Sequence[Quantity], window: Analysis) -> Calculation | None:
    kind = operands[0].kind
    named = [words for words in (_UP, _DOWN, _SUM, _MEAN, _APART) if claim.stems & words]
    if len(named) != 1:
        return None
    (name,) = named
    if name is _UP or name is _DOWN:
        ordered = _in_time(claim, window, operands)
        sign = 1 if name is _UP else -1
        if mine.kind == "percent" and kind != "percent":
            return _percentage(mine, sign, ordered)
        return _gap(mine, sign, ordered) if mine.kind == ("points" if kind == "percent" else kind) else None
    # A total of totals or a mean of means is another thing; and all operands must be meant.
    if mine.kind != kind or window.stems & (_SUM | _MEAN | _APART | _UP | _DOWN):
        return None
    if _years(claim) != _years(window):  # also when a bare 1000 was read as a year
        return None
    values = [q.raw[0] for q in operands]
    if name is _SUM:
        return _result(mine, " + ".join(map(_plain, values)), sum(values), operands[0])
    if name is _MEAN:
        formula = f"({' + '.join(map(_plain, values))}) / {len(values)}"
        return _result(mine, formula, sum(values) / len(values), operands[0])
    if len(values) != 2:
        return None
    return _result(mine, f"{_plain(max(values))} - {_plain(min(values))}", max(values) - min(values), operands[0])


def _same_subject(claim: Analysis, window: Analysis, derived: Sequence[Quantity], operands: Sequence[Quantity]) -> bool:
    """Whether claim and window speak of the same and of nothing else, the operation and the numbers apart."""
    spoken = {key for key in claim.stems if not _names_operation(key)} | _what_all_count(window, operands)
    if not spoken or not spoken <= window.stems:
        return False
    if any(key not in spoken and key not in _COMMON and not _names_operation(key) for key in window.stems):
        return False
    kept = [q for q in claim.quantities if q not in derived]
    if any(not any(q.equals(theirs) for theirs in window.quantities) for q in kept):
        return False
    return all(cue(claim.text) == cue(window.text) for cue in (negations, hedges, conditions))


def _what_all_count(window: Analysis, operands: Sequence[Quantity]) -> set[str]:
    """The word behind every operand, "units": a share of them need not name it."""
    after = [next((i.key for i in window.items if i.start == q.end + 1 and i.quantity < 0), "") for q in operands]
    return set(after) if len(set(after)) == 1 and after[0] else set()


def _names_operation(key: str) -> bool:
    return key in _OPERATIONS or any(key.startswith(stem) for stem in _FACTORS)


def _factor(claim: Analysis) -> float:
    """2 for "doubled"; 0 when no such word stands in the claim."""
    return next((value for stem, value in _FACTORS.items() if any(key.startswith(stem) for key in claim.stems)), 0.0)


def _counted(quantity: Quantity) -> bool:
    return quantity.kind not in _UNCOUNTED and bool(quantity.raw)


def _years(analysis: Analysis) -> set[tuple[int | None, int | None, int | None]]:
    return {day for quantity in analysis.quantities if quantity.kind == "date" for day in quantity.days[:1]}


def _in_time(claim: Analysis, window: Analysis, operands: Sequence[Quantity]) -> tuple[Quantity, Quantity] | None:
    """The earlier and the later of two numbers; None when the window does not say which is which."""
    if len(operands) != 2 or _are_changes(window, operands):
        return None
    first, second = operands
    dates = [q for q in window.quantities if q.kind == "date"]
    asked = _years(claim)
    if not dates:
        told = _FROM.search(window.text[: first.start]) and _TO.fullmatch(window.text[first.end : second.start])
        return (first, second) if told and not asked else None
    marks = sorted([(q.start, "n") for q in operands] + [(q.start, "d") for q in dates])
    if "".join(mark for _, mark in marks) not in ("ndnd", "dndn") or any(len(q.days) != 1 for q in dates):
        return None
    early, late = (tuple(part or 0 for part in q.days[0]) for q in dates)
    if early[0] == 0 or late[0] == 0 or early[0] == late[0]:
        return None
    if early > late:
        first, second = second, first
    last = max((q.days[0] for q in dates), key=lambda day: day[0] or 0)
    return (first, second) if asked in (set(), {last}, {q.days[0] for q in dates}) else None


def _are_changes(window: Analysis, operands: Sequence[Quantity]) -> bool:
    """Whether the numbers may be what something grew *by*: then nothing is known of the whole."""
    if (window.stems | window.words) & _INCREMENT:
        return True
    moves = [item for item in window.items if item.key in _UP | _DOWN]
    return any(
        item.start < number.start and not _REACHED.search(window.text[: number.start])
        for item in moves
        for number in operands
    )


def _percentage(mine: Quantity, changed: int, ordered: tuple[Quantity, Quantity] | None) -> Calculation | None:
    if ordered is None or ordered[0].values[0] <= 0 or ordered[1].values[0] <= 0:
        return None
    before, after = (q.values[0] for q in ordered)
    result = 100.0 * (after / before - 1.0)
    shown = f"{_plain(_own(ordered[1]))} / {_plain(_own(ordered[0]))} - 1 = {_plain(result)}%"
    return Calculation(shown, result * changed > 0 and _rounded(mine, abs(result)))


def _gap(mine: Quantity, changed: int, ordered: tuple[Quantity, Quantity] | None) -> Calculation | None:
    if ordered is None:
        return None
    result = ordered[1].values[0] - ordered[0].values[0]
    shown = f"{_plain(_own(ordered[1]))} - {_plain(_own(ordered[0]))} = {_plain(_own(ordered[1]) - _own(ordered[0]))}"
    return Calculation(shown, result * changed > 0 and _rounded(mine, abs(result)))


def _times(factor: float, ordered: tuple[Quantity, Quantity] | None) -> Calculation | None:
    if ordered is None or ordered[0].values[0] <= 0:
        return None
    before, after = (q.values[0] for q in ordered)
    shown = f"{_plain(_own(ordered[1]))} / {_plain(_own(ordered[0]))} = {_plain(after / before)}"
    return Calculation(shown, abs(after / before - factor) <= _FACTOR_SLACK * factor)


def _result(mine: Quantity, formula: str, result: float, operand: Quantity) -> Calculation:
    end = "%" if operand.kind == "percent" else ""
    return Calculation(f"{formula} = {_plain(result)}{end}", _rounded(mine, result * _unit(operand)))


def _rounded(mine: Quantity, result: float) -> bool:
    """Whether a result, rounded to the claim's last written digit, is the claim's value."""
    grain = mine.grain or 1.0
    return any(abs(value - result) <= 0.5 * grain * (1 + 1e-9) for value in mine.values)


def _unit(quantity: Quantity) -> float:
    return quantity.values[0] / quantity.raw[0] if quantity.raw[0] else 1.0


def _own(quantity: Quantity) -> float:
    return quantity.raw[0]


def _plain(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")
