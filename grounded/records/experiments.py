"""Experiments: what variants made of the questions of a data set, what was measured, and how sure the differences are.

An experiment keeps each passage once. A trial names its passages by their place in ``Experiment.passages``, and the
messages as sent are kept as pieces; ``Experiment.answer_of`` puts an answer together again, the same in every byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from grounded.records.answers import Answer, GeneratorRef, Outcome
from grounded.records.base import Record
from grounded.records.datasets import DataSetRef, Row
from grounded.records.documents import Message, Passage
from grounded.records.prompts import TemplateRef
from grounded.records.verdicts import Report, VerifierRef

MeasuredBy = Literal["local", "judge"]
"""Whether a figure comes from this machine or from a language model that was asked."""

Need = Literal["answer", "report", "passages", "reference", "sources", "answerable", "absent", "judge", "usage"]
"""What a metric cannot do without: of the row, of the answer, or a judge."""


class MetricCard(Record):
    """What a metric measures and how to read it.

    Attributes:
        name: One word or a few with underscores, unique in an experiment.
        title: For people, such as ``Citation precision``.
        description: What it is, in one or two sentences, with the source of the formula.
        low: Least possible value; None when it has no bound.
        high: Greatest possible value; None when it has no bound.
        better: Whether more or less is better; ``neither`` for what is only shown.
        needs: What it cannot do without; a row that lacks it has no value, never 0.
        source: Who measures.
        unit: Such as ``seconds``; empty for shares and scores.
        per_claim: Whether values carry ``count`` and ``of``, so that variants can be compared claim by claim.
        repeatable: Whether the same answer has the same value each time; a latency has not.
        version: Changes whenever the same answer may get another value.
    """

    name: str = Field(min_length=1, pattern=r"^[a-z][a-z0-9_@]*$")
    title: str
    description: str
    low: float | None = 0.0
    high: float | None = 1.0
    better: Literal["higher", "lower", "neither"] = "higher"
    needs: tuple[Need, ...] = ()
    source: MeasuredBy = "local"
    unit: str = ""
    per_claim: bool = False
    repeatable: bool = True
    version: str = "1"


class MetricValue(Record):
    """What one metric says of one answer, or why it says nothing.

    Attributes:
        value: None unless ``status`` is ``measured``; a failed judgement is never a number.
        status: ``measured``, ``not_available`` (the row or the answer lacks what it needs, or there is nothing to
            count) or ``failed`` (a judge timed out, refused, or gave no usable reply).
        reason: What the value follows from; always there when there is no value.
        source: Who measured.
        by: The judge's model; empty for local metrics.
        agreement: Share of repeated judgements that agree with the value; None when it was judged once.
        count: Of a share, what is counted; with ``of`` for metrics that are counted claim by claim.
        of: Of a share, out of how many.
    """

    metric: str
    value: float | None = None
    status: Literal["measured", "not_available", "failed"] = "measured"
    reason: str = ""
    source: MeasuredBy = "local"
    by: str = ""
    agreement: float | None = Field(default=None, ge=0.0, le=1.0)
    count: float | None = None
    of: float | None = None

    @model_validator(mode="after")
    def _is_a_value_or_says_why_not(self) -> Self:
        if (self.value is not None) != (self.status == "measured"):
            raise ValueError("a value is measured, and what is measured has a value")
        if self.value is None and not self.reason:
            raise ValueError("a missing value needs a reason")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError("a value is a finite number")
        return self


class Variant(Record):
    """One way to answer that is tried.

    Attributes:
        options: What was asked for, as options of ``ask``; what is no JSON value stands as a label.
        template: With the hash of its files; None where no prompt was built.
        generator: What answered, with its arguments.
    """

    name: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    template: TemplateRef | None = None
    generator: GeneratorRef | None = None


class PackedMessage(Record):
    """A message as sent, in pieces.

    Attributes:
        pieces: ``n >= 0`` is the text of ``Experiment.passages[n]``; ``n < 0`` is ``Experiment.texts[-n - 1]``.
    """

    role: Literal["system", "user", "assistant", "tool"]
    pieces: tuple[int, ...]


class Problem(Record):
    """Why a trial has no answer.

    Attributes:
        error: The error's class name.
        fix: What to do about it; may be empty.
    """

    error: str
    message: str
    fix: str = ""


class Trial(Record):
    """One question, answered by one variant, and what was measured.

    Attributes:
        row: The row's id.
        variant: The variant's name.
        answer: Without its passages and messages; ``Experiment.answer_of`` restores them. None when there is none.
        passages: Places in ``Experiment.passages`` of those the answer was made from; ``[n]`` is the n-th.
        scores: Retrieval scores of these passages for this question.
        retrieved: Places in ``Experiment.passages`` of what retrieval found, best first, before the budget was kept.
        messages: As sent.
        values: One for each metric of the experiment, in its order.
        problem: Why there is no answer; None when there is one.
        seconds: From question to answer, when it was first made; None when the answer was given.
        cost: Of the model calls, in the currency of the prices; None when no price is known.
    """

    row: str
    variant: str
    answer: Answer | None = None
    passages: tuple[int, ...] = ()
    scores: tuple[float | None, ...] = ()
    retrieved: tuple[int, ...] = ()
    messages: tuple[PackedMessage, ...] = ()
    values: tuple[MetricValue, ...] = ()
    problem: Problem | None = None
    seconds: float | None = Field(default=None, ge=0.0)
    cost: float | None = Field(default=None, ge=0.0)

    @model_validator(mode="after")
    def _is_an_answer_or_says_why_not(self) -> Self:
        if (self.answer is None) == (self.problem is None):
            raise ValueError("a trial has an answer or a problem")
        if len(self.scores) not in (0, len(self.passages)):
            raise ValueError("a trial has a score for each of its passages or none")
        return self

    @property
    def outcome(self) -> Outcome | Literal["error"]:
        """What became of the question; ``error`` when there is no answer because something failed."""
        return self.answer.outcome if self.answer is not None else "error"

    def value(self, metric: str) -> MetricValue | None:
        """What a metric says of it; None when it was not asked."""
        return next((each for each in self.values if each.metric == metric), None)


@dataclass(frozen=True)
class Pool:
    """What trials share, and what it makes of them.

    Attributes:
        passages: Each passage once, without a score.
        texts: Pieces of messages, each once.
    """

    passages: Sequence[Passage]
    texts: Sequence[str]

    def passages_of(self, trial: Trial) -> tuple[Passage, ...]:
        """The passages of a trial with their scores."""
        scores = trial.scores or (None,) * len(trial.passages)
        return tuple(
            self.passages[place].model_copy(update={"score": score})
            for place, score in zip(trial.passages, scores, strict=True)
        )

    def messages_of(self, trial: Trial) -> tuple[Message, ...]:
        """The messages of a trial as they were sent."""
        return tuple(
            Message(role=message.role, content="".join(map(self._piece, message.pieces))) for message in trial.messages
        )

    def answer_of(self, trial: Trial) -> Answer | None:
        """The answer of a trial, whole; None when it has none."""
        if trial.answer is None:
            return None
        passages, prompt = self.passages_of(trial), trial.answer.prompt
        if prompt is not None:
            prompt = prompt.model_copy(update={"messages": self.messages_of(trial), "passages": passages})
        report = _with_passages(trial.answer.report, passages)
        return trial.answer.model_copy(update={"passages": passages, "prompt": prompt, "report": report})

    def _piece(self, place: int) -> str:
        return self.passages[place].text if place >= 0 else self.texts[-place - 1]


class Summary(Record):
    """One metric over the rows of one variant.

    Attributes:
        tag: Only rows with this tag (a row's kind counts as ``kind:NAME``); empty means all rows.
        level: ``answer``: the mean over answers. ``claim``: all that is counted over all it is counted out of.
        value: None when nothing was measured.
        low: Lower end of the 95 % interval; None when it cannot be told.
        high: Upper end.
        rows: Rows with a value.
        clusters: Independent groups among them.
        not_available: Rows for which the metric has no meaning.
        failed: Rows whose judgement failed.
    """

    variant: str
    metric: str
    tag: str = ""
    level: Literal["answer", "claim"] = "answer"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int = Field(default=0, ge=0)
    clusters: int = Field(default=0, ge=0)
    not_available: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)


Finding = Literal["better", "worse", "changed", "not_enough_data", "same", "not_available"]
"""``better`` and ``worse``: the second variant, at the stated error rate. ``changed``: differs, for metrics of which
neither more nor less is better. ``not_enough_data``: the difference seen may be chance. ``same``: no row differs."""


class Comparison(Record):
    """Two variants on the same questions, by one metric.

    Attributes:
        first: Name of the variant that is compared with.
        second: Name of the other.
        tag: Only rows with this tag; empty means all rows.
        level: As in ``Summary``.
        difference: Second minus first over the rows that both have a value for.
        low: Lower end of the 95 % interval of the difference, not corrected for several comparisons.
        high: Upper end.
        p: Two-sided, of the paired test; None when there is nothing to test.
        p_adjusted: Corrected for all comparisons of the experiment (Holm 1979).
        rows: Rows that both have a value for.
        clusters: Independent groups among them.
        more_needed: About how many more rows like these would tell a difference of the size seen; None when that is
            not the question.
        note: What a reader should know, such as that there are few clusters.
    """

    metric: str
    first: str
    second: str
    tag: str = ""
    level: Literal["answer", "claim"] = "answer"
    finding: Finding
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = Field(default=None, ge=0.0, le=1.0)
    p_adjusted: float | None = Field(default=None, ge=0.0, le=1.0)
    rows: int = Field(default=0, ge=0)
    clusters: int = Field(default=0, ge=0)
    more_needed: int | None = Field(default=None, ge=0)
    note: str = ""


class KnowledgeBaseRef(Record):
    """Which knowledge base was asked.

    Attributes:
        version: SHA-256 over the live documents with their versions and permissions and what they were split and
            embedded with: 64 hexadecimal digits.
    """

    version: str
    documents: int = Field(ge=0)
    embedder: str


class Experiment(Record):
    """What came of a data set and some variants; one JSON file.

    Attributes:
        software: ``grounded-rag`` and its version.
        nonce: The boundary code of every prompt, the same for the whole run.
        knowledge_base: None when rows brought their own texts.
        judge: What judged; None when no metric asked a language model.
        rows: Those of the data set that were to be run, in order.
        passages: Each passage once, without a score.
        texts: Pieces of messages, each once.
        trials: By row, then by variant, in the order of ``rows`` and ``variants``; fewer when it was ``stopped``.
        summaries: Of every metric, variant and tag.
        comparisons: Of every pair with the first variant, by metric and tag.
        stopped: Why it ended early, such as ``interrupted``; empty when it did not.
    """

    name: str
    started: datetime
    seconds: float = Field(ge=0.0)
    software: str
    nonce: str
    dataset: DataSetRef
    knowledge_base: KnowledgeBaseRef | None = None
    verifier: VerifierRef
    judge: GeneratorRef | None = None
    variants: tuple[Variant, ...]
    metrics: tuple[MetricCard, ...]
    rows: tuple[Row, ...]
    passages: tuple[Passage, ...] = ()
    texts: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    summaries: tuple[Summary, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    stopped: str = ""

    @model_validator(mode="after")
    def _places_exist(self) -> Self:
        rows, variants = {row.id for row in self.rows}, {variant.name for variant in self.variants}
        for trial in self.trials:
            if trial.row not in rows or trial.variant not in variants:
                raise ValueError(f"there is no row {trial.row!r} or no variant {trial.variant!r}")
            pieces = [piece for message in trial.messages for piece in message.pieces]
            places = (*trial.passages, *trial.retrieved, *(piece for piece in pieces if piece >= 0))
            if max(places, default=-1) >= len(self.passages) or min(pieces, default=0) < -len(self.texts):
                raise ValueError(f"a place of the trial {trial.row!r} does not exist")
        return self

    @cached_property
    def _by_row_and_variant(self) -> dict[tuple[str, str], Trial]:
        return {(trial.row, trial.variant): trial for trial in self.trials}

    def trial(self, row: str, variant: str) -> Trial | None:
        """What a variant made of a row; None when it was not run."""
        return self._by_row_and_variant.get((row, variant))

    def card(self, metric: str) -> MetricCard | None:
        """The card of a metric; None when it was not measured."""
        return next((card for card in self.metrics if card.name == metric), None)

    def summary(self, variant: str, metric: str, *, tag: str = "") -> Summary | None:
        """The summary over answers; None when there is none."""
        wanted = (variant, metric, tag, "answer")
        return next((s for s in self.summaries if (s.variant, s.metric, s.tag, s.level) == wanted), None)

    def passages_of(self, trial: Trial) -> tuple[Passage, ...]:
        """The passages a trial's answer was made from, ``[n]`` at place ``n - 1``, with their scores."""
        return Pool(self.passages, self.texts).passages_of(trial)

    def messages_of(self, trial: Trial) -> tuple[Message, ...]:
        """The messages of a trial as they were sent."""
        return Pool(self.passages, self.texts).messages_of(trial)

    def answer_of(self, trial: Trial) -> Answer | None:
        """The answer of a trial with its passages and messages; None when it has none."""
        return Pool(self.passages, self.texts).answer_of(trial)


def _with_passages(report: Report | None, passages: Sequence[Passage]) -> Report | None:
    if report is None:
        return None
    original = _with_passages(report.original, passages)
    return report.model_copy(update={"passages": tuple(passages), "original": original})
