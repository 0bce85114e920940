"""Evidence windows: short stretches of the passages, and the few of them that may decide a claim."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from grounded.records import Passage
from grounded.text.sentences import sentences
from grounded.verification.analysis import stems_of

UNIT_LIMIT = 1200
"""Characters a window's sentence may have; longer stretches without a full stop are cut at white space."""
POSTINGS_LIMIT = 4000
"""Places looked at per claim, rarest words first: what keeps the cost of a claim bounded."""
CONTEXT_WORDS = 110
"""Words of one context: what a small encoder reads in one go, beside the claim."""
COLLAGE_SENTENCES = 4
RANKED = 9
"""Sentences that a ranking keeps when nobody says how many: what three contexts are made of."""
CHARACTERS_PER_WORD = 6
"""English text with its blanks, for estimates; a script without blanks gives longer contexts, which are cut."""
_ENDED = re.compile(r"[.!?。！？]\W*\Z")
_WORD_BREAK = re.compile(r"\s")


Stretch = tuple[int, int, int]
"""``(passage, start, end)``: the index of a passage and code points in its own text."""


@dataclass(frozen=True, slots=True)
class Window:
    """Evidence that is judged in one go: a stretch of one passage, or sentences of several places side by side.

    Attributes:
        passage: Index of the passage.
        start: First code point in the passage's own text.
        end: One past the last.
        score: How much of the claim's rare words its best sentence shares, in [0, 1]; for choosing only.
        more: Further stretches, after the first in the order of the passages.
    """

    passage: int
    start: int
    end: int
    score: float
    more: tuple[Stretch, ...] = ()

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """All of it."""
        return ((self.passage, self.start, self.end), *self.more)

    def text(self, passages: Sequence[Passage]) -> str:
        """What a model reads: every stretch on a line of its own."""
        return "\n".join(passages[number].text[start:end] for number, start, end in self.stretches)

    def within(self, span: tuple[int, int]) -> tuple[Stretch, ...]:
        """The stretches that a part of ``text`` covers; all of them when the part is none."""
        found, offset = [], 0
        for number, start, end in self.stretches:
            low, high = max(span[0], offset) - offset, min(span[1], offset + end - start) - offset
            if low < high:
                found.append((number, start + low, start + high))
            offset += end - start + 1
        return tuple(found) or self.stretches


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sentences most likely to decide a claim, ranked once for the windows of rules and of models.

    Attributes:
        best: Indices of sentences, best first.
        cited: The best sentence of every passage that the claim cites.
        scores: How much of the claim's rare words each of them shares, in [0, 1].
    """

    best: tuple[int, ...]
    cited: tuple[int, ...]
    scores: Mapping[int, float]


@dataclass(slots=True)
class WindowIndex:
    """All sentences of all passages, found by stem. Built once, read by every claim; building is linear."""

    units: list[tuple[int, int, int]] = field(default_factory=list)
    postings: dict[str, list[int]] = field(default_factory=dict)
    ended: list[bool] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> WindowIndex:
        """Index passages; those without a readable word are listed in ``empty``."""
        units: list[tuple[int, int, int]] = []
        postings: dict[str, list[int]] = defaultdict(list)
        empty: list[int] = []
        for number, passage in enumerate(passages):
            before, readable = len(units), False
            for start, end in _units(passage.text):
                stems = stems_of(passage.text[start:end])
                for stem in stems:
                    postings[stem].append(len(units))
                readable = readable or bool(stems)
                units.append((number, start, end))
            if not readable:
                del units[before:]
                empty.append(number)
        ended = [bool(_ENDED.search(passages[number].text, max(start, end - 8), end)) for number, start, end in units]
        return cls(units, dict(postings), ended, empty)

    def rank(self, claim: str, *, limit: int = RANKED, cited: Collection[int] = ()) -> Ranking:
        """The sentences most likely to decide a claim.

        Args:
            claim: The claim's scoring text.
            limit: Sentences considered, at least 1.
            cited: Indices of passages the claim cites.
        """
        scores = self._scores(claim)
        order = sorted(scores, key=lambda unit: (-scores[unit], unit))
        own = [next((unit for unit in order if self.units[unit][0] == passage), None) for passage in cited]
        best, named = tuple(order[: max(limit, COLLAGE_SENTENCES)]), tuple(unit for unit in own if unit is not None)
        # A long answer has many claims, and each may touch thousands of sentences: only these are kept.
        return Ranking(best, named, {unit: scores[unit] for unit in (*best, *named)})

    def choose(self, ranking: Ranking, *, limit: int) -> list[Window]:
        """The best sentences one by one, those of cited passages among them; with what no full stop sets apart, too.

        Args:
            ranking: Of the claim.
            limit: Sentences considered; at most three windows come of each.

        Returns:
            Windows in a stable order: score, then shorter, then place.
        """
        found: dict[tuple[int, int, int], float] = {}
        for unit in dict.fromkeys((*ranking.best[:limit], *ranking.cited)):
            for first, last in ((unit, unit), (unit - 1, unit), (unit, unit + 1)):
                if first < 0 or last >= len(self.units) or self.units[first][0] != self.units[last][0]:
                    continue
                if first == last or not self.ended[first]:
                    key = self.units[first][0], self.units[first][1], self.units[last][2]
                    found[key] = max(found.get(key, 0.0), ranking.scores[unit])
        windows = [Window(*key, score) for key, score in found.items()]
        return sorted(windows, key=lambda w: (-w.score, w.end - w.start, w.passage, w.start))

    def contexts(
        self,
        ranking: Ranking,
        *,
        limit: int,
        words: int = CONTEXT_WORDS,
        together: bool = True,
        apart: Collection[int] = (),
    ) -> list[Window]:
        """A few stretches around the best sentences, and these sentences side by side.

        Args:
            ranking: Of the claim.
            limit: Stretches at most, looked for in three times as many sentences; the best sentence of every cited
                passage gets one beyond it.
            words: Words of one stretch at most; a sentence that is longer is taken whole.
            together: Whether the best sentences of all places are one more stretch.
            apart: Indices of passages whose sentences never stand beside those of others.

        Returns:
            Best first; after them, when sentences from several places were found, these together.
        """
        chosen: list[list[int]] = []
        seen: set[int] = set()
        best = ranking.best[: 3 * limit]
        passages = {self.units[unit][0] for unit in ranking.cited}
        for unit in [*best, *ranking.cited]:
            is_own = len(chosen) >= limit or unit not in best
            if unit in seen or (is_own and self.units[unit][0] not in passages):
                continue
            around = self._around(unit, words)
            seen.update(around)
            chosen.append(around)
        beside = [unit for unit in ranking.best if self.units[unit][0] not in apart][:COLLAGE_SENTENCES]
        collage = sorted(self._that_fit(beside, words)) if together else []
        if len(collage) > 1 and not any(set(collage) <= set(around) for around in chosen):
            chosen.append(collage)
        return [self._joined(units, max(ranking.scores.get(unit, 0.0) for unit in units)) for units in chosen]

    def _around(self, unit: int, words: int) -> list[int]:
        """The sentence with its neighbours, as far as they fit; what follows is worth a little more."""
        passage, _, _ = self.units[unit]
        low, high, room = unit, unit, words - self._words(unit)
        more_before = more_after = True
        while more_before or more_after:
            before = more_before and (not more_after or 2 * (unit - low) <= high - unit)
            other = low - 1 if before else high + 1
            fits = 0 <= other < len(self.units) and self.units[other][0] == passage and self._words(other) <= room
            if not fits:
                more_before, more_after = more_before and not before, more_after and before
                continue
            room -= self._words(other)
            low, high = min(low, other), max(high, other)
        return list(range(low, high + 1))

    def _that_fit(self, units: Sequence[int], words: int) -> list[int]:
        room = words
        chosen: list[int] = []
        for unit in units:
            if self._words(unit) <= room or not chosen:
                chosen.append(unit)
                room -= self._words(unit)
        return chosen

    def _words(self, unit: int) -> int:
        _, start, end = self.units[unit]
        return 1 + (end - start) // CHARACTERS_PER_WORD

    def _joined(self, units: Sequence[int], score: float) -> Window:
        """Sentences as one window; neighbours become one stretch."""
        stretches: list[Stretch] = []
        before = -2
        for unit in units:
            passage, start, end = self.units[unit]
            if unit == before + 1 and stretches[-1][0] == passage:
                stretches[-1] = (passage, stretches[-1][1], end)
            else:
                stretches.append((passage, start, end))
            before = unit
        return Window(*stretches[0], score, tuple(stretches[1:]))

    def _scores(self, claim: str) -> dict[int, float]:
        places_of = {stem: self.postings.get(stem, []) for stem in stems_of(claim)}
        rarest_first = sorted(places_of.items(), key=lambda entry: (len(entry[1]), entry[0]))
        weights = {stem: math.log(1 + len(self.units) / (1 + len(places))) for stem, places in rarest_first}
        total = sum(weights.values()) or 1.0
        scores: dict[int, float] = defaultdict(float)
        visited = 0
        for stem, places in rarest_first:
            visited += len(places)
            if visited > POSTINGS_LIMIT:
                # A frequent word may still rank what rarer words found, but finds nothing new beyond the limit.
                known = set(scores)
                places = [unit for unit in places if unit in known] if known else places[:POSTINGS_LIMIT]
            for unit in places:
                scores[unit] += weights[stem] / total
        return scores


def _units(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for span in sentences(text):
        start = span.start
        while span.end - start > UNIT_LIMIT:
            breaks = [
                match.start() for match in _WORD_BREAK.finditer(text, start + UNIT_LIMIT // 2, start + UNIT_LIMIT)
            ]
            cut = breaks[-1] if breaks else start + UNIT_LIMIT
            found.append((start, cut))
            start = cut
            while start < span.end and text[start].isspace():
                start += 1
        if start < span.end:
            found.append((start, span.end))
    return found
