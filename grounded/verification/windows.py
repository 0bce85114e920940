"""Evidence windows: short stretches of the passages, and the few of them that may decide a claim."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from grounded.records import Passage
from grounded.text.sentences import sentences
from grounded.verification.analysis import stems_of

UNIT_LIMIT = 1200
"""Characters a window's sentence may have; longer stretches without a full stop are cut at white space."""
POSTINGS_LIMIT = 4000
"""Places looked at per claim, rarest words first: what keeps the cost of a claim bounded."""
_ENDED = re.compile(r"[.!?。！？]\W*\Z")
_WORD_BREAK = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one passage.

    Attributes:
        passage: Index of the passage.
        start: First code point in the passage's own text.
        end: One past the last.
        score: How much of the claim's rare words it shares, in [0, 1]; for choosing only.
    """

    passage: int
    start: int
    end: int
    score: float


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

    def choose(self, claim: str, *, limit: int, cited: Collection[int] = (), all_pairs: bool = True) -> list[Window]:
        """The windows of one and two sentences most likely to decide a claim, best first.

        Args:
            claim: The claim's scoring text.
            limit: Sentences considered; at most three windows come of each.
            cited: Indices of passages the claim cites; the best sentence of each is always considered.
            all_pairs: Join every sentence with its neighbours; otherwise only what no full stop separates, such
                as a title and the sentence under it.

        Returns:
            Windows in a stable order: score, then shorter, then place.
        """
        scores = self._scores(claim)
        best = sorted(scores, key=lambda unit: (-scores[unit], unit))
        chosen = best[:limit]
        for passage in cited:
            own = next((unit for unit in best if self.units[unit][0] == passage), None)
            if own is not None and own not in chosen:
                chosen.append(own)
        found: dict[tuple[int, int, int], float] = {}
        for unit in chosen:
            for first, last in ((unit, unit), (unit - 1, unit), (unit, unit + 1)):
                if first < 0 or last >= len(self.units) or self.units[first][0] != self.units[last][0]:
                    continue
                if first == last or all_pairs or not self.ended[first]:
                    key = self.units[first][0], self.units[first][1], self.units[last][2]
                    found[key] = max(found.get(key, 0.0), scores[unit])
        windows = [Window(*key, score) for key, score in found.items()]
        return sorted(windows, key=lambda w: (-w.score, w.end - w.start, w.passage, w.start))

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
