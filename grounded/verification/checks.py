"""Deterministic checks of a claim against a window: what vetoes, and what forbids support."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from grounded.text.sentences import sentences
from grounded.text.terms import content_stems
from grounded.verification.alignment import Alignment, align, coverage, window_keys
from grounded.verification.analysis import Analysis
from grounded.verification.cues import antonym, conditions, hedges, negations, quantifiers, strengtheners
from grounded.verification.exchanges import exchanged_word, keys_of, turned_voice
from grounded.verification.objections import Objection
from grounded.verification.phrases import is_title
from grounded.verification.values import Quantity, agrees, is_near

_CLAUSE_BORDER = re.compile(
    r"[;:()—–]|,(?!\d)|\b(?:but|however|although|though|while|whereas|because|since|so that"
    r"|and that)\b",
    re.IGNORECASE,
)
_MAX_SKIPPED_SHARE = 0.5
"""More unrelated words than this between the found ones, per found word, and the words are a coincidence."""
_ADDED = re.compile(r"\s+(?:and|or|as well as|&)\s+(?:the\s+|an?\s+)?", re.IGNORECASE)
_PARENTHESIS = re.compile(r"\([^()]*\)")
_ROW = re.compile(r"[^:;(\n]{1,60}: [^;\n]*; [^:;(\n]{1,60}: [^\n]*$")
_SET_APART = re.compile(r"\s+(?:for|of|on|in|to|from|by|with|at)\s+(?:\w+\s+)?")
"""Between a thing and what sets it apart from others of its kind: the transfer *to* Liverpool is one of several."""
_NO_SLOT = ("code", "ordinal")
_NOT_ADDED = ("date", "period", "clock", "months", "time", "workday", "percent", "celsius", "fahrenheit", "speed")
"""Kinds that are not summed over what a sentence lists; what is, may be a total."""
_MOST_CLASHES = 3
"""Values that may differ at once; with more, the sentences are about different things."""
_COPULA = re.compile(r"\b(?:is|are|was|were|be|been|being|as)\b", re.IGNORECASE)


def objection(
    claim: Analysis, window: Analysis, found: Alignment, *, swapped: Collection[Quantity] = ()
) -> Objection | None:
    """Why a window that holds the claim's words does not support it; None when nothing speaks against it.

    Args:
        claim: The claim.
        window: The window of evidence.
        found: How the claim's words stand in it.
        swapped: Quantities of the claim for which other values were put; they are not held against it.
    """
    checks = (
        exchanged_word,
        _name_objection,
        _gap_objection,
        turned_voice,
        _subject_objection,
        _quotation_objection,
    )
    for check in checks:
        against = check(claim, window, found)
        if against:
            return against
    return _quantity_objection(claim, window, found, swapped) or _cue_objection(claim, window, found)


def verbatim_objection(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    """The same for a claim that stands in the window word for word: only what surrounds it can speak against it."""
    return (
        _quantity_objection(claim, window, found)
        or _subject_objection(claim, window, found)
        or _cue_objection(claim, window, found)
    )


def _quantity_objection(
    claim: Analysis, window: Analysis, found: Alignment, swapped: Collection[Quantity] = ()
) -> Objection | None:
    for item in found.missing:
        if item.quantity >= 0:
            return Objection("distance", f"the source does not say {claim.text[item.start : item.end]!r} in this place")
    for mine in claim.quantities:
        written = claim.text[mine.start : mine.end]
        if mine in swapped:
            continue
        equal = [theirs for theirs in window.quantities if agrees(mine, theirs)]
        if not equal:
            return Objection("distance", f"the source does not say {written!r}")
        if not any(_bounds_agree(mine, theirs) for theirs in equal):
            return Objection("doubt", f"the source limits {written!r} differently")
        if not any(_unit_shown(mine, theirs, claim, window) for theirs in equal):
            return Objection("denial", f"the source does not give the unit of {written!r}")
    return None


def _bounds_agree(mine: Quantity, theirs: Quantity) -> bool:
    """Whether the claim's limits hold the source's value: "over 40" and "about 50" do 47, "47" does not "over 40"."""
    if mine.bound == theirs.bound:
        return True
    if theirs.bound or (mine.bound in ("min", "max") and mine.equals(theirs)):
        return False  # whether "over 47" leaves 47 out is not looked at
    return mine.bound not in ("min", "max") or is_near(mine, theirs)


def _unit_shown(mine: Quantity, theirs: Quantity, claim: Analysis, window: Analysis) -> bool:
    """A bare 24 in a table says "24 months" only when the month stands somewhere else in the row."""
    if mine.kind == theirs.kind or mine.kind in ("number", "date") or theirs.kind == "date":
        return mine.kind != "number" or theirs.kind in ("number", "date")
    if theirs.kind != "number":
        return True  # converted
    inside = [token.stem for token in claim.tokens if mine.start <= token.start < mine.end and token.text.isalpha()]
    stems = {token.stem for token in window.tokens}
    return bool(inside) and all(stem in stems for stem in inside)


def _name_objection(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    for item in found.missing:
        written = claim.text[item.start : item.end]
        if item.is_name or written[:1].isupper():
            return Objection("denial", f"the source does not name {written!r} here")
    return None


def _gap_objection(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    if _ROW.match(window.text):
        return _column_objection(claim, window)
    kinds = {quantity.kind for quantity in claim.quantities}
    for item in found.skipped:
        if item.is_name or (item.quantity >= 0 and window.quantities[item.quantity].kind in kinds):
            written = window.text[item.start : item.end]
            return Objection("distance", f"{written!r} stands between the matching words")
    if len(found.skipped) > _MAX_SKIPPED_SHARE * len(claim.items):
        return Objection("distance", "the matching words are scattered over the source")
    return _border_objection(claim, window, found)


def _border_objection(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    """Words taken from two sentences, or from inside and outside a bracket, say nothing together."""
    inner = _PARENTHESIS.sub("", window.text[found.start : found.end])
    if any(mark in inner and mark not in claim.text for mark in ";()"):
        return Objection("distance", "the matching words belong to different parts of the source")
    spans = [span for span in sentences(window.text) if span.start < found.end and found.start < span.end]
    crossed = [span for span in spans[:-1] if not is_title(span.slice(window.text))]
    if crossed and len(sentences(claim.text)) == 1:
        return Objection("distance", "the matching words belong to different sentences of the source")
    return None


def _column_objection(claim: Analysis, window: Analysis) -> Objection | None:
    """In a row ``column: value; column: value`` a number belongs to its column, which the claim must speak of."""
    spoken = {token.stem for token in claim.tokens}
    for mine in claim.quantities:
        for theirs in (quantity for quantity in window.quantities if mine.equals(quantity)):
            cell = window.text[window.text.rfind(";", 0, theirs.start) + 1 : theirs.start]
            if spoken & set(content_stems(cell.split(":")[0])):
                break
        else:
            written = claim.text[mine.start : mine.end]
            return Objection("denial", f"no column of the source that the sentence speaks of says {written!r}")
    return None


def _subject_objection(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    """What a sentence says of an *extended* warranty it does not say of the warranty."""
    for before, item in zip(window.items, window.items[1:], strict=False):
        if item.start != found.start or before.quantity >= 0 or item.quantity >= 0 or before.key in claim.stems:
            continue
        if re.fullmatch(r"[ -]", window.text[before.end : item.start]):
            return Objection("doubt", f"the source speaks of {window.text[before.start : item.end]!r}")
    return None


def _quotation_objection(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    stems = [token.stem for token in window.tokens]
    for quoted in claim.quoted:
        if not contains_run(stems, quoted):
            return Objection("distance", "the quotation is not in the source word for word")
    return None


def _cue_objection(claim: Analysis, window: Analysis, found: Alignment) -> Objection | None:
    clause = clause_around(window.text, found.start, found.end)
    whole = sentences_around(window.text, found.start, found.end)
    english = claim.is_english and window.is_english
    if whole.rstrip().endswith(("?", "？")) and not claim.text.rstrip().endswith(("?", "？")):
        return Objection("denial", "the source only asks")
    if _COPULA.search(claim.text) and not claim.quantities and english and not _COPULA.search(clause):
        return Objection("distance", "the source does not say that it is so")
    if negations(claim.text, english=english) != negations(clause, english=english):
        return Objection("denial", "one of claim and source is negated")
    extra = hedges(whole) - hedges(claim.text)
    if extra:
        return Objection("doubt", f"the source is less certain: {min(extra)!r}")
    # A quantifier behind the matching words is about something else.
    extra = (conditions(whole) | quantifiers(window.text[: found.end]) & quantifiers(whole)) - _restrictions(claim.text)
    if extra:
        return Objection("doubt", f"the source restricts it: {min(extra)!r}")
    extra = strengtheners(claim.text) - strengtheners(whole)
    if extra:
        return Objection("doubt", f"the source does not go as far: {min(extra)!r}")
    opposed = antonym(set(claim.words), set(window.words))
    if not opposed:
        return None
    return Objection("denial", f"{opposed[0]!r} stands against {opposed[1]!r} in the source")


@dataclass(frozen=True, slots=True)
class Clash:
    """Quantities of a claim and what the source has in their places.

    Attributes:
        pairs: The claim's quantity and the window's, in order, at least one pair.
    """

    pairs: tuple[tuple[Quantity, Quantity], ...]

    @property
    def kind(self) -> str:
        """The kind of the first differing value, ``several`` for more than one."""
        return self.pairs[0][0].kind if len(self.pairs) == 1 else "several"

    def reason(self, claim: Analysis, window: Analysis) -> str:
        """What the source says instead."""
        told = [
            f"{window.text[theirs.start : theirs.end]!r}, not {claim.text[mine.start : mine.end]!r}"
            for mine, theirs in self.pairs
        ]
        return "the source says " + " and ".join(told)


def slot_conflict(claim: Analysis, window: Analysis, *, least_overlap: float) -> Clash | None:
    """The claim's quantities and the window's different ones in the same slots; None when there are no such pairs.

    High precision is bought with one strict condition: with the window's values in place of its own, the claim
    would be contained in the window and nothing would speak against it. So only values differ, everything
    else of the claim stands in one sentence of the source in the same order, and nothing there narrows, negates,
    hedges or restricts it further.
    """
    missing = [number for number, mine in enumerate(claim.quantities) if not _any_equal(mine, window.quantities)]
    if not 0 < len(missing) <= _MOST_CLASHES or len(sentences(window.text)) != 1:
        return None
    rivals = _rivals(claim, window, [claim.quantities[number] for number in missing])
    if rivals is None or _narrows(claim, window) or _may_be_a_total(claim, window, rivals):
        return None
    swapped = [claim.quantities[number] for number in missing]
    pairs = tuple((mine, window.quantities[number]) for mine, number in zip(swapped, rivals, strict=True))
    if not all(_exclude(mine, theirs) and _same_neighbours(claim, mine, window, theirs) for mine, theirs in pairs):
        return None
    if len(pairs) > 1 and any(mine.kind == "number" and not _next_key(claim, mine) for mine in swapped):
        return None  # "if n = 1, it is 1" and "if n = 2, it is 2" are two cases
    placed = {item.quantity: item.key for item in claim.items if item.quantity >= 0}
    put = {f"=#{theirs}": placed[mine] for theirs, mine in zip(rivals, missing, strict=True)}
    keys = [put.get(key, key) for key in window_keys(claim, window)]
    if coverage(claim, keys) < least_overlap:
        return None
    found = align(claim, window, keys)
    if found.score < least_overlap or objection(claim, window, found, swapped=swapped):
        return None
    return Clash(pairs)


def _rivals(claim: Analysis, window: Analysis, missing: Sequence[Quantity]) -> list[int] | None:
    """For each missing quantity the only one of the window that may stand in its place, in order."""
    free = [n for n, theirs in enumerate(window.quantities) if not _any_equal(theirs, claim.quantities)]
    found: list[int] = []
    for mine in missing:
        alike = [other for other in missing if _kind(other) == _kind(mine)]
        here = [n for n in free if _kind(window.quantities[n]) == _kind(mine)]
        least = len(missing) + 1 if _kind(mine) == "date" else len(missing)
        if mine.kind in _NO_SLOT or len(here) != len(alike) or len(claim.stems) < least:
            return None
        number = here[next(place for place, other in enumerate(alike) if other is mine)]
        if not mine.conflicts(window.quantities[number]):
            return None
        found.append(number)
    return found


def _may_be_a_total(claim: Analysis, window: Analysis, rivals: Iterable[int]) -> bool:
    """Whether it may count things together: "the fee and the deposit are 50 euros", not "... apply for 50 days"."""
    additive = any(window.quantities[number].kind not in _NOT_ADDED for number in rivals)
    next_to = _neighbours(claim)
    return additive and any(_is_added(window, place, next_to) for place in range(1, len(window.items) - 1))


def _neighbours(claim: Analysis) -> set[tuple[str, str]]:
    return set(pairwise(keys_of(claim)))


def _kind(quantity: Quantity) -> str:
    return "date" if quantity.kind == "period" else quantity.kind


def _any_equal(mine: Quantity, others: Iterable[Quantity]) -> bool:
    return any(mine.equals(theirs) for theirs in others)


def _exclude(mine: Quantity, theirs: Quantity) -> bool:
    """Whether the two cannot both hold, given "at least", "up to" and "about"."""
    if _kind(mine) == "date" or not (mine.values and theirs.values):
        return True
    if mine.bound == theirs.bound != "about":
        return True
    low, high = max(theirs.values), min(theirs.values)
    if theirs.bound == "min" and min(mine.values) >= high:
        return False
    if theirs.bound == "max" and max(mine.values) <= low:
        return False
    if mine.bound == "min" and low >= min(mine.values):
        return False
    if mine.bound == "max" and high <= max(mine.values):
        return False
    if "about" in (mine.bound, theirs.bound):
        return abs(mine.values[0] - theirs.values[0]) > 0.15 * max(abs(mine.values[0]), abs(theirs.values[0]))
    return True


def _same_neighbours(claim: Analysis, mine: Quantity, window: Analysis, theirs: Quantity) -> bool:
    """Bare numbers count what follows them: that must be the same word on both sides."""
    if mine.kind != "number":
        return True
    return _next_key(claim, mine) == _next_key(window, theirs)


def _next_key(analysis: Analysis, quantity: Quantity) -> str:
    after = next((item for item in analysis.items if item.start >= quantity.end), None)
    close = after is not None and not re.search(r"[,;.:]", analysis.text[quantity.end : after.start])
    return after.key if after is not None and close else ""


def _narrows(claim: Analysis, window: Analysis) -> bool:
    """Whether a shared word is qualified in the window: an *extended* warranty, the warranty *for toasters*."""
    mine = claim.stems
    next_to = _neighbours(claim)
    for place, (before, item) in enumerate(zip(window.items, window.items[1:], strict=False)):
        if item.quantity >= 0 or (before.quantity >= 0 and not _is_another(window.quantities[before.quantity], claim)):
            continue
        if place and _is_added(window, place, next_to):
            continue
        between = window.text[before.end : item.start]
        if before.key not in mine and item.key in mine and re.fullmatch(r"[\s-]+", between):
            return True
        if before.key in mine and item.key not in mine and _SET_APART.fullmatch(between):
            return True
    return False


def _is_another(ordinal: Quantity, claim: Analysis) -> bool:
    """Whether it tells one thing from its like, which the claim does not: a *second* fund."""
    return ordinal.kind == "ordinal" and not _any_equal(ordinal, claim.quantities)


def _is_added(window: Analysis, place: int, next_to: Collection[tuple[str, str]]) -> bool:
    """Whether an item only widens the one before it: what holds of kettles *and toasters* holds of kettles."""
    first, added, after = window.items[place - 1 : place + 2]
    joined = _ADDED.fullmatch(window.text[first.end : added.start])
    return joined is not None and (first.key, "#" if after.quantity >= 0 else after.key) in next_to


def negation_flip(claim: Analysis, window: Analysis, found: Alignment) -> bool:
    """Whether an otherwise identical sentence is negated on exactly one side."""
    if found.score < 1.0 or len(sentences(window.text)) > 1 or not (claim.is_english and window.is_english):
        return False
    if len(claim.items) < 2 or len(window.items) > len(claim.items) + 1:
        return False
    if _quantity_objection(claim, window, found) or hedges(window.text) ^ hedges(claim.text):
        return False
    mine, theirs = negations(claim.text), negations(window.text)
    return (
        (mine == 0) != (theirs == 0) and mine + theirs == 1 and _restrictions(window.text) == _restrictions(claim.text)
    )


def _restrictions(text: str) -> set[str]:
    return conditions(text) | quantifiers(text)


def contains_run(keys: Sequence[str], run: Sequence[str]) -> bool:
    """Whether ``run`` stands in ``keys`` without a gap."""
    if not run:
        return True
    return any(
        tuple(keys[n : n + len(run)]) == tuple(run) for n in range(len(keys) - len(run) + 1) if keys[n] == run[0]
    )


def sentences_around(text: str, start: int, end: int) -> str:
    """The sentences of a window that ``[start, end)`` touches."""
    touched = [span for span in sentences(text) if span.start < max(end, start + 1) and start < span.end]
    return " ".join(span.slice(text) for span in touched)


def clause_around(text: str, start: int, end: int, border: re.Pattern[str] = _CLAUSE_BORDER) -> str:
    """The stretch ``[start, end)`` with the rest of the clauses it begins and ends in; ``border`` is between two."""
    borders = [0, *(span.start for span in sentences(text))]
    borders += [match.start() for match in border.finditer(text)]
    low = max((border for border in borders if border <= start), default=0)
    high = min((border for border in [*borders, len(text)] if border >= end), default=len(text))
    return text[low:high]
