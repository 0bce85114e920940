"""One reading of a sentence that all checks share: its words, names and quantities in order."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from grounded.text.terms import STOP_WORDS, Term, content_stems, terms
from grounded.verification.quantities import Quantity, quantities

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")
_TAG = re.compile(
    r"</?(?:b|i|em|strong|u|s|p|br|span|div|a|sup|sub|li|ul|ol|td|tr|th|table|h[1-6]|code|pre|mark|small)"
    r"(?:\s[^<>]{0,300})?/?>",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"<(script|style)\b[^<>]{0,300}>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((?:[^()\s]{1,500})\)")
_EMPHASIS = re.compile(r"\*+|(?<!\w)_+|_+(?!\w)|`+|~~")
_UNSPACED_KEY = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f]"
)
_QUOTED = re.compile('["“”„«»]([^"“”„«»\n]{3,300})["“”„«»]')
_FOREIGN_WORDS = """
    der die das den dem und ist nicht ein eine einen mit von zu auf wird werden sind le la les des une est et
    dans pour que qui sur el los las un una es en con por para se del il che di per non sono della het een van
    niet op os uma do da em och att det som af til ikke jest nie ve bir
"""
_FOREIGN = frozenset(_FOREIGN_WORDS.split())
"""Function words of other languages that ASCII text may be written in."""
_KEPT = 8192
_MOST_COMPARED = 100
"""Different values of a sentence that a further one is compared with; what lists more is no sentence."""


@dataclass(frozen=True, slots=True)
class Item:
    """A content word or a quantity, in order.

    Attributes:
        key: The stem, or ``#n`` for a quantity whose value the n-th quantity is the first to have.
        start: First code point in the clean text.
        end: One past the last.
        is_name: Capitalised where an ordinary word would not be.
        quantity: Index into ``Analysis.quantities``; -1 for a word.
    """

    key: str
    start: int
    end: int
    is_name: bool
    quantity: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """A sentence, or a few, taken apart.

    Attributes:
        text: Clean text: markup and invisible characters removed, NFKC.
        tokens: Every word, in order.
        items: Content words and quantities, in order.
        quantities: What can be compared by value, in order.
        stems: Stems of the content words.
        words: Every word, folded.
        quoted: Keys of the words inside each quotation of three words or more.
        is_english: English function words were seen, so that English rules may be trusted.
        is_unspaced: Written mostly in a script without spaces.
    """

    text: str
    tokens: tuple[Term, ...]
    items: tuple[Item, ...]
    quantities: tuple[Quantity, ...]
    stems: frozenset[str]
    words: frozenset[str]
    quoted: tuple[tuple[str, ...], ...]
    is_english: bool
    is_unspaced: bool


def clean(text: str) -> str:
    """Text without markup and invisible characters, NFKC; for scoring only, its offsets are its own."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).replace("’", "'")
    if "<" in text:
        text = _TAG.sub(" ", _SCRIPT.sub(" ", text))
    if "&" in text:
        text = html.unescape(text).replace("\u00a0", " ")
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    return _EMPHASIS.sub("", text)


@lru_cache(maxsize=_KEPT)
def stems_of(text: str) -> frozenset[str]:
    """The stems of the content words of ``text``, numbers among them as written."""
    return frozenset(content_stems(clean(text)))


@lru_cache(maxsize=_KEPT)
def analyse(text: str) -> Analysis:
    """Take a sentence apart; remembered, since windows and claims are compared many times."""
    plain = clean(text)
    tokens = tuple(terms(plain))
    found = tuple(quantities(plain))
    items = _items(plain, tokens, found)
    return Analysis(
        text=plain,
        tokens=tokens,
        items=items,
        quantities=found,
        stems=frozenset(item.key for item in items if item.quantity < 0),
        words=frozenset(token.text for token in tokens),
        quoted=tuple(_quotations(plain)),
        is_english=_is_english(plain, tokens),
        is_unspaced=sum(bool(_UNSPACED_KEY.match(token.stem)) for token in tokens) * 2 > len(tokens),
    )


def _items(text: str, tokens: tuple[Term, ...], found: tuple[Quantity, ...]) -> tuple[Item, ...]:
    items: list[Item] = []
    position = 0
    counted = iter(_quantity_items(found))
    for token in tokens:
        while position < len(found) and found[position].end <= token.start:
            items.append(next(counted))
            position += 1
        covered = position < len(found) and found[position].start < token.end
        if covered or token.is_stop_word:
            continue
        items.append(Item(token.stem, token.start, token.end, _is_name(text, token, items), -1))
    return (*items, *counted)


def _quantity_items(found: tuple[Quantity, ...]) -> Iterator[Item]:
    """The same value twice is one key, so that one mention in the source answers for both."""
    distinct: list[int] = []
    for index, each in enumerate(found):
        first = next((number for number in distinct[:_MOST_COMPARED] if found[number].same_as(each)), index)
        if first == index:
            distinct.append(index)
        yield Item(f"#{first}", each.start, each.end, False, index)


def _is_name(text: str, token: Term, before: list[Item]) -> bool:
    written = text[token.start : token.end]
    if not written[0].isupper():
        return False
    if written[1:].isupper() and len(written) > 1:
        return True
    lead = text[: token.start].rstrip(" \t\"'“”‘’(«")
    starts = not lead or lead[-1] in ".!?:;\n|-•–—>"
    # The first word of a sentence is capitalised anyway; it is a name only when the next word is one, which the
    # missing-word rule covers: a missing first word counts as missing all the same.
    return not starts or (not before and token.text not in STOP_WORDS and _next_is_capital(text, token.end))


def _next_is_capital(text: str, end: int) -> bool:
    match = re.compile(r"\s+([^\W\d_])").match(text, end)
    return bool(match and match.group(1).isupper())


def _quotations(text: str) -> list[tuple[str, ...]]:
    inner = (tuple(term.stem for term in terms(match.group(1))) for match in _QUOTED.finditer(text))
    return [words for words in inner if len(words) >= 3]


def _is_english(text: str, tokens: tuple[Term, ...]) -> bool:
    words = [token.text for token in tokens if token.text.isalpha()]
    english = sum(word in STOP_WORDS for word in words)
    # Names keep their accents in English.
    if not all(token.text.isascii() or text[token.start].isupper() for token in tokens if token.text.isalpha()):
        return english >= max(2, len(words) // 5)
    # Other languages share a word or two with English ("in", "is", "am"); rows and titles have none at all.
    return english * 8 >= len(words) or not any(word in _FOREIGN for word in words)
