"""What a passage says that better ones do not: near-duplicates give way first when room is short."""

from __future__ import annotations

import re

REDUNDANT = 0.8
"""A passage is redundant when more than this share of its text stands in better ones, sentence by sentence."""

# A sentence here is what lies between two of these; short ones, such as "Yes", say nothing about sameness.
_ENDS = re.compile(r"[.!?;\n\u3002\uff01\uff1f]+")
_SHORTEST = 12


class Novelty:
    """Sentences seen so far; each passage costs one pass over its text."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def is_redundant(self, text: str) -> bool:
        """Whether nearly all of a text was seen in those added before."""
        sentences = _sentences(text)
        whole = sum(map(len, sentences))
        return whole > 0 and sum(len(each) for each in sentences if each in self._seen) > REDUNDANT * whole

    def add(self, text: str) -> None:
        """Remember what a text says."""
        self._seen.update(_sentences(text))


def _sentences(text: str) -> list[str]:
    found = (" ".join(each.split()) for each in _ENDS.split(text.casefold()))
    return [each for each in found if len(each) >= _SHORTEST]
