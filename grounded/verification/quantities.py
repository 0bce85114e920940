"""Numbers, amounts with units, dates, times of day and codes, with their places: what can be compared exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isclose

from grounded.verification.units import (
    CURRENCY_BEFORE,
    MAGNITUDES,
    MONTHS,
    NUMBER_WORDS,
    ORDINALS,
    UNIT,
    UNSPACED,
    WORD_VALUES,
    unit_of,
    value_of_words,
)

Day = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that can be compared by value.

    Attributes:
        start: First code point in the text.
        end: One past the last.
        kind: ``number``, ``percent``, ``money EUR``, ``months``, ``time`` (seconds), another dimension,
            ``ordinal``, ``clock`` (minutes), ``date``, or ``code`` (a name with digits in it).
        values: What it may mean, in the kind's base unit; more than one when the spelling is ambiguous.
        raw: The number as written, before conversion.
        days: For dates: possible ``(year, month, day)``, unknown parts None.
        bound: ``min`` (at least, more than), ``max`` (up to, within), ``about``, or empty.
        code: For codes: the folded text.
    """

    start: int
    end: int
    kind: str
    values: tuple[float, ...] = ()
    raw: tuple[float, ...] = ()
    days: tuple[Day, ...] = ()
    bound: str = ""
    code: str = ""

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
        """Whether both are of one kind and cannot mean the same value."""
        if self.kind != other.kind or self.kind in ("code", "ordinal"):
            return False
        if self.kind == "date":
            return not any(_compatible(mine, theirs) for mine in self.days for theirs in other.days)
        return not _any_close(self.values, other.values)


_NUMBER = (
    r"(?:\d{1,3}(?:[,'’\u00a0\u202f\u2009 ]\d{3})+(?:\.\d+)?(?![\d])"
    r"|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}|\d+[.,]\d+|\.\d+|\d+)"
)
_LETTER = rf"[^\W_{UNSPACED}]"
_MONTH = rf"(?:{'|'.join(sorted(MONTHS, key=len, reverse=True))})\.?"
_CURRENCY = r"(?:US\$|USD|EUR|GBP|CHF|[$€£¥])"
_SCALE = r"(?:(?i:thousand|million|billion|trillion|dozen|mio|mn|bn)|[kK](?![a-zA-Z]))"
_QUANTITY = re.compile(
    r"(?P<decade>(?<![\w.])(?:1\d|20)?\d0s\b)"
    rf"|(?P<iso>(?<!\d)\d{{4}}-\d{{2}}-\d{{2}}(?!\d))"
    rf"|(?P<numeric>(?<![\d.])\d{{1,2}}(?P<mark>[./])\d{{1,2}}(?P=mark)(?:\d{{4}}|\d{{2}})(?![\d.]\d|\d))"
    rf"|(?P<daymonth>(?i:(?<!\d)\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}(?:,?\s+\d{{4}})?(?!\w)))"
    rf"|(?P<monthday>(?i:\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?(?!\d|[.,:]\d)(?:,?\s+\d{{4}})?(?!\w)))"
    rf"|(?P<month>(?i:\b{_MONTH},?\s+(?:of\s+)?\d{{4}})(?!\w))"
    r"|(?P<clock>(?<![\d.,])\d{1,2}:\d{2}(?!\d)(?:\s*[aApP]\.?[mM]\b\.?)?|(?<![\d.,])\d{1,2}\s*[aApP]\.?[mM]\b\.?)"
    r"|(?P<version>(?<![\w.])[vV]?\d+(?:\.\d+){2,}(?!\w))"
    r"|(?P<ordinal>(?<![\w.])\d+(?:st|nd|rd|th)\b)"
    rf"|(?P<amount>(?<![\w.])(?:(?P<before>{_CURRENCY})\s?)?(?P<sign>(?<![\w)])[-−])?(?P<number>{_NUMBER})"
    rf"(?:\s?(?P<scale>{_SCALE})\b)?(?:[\s-]{{0,2}}(?P<unit>{UNIT})(?!{_LETTER}))?(?!{_LETTER}|-[^\W\d_]\w*\d))"
    rf"|(?P<code>(?<!{_LETTER})(?=(?:{_LETTER}|[_./-])*\d)(?=[\d_./-]*{_LETTER}){_LETTER}+(?:[_./-]{_LETTER}+)*)"
    rf"|(?P<words>\b{NUMBER_WORDS}\b(?:\s+(?P<wscale>{_SCALE})\b)?(?:[\s-](?P<wunit>{UNIT})(?![^\W_]))?)"
    rf"|(?P<half>\b(?i:half\s+an?)\s+(?P<hunit>{UNIT})(?![^\W_]))"
    rf"|(?P<nth>\b(?i:{'|'.join(ORDINALS)})\b)"
)
_START = re.compile(
    rf"(?<!{_LETTER})(?=(?:{_LETTER}|[_./-])*\d)[\w]|{_CURRENCY}|[-−.]?\d"
    rf"|\b(?i:half\s+an?|a\s+(?:dozen|hundred|thousand|million|billion)|{'|'.join(WORD_VALUES)}|{'|'.join(MONTHS)}"
    rf"|{'|'.join(ORDINALS)})\b"
)
"""Where a quantity may start: trying the whole pattern at every character would take five times as long."""
_RANGE = re.compile(r"\s*(?:-|–|—|to|and|or|bis)\s*", re.IGNORECASE)
_BOUND = re.compile(
    r"(?:(?P<max>no more than|not more than|not exceed(?:ing)?|no later than|at most|up to|a maximum of|maximum of"
    r"|less than|fewer than|under|below|within|no longer than)"
    r"|(?P<min>no less than|not less than|no fewer than|at least|a minimum of|minimum of|more than|over|above"
    r"|exceed(?:s|ing)?"
    r"|longer than|greater than)"
    r"|(?P<about>about|around|approximately|approx\.?|roughly|nearly|almost|circa|some|~|≈))"
    r"\s*(?:the\s+|a\s+|an\s+)?(?:US\$|[$€£¥])?$",
    re.IGNORECASE,
)
_YEAR_BEFORE = re.compile(
    r"(?:\b(?:in|since|by|of|from|until|till|during|after|before|year|early|late|mid|around|circa|c\.|and|to|for|the)"
    r"|[(/–—-])\s*$",
    re.IGNORECASE,
)


