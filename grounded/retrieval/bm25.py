"""Lexical vectors: BM25 with the document's part computed here and the rarity of words by the store.

    score(q, d) = Σ over t in q of  idf(t) · tf(t, d) · (k1 + 1) / (tf(t, d) + k1 · (1 - b + b · |d| / average))

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), equation 3.15. Both
stores multiply by idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5)), N points of which n have t. Computing the rest
here makes both rank alike, and lets terms be the ones the rest of the package uses.

The average length is a constant: a true average would change with every ingest and with it every stored
vector.

Figures are in docs/retrieval.md. On code and product documentation an ``AVERAGE_TERMS`` of 100 instead of 150 gave
0.006 and 0.016 more nDCG@10, and ``k1`` from 0.9 to 2 and ``b`` from 0.4 to 0.9 moved it by 0.02 without a common best;
parts of names gave 0.019 on code. Pairs lift Thai from 0.33 to 0.94.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

from grounded.protocols import SparseVector
from grounded.text.terms import UNSPACED, Term, content_stems, terms
from grounded.text.words import Words

K1 = 1.2
"""Saturation: how soon a repeated term stops adding."""
B = 0.75
"""How much a long text is held against it, from 0 (not at all) to 1."""
AVERAGE_TERMS = 100.0
"""Terms of a text of ordinary length, function words not counted."""

# A part is taken whole, and from its beginning only: trying every place in every word took most of the time.
_CODE = re.compile(r"(?<![^\W_])[^\W_]++(?:[-‐‑–./:_][^\W_]++)+")
_HUMPED = re.compile(r"\b_*[A-Za-z]+[a-z][A-Z]\w*|\b_*[A-Z]{2,}[a-z]\w*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_+")
_NUMBER = re.compile(r"[\d.]+")
_MAY_HOLD_PAIRS = re.compile(rf"[{UNSPACED}]|['’][^\W\d_]\d")
"""Only then can two terms of one character each touch: ``x's1`` are ``x`` and ``1``."""
_JOINTS = str.maketrans("‐‑–", "---")
_INDICES_KEPT = 200_000
_WORDS_KEPT = 100_000


def document_vector(text: str) -> SparseVector:
    """What a text is about: one value per distinct term, 0 < value < ``K1 + 1``."""
    counts = Counter(_lexical_terms(text))
    damping = K1 * (1 - B + B * counts.total() / AVERAGE_TERMS)
    weights = {count: count * (K1 + 1) / (count + damping) for count in set(counts.values())}
    return _vector(counts, [weights[count] for count in counts.values()])


def query_vector(text: str) -> SparseVector:
    """What a question asks for: 1 for every distinct term; empty when it has function words only."""
    found = dict.fromkeys(_lexical_terms(text))
    return _vector(found, [1.0] * len(found))


def _lexical_terms(text: str) -> Iterator[str]:
    """What every word gives; no term reaches across white space, and most words come again and again."""
    return chain.from_iterable(map(_WORDS.__getitem__, text.split()))


def _terms_in(text: str) -> tuple[str, ...]:
    """Stems without function words, codes and names in code also whole, unspaced characters also in pairs."""
    if _MAY_HOLD_PAIRS.search(text) is None:
        return (*content_stems(text), *_codes(text), *_parts(text))
    found = [term for term in terms(text) if not term.is_stop_word]
    return (*(term.stem for term in found), *_pairs(found), *_codes(text), *_parts(text))


_WORDS = Words(_terms_in, _WORDS_KEPT)


def _codes(text: str) -> Iterable[str]:
    """``K2-300`` and the like: joined parts with a digit among them, besides the parts themselves."""
    for match in _CODE.finditer(text):
        code = unicodedata.normalize("NFKC", match.group()).casefold().translate(_JOINTS)
        if any(letter.isdigit() for letter in code) and not _NUMBER.fullmatch(code):
            yield code


def _parts(text: str) -> Iterable[str]:
    """``get``, ``Addr`` and ``Info`` of ``getAddrInfo``; ``snake_case`` is in parts already."""
    for name in _HUMPED.findall(text):
        yield from (term.stem for part in _HUMP.split(name) if len(part) > 1 for term in terms(part))


def _pairs(found: list[Term]) -> Iterable[str]:
    """A word of Chinese, Japanese or Thai is rarely one character: pairs tell words apart."""
    for left, right in pairwise(found):
        if left.end == right.start and len(left.text) == len(right.text) == 1:
            yield left.text + right.text


def _vector(found: Iterable[str], weights: Iterable[float]) -> SparseVector:
    pairs = list(zip(map(_INDICES.__getitem__, found), weights, strict=True))
    merged = dict(pairs)
    if len(merged) < len(pairs):
        # Two terms with one index are treated as one; among 100,000 terms about one in 40,000 is affected.
        merged = {}
        for index, weight in pairs:
            merged[index] = max(weight, merged.get(index, 0.0))
    indices = tuple(sorted(merged))
    return SparseVector(indices=indices, values=tuple(map(merged.__getitem__, indices)))


def _index(term: str) -> int:
    """A place for a term: the same in every process and release."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")


_INDICES = Words(_index, _INDICES_KEPT)
