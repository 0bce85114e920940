"""Answers without a language model: the sentences of the passages that answer the question, quoted."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from grounded.answering.cues import AnswerKind, expected_kinds, holds_kind, without_cue
from grounded.records import Generation, GeneratorRef, Passage, Prompt, superseded
from grounded.text.sentences import sentences
from grounded.text.terms import content_stems

Similarity = Callable[[str, Sequence[str]], Sequence[float]]
"""How alike a question is to each of some texts, in [-1, 1], in the order given; cosine of an embedder."""

LABEL = "quotes; no language model configured"

_REFERENCE = re.compile(r"\s*\[\s*\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\s*\]")
_HOSTILE = re.compile(r"</?think", re.IGNORECASE)
_LEANS_ON_PREVIOUS = re.compile(r"(?:It|Its|This|That|These|Those|They|Their|He|She|Such|However|Otherwise)\b")
_ENDS_CLEANLY = re.compile(r"[.!?…。！？][\"'”’)\]]*\Z")

# Set by hand; training/sufficiency/extractive.py prints how often the answer is among the quotes.
_WEIGHT_CONTEXT = 0.5
_WEIGHT_KIND = 0.3
_WEIGHT_RANK = 0.15
_WEIGHT_SIMILARITY = 0.8
_COMPARED = 16  # comparing costs milliseconds per sentence; more than this gained nothing
_LONG_QUOTE = 320
_FACT_SHARE = 0.8
_LIST_SHARE = 0.6
_SAME = 0.7


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence that may be quoted; ``number`` is the marker, ``stems`` its own content, ``around`` its place's."""

    number: int
    order: int
    text: str
    stems: frozenset[str]
    around: frozenset[str]
    score: float = 0.0
    relevance: float = 0.0


class ExtractiveGenerator:
    """Quotes the sentences that answer the question, each with its marker; the same input gives the same answer.

    Words are never added or changed. White space runs become one blank and bracketed reference numbers of the
    source are left out, since they would read as markers. Thread-safe when ``similarity`` is.

    Args:
        similarity: Compares the question with sentences, such as the cosine of the knowledge base's embedder;
            without it only words count.
        max_sentences: Most sentences to quote, at least 1.
        today: The day on which a passage has to be in force.
    """

    def __init__(
        self,
        *,
        similarity: Similarity | None = None,
        max_sentences: int = 3,
        today: Callable[[], date] = date.today,
    ) -> None:
        self._similarity = similarity
        self._max_sentences = max(1, max_sentences)
        self._today = today

    @property
    def ref(self) -> GeneratorRef:
        """Name and label; there is no model."""
        return GeneratorRef(name="extractive", label=LABEL, arguments={"max_sentences": self._max_sentences})

    @property
    def window(self) -> int | None:
        """None: there is no context window."""
        return None

    def generate(self, prompt: Prompt) -> Generation:
        """Quote the answer; the text is empty when no sentence has anything to do with the question."""
        return Generation(text="".join(self._pieces(prompt)))

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        """Yield one quoted sentence at a time; the last piece is empty."""
        for piece in self._pieces(prompt):
            yield Generation(text=piece)
        yield Generation(text="")

    def _pieces(self, prompt: Prompt) -> list[str]:
        pieces: list[str] = []
        blank = ""
        for quote in self._quotes(prompt):
            pieces.append(f"{blank}{quote.text} [{quote.number}]")
            blank = " " if _ENDS_CLEANLY.search(quote.text) else "\n"
        return pieces

    def _quotes(self, prompt: Prompt) -> list[_Candidate]:
        candidates = _candidates(prompt.passages)
        if not candidates:
            return []
        kinds = expected_kinds(prompt.question)
        alike = self._alike(prompt.question, kinds, candidates) if self._similarity else None
        scored = _scored(candidates, prompt.question, kinds, alike)
        scored = _in_force(scored, prompt.passages, self._today())
        return _selected(scored, candidates, self._max_sentences, _FACT_SHARE if kinds else _LIST_SHARE)

    def _alike(
        self, question: str, kinds: frozenset[AnswerKind], candidates: Sequence[_Candidate]
    ) -> Mapping[str, float]:
        """How alike the question is to the sentences that are the most promising by their words."""
        assert self._similarity is not None
        by_words = sorted(_scored(candidates, question, kinds, None), key=lambda candidate: -candidate.score)
        texts = list(dict.fromkeys(candidate.text for candidate in by_words))[:_COMPARED]
        return dict(zip(texts, self._similarity(question, texts), strict=True))


