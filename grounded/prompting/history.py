"""Earlier turns: checked, made harmless, grouped, and dropped oldest first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from grounded.errors import UsageError
from grounded.prompting.budget import Meter
from grounded.prompting.spotlight import neutralise
from grounded.records import Dropped, Message

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's message with everything up to the next one; kept or dropped as a whole, so no reply is orphaned.

    Attributes:
        messages: As they are sent.
        labels: What each is called in the account: its role as given, and its position from 1.
        tokens: Of each message's text.
        overhead: Tokens around each message.
    """

    messages: tuple[Message, ...]
    labels: tuple[str, ...]
    tokens: tuple[int, ...]
    overhead: tuple[int, ...]

    @property
    def size(self) -> int:
        """Tokens of the whole turn, with the overhead of each message."""
        return sum(self.tokens) + sum(self.overhead)

    def dropped(self, reason: str) -> tuple[Dropped, ...]:
        """The account of a turn that was left out."""
        sizes = (tokens + around for tokens, around in zip(self.tokens, self.overhead, strict=True))
        pairs = zip(self.labels, sizes, strict=True)
        return tuple(Dropped(part="history", what=label, tokens=size, reason=reason) for label, size in pairs)


def turns_of(history: Sequence[Message | Mapping[str, str]], nonce: str, meter: Meter) -> list[Turn]:
    """Group history, oldest first, into turns.

    A user's words stay as they are. What a model wrote is neutralised, since it may repeat a source. The result
    of a tool becomes a user message that shows it as data inside the boundary: providers refuse tool messages
    without the call they belong to. Messages without text are left out.

    Raises:
        UsageError: An entry is no message, or is a system message.
    """
    if isinstance(history, str | bytes | Mapping):
        raise UsageError("history must be a list of messages.", fix='Pass [{"role": "user", "content": "…"}, …].')
    groups: list[list[tuple[str, Message]]] = []
    for position, given in enumerate(history, 1):
        message = _message(given, position)
        if not message.content.strip():
            continue
        if message.role == "user" or not groups:
            groups.append([])
        groups[-1].append((f"{message.role} message {position}", _safe(message, nonce)))
    return [_turn(group, meter) for group in groups]


def summary_of(text: str, nonce: str, meter: Meter) -> Turn | None:
    """What was said before the history, in short, as a turn of its own; None when there is nothing to say.

    It is neutralised and shown as data inside the boundary, since a model wrote it of what sources and users said.

    Raises:
        UsageError: It is no text.
    """
    if not isinstance(text, str):
        raise UsageError(f"A summary must be text, not {type(text).__name__}.")
    if not text.strip():
        return None
    shown = neutralise(text, nonce).text
    content = f"What was said earlier, in short:\n<summary-{nonce}>\n{shown}\n</summary-{nonce}>"
    return _turn([("summary", Message(role="user", content=content))], meter)


def newest(turns: Sequence[Turn], room: int) -> int:
    """How many of the newest turns fit into ``room`` tokens without leaving one out in between."""
    used = 0
    for count, turn in enumerate(reversed(turns)):
        used += turn.size
        if used > room:
            return count
    return len(turns)


def _turn(group: Sequence[tuple[str, Message]], meter: Meter) -> Turn:
    return Turn(
        messages=tuple(message for _, message in group),
        labels=tuple(label for label, _ in group),
        tokens=tuple(meter.counter.count(message.content) for _, message in group),
        overhead=tuple(meter.overhead.of(message.role) for _, message in group),
    )


def _message(given: Message | Mapping[str, str], position: int) -> Message:
    try:
        message = given if isinstance(given, Message) else Message.model_validate(dict(given))
    except (ValidationError, TypeError, ValueError) as error:
        raise UsageError(
            f"Entry {position} of the history is not a message.",
            fix="Give each a role (user, assistant or tool) and a content, both texts.",
        ) from error
    if message.role == "system":
        raise UsageError(
            f"Entry {position} of the history is a system message.",
            fix="Put instructions into a template, or pass them as its variables.",
        )
    return message


def _safe(message: Message, nonce: str) -> Message:
    if message.role == "user":
        return Message(role="user", content=_SURROGATE.sub("\ufffd", message.content))
    shown = neutralise(message.content, nonce).text
    if message.role == "assistant":
        return Message(role="assistant", content=shown)
    content = (
        f"A tool that was used earlier returned this data:\n<tool-result-{nonce}>\n{shown}\n</tool-result-{nonce}>"
    )
    return Message(role="user", content=content)
