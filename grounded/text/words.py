"""What was found for a word, kept because most words of a text come again and again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

LONGEST = 40
"""Code points of a word that is kept; longer ones hardly come again, and whole pages without a space are one word."""

_NUMBERED = re.compile(r"\d{5}")
"""Order and account numbers do not come again either, and a long stream of them would fill the memory with them."""

V = TypeVar("V")


class Words(dict[str, V]):
    """Looks up what ``of`` says of a word. Thread-safe; a mapping, as that is looked up fastest of all.

    Args:
        of: What to keep; the same whenever it is asked for the same word.
        most: How many words to keep; with one more it starts anew.
    """

    def __init__(self, of: Callable[[str], V], most: int) -> None:
        super().__init__()
        self._of, self._most = of, most

    def __missing__(self, word: str) -> V:
        found = self._of(word)
        if len(word) <= LONGEST and not _NUMBERED.search(word):
            if len(self) >= self._most:
                self.clear()
            self[word] = found
        return found
