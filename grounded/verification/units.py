"""Units, magnitudes and number words: the vocabulary of quantities."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Scripts written without spaces, as a regular expression's character range."""

DAY = 86400.0

_SPELLED: dict[str, tuple[str, float]] = {
    **{name: ("time", 1.0) for name in ("second", "sec")},
    **{name: ("time", 60.0) for name in ("minute", "min")},
    **{name: ("time", 3600.0) for name in ("hour", "hr")},
    "day": ("time", DAY),
    "week": ("time", 7 * DAY),
    "fortnight": ("time", 14 * DAY),
    **{name: ("workday", 1.0) for name in ("working day", "business day", "work day", "workday", "trading day")},
    "month": ("months", 1.0),
    **{name: ("months", 12.0) for name in ("year", "yr")},
    "decade": ("months", 120.0),
    "millimetre": ("length", 0.001),
    "millimeter": ("length", 0.001),
    "centimetre": ("length", 0.01),
    "centimeter": ("length", 0.01),
    "metre": ("length", 1.0),
    "meter": ("length", 1.0),
    "kilometre": ("length", 1000.0),
    "kilometer": ("length", 1000.0),
    "yard": ("length", 0.9144),
    "mile": ("length", 1609.344),
    "gram": ("weight", 0.001),
    "kilogram": ("weight", 1.0),
    "kilo": ("weight", 1.0),
    "tonne": ("weight", 1000.0),
    "millilitre": ("volume", 0.001),
    "milliliter": ("volume", 0.001),
    "litre": ("volume", 1.0),
    "liter": ("volume", 1.0),
    "byte": ("data", 1.0),
    "kilobyte": ("data", 1e3),
    "megabyte": ("data", 1e6),
    "gigabyte": ("data", 1e9),
    "terabyte": ("data", 1e12),
    "dollar": ("money USD", 1.0),
    "euro": ("money EUR", 1.0),
    "pound": ("money GBP", 1.0),
    "cent": ("cent", 1.0),
    "percentage point": ("points", 1.0),
    "watt": ("power", 1.0),
    "kilowatt": ("power", 1e3),
    "megawatt": ("power", 1e6),
    "volt": ("voltage", 1.0),
}
_IRREGULAR: dict[str, tuple[str, float]] = {
    "century": ("months", 1200.0),
    "centuries": ("months", 1200.0),
    "inch": ("length", 0.0254),
    "inches": ("length", 0.0254),
    "foot": ("length", 0.3048),
    "feet": ("length", 0.3048),
    **{name: ("percent", 1.0) for name in ("%", "percent", "per cent", "pct", "٪", "％")},
    **{name: ("celsius", 1.0) for name in ("degrees celsius", "degree celsius", "degrees c", "celsius")},
    **{name: ("fahrenheit", 1.0) for name in ("degrees fahrenheit", "degrees f", "fahrenheit")},
}
_SYMBOLS: dict[str, tuple[str, float]] = {
    "s": ("time", 1.0),
    "h": ("time", 3600.0),
    "ms": ("time", 0.001),
    "mm": ("length", 0.001),
    "cm": ("length", 0.01),
    "m": ("length", 1.0),
    "km": ("length", 1000.0),
    "ft": ("length", 0.3048),
    "mi": ("length", 1609.344),
    "mg": ("weight", 1e-6),
    "g": ("weight", 0.001),
    "kg": ("weight", 1.0),
    "t": ("weight", 1000.0),
    "lb": ("weight", 0.45359237),
    "lbs": ("weight", 0.45359237),
    "oz": ("weight", 0.028349523125),
    "ml": ("volume", 0.001),
    "cl": ("volume", 0.01),
    "l": ("volume", 1.0),
    "L": ("volume", 1.0),
    **{name: ("data", factor) for name, factor in (("KB", 1e3), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12))},
    **{name: ("binary data", 1024.0**n) for n, name in enumerate(("KiB", "MiB", "GiB", "TiB"), start=1)},
    "W": ("power", 1.0),
    "kW": ("power", 1e3),
    "MW": ("power", 1e6),
    "GW": ("power", 1e9),
    "kWh": ("energy", 1.0),
    "MWh": ("energy", 1e3),
    "V": ("voltage", 1.0),
    "Hz": ("frequency", 1.0),
    "kHz": ("frequency", 1e3),
    "MHz": ("frequency", 1e6),
    "GHz": ("frequency", 1e9),
    "Mbps": ("rate", 1e6),
    "Gbps": ("rate", 1e9),
    "km/h": ("speed", 1.0),
    "mph": ("speed", 1.609344),
    "°C": ("celsius", 1.0),
    "°F": ("fahrenheit", 1.0),
    "USD": ("money USD", 1.0),
    "EUR": ("money EUR", 1.0),
    "GBP": ("money GBP", 1.0),
    "CHF": ("money CHF", 1.0),
    "JPY": ("money JPY", 1.0),
    "€": ("money EUR", 1.0),
    "$": ("money USD", 1.0),
    "£": ("money GBP", 1.0),
    "¥": ("money JPY", 1.0),
}
CURRENCY_BEFORE = {
    "$": "money USD",
    "US$": "money USD",
    "USD": "money USD",
    "€": "money EUR",
    "EUR": "money EUR",
    "£": "money GBP",
    "GBP": "money GBP",
    "¥": "money JPY",
    "CHF": "money CHF",
}
MAGNITUDES = {
    "thousand": 1e3,
    "k": 1e3,
    "million": 1e6,
    "mn": 1e6,
    "mio": 1e6,
    "billion": 1e9,
    "bn": 1e9,
    "trillion": 1e12,
    "dozen": 12.0,
}

