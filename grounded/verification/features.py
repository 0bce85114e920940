"""What of a claim a stretch of evidence lacks, as a few numbers: what stands beside the network in the verdict."""

from __future__ import annotations

import math
from itertools import pairwise

from grounded.verification.alignment import align, coverage, window_keys
from grounded.verification.analysis import Analysis, Item, analyse
from grounded.verification.checks import negation_flip, slot_conflict

NAMES = (
    "coverage",
    "weighted_coverage",
    "in_order",
    "pairs_of_words",
    "missing_names",
    "missing_numbers",
    "has_names",
    "has_numbers",
    "number_clash",
    "negation_differs",
    "length",
    "best_sentence",
)
"""What :func:`features` measures, in order."""
_LONG = 200
"""Items of a context beyond which the in-order alignment, which is quadratic, is not made."""


def features(claim: str, context: str) -> tuple[float, ...]:
    """How a claim's words, names and numbers stand in a context; each number in [0, 1] but ``length``.

    Args:
        claim: The claim's scoring text.
        context: The evidence.

    Returns:
        As many numbers as ``NAMES``; ``length`` is the logarithm of the claim's content words.
    """
    mine, theirs = analyse(claim), analyse(context)
    items = mine.items
    if not items:
        return (0.0,) * len(NAMES)
    keys = window_keys(mine, theirs)
    present = set(keys)
    share = coverage(mine, keys)
    distinct = {item.key for item in items}
    found = align(mine, theirs, keys) if len(keys) <= _LONG else None
    names = [item for item in items if item.is_name]
    numbers = [item for item in items if item.quantity >= 0]
    flipped = found is not None and found.score > 0.0 and negation_flip(mine, theirs, found)
    return (
        share,
        len(distinct & present) / len(distinct),
        found.score if found else share,
        _pairs(mine, keys),
        _share(names, present),
        _share(numbers, present),
        float(bool(names)),
        float(bool(numbers)),
        float(bool(numbers) and slot_conflict(mine, theirs, least_overlap=0.6) is not None),
        float(flipped),
        math.log(1 + len(items)),
        max((covered(mine, sentence) for sentence in context.split("\n")), default=0.0),
    )


def _share(items: list[Item], present: set[str]) -> float:
    return sum(item.key not in present for item in items) / len(items) if items else 0.0


def _pairs(claim: Analysis, keys: list[str]) -> float:
    mine = [item.key for item in claim.items]
    wanted = set(pairwise(mine))
    return len(wanted & set(pairwise(keys))) / len(wanted) if wanted else 0.0


def covered(claim: Analysis, sentence: str) -> float:
    """Share of a claim's content that a sentence has, in [0, 1]."""
    return coverage(claim, window_keys(claim, analyse(sentence)))
