"""What a metric is, what it sees, and how to make one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from grounded.errors import UsageError
from grounded.records import Answer, MetricCard, MetricValue, Passage, Problem, Report, Row
from grounded.text.terms import terms


@dataclass(frozen=True)
class Sample:
    """What a metric sees: a row, and what one variant made of it.

    Attributes:
        answer: With its passages, prompt and report; None when something failed.
        problem: Why there is no answer.
        retrieved: What retrieval found, best first.
        seconds: From question to answer; None when it is not known.
        cost: Of the model calls; None when no price is known.
    """

    row: Row
    answer: Answer | None = None
    problem: Problem | None = None
    retrieved: tuple[Passage, ...] = ()
    seconds: float | None = None
    cost: float | None = None

    @property
    def text(self) -> str | None:
        """The answer's words; None when there is no answer, or it was declined or blocked."""
        return self.answer.text if self.answer is not None and self.answer.answered else None

    @property
    def report(self) -> Report | None:
        """What was found in the answer's words; None when there are none."""
        return self.answer.report if self.answer is not None and self.answer.answered else None

    @property
    def why_no_answer(self) -> str:
        """Why there are no words to measure; empty when there are some."""
        if self.answer is None:
            return f"There is no answer: {self.problem.message}" if self.problem else "There is no answer."
        return "" if self.answer.answered else f"There is no answer: {self.answer.outcome}."


@runtime_checkable
class Metric(Protocol):
    """Measures one answer. Thread-safe."""

    @property
    def card(self) -> MetricCard:
        """What it measures and how to read it."""
        ...

    def measure(self, sample: Sample) -> MetricValue:
        """The value, or why there is none. A failed judgement is a value that failed, never an error."""
        ...


Found = float | bool | tuple[float | bool, str] | None
"""What a measuring function gives back: a number, a number and why, or None when it has nothing to say."""


@dataclass(frozen=True)
class Measure:
    """A metric made of a function."""

    card: MetricCard
    function: Callable[[Sample], Found | MetricValue]

    def measure(self, sample: Sample) -> MetricValue:
        """The value, or why there is none."""
        lacking = lacks(self.card, sample)
        if lacking:
            return missing(self.card, lacking)
        found = self.function(sample)
        if isinstance(found, MetricValue):
            return found
        number, reason = found if isinstance(found, tuple) else (found, "")
        if number is None:
            return missing(self.card, reason or "It says nothing of this answer.")
        return MetricValue(metric=self.card.name, value=float(number), reason=reason, source=self.card.source)


def metric(name: str, title: str = "", **card: Any) -> Callable[[Callable[[Sample], Found | MetricValue]], Measure]:
    """A metric from a function of a sample, which gives back a number, a number and a reason, or None.

    Args:
        name: Lower case, unique in an experiment.
        title: For people; the name by default.
        card: Other fields of ``MetricCard``; the description is the function's docstring by default.

    Example:
        >>> @metric("brief", better="higher", needs=("answer",))
        ... def brief(sample):
        ...     "Whether the answer has at most 50 words."
        ...     return len(sample.text.split()) <= 50
        >>> brief.card.title
        'Brief'
    """

    def made(function: Callable[[Sample], Found | MetricValue]) -> Measure:
        described = {"description": " ".join((function.__doc__ or "").split()), **card}
        shown = title or name.replace("_", " ").capitalize()
        return Measure(MetricCard(name=name, title=shown, **described), function)

    return made


def missing(card: MetricCard, reason: str) -> MetricValue:
    """No value, since the row or the answer lacks something."""
    return MetricValue(metric=card.name, status="not_available", reason=reason, source=card.source)


def share(card: MetricCard, count: float, of: float, reason: str, nothing: str) -> MetricValue:
    """A share with its counts; not available when there is nothing to count."""
    if not of:
        return missing(card, nothing)
    return MetricValue(metric=card.name, value=count / of, count=count, of=of, reason=reason, source=card.source)


def lacks(card: MetricCard, sample: Sample) -> str:
    """What a metric needs and this sample does not have; empty when it has all."""
    row = sample.row
    has = {
        "answer": (sample.text is not None, sample.why_no_answer),
        "report": (sample.report is not None, sample.why_no_answer or "The answer was not checked."),
        "passages": (sample.answer is not None, sample.why_no_answer),
        "reference": (row.reference is not None, "The row has no reference answer."),
        "sources": (bool(row.sources), "The row names no gold sources."),
        "answerable": (row.should_answer is not None, "Nothing says whether the question can be answered."),
        "absent": (bool(row.absent), "The row names nothing that an answer may not hold."),
        "usage": (sample.answer is not None, sample.why_no_answer),
    }
    return next((has[need][1] for need in card.needs if need in has and not has[need][0]), "")


def numbered(count: int, noun: str) -> str:
    """``1 claim``, ``2 claims``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def words(text: str) -> Sequence[str]:
    """The words of a text, folded; for comparison only."""
    return [term.text for term in terms(text)]


def check_k(k: int | None) -> None:
    """Refuse a number of ranks below 1.

    Raises:
        UsageError: It is below 1.
    """
    if k is not None and k < 1:
        raise UsageError(f"The k of a metric is 1 or more, not {k}.", fix="Write ndcg@5, for example.")
