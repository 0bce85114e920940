"""A prompt as it is sent, with the account of its tokens."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grounded.records.base import Record, Span
from grounded.records.documents import Message, Passage


class Dropped(Record):
    """Something left out of a prompt to keep the budget.

    Attributes:
        part: ``evidence`` or ``history``.
        what: The passage's id, the role and position of the turn, or ``summary``.
    """

    part: str
    what: str
    tokens: int = Field(ge=0)
    reason: str


class Budget(Record):
    """Where the tokens of a prompt went.

    Attributes:
        limit: Tokens the model's window holds.
        reserved: Tokens kept free for the answer.
        parts: Tokens by part (``system``, ``task``, ``question``, ``evidence``, ``history``, ``overhead``, and where
            there are any ``tools`` and ``margin``); the sum is ``used``.
        exact: Whether the counts are the model's own; False means that a margin or a bound stands for what is unknown.
        encoding: The encoding, tokenizer file or server that counted.
    """

    limit: int
    reserved: int
    parts: dict[str, int]
    dropped: tuple[Dropped, ...] = ()
    exact: bool
    encoding: str

    @property
    def used(self) -> int:
        """Tokens of the whole prompt."""
        return sum(self.parts.values())

    @property
    def left(self) -> int:
        """Tokens that are neither used nor reserved."""
        return self.limit - self.reserved - self.used


class PromptWarning(Record):
    """Something in a passage that a person should know of, such as hidden text or a forged role marker.

    Attributes:
        span: Place in the passage's own text, code points from its start.
    """

    kind: str
    message: str
    passage_id: str | None = None
    span: Span | None = None


class TemplateRef(Record):
    """Which template made a prompt: ``name@version`` and the hash of its files."""

    name: str
    version: str
    hash: str


class Prompt(Record):
    """Messages ready for a model. ``[n]`` in the answer means ``passages[n-1]``.

    Attributes:
        question: The question as asked, never cut.
        nonce: The unguessable boundary around untrusted text; recorded so that a prompt can be made again.
        layout: How the sources are laid out, which decides how the reply is read.
        spotlight: How each passage's text is shown (``delimit``, ``datamark`` or ``encode``); empty means that all
            are delimited.
    """

    messages: tuple[Message, ...]
    passages: tuple[Passage, ...]
    question: str
    budget: Budget
    warnings: tuple[PromptWarning, ...] = ()
    template: TemplateRef
    nonce: str
    layout: Literal["xml", "numbered", "quote_first"] = "xml"
    spotlight: tuple[Literal["delimit", "datamark", "encode"], ...] = ()
