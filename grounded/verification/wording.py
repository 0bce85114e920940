"""A claim as its source would write it: the same values, in the source's own form.

A network that reads word by word takes "1.10 euros" for something else than "EUR 1.10", and "mid-December" for
something other than "15 December". The rules know better, so what they find to be the same is read in one form.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from functools import lru_cache

from grounded.verification.analysis import Analysis, analyse
from grounded.verification.units import MONTHS
from grounded.verification.values import Quantity, rounds

Replacement = tuple[int, int, str]
"""Start and end in the claim's clean text, and what stands there instead."""
_MONTH_PART = re.compile(
    rf"\b(?:the\s+)?(?:(?P<part>beginning|start|middle|end)\s+of\s+|(?P<about>early|mid|late)[\s-]+)"
    rf"(?P<month>{'|'.join(sorted(MONTHS, key=len, reverse=True))})\b(?!\.?,?\s+(?:\d|of\s+\d))",
    re.IGNORECASE,
)
_PARTS = {"beginning": (1, 5), "start": (1, 5), "early": (1, 10), "mid": (10, 20), "middle": (10, 20), "late": (20, 31)}
"""Days that are called so; the end of a month is its last four days."""
_END_DAYS = 4
_SHORT = {
    "AI": ("artificial intelligence",),
    "CEO": ("chief executive officer", "chief executive"),
    "CFO": ("chief financial officer", "chief finance officer", "finance chief"),
    "COO": ("chief operating officer",),
    "CTO": ("chief technology officer", "chief technical officer"),
    "EU": ("European Union",),
    "GDP": ("gross domestic product",),
    "HR": ("human resources",),
    "NGO": ("non-governmental organisation", "non-governmental organization"),
    "R&D": ("research and development",),
    "UK": ("United Kingdom",),
    "UN": ("United Nations",),
    "US": ("United States of America", "United States", "USA", "U.S.A.", "U.S."),
    "WHO": ("World Health Organization", "World Health Organisation"),
}
"""Short forms that hardly ever mean something else, with the long ones."""
_FORMS = tuple(
    tuple(rf"(?<!\w)(?{'' if form.isupper() else 'i'}:{re.escape(form)})(?!\w)" for form in (short, *long))
    for short, long in _SHORT.items()
)
"""Patterns of the forms of one name; what is written in capitals is looked for in capitals."""
_ANY_FORM = re.compile("|".join(f"({'|'.join(forms)})" for forms in _FORMS))
"""Its n-th group is any of the n-th ``_FORMS``."""
_RANGE = re.compile(r"(\d+)(\s?[-–—]\s?)(?=(\d+))")


def as_written(claim: str, context: str) -> str:
    """``claim`` with what ``context`` states in another form in that form; as it is, where there is nothing of it.

    Replaced are values that are the same both ways or rounded, the part of a month in which the context has one single
    day, and abbreviations. Bounds ("over 250" of 300) and less exact dates stay: they say something else.
    """
    mine = analyse(claim)
    months, ranges, short = _open_forms(mine.text)
    if not (mine.quantities or months or short):
        return claim
    theirs = analyse(context)
    found = [
        *_values(mine, theirs),
        *_months(months, theirs),
        *_ranges(ranges, theirs.text),
        *_abbreviations(short, theirs.text),
    ]
    parts, position = [], 0
    for start, end, written in sorted(found):
        if start >= position:
            parts += [mine.text[position:start], written]
            position = end
    return "".join([*parts, mine.text[position:]]) if parts else claim


@lru_cache(maxsize=1024)
def _open_forms(text: str) -> tuple[list[re.Match[str]], list[re.Match[str]], list[re.Match[str]]]:
    """Parts of months, ranges and abbreviations of a claim, which is compared with many contexts."""
    return list(_MONTH_PART.finditer(text)), list(_RANGE.finditer(text)), list(_ANY_FORM.finditer(text))


def _values(mine: Analysis, theirs: Analysis) -> Iterator[Replacement]:
    for quantity in mine.quantities:
        same = [other for other in theirs.quantities if _is_same(quantity, other)]
        if same and quantity.kind == "number":
            counted = _counted(mine, quantity)
            same = [other for other in same if _counted(theirs, other) == counted]
        written, forms = _form(mine, quantity), [_form(theirs, other) for other in same]
        if forms and written.casefold() not in {form.casefold() for form in forms}:
            yield quantity.start, quantity.start + len(written), forms[0]


def _form(text: Analysis, quantity: Quantity) -> str:
    """As it is written; a full stop behind a month is the sentence's."""
    return text.text[quantity.start : quantity.end].rstrip(".")


def _is_same(mine: Quantity, theirs: Quantity) -> bool:
    return mine.same_as(theirs) or (not mine.bound and mine.kind == theirs.kind and rounds(mine, theirs))


def _counted(text: Analysis, number: Quantity) -> str:
    """The stem of what a bare number counts: the content word behind it."""
    return next((item.key for item in text.items if item.start >= number.end), "")


def _months(found: Iterable[re.Match[str]], theirs: Analysis) -> Iterator[Replacement]:
    for match in found:
        month = MONTHS[match["month"].casefold()]
        days = {
            _form(theirs, other): day
            for other in theirs.quantities
            for _, its_month, day in other.days
            if its_month == month and day is not None
        }
        last = monthrange(2024, month)[1]
        part = (match["part"] or match["about"]).casefold()
        first, final = _PARTS.get(part, (last - _END_DAYS + 1, last))
        if len(days) == 1 and first <= next(iter(days.values())) <= final:
            yield match.start(), match.end(), next(iter(days))


def _ranges(found: Iterable[re.Match[str]], theirs: str) -> Iterator[Replacement]:
    for match in found:
        if re.search(rf"\b{match[1]} to {match[3]}\b", theirs):
            yield *match.span(2), " to "


def _abbreviations(found: Iterable[re.Match[str]], theirs: str) -> Iterator[Replacement]:
    for match in found:
        forms = _FORMS[(match.lastindex or 0) - 1]
        there = [other.group() for form in forms for other in re.finditer(form, theirs)]
        if there and match.group().casefold() not in {form.casefold() for form in there}:
            yield match.start(), match.end(), there[0]
