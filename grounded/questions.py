"""Questions and what may be asked for with them: options, history, and the question to search for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypedDict

from grounded.errors import UnknownNameError, UsageError
from grounded.protocols import EntailmentModel
from grounded.records import AnswerRecord, Message
from grounded.text.terms import content_stems

POLICIES = ("flag",)
_FEW_TERMS = 3
_FOLLOW_UP = re.compile(
    r"\b(it|its|they|them|their|that|this|these|those|he|she|his|her|there|one|ones)\b|^\s*(and|but|so|what about)\b",
    re.IGNORECASE,
)


class AskOptions(TypedDict, total=False):
    """What ``ask`` and ``stream`` take; see ``KnowledgeBase.ask``."""

    llm: Any
    history: Sequence[Message | Mapping[str, str]]
    template: str | Path
    k: int
    where: Mapping[str, object] | None
    tenant: str
    principals: Sequence[str]
    on: date | None
    policy: str
    sufficiency_threshold: float | None
    window: int | None
    reserve: int
    nonce: str | None
    variables: Mapping[str, object] | None
    reference_date: date | None
    verifier: EntailmentModel | str | None
    record: bool
    redact: Callable[[AnswerRecord], AnswerRecord] | None


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


def check_options(options: AskOptions) -> None:
    """Refuse options that do not exist or cannot be met.

    Raises:
        UsageError: An option is unknown or has a wrong value.
    """
    known = AskOptions.__annotations__
    for name in options:
        if name not in known:
            raise UnknownNameError("option", name, tuple(known))
    policy, threshold = options.get("policy", "flag"), options.get("sufficiency_threshold")
    if policy not in POLICIES:
        raise UsageError(f"There is no policy {policy!r}; allowed: {', '.join(POLICIES)}.")
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

    By rule: a question with a pronoun, a connecting start or fewer than three content words leans on what
    the user said last.

    Raises:
        UsageError: The question is no text, or empty.
    """
    check_question(question)
    before = next((turn.content for turn in reversed(history) if turn.role == "user"), "")
    leans = bool(_FOLLOW_UP.search(question)) or len(content_stems(question)) < _FEW_TERMS
    return f"{before.strip()} {question.strip()}" if before.strip() and leans else question.strip()