def quantities(text: str) -> list[Quantity]:
    """What can be compared exactly in ``text``, by place, not overlapping."""
    found: list[Quantity] = []
    position = 0
    while start := _START.search(text, position):
        match = _QUANTITY.match(text, start.start())
        position = match.end() if match else start.start() + 1
        quantity = _read(match, text) if match else None
        if quantity is not None:
            bound = _bound(text, quantity.start)
            found.append(replace(quantity, bound=bound) if bound else quantity)
    return list(_share_units(found, text)) if found else []


def _read(match: re.Match[str], text: str) -> Quantity | None:
    start, end, group = match.start(), match.end(), match.lastgroup
    written = match.group()
    if match["iso"]:
        year, month, day = (int(part) for part in written.split("-"))
        return _date(start, end, ((year, month, day),))
    if match["numeric"]:
        return _date(start, end, _numeric_days(written))
    if match["daymonth"] or match["monthday"] or match["month"]:
        return _date(start, end, (_named_day(written, has_day=not match["month"]),))
    if match["clock"]:
        return _clock(start, end, written)
    if match["version"] or match["code"] or match["decade"]:
        return Quantity(start, end, "code", code=written.casefold().lstrip("v" if match["version"] else ""))
    if match["ordinal"] or match["nth"]:
        return _ordinal(start, end, written)
    if match["half"]:
        return _amount(start, end, (0.5,), match["hunit"])
    if match["words"]:
        return _words(match, start, end)
    if match["amount"]:
        return _digits(match, text)
    raise AssertionError(f"a quantity of no known form: {group}")  # pragma: no cover


def _digits(match: re.Match[str], text: str) -> Quantity:
    number, before, scale, unit = match["number"], match["before"], match["scale"], match["unit"]
    start = match.start("before") if before else match.start("sign") if match["sign"] else match.start("number")
    values = _readings(number)
    if match["sign"]:
        values = tuple(-value for value in values)
    if scale:
        values = tuple(value * MAGNITUDES[scale.casefold()] for value in values)
    elif before and unit == "m":
        values, unit = tuple(value * 1e6 for value in values), None
    if before:
        return Quantity(start, match.end(), CURRENCY_BEFORE[before], values, values)
    is_year = not unit and not scale and re.fullmatch(r"1[0-9]\d\d|20\d\d|21\d\d", number) is not None
    if is_year and _YEAR_BEFORE.search(text, max(0, start - 12), start):
        return Quantity(start, match.end(), "date", values, values, ((int(number), None, None),))
    return _amount(start, match.end(), values, unit)


