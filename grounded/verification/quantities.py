"""Numbers, amounts with units, dates, times of day and codes, with their places: what can be compared exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from grounded.verification.units import (
    CURRENCY_BEFORE,
    MAGNITUDES,
    MONTHS,
    NUMBER_WORDS,
    ORDINALS,
    SHARES,
    TENS,
    UNIT,
    UNSPACED,
    WORD_VALUES,
    unit_of,
    value_of_words,
)
from grounded.verification.values import Day, Quantity

__all__ = ["Quantity", "quantities"]

_NUMBER = (
    r"(?:\d{1,3}(?:[,'’\u00a0\u202f\u2009 ]\d{3})+(?:\.\d+)?(?![\d])"
    r"|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}|\d+[.,]\d+|\.\d+|\d+)"
)
_LETTER = rf"[^\W_{UNSPACED}]"
_MONTH = rf"(?:{'|'.join(sorted(MONTHS, key=len, reverse=True))})\.?"
_CURRENCY = r"(?:US\$|USD|EUR|GBP|CHF|[$€£¥])"
_SCALE = r"(?:(?i:(?:thousand|million|billion|trillion)s?|dozen|mio|mn|bn)|[kK](?![a-zA-Z]))"
_CENTURY = rf"(?:\d{{1,2}}(?:st|nd|rd|th)|{'|'.join(ORDINALS)}|twenty[\s-]first)[\s-]+century\b(?!\s+b\.?c)"
_SHARE = "|".join(re.escape(share).replace(r"\ ", r"[\s-]") for share in sorted(SHARES, key=len, reverse=True))
_SMALL = "|".join(WORD_VALUES)
_QUANTITY = re.compile(
    r"(?P<decade>(?<![\w.])(?:1\d|20)\d0['’]?s\b)"
    rf"|(?P<century>(?i:(?<![\w.]){_CENTURY}))"
    r"|(?P<season>(?<![\w.,/–-])(?P<from>1\d\d\d|20\d\d)[-–/](?P<to>\d\d)(?![\w/–-]|[.,:]\d))"
    rf"|(?P<share>\b(?i:(?:{_SHARE})(?=\s+of\b)|(?:two|three|four|nine)[\s-](?:thirds|quarters|fifths|tenths)\b))"
    rf"|(?P<ratio>(?<![\w.,])(?i:(?:one|1)\s+in(?:\s+every)?|(?:\d{{1,2}}|{_SMALL})\s+out\s+of(?:\s+every)?)"
    rf"\s+(?i:\d{{1,4}}|{_SMALL}|hundred)\b(?![.,]?\d|[\s-]{UNIT}\b))"
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
    rf"|(?P<nth>\b(?i:(?:{'|'.join(TENS)})[\s-](?:{'|'.join(list(ORDINALS)[:9])})|{'|'.join(ORDINALS)})\b)"
    rf"|(?P<words>\b{NUMBER_WORDS}\b(?P<andhalf>(?i:\s+and\s+a\s+half)\b)?(?:\s+(?P<wscale>{_SCALE})\b)?(?:[\s-](?P<wunit>{UNIT})(?![^\W_]))?)"
    rf"|(?P<half>\b(?i:half\s+an?)\s+(?:(?P<hscale>(?i:million|billion|dozen))|(?P<hunit>{UNIT}))(?![^\W_]))"
)
_START = re.compile(
    rf"(?<!{_LETTER})(?=(?:{_LETTER}|[_./-])*\d)[\w]|{_CURRENCY}|[-−.]?\d"
    rf"|\b(?i:half\b|a\s+(?:dozen|hundred|thousand|million|billion|half|third|quarter|fifth|tenth)|{'|'.join(WORD_VALUES)}|{'|'.join(MONTHS)}"
    rf"|{'|'.join(ORDINALS)})\b"
)
"""Where a quantity may start: trying the whole pattern at every character would take five times as long."""
_RANGE = re.compile(r"\s*(?:-|–|—|to|and|or|bis)\s*", re.IGNORECASE)
_BOUND = re.compile(
    r"(?:\b(?P<about>about|around|approximately|approx\.?|roughly|nearly|almost|circa|some|close to|an estimated"
    r"|(?:just|slightly|a little|a bit|well)\s+(?:over|under|above|below|more than|less than))"
    r"|\b(?P<max>no more than|not more than|not exceed(?:ing)?|no later than|at most|up to|a maximum of|maximum of"
    r"|less than|fewer than|under|below|within|no longer than|as (?:many|much|long) as)"
    r"|\b(?P<min>no less than|not less than|no fewer than|at least|a minimum of|minimum of|more than|over|above"
    r"|exceed(?:s|ing|ed)?|upwards of|longer than|greater than)"
    r"|(?P<near>[~≈]))"
    r"\s*(?:the\s+|a\s+|an\s+)?(?:US\$|[$€£¥])?$",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(
    r"(?:(?P<min>\s?\+(?!\s?\d)|\s+or\s+(?:more|longer|above|over|older|higher)\b|\s+plus\b)"
    r"|(?P<max>\s+or\s+(?:less|fewer|under|below|younger|lower)\b)|(?P<about>\s+or\s+so\b|ish\b))",
    re.IGNORECASE,
)
SHARE_GRAIN = 10.0
"""Percentage points between fractions in words: "half" may be said of 47 %."""
_YEAR_BEFORE = re.compile(
    r"(?:\b(?:in|since|by|of|from|between|until|till|during|after|before|year|early|late|mid|around|circa|c\.|and|to|for|the)"
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
            bound = _bound(text, quantity)
            found.append(replace(quantity, bound=bound) if bound else quantity)
    return list(_share_units(found, text)) if found else []


def _read(match: re.Match[str], text: str) -> Quantity | None:
    start, end, written = match.start(), match.end(), match.group()
    if match["decade"] or match["century"] or match["season"]:
        return _period(match, start, end)
    if match["iso"]:
        year, month, day = (int(part) for part in written.split("-"))
        return _date(start, end, ((year, month, day),))
    if match["numeric"]:
        return _date(start, end, _numeric_days(written))
    if match["daymonth"] or match["monthday"] or match["month"]:
        return _date(start, end, (_named_day(written, has_day=not match["month"]),))
    if match["version"] or match["code"]:
        return Quantity(start, end, "code", code=written.casefold().lstrip("v" if match["version"] else ""))
    return _read_number(match, text)


def _read_number(match: re.Match[str], text: str) -> Quantity | None:
    start, end, written = match.start(), match.end(), match.group()
    if match["clock"]:
        return _clock(start, end, written)
    if match["share"] or match["ratio"]:
        return _share(start, end, written)
    if match["ordinal"] or match["nth"]:
        return _ordinal(start, end, written)
    if match["half"]:
        whole = _magnitude(match["hscale"]) if match["hscale"] else 1.0
        return _amount(start, end, (0.5 * whole,), match["hunit"], 0.1 * whole)
    if match["words"]:
        return _words(match, start, end)
    if match["amount"]:
        return _digits(match, text)
    raise AssertionError(f"a quantity of no known form: {match.lastgroup}")  # pragma: no cover


def _period(match: re.Match[str], start: int, end: int) -> Quantity | None:
    written = match.group().casefold()
    if match["season"]:
        first, last = int(match["from"]), int(match["from"][:2] + match["to"])
        if last != first + 1 and not (last > first and (match["to"] > "12" or "–" in written)):
            return _number_date(start, end, first, int(match["to"]))
    elif match["decade"]:
        first = int(written[:4])
        last = first + (99 if first % 100 == 0 else 9)
    else:
        name = re.split(r"[\s-]+century", written)[0]
        digits = re.match(r"\d+", name)
        nth = int(digits.group()) if digits else int(ORDINALS.get(name, 21.0))
        first, last = 100 * nth - 100, 100 * nth
    return Quantity(start, end, "period", days=((first, None, None), (last, None, None)))


def _number_date(start: int, end: int, year: int, month: int) -> Quantity | None:
    """``2018-10`` is a month."""
    return _date(start, end, ((year, month or None, None),))


def _share(start: int, end: int, written: str) -> Quantity | None:
    folded = re.sub(r"[\s-]+", " ", written.casefold())
    value = SHARES.get(folded)
    if value is None:
        counts = [word for word in folded.split() if word.isdigit() or word in WORD_VALUES]
        part, whole = (float(word) if word.isdigit() else WORD_VALUES[word] for word in (counts[0], counts[-1]))
        if not 0 < part < whole:
            return _amount(start, start + len(written.split()[0]), (part,), None)
        value = part / whole
    return Quantity(start, end, "percent", (100 * value,), (value,), grain=SHARE_GRAIN)


def _digits(match: re.Match[str], text: str) -> Quantity:
    number, before, scale, unit = match["number"], match["before"], match["scale"], match["unit"]
    start = match.start("before") if before else match.start("sign") if match["sign"] else match.start("number")
    values, grain = _readings(number), _grain(number)
    if match["sign"]:
        values = tuple(-value for value in values)
    if scale:
        factor = _magnitude(scale)
        values, grain = tuple(value * factor for value in values), grain * factor
    elif before and unit == "m":
        values, unit, grain = tuple(value * 1e6 for value in values), None, grain * 1e6
    if before:
        return Quantity(start, match.end(), CURRENCY_BEFORE[before], values, values, grain=grain)
    is_year = not unit and not scale and re.fullmatch(r"1[0-9]\d\d|20\d\d|21\d\d", number) is not None
    if is_year and _YEAR_BEFORE.search(text, max(0, start - 12), start):
        return Quantity(start, match.end(), "date", values, values, ((int(number), None, None),))
    return _amount(start, match.end(), values, unit, grain)


def _words(match: re.Match[str], start: int, end: int) -> Quantity | None:
    spelled = (
        re.sub(rf"[\s-]{re.escape(match['wunit'] or '')}$", "", match["words"]) if match["wunit"] else match["words"]
    )
    if not match["wunit"] and spelled.casefold() in ("one", "a"):
        return None  # "one of the" counts nothing
    value = value_of_words(spelled)
    if match["andhalf"]:
        value = value_of_words(spelled[: match.start("andhalf") - start]) + 0.5
    return _amount(start, end, (value,), match["wunit"], 0.1 if match["andhalf"] else 1.0)


def _amount(start: int, end: int, values: tuple[float, ...], unit: str | None, grain: float = 1.0) -> Quantity:
    known = unit_of(unit) if unit else None
    if known is None:
        return Quantity(start, end, "number", values, values, grain=grain)
    kind, factor = known
    return Quantity(start, end, kind, tuple(value * factor for value in values), values, grain=grain * factor)


def _magnitude(scale: str) -> float:
    folded = scale.casefold()
    return MAGNITUDES.get(folded) or MAGNITUDES[folded.removesuffix("s")]


def _grain(number: str) -> float:
    """What one more in the last written digit is worth: 0.1 for ``12.3``, 1 for ``1,200``."""
    decimals = re.search(r"(?:\.|(?<=\d),)(\d+)$", number)
    if decimals is None or (len(decimals.group(1)) == 3 and not number.startswith(("0", "."))):
        return 1.0
    return float(10.0 ** -len(decimals.group(1)))


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
    *tens, last = re.split(r"[\s-]+", written.casefold())
    value = float(digits.group()) if digits else ORDINALS[last] + sum(WORD_VALUES[word] for word in tens)
    return Quantity(start, end, "ordinal", (value,), (value,))


def _bound(text: str, quantity: Quantity) -> str:
    match = _BOUND.search(text[max(0, quantity.start - 28) : quantity.start])
    if match is None and quantity.values:
        match = _BOUND_AFTER.match(text, quantity.end)
    return {"near": "about"}.get(match.lastgroup or "", match.lastgroup or "") if match else ""


def _share_units(found: list[Quantity], text: str) -> Iterator[Quantity]:
    """In ``10 to 20 kg`` the first number is in kilograms too."""
    for here, after in zip(found, [*found[1:], None], strict=True):
        is_bare = (
            here.kind == "number"
            and after is not None
            and after.kind not in ("number", "code", "ordinal", "date", "period", "clock")
        )
        if is_bare and after is not None and _RANGE.fullmatch(text, here.end, after.start) and after.raw[0]:
            factor = after.values[0] / after.raw[0]
            values = tuple(value * factor for value in here.raw)
            yield replace(here, kind=after.kind, values=values, grain=here.grain * factor)
        else:
            yield here