_SMALL_WORDS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen
"""
_SMALL = _SMALL_WORDS.split()
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = _TENS_WORDS.split()
WORD_VALUES: Mapping[str, float] = {
    **{word: float(value) for value, word in enumerate(_SMALL)},
    **{word: 10.0 * value for value, word in enumerate(TENS, start=2)},
    "a": 1.0,
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "dozen": 12.0,
}
_ORDINAL_WORDS = """
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth
"""
ORDINALS = {word: float(value) for value, word in enumerate(_ORDINAL_WORDS.split(), start=1)}
SHARES = {
    **{
        f"{one}{name}": 1 / part
        for name, part in (("third", 3), ("quarter", 4), ("fifth", 5), ("tenth", 10))
        for one in ("a ", "one ")
    },
    **{
        f"{count} {name}": value / part
        for count, value in (("two", 2), ("three", 3), ("four", 4), ("nine", 9))
        for name, part in (("thirds", 3), ("quarters", 4), ("fifths", 5), ("tenths", 10))
        if value < part
    },
    **{half: 0.5 for half in ("half", "a half", "one half")},
}
"""Fractions in words, of one whole."""
MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}


def unit_of(written: str) -> tuple[str, float] | None:
    """The dimension and factor of a unit as written; None when it is none.

    Symbols keep their case (``MB`` is not ``mb``); words do not. ``("months", 12.0)`` stands for a year.
    """
    if written in _SYMBOLS:
        return _SYMBOLS[written]
    folded = " ".join(written.casefold().split())
    return _IRREGULAR.get(folded) or _SPELLED.get(folded) or _SPELLED.get(folded.removesuffix("s"))


def _alternatives(names: list[str]) -> str:
    return "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in sorted(names, key=len, reverse=True))


_WORDS = [name + ending for name in _SPELLED for ending in ("s", "")]
UNIT = rf"(?:(?i:{_alternatives([*_WORDS, *_IRREGULAR])})|(?:{_alternatives(list(_SYMBOLS))}))"
"""Matches any unit; what follows must not continue the word."""
_SUB_HUNDRED = rf"(?:(?:{'|'.join(TENS)})(?:[-\s](?:{'|'.join(_SMALL[1:10])}))?|{'|'.join(reversed(_SMALL))})"
_HUNDREDS = rf"(?:(?:a|{_SUB_HUNDRED})\s+hundred(?:\s+(?:and\s+)?{_SUB_HUNDRED})?|{_SUB_HUNDRED})"
NUMBER_WORDS = (
    rf"(?i:(?:a\s+dozen|(?:a|{_HUNDREDS})\s+(?:million|billion)|(?:a"
    rf"|{_HUNDREDS})\s+thousand(?:\s+(?:and\s+)?{_HUNDREDS})?"
    rf"|{_HUNDREDS}))"
)
"""Matches an English number in words, such as ``twenty-four`` or ``two hundred and five``."""


def value_of_words(written: str) -> float:
    """The value of what ``NUMBER_WORDS`` matched."""
    total, current = 0.0, 0.0
    for word in re.findall(r"[a-z]+", written.casefold()):
        value = WORD_VALUES.get(word, WORD_VALUES.get(word.removesuffix("s")))
        if value is None:
            continue
        if value == 100.0:
            current = (current or 1.0) * value
        elif value >= 1000.0 or word == "dozen":
            total, current = total + (current or 1.0) * value, 0.0
        else:
            current += value
    return total + current