def _words(match: re.Match[str], start: int, end: int) -> Quantity | None:
    spelled = (
        re.sub(rf"[\s-]{re.escape(match['wunit'] or '')}$", "", match["words"]) if match["wunit"] else match["words"]
    )
    if not match["wunit"] and spelled.casefold() in ("one", "a"):
        return None  # "one of the" counts nothing
    value = value_of_words(spelled)
    return _amount(start, end, (value,), match["wunit"])


def _amount(start: int, end: int, values: tuple[float, ...], unit: str | None) -> Quantity:
    known = unit_of(unit) if unit else None
    if known is None:
        return Quantity(start, end, "number", values, values)
    kind, factor = known
    return Quantity(start, end, kind, tuple(value * factor for value in values), values)


def _readings(number: str) -> tuple[float, ...]:
    plain = re.sub(r"[\s'’]", "", number)
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", plain):
        return (float(plain.replace(".", "").replace(",", ".")),)
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}", plain):
        return (float(plain.replace(".", "")),)
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", plain):
        return (float(plain.replace(",", "")),)
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", plain):
        return float(plain), float(plain.replace(".", ""))
    return (float(plain.replace(",", ".")),)


def _date(start: int, end: int, days: tuple[Day, ...]) -> Quantity | None:
    valid = tuple(day for day in days if 1 <= (day[1] or 1) <= 12 and 1 <= (day[2] or 1) <= 31)
    return Quantity(start, end, "date", days=valid) if valid else Quantity(start, end, "code", code=f"{days}")


def _numeric_days(written: str) -> tuple[Day, ...]:
    first, second, year = (int(part) for part in re.split(r"[./]", written))
    full = year if year > 99 else 2000 + year
    readings = ((full, second, first),) if "." in written else ((full, second, first), (full, first, second))
    return tuple(dict.fromkeys(readings))


def _named_day(written: str, *, has_day: bool) -> Day:
    name = re.search(
        r"[a-z]+",
        re.sub(
            r"(?i)\d(?:st|nd|rd|th)|\bof\b",
            lambda m: m.group()[:1] if m.group()[0].isdigit() else "",
            written.casefold(),
        ),
    )
    numbers = [int(number) for number in re.findall(r"\d+", written)]
    month = MONTHS[name.group()] if name else None
    years = [number for number in numbers if number > 31 or (not has_day)]
    day = next((number for number in numbers if number <= 31), None) if has_day else None
    return (years[0] if years else None), month, day


def _clock(start: int, end: int, written: str) -> Quantity:
    hour, minute = (int(part) for part in (*re.findall(r"\d+", written), "0")[:2])
    half = re.search(r"[aApP](?=\.?[mM])", written)
    if half:
        hour = hour % 12 + (12 if half.group() in "pP" else 0)
    return Quantity(start, end, "clock", (hour * 60.0 + minute,), (hour * 60.0 + minute,))


def _ordinal(start: int, end: int, written: str) -> Quantity:
    digits = re.match(r"\d+", written)
    value = float(digits.group()) if digits else ORDINALS[written.casefold()]
    return Quantity(start, end, "ordinal", (value,), (value,))


def _bound(text: str, start: int) -> str:
    match = _BOUND.search(text[max(0, start - 28) : start])
    return match.lastgroup or "" if match else ""


def _share_units(found: list[Quantity], text: str) -> Iterator[Quantity]:
    """In ``10 to 20 kg`` the first number is in kilograms too."""
    for here, after in zip(found, [*found[1:], None], strict=True):
        is_bare = (
            here.kind == "number"
            and after is not None
            and after.kind not in ("number", "code", "ordinal", "date", "clock")
        )
        if is_bare and after is not None and _RANGE.fullmatch(text, here.end, after.start) and after.raw[0]:
            factor = after.values[0] / after.raw[0]
            yield replace(here, kind=after.kind, values=tuple(value * factor for value in here.raw))
        else:
            yield here


def _any_close(mine: tuple[float, ...], theirs: tuple[float, ...]) -> bool:
    return any(isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a in mine for b in theirs)


def _dates_agree(mine: Quantity, theirs: Quantity) -> bool:
    """Whether every part that ``mine`` states is stated alike by ``theirs``."""
    if mine.kind == theirs.kind:
        return any(
            all(a is None or a == b for a, b in zip(day, other, strict=True))
            for day in mine.days
            for other in theirs.days
        )
    # A bare "2019" may be a year or a count.
    return "number" in (mine.kind, theirs.kind) and bool(mine.raw and theirs.raw) and _any_close(mine.raw, theirs.raw)


def _compatible(mine: Day, theirs: Day) -> bool:
    shared = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
    return not shared or all(a == b for a, b in shared)
