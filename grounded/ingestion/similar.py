"""Documents that say nearly the same: found by shared runs of words, without comparing each with each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from grounded.errors import LedgerError, UsageError
from grounded.ingestion.ledger import Held, Ledger
from grounded.records import Alike, AlikeDocument

WORDS = 4
"""Words of a run. Texts with fewer than ``SHORTEST`` words are left out: rows of one table are all alike."""
SHORTEST = 20
HASHES, BAND = 128, 4
_SLACK = 0.15
"""What is estimated this much below the wanted share may still have it; the runs themselves decide."""

_WORD = re.compile(r"\w+")
_MIXED = np.uint64(0x9E3779B97F4A7C15)
_SEEDS = np.random.default_rng(20_26).integers(1, 2**63, size=HASHES, dtype=np.uint64) | np.uint64(1)

_Hashes = NDArray[np.uint64]


def alike(ledger: Ledger, tenant: str, *, share: float) -> Iterator[Alike]:
    """Groups of live documents of a tenant, each of which shares at least ``share`` of its runs of words with another.

    Every text is read once, and once more where two may be alike; memory holds about half a kilobyte for each document.
    Every document is compared with few others only, so that a pair near the limit may be missed.

    Args:
        ledger: Holds the texts.
        tenant: Whose documents.
        share: Of the runs of either that both have, over 0, at most 1.

    Raises:
        UsageError: ``share`` is no such number.
    """
    if not 0.0 < share <= 1.0:
        raise UsageError(f"The share of words that documents have in common lies in (0, 1]; {share} does not.")
    held: list[Held] = []
    sketches: list[_Hashes] = []
    for document in ledger.upkeep.documents(tenant):
        runs = _runs(_text(ledger, document.document_id)) if document.is_live else None
        if runs is not None:
            held.append(document)
            sketches.append(_sketch(runs))
    groups = _Groups(len(held))
    shares: dict[int, float] = {}
    runs_of = lru_cache(maxsize=256)(lambda number: _runs(_text(ledger, held[number].document_id)))
    for one, other in _candidates(sketches):
        if groups.of(one) == groups.of(other):
            continue
        if float(np.mean(sketches[one] == sketches[other])) < share - _SLACK:
            continue
        common = _common(runs_of(one), runs_of(other))
        if common >= share:
            groups.join(one, other)
            for number in (one, other):
                shares[number] = max(common, shares.get(number, 0.0))
    for members in groups.all():
        yield Alike(
            documents=tuple(
                AlikeDocument(source=held[n].source, key=held[n].key, document_id=held[n].document_id, share=shares[n])
                for n in members
            )
        )


def _text(ledger: Ledger, document_id: str) -> str:
    try:
        return ledger.document(document_id)
    except LedgerError:  # retired meanwhile
        return ""


def _runs(text: str) -> _Hashes | None:
    """The distinct runs of words as numbers; None when the text is too short to say anything."""
    words = np.fromiter((crc32(word.encode()) for word in _WORD.findall(text.casefold())), dtype=np.uint64)
    if len(words) < SHORTEST:
        return None
    mixed = np.zeros(len(words) - WORDS + 1, dtype=np.uint64)
    for number in range(WORDS):
        mixed = (mixed ^ words[number : len(words) - WORDS + 1 + number]) * _MIXED
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


def _sketch(runs: _Hashes) -> _Hashes:
    """For each of several orders of all possible runs the first one that the text has (Broder 1997, MinHash)."""
    return np.array([np.min((runs * seed) ^ ((runs * seed) >> np.uint64(31))) for seed in _SEEDS], dtype=np.uint64)


def _common(one: _Hashes | None, other: _Hashes | None) -> float:
    """The share of runs that both have, of those that either has (Jaccard)."""
    if one is None or other is None:
        return 0.0
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def _candidates(sketches: list[_Hashes]) -> Iterator[tuple[int, int]]:
    """Pairs whose sketches agree in a whole band; of many that agree, each with the first and with the one before."""
    for start in range(0, HASHES, BAND):
        first: dict[bytes, int] = {}
        last: dict[bytes, int] = {}
        for number, sketch in enumerate(sketches):
            band = sketch[start : start + BAND].tobytes()
            if band in first:
                yield first[band], number
                if last[band] != first[band]:
                    yield last[band], number
            first.setdefault(band, number)
            last[band] = number


class _Groups:
    """Sets that are joined."""

    def __init__(self, size: int) -> None:
        self._leads = list(range(size))

    def of(self, number: int) -> int:
        """The lowest number of its group."""
        while self._leads[number] != number:
            self._leads[number] = self._leads[self._leads[number]]
            number = self._leads[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make one group of two."""
        low, high = sorted((self.of(one), self.of(other)))
        self._leads[high] = low

    def all(self) -> Iterable[list[int]]:
        """Groups of more than one."""
        found: dict[int, list[int]] = {}
        for number in range(len(self._leads)):
            found.setdefault(self.of(number), []).append(number)
        return (group for group in found.values() if len(group) > 1)