def _candidates(passages: Sequence[Passage]) -> list[_Candidate]:
    found: list[_Candidate] = []
    for number, passage in enumerate(passages, start=1):
        headings = [str(name) for place in passage.locators if place.kind == "heading" for name in place.fields["path"]]
        around = frozenset(content_stems(" ".join([passage.title, *headings])))
        for order, span in enumerate(sentences(passage.text)):
            written = span.slice(passage.text)
            text = " ".join(_REFERENCE.sub("", written).split())
            stems = frozenset(content_stems(text))
            if stems and not _HOSTILE.search(written):
                found.append(_Candidate(number, order, text, stems, around))
    return found


def _scored(
    candidates: Sequence[_Candidate], question: str, kinds: frozenset[AnswerKind], alike: Mapping[str, float] | None
) -> list[_Candidate]:
    asked = frozenset(content_stems(without_cue(question))) or frozenset(content_stems(question))
    weights = _rarity(asked, candidates)
    total = sum(weights.values()) or 1.0
    scored: list[_Candidate] = []
    previous: _Candidate | None = None
    for candidate in candidates:
        same = previous is not None and previous.number == candidate.number
        context = candidate.around | (previous.stems if previous is not None and same else frozenset())
        own = sum(weights[stem] for stem in asked & candidate.stems) / total
        near = sum(weights[stem] for stem in (asked & context) - candidate.stems) / total
        likeness = max(0.0, alike.get(candidate.text, 0.0)) if alike is not None else 0.0
        relevance = own + _WEIGHT_CONTEXT * near + _WEIGHT_SIMILARITY * likeness
        fits = bool(kinds) and any(holds_kind(kind, candidate.text) for kind in kinds)
        score = relevance + _WEIGHT_RANK / candidate.number + (_WEIGHT_KIND if fits else 0.0)
        score *= _shape(candidate, fits)
        scored.append(replace(candidate, score=score, relevance=own + near if alike is None else relevance))
        previous = candidate
    return scored


def _rarity(asked: frozenset[str], candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Inverse sentence frequency of the asked stems among the candidates (the BM25 form, always positive)."""
    held = Counter(stem for candidate in candidates for stem in asked & candidate.stems)
    count = len(candidates)
    return {stem: math.log(1 + (count - held[stem] + 0.5) / (held[stem] + 0.5)) for stem in sorted(asked)}


def _shape(candidate: _Candidate, fits: bool) -> float:
    """How good a quote the text makes by its form, in (0, 1]: questions, titles and walls of text are poor ones."""
    text = candidate.text
    factor = 1.0
    if text.endswith("?"):
        factor *= 0.4
    elif len(candidate.stems) < 6 and not fits and not _ENDS_CLEANLY.search(text) and not re.search(r"[:;|]", text):
        factor *= 0.3
    if len(text) > _LONG_QUOTE:
        factor *= (_LONG_QUOTE / len(text)) ** 0.5
    return factor


def _in_force(scored: list[_Candidate], passages: Sequence[Passage], on: date) -> list[_Candidate]:
    """Leave out passages replaced by another one here, and outdated ones when others say as much."""
    old = {index + 1 for index in superseded(passages, on)}
    kept = [candidate for candidate in scored if candidate.number not in old] or scored
    outdated = {n for n, passage in enumerate(passages, 1) if not passage.in_force(on)}
    current = [candidate for candidate in kept if candidate.number not in outdated]
    best = max((candidate.score for candidate in kept), default=0.0)
    if current and max(candidate.score for candidate in current) >= 0.5 * best:
        return current
    return kept


def _selected(
    scored: Sequence[_Candidate], everything: Sequence[_Candidate], limit: int, share: float
) -> list[_Candidate]:
    ranked = sorted(scored, key=lambda candidate: (-candidate.score, candidate.number, candidate.order))
    if not ranked or ranked[0].relevance <= 0:
        return []
    chosen: list[_Candidate] = []
    for candidate in ranked:
        is_close = candidate.score >= share * ranked[0].score and candidate.relevance > 0
        is_new = all(_overlap(candidate.stems, other.stems) < _SAME for other in chosen)
        if is_close and is_new and len(chosen) < limit:
            chosen.append(candidate)
    best_first = list(dict.fromkeys(candidate.number for candidate in chosen))
    opening = _antecedent(chosen[0], everything)
    if opening and opening not in chosen and len(chosen) < limit:
        chosen.append(opening)
    return sorted(chosen, key=lambda candidate: (best_first.index(candidate.number), candidate.order))


def _antecedent(candidate: _Candidate, everything: Sequence[_Candidate]) -> _Candidate | None:
    """The sentence before one that begins with a pronoun, without which it says little."""
    if not _LEANS_ON_PREVIOUS.match(candidate.text):
        return None
    place = (candidate.number, candidate.order - 1)
    return next((other for other in everything if (other.number, other.order) == place), None)


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / min(len(one), len(other))
