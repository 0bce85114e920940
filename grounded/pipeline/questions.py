"""Questions and what may be asked for with them: options, history, and the question to search for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, get_args

from grounded.errors import UnknownNameError, UsageError
from grounded.protocols import EntailmentModel
from grounded.records import DEFAULT_TENANT, AnswerRecord, Message, Policy, Query, Segment, Trust, Viewer, as_principals
from grounded.retrieval.expansion import Expand
from grounded.text.terms import content_stems

if TYPE_CHECKING:
    from grounded.prompting import LayoutName, Mode, QuestionPosition, TokenCounter
    from grounded.verification import Rewrite

_FEW_TERMS = 4
_FOLLOW_UP = re.compile(
    r"\b(it|its|they|them|their|that|this|these|those|he|she|his|her|there|one|ones)\b|^\s*(and|but|so|what about)\b",
    re.IGNORECASE,
)


class Origins(Protocol):
    """What is known of where passages come from; a ledger knows all of it. Thread-safe."""

    def segments(self, document_id: str, version: str | None = None) -> tuple[Segment, ...]:
        """Places in the origin of a version."""
        ...

    def live_since(self, document_ids: Sequence[str]) -> dict[str, datetime]:
        """When the live version of each document became live."""
        ...

    def watermark(self, document_ids: Sequence[str]) -> datetime | None:
        """Up to when their sources were read."""
        ...

    def last_success(self) -> datetime | None:
        """When everything was last read without loss."""
        ...

    def record(self, answer: AnswerRecord) -> None:
        """Keep an answer record."""
        ...


class Reading(TypedDict, total=False):
    """What a caller may see of a knowledge base, and how much of it is looked up."""

    k: int
    where: Mapping[str, object] | None
    tenant: str
    principals: Sequence[str]
    on: date | None
    rerank: Any
    expand: Expand
    diversity: float


class _Prompting(Reading, total=False):
    history: Sequence[Message | Mapping[str, str]]
    summary: str
    template: str | Path
    window: int | None
    reserve: int
    nonce: str | None
    variables: Mapping[str, object] | None
    language: str
    layout: LayoutName
    question_position: QuestionPosition
    spotlight: Mode | Mapping[Trust, Mode]
    quarantine: bool
    queries: Mapping[str, Query]


class PromptOptions(_Prompting, total=False):
    """What ``prompt`` takes; see ``KnowledgeBase.prompt``."""

    tools: Sequence[Mapping[str, Any]]
    model: str | None
    encoding: str | TokenCounter | None


class AskOptions(_Prompting, total=False):
    """What ``ask`` and ``stream`` take; see ``KnowledgeBase.ask``."""

    llm: Any
    standalone: Literal["llm", "rules"]
    policy: Policy
    tries: int
    hold: bool
    sufficiency_threshold: float | None
    reference_date: date | None
    verifier: EntailmentModel | str | None
    record: bool
    redact: Callable[[AnswerRecord], AnswerRecord] | None


class VerifyOptions(Reading, total=False):
    """What ``verify`` takes; see ``KnowledgeBase.verify``."""

    question: str | None
    reference_date: date | None
    verifier: EntailmentModel | str | None
    policy: Policy
    rewrite: Rewrite | None
    tries: int


BUILDING = (
    "summary",
    "tools",
    "window",
    "reserve",
    "nonce",
    "variables",
    "layout",
    "question_position",
    "spotlight",
    "quarantine",
    "model",
    "encoding",
)
"""The options that ``build_prompt`` takes as they are."""


def viewer_of(options: Mapping[str, Any]) -> Viewer:
    """On whose behalf something is read.

    Raises:
        UsageError: Principals are no list of names.
    """
    return Viewer(
        tenant=options.get("tenant", DEFAULT_TENANT),
        principals=as_principals(options.get("principals")),
        on=options.get("on"),
    )


def given(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those of some options that were given."""
    return {name: options[name] for name in names if name in options}


def check_question(question: object) -> None:
    """Refuse a question that is no text or holds none.

    Raises:
        UsageError: It is not text, or empty.
    """
    if not isinstance(question, str):
        raise UsageError(f"A question must be text, not {type(question).__name__}.")
    if not question.strip():
        raise UsageError("The question is empty.", fix="Ask something.")


def check_k(k: object) -> None:
    """Refuse a number of passages that is none.

    Raises:
        UsageError: It is not a whole number of at least 1.
    """
    if not isinstance(k, int) or k < 1:
        raise UsageError(f"k must be a whole number of at least 1, not {k!r}.")


def check_expand(expand: object) -> None:
    """Refuse a way to expand passages that does not exist.

    Raises:
        UnknownNameError: It is none of ``Expand``.
    """
    if expand not in get_args(Expand):
        raise UnknownNameError("way to expand passages", str(expand), get_args(Expand))


def check_names(options: Mapping[str, Any], known: type) -> None:
    """Refuse options that do not exist.

    Raises:
        UnknownNameError: An option is not among those of ``known``.
    """
    names = known.__annotations__
    for name in options:
        if name not in names:
            raise UnknownNameError("option", name, tuple(names))


def check_options(options: AskOptions) -> None:
    """Refuse options of ``ask`` that do not exist or cannot be met.

    Raises:
        UsageError: An option is unknown or has a wrong value.
    """
    check_names(options, AskOptions)
    # A search comes here too, and needs nothing of the verifier.
    from grounded.verification import check_policy

    check_policy(options.get("policy", "flag"), can_rewrite=options.get("llm") is not None)
    if options.get("standalone", "llm") not in ("llm", "rules"):
        raise UnknownNameError("way to make a question standalone", str(options["standalone"]), ("llm", "rules"))
    threshold = options.get("sufficiency_threshold")
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise UsageError(f"The sufficiency threshold lies in [0, 1]; {threshold} does not.")


def as_messages(history: Sequence[Message | Mapping[str, str]] | None) -> tuple[Message, ...]:
    """Earlier turns as messages.

    Raises:
        UsageError: A turn has no known role or no text.
    """
    turns = []
    for turn in history or ():
        if isinstance(turn, Message):
            turns.append(turn)
            continue
        try:
            turns.append(Message.model_validate(dict(turn)))
        except (ValueError, TypeError) as error:
            raise UsageError(
                f"A turn of the history is not a message: {turn!r:.80}.",
                fix='Give {"role": "user" | "assistant" | "system" | "tool", "content": "..."}.',
            ) from error
    return tuple(turns)


def standalone_question(question: str, history: Sequence[Message]) -> str:
    """What to search for: a question that leans on the one before is put behind it.

    By rule: a question with a pronoun, a connecting start or fewer than four content words leans on what
    the user said last.

    Raises:
        UsageError: The question is no text, or empty.
    """
    check_question(question)
    before = next((turn.content for turn in reversed(history) if turn.role == "user"), "")
    leans = bool(_FOLLOW_UP.search(question)) or len(content_stems(question)) < _FEW_TERMS
    return f"{before.strip()} {question.strip()}" if before.strip() and leans else question.strip()
