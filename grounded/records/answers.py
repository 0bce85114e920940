"""An answer with its report, what a model returned, streaming events and the optional answer record."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from grounded.records.base import Record, Span
from grounded.records.documents import DEFAULT_TENANT, Freshness, Passage
from grounded.records.evidence import Citation
from grounded.records.prompts import Prompt, TemplateRef
from grounded.records.verdicts import Claim, Policy, Report, VerifierRef

Outcome = Literal[
    "answered",
    "declined_no_passages",
    "declined_insufficient",
    "declined_conflict",
    "blocked_by_policy",
    "blocked_by_provider",
    "not_permitted",
    "check_failed",
]


class Usage(Record):
    """Tokens as the provider counted them; None when it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None

    def plus(self, other: Usage) -> Usage:
        """Both together; a count that only one of them knows is that one."""
        return Usage(
            input_tokens=_sum(self.input_tokens, other.input_tokens),
            output_tokens=_sum(self.output_tokens, other.output_tokens),
        )


class Generation(Record):
    """What a generator returned.

    Attributes:
        finish: ``stop`` (complete), ``length`` (cut off), ``filtered`` (the provider's filter), ``refused``
            (the model declined by a provider's signal).
        model: The model id the provider returned, which may differ from the one asked for.
    """

    text: str
    finish: Literal["stop", "length", "filtered", "refused"] = "stop"
    model: str = ""
    usage: Usage = Usage()


class GeneratorRef(Record):
    """Which generator answered.

    Attributes:
        label: Shown to people, such as ``quotes; no language model configured``.
        model: The model id the provider returned; empty without a model.
    """

    name: str
    label: str
    model: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)


class Answer(Record):
    """An answer, or the reason why there is none.

    Attributes:
        outcome: ``answered`` or why not. Only ``answered`` carries an answer in ``text``; otherwise ``text``
            is a sentence for the user that says so.
        citations: The markers in ``text``, in order.
        report: What the verifier found in ``text``; None when nothing was generated. When ``text`` is not what was
            written, ``report.original`` is what was found in that.
        prompt: The messages as sent; None when no model was to be called.
        sufficiency: How likely the passages hold an answer, in [0, 1], higher is better.
        question_used: The standalone question that was searched for.
        notes: What a person should know, such as that an outdated source disagrees.
    """

    text: str
    outcome: Outcome
    citations: tuple[Citation, ...] = ()
    report: Report | None = None
    prompt: Prompt | None = None
    passages: tuple[Passage, ...] = ()
    sufficiency: float = Field(default=0.0, ge=0.0, le=1.0)
    freshness: Freshness = Freshness()
    generator: GeneratorRef
    usage: Usage = Usage()
    question_used: str = ""
    notes: tuple[str, ...] = ()
    request_id: str

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return self.outcome == "answered"


class AnswerRecord(Record):
    """What is kept of an answer when recording is switched on; made after redaction.

    Attributes:
        passages: ``(passage id, document id, version)`` of each passage.
        thresholds: Settings that decided, such as the sufficiency threshold.
        policy: What was to be done about sentences that are not supported.
        tenant: Whose documents were asked.
        retention: A class under which it must be kept: ``forget`` leaves it. Set by the redaction hook.
    """

    request_id: str
    time: datetime
    tenant: str = DEFAULT_TENANT
    retention: str = ""
    principals: tuple[str, ...] = ()
    question: str
    answer: str
    outcome: Outcome
    prompt_hash: str = ""
    passages: tuple[tuple[str, str | None, str | None], ...] = ()
    template: TemplateRef | None = None
    generator: GeneratorRef
    verifier: VerifierRef | None = None
    thresholds: dict[str, float | str] = Field(default_factory=dict)
    policy: Policy = "flag"
    report: Report | None = None


class TextEvent(Record):
    """A piece of the answer as it is generated; not verified."""

    event: Literal["text"] = "text"
    text: str


class ClaimEvent(Record):
    """A sentence is complete; its check begins."""

    event: Literal["claim"] = "claim"
    span: Span
    text: str


class VerdictEvent(Record):
    """A sentence has its verdict."""

    event: Literal["verdict"] = "verdict"
    claim: Claim


class CitationEvent(Record):
    """A marker of a judged sentence."""

    event: Literal["citation"] = "citation"
    citation: Citation


class RetractEvent(Record):
    """Text shown before is withdrawn; ``replacement`` stands in its place."""

    event: Literal["retract"] = "retract"
    span: Span
    reason: str
    replacement: str = ""


class DoneEvent(Record):
    """The last event of every stream; carries the same answer that ``ask`` would have returned."""

    event: Literal["done"] = "done"
    answer: Answer


class CheckedEvent(Record):
    """The last event of ``verify_stream``; carries the same report that ``verify`` would have returned."""

    event: Literal["done"] = "done"
    report: Report


LiveEvent = TextEvent | ClaimEvent | VerdictEvent | CitationEvent | RetractEvent
"""Every event but the last; ``grounded.verification.replay`` puts them together."""

Event = LiveEvent | DoneEvent


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
