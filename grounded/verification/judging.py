"""What the sources say of one sentence: rules first, a model where they leave it open, and both brought together."""

from __future__ import annotations

import logging
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grounded.protocols import EntailmentModel, Judgement
from grounded.records import Passage
from grounded.text.terms import content_stems
from grounded.verification.aggregation import Finding, Thresholds, aggregate, defect, failed
from grounded.verification.agreement import withhold, without_weaker
from grounded.verification.analysis import Analysis, analyse
from grounded.verification.containment import ContainmentModel
from grounded.verification.objections import Objection, Ruling, decides, objection_of
from grounded.verification.resolution import Scored
from grounded.verification.reversals import reversal
from grounded.verification.windows import Ranking, Window, WindowIndex

CONTEXTS_SHARE = 3
"""One stretch is read for so many source sentences considered: two lose nothing against three on the public sets, one
loses 0.2 points of the area under the curve, and without the best sentences of all places together another point."""
FAILURES_IN_A_ROW = 3
"""After so many failed calls the model is not called again for this answer."""
LONGEST_CLAIM = 4000
"""Characters of a sentence, or of a part of one, that can be checked: what is longer is no sentence, but costs."""
_NEIGHBOURHOOD = 300
_CONTAINMENT = ContainmentModel()
_log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to score: a sentence or a part of one, with the windows that may decide it.

    Attributes:
        ranking: The source sentences that may decide it.
        windows: Single ones of them, for what is decided without a model.
        is_part: Whether it is only part of a sentence, for which a model reads one stretch.
    """

    scored: Scored
    ranking: Ranking
    windows: tuple[Window, ...]
    is_part: bool = False


class Judge:
    """Judges sentences against sources that are indexed once.

    Args:
        model: What judges where the rules leave a sentence open.
        passages: The sources.
        index: Their sentences.
        outdated: Why a passage is out of force, by its index.
        thresholds: What a judgement must reach.
        sentences: Source sentences considered for each sentence.
    """

    def __init__(
        self,
        model: EntailmentModel,
        passages: Sequence[Passage],
        index: WindowIndex,
        *,
        outdated: Mapping[int, str],
        thresholds: Thresholds,
        sentences: int,
    ) -> None:
        self._model = model
        self._passages = passages
        self._index = index
        self._outdated = outdated
        self._thresholds = thresholds
        self._sentences = sentences
        self._failures = 0  # in a row
        self._reason = ""  # of the last of them

    def start_anew(self) -> None:
        """Another answer: failures of the one before no longer count."""
        self._failures = 0

    def question(self, scored: Scored, cited: Collection[int], *, is_part: bool = False) -> Question:
        """A sentence or a part of one, with the source sentences that may decide it."""
        ranking = self._index.rank(scored.text[:LONGEST_CLAIM], limit=self._sentences, cited=cited)
        windows = self._index.choose(ranking, limit=self._sentences)
        return Question(scored, ranking, tuple(windows), is_part)

    def findings(self, asked: Mapping[K, Sequence[Question]]) -> dict[K, list[Finding]]:
        """Judge everything in one batch; when that fails, claim by claim, so that one cannot spoil the others."""
        if len(asked) > 1 and self._failures < FAILURES_IN_A_ROW:
            try:
                return self._judged(asked)
            except _JudgingError as error:
                self._reason = error.reason
        found: dict[K, list[Finding]] = {}
        for key, questions in asked.items():
            try:
                if self._failures >= FAILURES_IN_A_ROW:
                    raise _JudgingError(self._reason)
                found.update(self._judged({key: questions}))
                self._failures = 0
            except _JudgingError as error:
                self._failures += 1
                self._reason = error.reason
                found[key] = [failed(error.reason)] * len(questions)
        return found

    def _judged(self, asked: Mapping[K, Sequence[Question]]) -> dict[K, list[Finding]]:
        cases = {key: [self._case(question) for question in questions] for key, questions in asked.items()}
        pairs = [
            (window.text(self._passages), case.question.scored.read)
            for own in cases.values()
            for case in own
            for window in case.contexts
        ]
        judgements = iter(self._judge(pairs))
        return {
            key: [self._finding(case, [next(judgements) for _ in case.contexts]) for case in own]
            for key, own in cases.items()
        }

    def _case(self, question: Question) -> _Case:
        """What the rules say of a question; contexts are only looked for where they leave it open."""
        length = len(question.scored.own)
        if length > LONGEST_CLAIM:
            reason = f"it is {length} characters long; one piece may have {LONGEST_CLAIM}"
            return _Case(question, [], [], reason)
        ruled = self._ruled(question)
        contexts = [] if any(decides(judgement) for _, judgement in ruled) else self._contexts(question)
        unreadable = self._unreadable(question.scored.read) if contexts else ""
        return _Case(question, ruled, [] if unreadable else contexts, unreadable)

    def _finding(self, case: _Case, judgements: Sequence[Judgement]) -> Finding:
        """The verdict from what the rules and the model say, each stretch of text on its own."""
        if case.unreadable:
            return failed(case.unreadable)
        judged = case.ruled
        if case.contexts:
            read = [
                (window, self._on_topic(window, case.question.scored, judgement))
                for window, judgement in zip(case.contexts, self._withheld(case, judgements), strict=True)
            ]
            judged = without_weaker(_without_denied(read, case.ruled), self._outdated)
        return aggregate(judged, passages=self._passages, outdated=self._outdated, thresholds=self._thresholds)

    def _withheld(self, case: _Case, judgements: Sequence[Judgement]) -> list[Judgement]:
        """No model may support a value that no window says in any form, nor what one says the other way round."""
        claim = analyse(case.question.scored.own)
        texts = [window.text(self._passages) for window in case.contexts]
        titles = {self._passages[number].title for window in case.contexts for number, _, _ in window.stretches}
        kept = withhold(judgements, claim, [analyse(text) for text in (*texts, *titles)])
        return [self._not_turned(judgement, claim, text) for judgement, text in zip(kept, texts, strict=True)]

    def _not_turned(self, judgement: Judgement, claim: Analysis, text: str) -> Judgement:
        """Without support by a stretch that says most of the claim's words the other way round."""
        may_support = judgement.support >= min(0.5, self._thresholds.support)
        return _less(judgement, reversal(claim, text)) if may_support else judgement

    def _ruled(self, question: Question) -> list[tuple[Window, Judgement]]:
        """What is decided without a model: plain containment, and values that cannot both be right."""
        rules = self._model if isinstance(self._model, ContainmentModel) else _CONTAINMENT
        text = question.scored.text
        judged = rules.judge([(window.text(self._passages), text) for window in question.windows])
        return [
            (window, self._on_topic(window, question.scored, judgement))
            for window, judgement in zip(question.windows, judged, strict=True)
        ]

    def _unreadable(self, claim: str) -> str:
        """Why the model cannot judge a claim, in words; empty when it can, or does not say."""
        reads = getattr(self._model, "cannot_read", None)
        return str(reads(claim)) if callable(reads) else ""

    def _judge(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Judgement]:
        if not pairs:
            return []
        try:
            judgements = self._model.judge(pairs)
        except Exception as error:
            # A plugged-in model may raise anything, and all of it must fail closed.
            _log.warning("the verifier raised %s", type(error).__name__)
            raise _JudgingError(f"the verifier raised {type(error).__name__}: {error}") from error
        wrong = defect(judgements, len(pairs))
        if wrong:
            raise _JudgingError(wrong)
        return judgements

    def _on_topic(self, window: Window, scored: Scored, judgement: Judgement) -> Judgement:
        """A sentence that begins with "it" is about what came before: the source must speak of that near by."""
        asked = self._thresholds
        least = min(0.5, asked.support, asked.contradiction)
        if not scored.topic or max(judgement.support, judgement.contradiction) < least:
            return judgement
        passage = self._passages[window.passage]
        around = passage.text[max(0, window.start - _NEIGHBOURHOOD) : window.end + _NEIGHBOURHOOD]
        if scored.topic & set(content_stems(f"{passage.place()} {around}")):
            return judgement
        reason = "the source does not speak of what the sentence refers to"
        return Ruling(0.49, 0.0, 0.51, reason=reason, objection=Objection("distance", reason))

    def _contexts(self, question: Question) -> list[Window]:
        """Longer stretches, for a model; none when there is none."""
        if isinstance(self._model, ContainmentModel):
            return []
        limit = 1 if question.is_part else max(1, self._sentences // CONTEXTS_SHARE)
        whole = not question.is_part
        # What is out of force, put beside what replaced it, would speak with its voice.
        return self._index.contexts(question.ranking, limit=limit, together=whole, apart=self._outdated)


@dataclass(frozen=True, slots=True)
class _Case:
    """A question with what the rules say of it.

    Attributes:
        ruled: What the rules say of each of its windows.
        contexts: What a model is to read; none where the rules decide or there is no model.
        unreadable: Why the question cannot be read; empty when it can.
    """

    question: Question
    ruled: Sequence[tuple[Window, Judgement]]
    contexts: Sequence[Window]
    unreadable: str


def _without_denied(
    read: Sequence[tuple[Window, Judgement]], ruled: Sequence[tuple[Window, Judgement]]
) -> list[tuple[Window, Judgement]]:
    """What the model read, less its support from where the same words say something else."""
    against = [(window, found) for window, judgement in ruled if (found := objection_of(judgement))]
    kept: list[tuple[Window, Judgement]] = []
    for window, judgement in read:
        within = [found for other, found in against if _overlap(window, other)]
        firmest = max(within, key=lambda found: found.yields_to, default=None)
        kept.append((window, _less(judgement, firmest)))
    return kept


def _less(judgement: Judgement, against: Objection | None) -> Judgement:
    if against is None:
        return judgement
    if against.kind == "opposite" and judgement.support < 0.5:
        return Judgement(0.0, 0.9, 0.1, judgement.span, against.reason)
    if judgement.contradiction <= judgement.support < against.yields_to:
        contradiction = judgement.contradiction
        return Judgement(0.0, contradiction, 1.0 - contradiction, judgement.span, against.reason)
    return judgement


def _overlap(one: Window, other: Window) -> bool:
    return any(
        mine[0] == theirs[0] and mine[1] < theirs[2] and theirs[1] < mine[2]
        for mine in one.stretches
        for theirs in other.stretches
    )


class _JudgingError(Exception):
    """The model failed on a batch."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
