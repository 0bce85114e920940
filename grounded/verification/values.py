"""What can be compared exactly, and how two values stand to each other: equal, agreeing in other form, excluding."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isclose, log10

Day = tuple[int | None, int | None, int | None]

_METRIC_ROUNDING = 0.06
"""Most that rounding may hide between two systems of units: "11 pounds" for 5 kg is 0.2 % off."""
_ABOUT = 0.1
"""How far "about", "nearly", "some" and "roughly" reach."""
_NEAR = 0.25
_DAYS_PER_MONTH = 365.25 / 12
_CALENDAR_ROUNDING = 0.03
"""Months differ by as much: 90 days are three months, 84 are not."""
_MEASURES = ("length", "weight", "volume", "speed")
_DATES = ("date", "period")
_CALENDAR = ("time", "months", "workday")
"""Nobody says two weeks for 13 days."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that can be compared by value.

    Attributes:
        start: First code point in the text.
        end: One past the last.
        kind: ``number``, ``percent``, ``money EUR``, ``months``, ``time`` (seconds), another dimension,
            ``ordinal``, ``clock`` (minutes), ``date``, ``period`` (years: a decade, a century, a season), or ``code``
            (a name with digits in it).
        values: What it may mean, in the kind's base unit; more than one when the spelling is ambiguous.
        raw: The number as written, before conversion.
        days: For dates: possible ``(year, month, day)``, unknown parts None. For periods: its first and last year.
        bound: ``min`` (at least, more than), ``max`` (up to, within), ``about``, or empty.
        code: For codes: the folded text.
        grain: What one more in the last written digit is worth, in the kind's base unit; 0 when it is not known.
    """

    start: int
    end: int
    kind: str
    values: tuple[float, ...] = ()
    raw: tuple[float, ...] = ()
    days: tuple[Day, ...] = ()
    bound: str = ""
    code: str = ""
    grain: float = 0.0

    def equals(self, other: Quantity) -> bool:
        """Whether both may mean the same value; a less exact date equals a more exact one it contains."""
        if self.kind == "code" or other.kind == "code":
            return self.kind == other.kind and self.code == other.code
        if self.days or other.days:
            return _dates_agree(self, other)
        if self.kind == other.kind:
            return _any_close(self.values, other.values)
        return "number" in (self.kind, other.kind) and _any_close(self.raw, other.raw)

    def same_as(self, other: Quantity) -> bool:
        """Whether both are of one kind and equal both ways."""
        return self.kind == other.kind and self.equals(other) and other.equals(self)

    def conflicts(self, other: Quantity) -> bool:
        """Whether both are of one kind and cannot mean the same value, however rounded; bounds are not looked at."""
        if self.kind in _DATES and other.kind in _DATES:
            return not any(_compatible(mine, theirs) for mine in _years(self) for theirs in _years(other))
        if self.kind != other.kind or self.kind in ("code", "ordinal"):
            return False
        return not (
            _any_close(self.values, other.values)
            or rounds(self, other)
            or rounds(other, self)
            or _figures_agree(self, other)
        )


def agrees(mine: Quantity, theirs: Quantity) -> bool:
    """Whether ``theirs`` may be said as ``mine``: equal, rounded, converted, or within what ``mine`` allows.

    "Nearly 100" may be said of 98, "over 250" of 300, "12%" of 12.3 %, "90 days" of three months, "the 1990s" of 1994.
    It is not symmetrical: 12.3 % may not be said of "12%". It never says that a source supports anything, only that
    its number does not speak against it.
    """
    if mine.equals(theirs):
        return True
    if mine.kind == theirs.kind == "clock" or "code" in (mine.kind, theirs.kind) or mine.days or theirs.days:
        return False
    pairs = [(a, b) for a, b in _comparable(mine, theirs) if a * b >= 0]
    if mine.bound == "min" and any(b >= a for a, b in pairs):
        return True
    if mine.bound == "max" and any(b <= a for a, b in pairs):
        return True
    if mine.bound == "about" and any(_is_rounder(a, b) and abs(a - b) <= _ABOUT * abs(b) for a, b in pairs):
        return True
    if {mine.kind, theirs.kind} == {"months", "time"}:
        return any(isclose(a, b, rel_tol=_CALENDAR_ROUNDING) for a, b in pairs)
    if mine.kind == theirs.kind == "percent" and theirs.grain > 1.0:
        return rounds(theirs, mine)
    return rounds(mine, theirs) or (mine.kind == theirs.kind and _figures_agree(mine, theirs, directed=True))


def is_near(mine: Quantity, theirs: Quantity) -> bool:
    """Whether one lies within a quarter of the other, so that a limit may be said of it: "over 40" of 47."""
    return any(abs(a - b) <= _NEAR * max(abs(a), abs(b)) for a, b in _comparable(mine, theirs))


def rounds(mine: Quantity, theirs: Quantity) -> bool:
    """Whether ``mine`` is ``theirs`` rounded to the last digit written, or brought into another system of units."""
    if not (mine.values and theirs.values and mine.grain and theirs.grain) or not _same_dimension(mine, theirs):
        return False
    pairs = _comparable(mine, theirs)
    if _other_system(mine, theirs):
        slack = 0.5 * max(mine.grain, theirs.grain)
        return any(abs(a - b) <= min(slack, _METRIC_ROUNDING * abs(b)) + 1e-9 for a, b in pairs)
    if theirs.grain >= mine.grain or (mine.kind in _CALENDAR and _factor(mine) != _factor(theirs)):
        return False
    return any(abs(a - b) <= 0.5 * mine.grain * (1 + 1e-9) for a, b in pairs)


def _same_dimension(mine: Quantity, theirs: Quantity) -> bool:
    return mine.kind == theirs.kind or {mine.kind, theirs.kind} in ({"celsius", "fahrenheit"}, {"money GBP", "weight"})


def _comparable(mine: Quantity, theirs: Quantity) -> list[tuple[float, float]]:
    """Pairs of values in one unit; none when the kinds have nothing in common."""
    if mine.kind == theirs.kind:
        return [(a, b) for a in mine.values for b in theirs.values]
    if {mine.kind, theirs.kind} == {"months", "time"}:
        return [(_seconds(mine, a), _seconds(theirs, b)) for a in mine.values for b in theirs.values]
    if {mine.kind, theirs.kind} == {"celsius", "fahrenheit"}:
        return [(_celsius(mine, a), _celsius(theirs, b)) for a in mine.values for b in theirs.values]
    if "number" in (mine.kind, theirs.kind):
        return [(a, b) for a in mine.raw for b in theirs.raw]
    if {mine.kind, theirs.kind} == {"money GBP", "weight"}:
        return [(_kilograms(mine, a), _kilograms(theirs, b)) for a in mine.values for b in theirs.values]
    return []


def _kilograms(quantity: Quantity, value: float) -> float:
    """Pounds are money unless the other side is a weight."""
    return value * 0.45359237 if quantity.kind == "money GBP" else value


def _seconds(quantity: Quantity, value: float) -> float:
    return value * _DAYS_PER_MONTH * 86400.0 if quantity.kind == "months" else value


def _celsius(quantity: Quantity, value: float) -> float:
    return (value - 32.0) / 1.8 if quantity.kind == "fahrenheit" else value


def _other_system(mine: Quantity, theirs: Quantity) -> bool:
    """Whether one is in metres and the other in feet: their ratio is no whole number, so something was rounded."""
    if mine.kind != theirs.kind:
        return True
    if mine.kind not in _MEASURES or not (mine.raw[0] and theirs.raw[0]):
        return False
    ratio = _factor(mine) / _factor(theirs)
    return not any(isclose(each, round(each), rel_tol=1e-6) for each in (ratio, 1.0 / ratio) if each > 0.9)


def _factor(quantity: Quantity) -> float:
    """What one of its unit is worth in the kind's base unit."""
    return quantity.values[0] / quantity.raw[0] if quantity.raw[0] else 1.0


