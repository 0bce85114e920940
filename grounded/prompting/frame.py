"""The parts of a prompt that are always there: the system message, and what stands around the sources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from grounded.errors import TemplateError
from grounded.prompting.budget import Meter, count_tools
from grounded.prompting.evidence import closing, opening
from grounded.prompting.layouts import Layout, QuestionPosition
from grounded.prompting.marking import Mode, rule_of
from grounded.prompting.templates import Template
from grounded.records.documents import Trust
from grounded.text.tokens import Encoding
from grounded.text.tokens import encoding as shipped_encoding

ASKED_ABOVE = "(the one above the sources)"
"""What stands in place of the question after the sources when it stands before them only."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one prompt is made for.

    Attributes:
        values: The template's variables, complete.
        nonce: The boundary code.
        modes: How sources are shown, by trust.
        sources: How many there are.
    """

    template: Template
    values: Mapping[str, Any]
    question: str
    position: QuestionPosition
    layout: Layout
    nonce: str
    modes: Mapping[Trust, Mode]
    sources: int

    @property
    def rules(self) -> str:
        """What the system message says besides the template: how marked text is read, and how to reply."""
        return "\n\n".join(filter(None, (rule_of(self.modes.values()), self.layout.rule)))


@dataclass(frozen=True, slots=True)
class Fixed:
    """The parts that are always there.

    Attributes:
        head: The user message up to the first source; ends with a line feed.
        tail: The user message after the last source.
        task_tokens: Head and tail without the question.
        overhead: Tokens around both messages, with those that open the reply.
        tools: Tokens of function schemas.
    """

    system: str
    head: str
    tail: str
    system_tokens: int
    task_tokens: int
    question_tokens: int
    overhead: int
    tools: int

    @property
    def tokens(self) -> int:
        """All of it."""
        return self.system_tokens + self.task_tokens + self.question_tokens + self.overhead + self.tools


def fixed_parts(request: Request, meter: Meter, tools: Sequence[Mapping[str, Any]] = ()) -> Fixed:
    """Render and count them.

    Raises:
        TemplateError: A component fails, or the task does not hold sources and question.
    """
    template, values = request.template, request.values
    key = _SystemKey(
        template, template.ref.hash, json.dumps(values, default=str, sort_keys=True), values, request.rules
    )
    system = _system(key)
    head, tail = _frame(request)
    frame = meter.counter.count(head) + meter.counter.count(tail)
    copies = 2 if request.position == "both" else 1
    asked = min(frame, copies * meter.counter.count(request.question))
    return Fixed(
        system=system,
        head=head,
        tail=tail,
        system_tokens=_count_static(system, meter),
        task_tokens=frame - asked,
        question_tokens=asked,
        overhead=meter.overhead.base,
        tools=count_tools(tools, meter),
    )


@dataclass(frozen=True)
class _SystemKey:
    """A template with values, known by its hash."""

    template: Template = field(compare=False)
    hash: str
    key: str
    values: Mapping[str, Any] = field(compare=False)
    rules: str


@lru_cache(maxsize=128)
def _system(key: _SystemKey) -> str:
    return "\n\n".join(filter(None, (key.template.system(key.values), key.rules)))


def _frame(request: Request) -> tuple[str, str]:
    """The user message before and after the sources, boundary included."""
    question = ASKED_ABOVE if request.position == "before" else request.question
    slot = "(sources)"
    while slot in question or any(slot in str(value) for value in request.values.values()):
        slot += ")"
    task = request.template.component("task")
    own = {"no_answer": request.template.no_answer, "question": question, "sources": request.sources}
    before, found, after = task.render({**request.values, **own, "evidence": slot}).partition(slot)
    if not found or slot in after or question not in before + after:
        raise TemplateError(
            f"{task.file}:1: the task must hold evidence exactly once, and the question unchanged.",
            fix="Write {{ evidence }} on a line of its own and {{ question }} without a filter.",
        )
    if request.position != "after":
        before = f"Question: {request.question}\n\n{before}"
    before = f"{before}\n" if before and not before.endswith("\n") else before
    after = f"\n{after}" if after and not after.startswith("\n") else after
    return before + opening(request.nonce, tuple(request.modes.values())), closing(request.nonce) + after


def _count_static(text: str, meter: Meter) -> int:
    """The count of a text that is the same in every request; remembered for the shipped encodings."""
    return (
        _count_shipped(text, meter.counter.name) if isinstance(meter.counter, Encoding) else meter.counter.count(text)
    )


@lru_cache(maxsize=128)
def _count_shipped(text: str, name: str) -> int:
    return shipped_encoding(name).count(text)
