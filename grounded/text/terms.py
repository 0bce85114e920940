"""Words and numbers as terms: folded, stemmed, with their place in the untouched text."""

from __future__ import annotations

import re
import threading
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Inside of a character class: scripts written without spaces."""
_TERM = re.compile(
    rf"[{UNSPACED}]"  # scripts written without spaces: one character each
    r"|\d+(?:[.,]\d+)*(?![^\W_])"  # 24 · 3.5 · 1,000
    rf"|[^\W_{UNSPACED}]+(?:['’][^\W\d_]+)?",  # words and codes: warranty, K2, don't
)
_STEMS_KEPT = 200_000

_FUNCTION_WORDS = """
    a about above after again against all also am an and any are aren't as at be because been before being
    below between both but by can can't could couldn't did didn't do does doesn't doing don't down during
    each few for from further had hadn't has hasn't have haven't having he he'd he'll he's her here hers
    herself him himself his how i i'd i'll i'm i've if in into is isn't it it's its itself let's me more
    most mustn't my myself no nor not of off on once only or other ought our ours ourselves out over own
    same shan't she she'd she'll she's should shouldn't so some such than that that's the their theirs them
    themselves then there there's these they they'd they'll they're they've this those through to too under
    until up upon very was wasn't we we'd we'll we're we've were weren't what what's when when's where
    where's which while who who's whom why why's will with won't would wouldn't you you'd you'll you're
    you've your yours yourself yourselves
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English function words; they carry structure, not subject. Negations are among them: look for those apart."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word, number, code or unspaced character.

    Attributes:
        start: First code point in the text.
        end: One past the last.
        text: NFKC, casefolded, possessive removed.
        stem: English Snowball stem; numbers and other scripts unchanged.
    """

    start: int
    end: int
    text: str
    stem: str

    @property
    def is_stop_word(self) -> bool:
        """Whether it is an English function word."""
        return self.text in STOP_WORDS


def terms(text: str) -> list[Term]:
    """Every word, number and code of ``text`` in order; punctuation and underscores are left out."""
    return [Term(m.start(), m.end(), *_fold(m.group())) for m in _TERM.finditer(text)]


def content_stems(text: str) -> list[str]:
    """The stems of ``text`` in order, without function words."""
    return [stem for folded, stem in map(_fold, _TERM.findall(text)) if folded not in STOP_WORDS]


@lru_cache(maxsize=_STEMS_KEPT)
def _fold(word: str) -> tuple[str, str]:
    folded = unicodedata.normalize("NFKC", word).casefold().replace("’", "'")
    folded = folded.removesuffix("'s")
    stem = _stem(folded) if folded.isascii() and folded.isalpha() else folded
    return folded, stem


def _stem(word: str) -> str:
    # A stemmer keeps the word it works on in itself: two threads at one would give each other wrong stems.
    if not hasattr(_OF_THREAD, "stemmer"):
        import Stemmer

        _OF_THREAD.stemmer = Stemmer.Stemmer("english", 0)
    return str(_OF_THREAD.stemmer.stemWord(word))


_OF_THREAD = threading.local()