def _is_rounder(value: float, other: float) -> bool:
    """Whether fewer digits say it: 100 is rounder than 98, 87 is not rounder than 80."""
    return _digits(value) < _digits(other)


def _digits(value: float) -> int:
    """Significant digits, trailing zeros of whole numbers not among them."""
    written = f"{abs(value):.12g}"
    return len((written.replace(".", "") if "." in written else written.rstrip("0")).lstrip("0"))


def _figures_agree(mine: Quantity, theirs: Quantity, *, directed: bool = False) -> bool:
    """Whether large figures are the same but for trailing zeros: 1,234,000 and 1,234,567, or 1.2 million.

    Two significant digits at least, from 1,000 on; "20 days" is never a rounded 21. ``directed``: only ``mine`` may be
    the rounder one.
    """
    if not (mine.raw and theirs.raw) or not isclose(_factor(mine), _factor(theirs)):
        return False
    for a, b in ((a, b) for a in mine.raw for b in theirs.raw):
        low, high = sorted((abs(a), abs(b)))
        if low < 1000 or a * b < 0:
            continue
        for figure, other in ((abs(a), abs(b)),) if directed else ((low, high), (high, low)):
            step = _trailing_step(figure)
            if step > 1 and figure >= 10 * step and abs(figure - other) <= 0.5 * step:
                return True
    return False


def _trailing_step(value: float) -> float:
    """1,000 for 12,000: the place of the last digit that is not zero, never above the second significant one."""
    if value != floor(value):
        return 0.0
    step = 1.0
    while value % (step * 10) == 0 and step * 10 <= 10 ** (floor(log10(value)) - 1):
        step *= 10
    return step


def _any_close(mine: tuple[float, ...], theirs: tuple[float, ...]) -> bool:
    return any(isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a in mine for b in theirs)


def _dates_agree(mine: Quantity, theirs: Quantity) -> bool:
    """Whether every part that ``mine`` states is stated alike by ``theirs``."""
    if mine.kind == "period":
        first, last = _first_last(mine)
        years = [year for year, _, _ in theirs.days] if theirs.days else list(_year_numbers(theirs))
        return bool(years) and all(year is not None and first <= year <= last for year in years)
    if theirs.kind == "period":
        return False
    if mine.kind == theirs.kind:
        return any(
            all(a is None or a == b for a, b in zip(day, other, strict=True))
            for day in mine.days
            for other in theirs.days
        )
    # A bare "2019" may be a year or a count.
    return "number" in (mine.kind, theirs.kind) and bool(mine.raw and theirs.raw) and _any_close(mine.raw, theirs.raw)


def _first_last(period: Quantity) -> tuple[int, int]:
    first, last = period.days[0][0], period.days[-1][0]
    return first or 0, last or 9999


def _year_numbers(quantity: Quantity) -> tuple[float, ...]:
    return quantity.raw if quantity.kind == "number" and all(1000 <= value <= 2199 for value in quantity.raw) else ()


def _years(quantity: Quantity) -> tuple[Day, ...]:
    """The days of a date, or every year of a period."""
    if quantity.kind != "period":
        return quantity.days
    first, last = _first_last(quantity)
    return tuple((year, None, None) for year in range(first, last + 1))


def _compatible(mine: Day, theirs: Day) -> bool:
    shared = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
    return not shared or all(a == b for a, b in shared)
