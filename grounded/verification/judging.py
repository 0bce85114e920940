"""What the sources say of one sentence: rules first, a model where they leave it open, and both brought together."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from grounded.protocols import EntailmentModel, Judgement
from grounded.records import Passage
from grounded.text.terms import content_stems
from grounded.verification.aggregation import Finding, Thresholds, aggregate, defect, failed
from grounded.verification.agreement import withhold, without_weaker
from grounded.verification.analysis import analyse
from grounded.verification.containment import OPPOSITE, ContainmentModel, overruled_by
from grounded.verification.resolution import Scored
from grounded.verification.windows import Window, WindowIndex

FAILURES_IN_A_ROW = 3
"""After so many failed calls the model is not called again for this answer."""
_NEIGHBOURHOOD = 300
_CONTAINMENT = ContainmentModel()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to score: a sentence or a part of one, with the windows that may decide it.

    Attributes:
        windows: Single sentences, for what is decided without a model.
        cited: Indices of the passages it cites.
    """

    scored: Scored
    windows: tuple[Window, ...]
    cited: Collection[int]


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

    def question(self, scored: Scored, cited: Collection[int]) -> Question:
        """A sentence or a part of one, with the source sentences that may decide it."""
        windows = self._index.choose(scored.text, limit=self._sentences, cited=cited)
        return Question(scored, tuple(windows), cited)

    def findings(self, asked: Mapping[int, Sequence[Question]]) -> dict[int, list[Finding]]:
        """Judge everything in one batch; when that fails, claim by claim, so that one cannot spoil the others."""
        if len(asked) > 1 and self._failures < FAILURES_IN_A_ROW:
            try:
                return self._judged(asked)
            except _JudgingError as error:
                self._reason = error.reason
        found: dict[int, list[Finding]] = {}
        for number, questions in asked.items():
            try:
                if self._failures >= FAILURES_IN_A_ROW:
                    raise _JudgingError(self._reason)
                found.update(self._judged({number: questions}))
                self._failures = 0
            except _JudgingError as error:
                self._failures += 1
                self._reason = error.reason
                found[number] = [failed(error.reason)] * len(questions)
        return found

    def _judged(self, asked: Mapping[int, Sequence[Question]]) -> dict[int, list[Finding]]:
        flat = [question for questions in asked.values() for question in questions]
        plain = [self._contained(question) for question in flat]
        # Contexts are only looked for where the rules leave a question open.
        open_ = [
            (question, contexts)
            for question, judged in zip(flat, plain, strict=True)
            if not _decides(judged) and (contexts := self._contexts(question))
        ]
        unread = {id(question): reason for question, _ in open_ if (reason := self._unreadable(question.scored.read))}
        open_ = [(question, contexts) for question, contexts in open_ if id(question) not in unread]
        pairs = [(window.text(self._passages), each.scored.read) for each, contexts in open_ for window in contexts]
        judgements = iter(self._withheld(open_, self._judge(pairs)))
        read = {
            id(question): [(window, self._on_topic(window, question.scored, next(judgements))) for window in contexts]
            for question, contexts in open_
        }
        results = [
            failed(unread[id(question)])
            if id(question) in unread
            else aggregate(
                without_weaker(_without_denied(read[id(question)], judged)) if id(question) in read else judged,
                passages=self._passages,
                outdated=self._outdated,
                thresholds=self._thresholds,
            )
            for question, judged in zip(flat, plain, strict=True)
        ]
        position, found = 0, {}
        for number, questions in asked.items():
            found[number] = results[position : position + len(questions)]
            position += len(questions)
        return found

    def _withheld(
        self, asked: Sequence[tuple[Question, Sequence[Window]]], judgements: Sequence[Judgement]
    ) -> list[Judgement]:
        """No model may support a value that no window of the claim says in any form."""
        kept: list[Judgement] = []
        for question, contexts in asked:
            texts = [window.text(self._passages) for window in contexts]
            titles = {self._passages[number].title for w in contexts for number, _, _ in w.stretches}
            own = judgements[len(kept) : len(kept) + len(texts)]
            kept += withhold(own, analyse(question.scored.own), [analyse(text) for text in (*texts, *titles)])
        return kept

    def _contained(self, question: Question) -> list[tuple[Window, Judgement]]:
        """What is decided without a model: plain containment, and values that cannot both be right."""
        model = self._model
        own = model if isinstance(model, ContainmentModel) else _CONTAINMENT
        text = question.scored.text
        judged = own.judge([(window.text(self._passages), text) for window in question.windows])
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
        if not scored.topic or max(judgement.support, judgement.contradiction) < 0.5:
            return judgement
        passage = self._passages[window.passage]
        around = passage.text[max(0, window.start - _NEIGHBOURHOOD) : window.end + _NEIGHBOURHOOD]
        if scored.topic & set(content_stems(f"{passage.place()} {around}")):
            return judgement
        return Judgement(0.49, 0.0, 0.51, reason="the source does not speak of what the sentence refers to")

    def _contexts(self, question: Question) -> list[Window]:
        """Longer stretches, for a model; none when there is none."""
        if isinstance(self._model, ContainmentModel):
            return []
        limit = max(1, self._sentences // 2)
        return self._index.contexts(question.scored.text, limit=limit, cited=question.cited)


def _decides(judged: Sequence[tuple[Window, Judgement]]) -> bool:
    """Whether no model need be asked: a source says it in these words, or has another value in the same place."""
    return any(
        judgement.support >= 0.5 or (judgement.contradiction >= 0.5 and judgement.reason != OPPOSITE)
        for _, judgement in judged
    )


def _without_denied(
    read: Sequence[tuple[Window, Judgement]], plain: Sequence[tuple[Window, Judgement]]
) -> list[tuple[Window, Judgement]]:
    """What the model read, less its support from where the same words say something else."""
    doubted = [(window, judgement.reason, overruled_by(judgement)) for window, judgement in plain]
    kept: list[tuple[Window, Judgement]] = []
    for window, judgement in read:
        against = [(least, reason) for other, reason, least in doubted if least and _overlap(window, other)]
        least, reason = max(against, default=(0.0, ""))
        if reason == OPPOSITE and judgement.support < 0.5:
            judgement = Judgement(0.0, 0.9, 0.1, judgement.span, reason)
        elif judgement.contradiction <= judgement.support < least:
            judgement = Judgement(0.0, judgement.contradiction, 1.0 - judgement.contradiction, judgement.span, reason)
        kept.append((window, judgement))
    return kept


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
