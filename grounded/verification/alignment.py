"""How far the content of a claim stands, in order, in a window of evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from grounded.verification.analysis import Analysis, Item
from grounded.verification.units import MONTHS
from grounded.verification.values import agrees

_LEADING_PHRASE = re.compile(
    r"\s*(?:in|on|at|since|from|during|under|after|before|by|for|with|as of|until|within|between"
    r"|throughout)\s[^,:;.]{1,80},",
    re.IGNORECASE,
)
_NAMED_TIME = rf"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:\d{{1,2}}\s+)?(?:{'|'.join(MONTHS)}))"
_LEADING_TIME = re.compile(
    rf"\s*(?:in|on|since)\s+(?:{_NAMED_TIME}(?:\s+\d{{1,2}},?)?(?:\s+(?:1\d|20)\d\d)?|(?:1\d|20)\d\d)(?=\s\w)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[^.;!?\n]{1,120}?:\s")


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which items of a claim were found in a window.

    Attributes:
        score: Share of the claim's items found in order, in [0, 1].
        missing: Items of the claim that were not found, or not in order.
        skipped: Items of the window between the first and the last found one that the claim lacks.
        start: First code point of the found stretch in the window's clean text.
        end: One past its last.
    """

    score: float
    missing: tuple[Item, ...]
    skipped: tuple[Item, ...]
    start: int
    end: int


def window_keys(claim: Analysis, window: Analysis, *, agreeing: bool = False) -> list[str]:
    """The keys of the window's items, a quantity equal to one of the claim's carrying that one's key.

    Args:
        claim: Whose keys they are.
        window: Whose items.
        agreeing: Whether a value that may be said as the claim says it is equal, too: rounded, converted, limited.
    """
    mine = {item.quantity: item.key for item in claim.items if item.quantity >= 0}
    keys: list[str] = []
    for item in window.items:
        if item.quantity < 0:
            keys.append(item.key)
            continue
        theirs = window.quantities[item.quantity]
        exact = (n for n, quantity in enumerate(claim.quantities) if quantity.same_as(theirs))
        loose = (n for n, quantity in enumerate(claim.quantities) if quantity.equals(theirs))
        equal = next(exact, next(loose, None))
        if equal is None and agreeing:
            equal = next((n for n, quantity in enumerate(claim.quantities) if agrees(quantity, theirs)), None)
        keys.append(f"=#{item.quantity}" if equal is None else mine[equal])
    return keys


def verbatim(claim: Analysis, window: Analysis) -> Alignment | None:
    """The alignment of a claim whose every word stands in the window without a gap; None when it does not."""
    run = [token.text for token in claim.tokens]
    words = [token.text for token in window.tokens]
    if not run or len(run) > len(words):
        return None
    for place in range(len(words) - len(run) + 1):
        if words[place] == run[0] and words[place : place + len(run)] == run:
            return Alignment(1.0, (), (), window.tokens[place].start, window.tokens[place + len(run) - 1].end)
    return None


def coverage(claim: Analysis, keys: Sequence[str]) -> float:
    """Share of the claim's items that occur in the window at all; 0 for a claim without items."""
    present = set(keys)
    return sum(item.key in present for item in claim.items) / len(claim.items) if claim.items else 0.0


def align(claim: Analysis, window: Analysis, keys: Sequence[str]) -> Alignment:
    """The best in-order alignment.

    A leading phrase or label (``In 2019, …`` or ``Warranty: …``) on either side may stand elsewhere on the other.
    """
    head = _head_length(claim)
    best = _aligned(claim, window, keys, 0, range(len(keys)))
    if best.score < 1.0 and head:
        best = max(best, _aligned(claim, window, keys, head, range(len(keys))), key=lambda found: found.score)
    turn = _head_length(window)
    if best.score < 1.0 and turn:
        turned = [*range(turn, len(keys)), *range(turn)]
        best = max(best, _aligned(claim, window, keys, 0, turned), key=lambda found: found.score)
    return best


def _head_length(analysis: Analysis) -> int:
    text = analysis.text
    match = _LEADING_PHRASE.match(text) or _LEADING_TIME.match(text) or _LABEL.match(text)
    return sum(item.end <= match.end() for item in analysis.items) if match else 0


def _aligned(claim: Analysis, window: Analysis, keys: Sequence[str], head: int, order: Sequence[int]) -> Alignment:
    """Align with the first ``head`` items of the claim free to stand anywhere."""
    sequence = [keys[n] for n in order]
    body = [item.key for item in claim.items[head:]]
    pairs = _common(body, sequence)
    used = {order[there] for _, there in pairs}
    found = {head + here for here, _ in pairs}
    for number, item in enumerate(claim.items[:head]):
        place = next((n for n in order if keys[n] == item.key and n not in used), None)
        if place is not None:
            used.add(place)
            found.add(number)
    missing = tuple(item for number, item in enumerate(claim.items) if number not in found)
    if not used:
        return Alignment(0.0, missing, (), 0, 0)
    first, last = min(used), max(used)
    mine = {item.key for item in claim.items}
    skipped = tuple(window.items[n] for n in range(first, last + 1) if n not in used and keys[n] not in mine)
    return Alignment(len(found) / len(claim.items), missing, skipped, window.items[first].start, window.items[last].end)


def _common(mine: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """The longest common subsequence as pairs of positions."""
    rows, columns = len(mine), len(theirs)
    table = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        row, below, key = table[i], table[i + 1], mine[i]
        for j in range(columns - 1, -1, -1):
            row[j] = below[j + 1] + 1 if key == theirs[j] else max(below[j], row[j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < rows and j < columns:
        if mine[i] == theirs[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif table[i + 1][j] >= table[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs
