"""Builds a prompt: static text first, then history, then the sources and the question, within a token budget."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from grounded.errors import UsageError
from grounded.prompting.budget import (
    DEFAULT_RESERVE,
    HISTORY_SHARE,
    Meter,
    TokenCounter,
    check_limits,
    check_required,
    meter_for,
    window_of,
)
from grounded.prompting.evidence import NO_SOURCES
from grounded.prompting.frame import Fixed, Request, fixed_parts
from grounded.prompting.history import Turn, newest, summary_of, turns_of
from grounded.prompting.layouts import LayoutName, QuestionPosition, check_position, layout_of
from grounded.prompting.loading import DEFAULT_TEMPLATE, load_template
from grounded.prompting.marking import Mode, modes_of
from grounded.prompting.selection import Chosen, Selection, select
from grounded.prompting.spotlight import neutralise
from grounded.prompting.templates import Template
from grounded.records import Budget, Dropped, Message, Passage, Prompt, PromptWarning
from grounded.records.documents import Trust

_NONCE = re.compile(r"[0-9A-Za-z]{8,64}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def build_prompt(
    question: str,
    passages: Sequence[Passage | str],
    *,
    template: str | Path | Template = DEFAULT_TEMPLATE,
    history: Sequence[Message | Mapping[str, str]] = (),
    summary: str = "",
    tools: Sequence[Mapping[str, Any]] = (),
    window: int | None = None,
    reserve: int = DEFAULT_RESERVE,
    model: str | None = None,
    encoding: str | TokenCounter | None = None,
    nonce: str | None = None,
    variables: Mapping[str, object] | BaseModel | None = None,
    language: str = "",
    layout: LayoutName = "xml",
    question_position: QuestionPosition = "after",
    spotlight: Mode | Mapping[Trust, Mode] = "delimit",
    quarantine: bool = False,
) -> Prompt:
    """Messages ready for any model. Calls none.

    The system message comes first and has the same bytes for every request with one template and one set of
    variables, so that providers can cache it; then history; last one user message with the sources inside an
    unguessable boundary, and the question at its very end. (Anthropic's long-context guide: documents first,
    question last. OpenAI's guide to GPT-4.1: instructions at both ends.)

    What does not fit is dropped and listed in ``budget.dropped``: evidence that says nearly what a better passage
    says, then from the lowest rank up; history from the oldest turn on, and its summary last. History may take a
    quarter of the room from evidence, and all that evidence leaves. Only a passage that is larger than the whole room
    is left out of turn. Metaprompt, question and tools are never cut.

    Args:
        question: Never changed; must hold something.
        passages: Best first; a string becomes a passage of its own.
        template: Name or path, see ``load_template``, or a loaded template.
        history: Earlier turns, oldest first: user, assistant and tool messages.
        summary: What was said before ``history``, in short; shown as data before it.
        tools: Function schemas that are sent along; counted only, by a bound, so that ``budget.exact`` is False.
        window: Tokens of the model's context window; by default that of ``model``, or 8192 when it is unknown.
        reserve: Tokens kept free for the answer.
        model: Name of the model; decides encoding and window for OpenAI's models.
        encoding: ``o200k_base``, ``cl100k_base``, the path of a model's ``tokenizer.json`` (extra ``tokenizers``), the
            address of a llama.cpp server, or any counter; by default that of ``model``. For an unknown model o200k_base
            counts, a quarter is added, and ``budget.exact`` is False. A ``tokenizer.json`` counts texts exactly, but
            not what a chat template puts around messages: a bound is taken, and ``budget.exact`` is False as well.
        nonce: The boundary code, 8 to 64 letters and digits; by default a random one. Same inputs and same nonce
            give the same bytes.
        variables: Values of the template's variables, or a pydantic model whose fields they are.
        language: Use the template's texts in this language, such as ``de``; what it lacks is taken as it is, with a
            warning.
        layout: ``xml`` (the template's own), ``numbered`` or ``quote_first``; ``parse_answer`` reads the reply.
        question_position: ``after`` the sources, ``before`` them, or ``both``.
        spotlight: How sources are shown: ``delimit``, ``datamark`` or ``encode``, or one of these by trust, such as
            ``{"untrusted": "datamark"}``. Results of tools in ``history`` are always delimited.
        quarantine: Leave out untrusted passages in which something was flagged, and list them as dropped.

    Returns:
        A prompt whose ``[n]`` is ``passages[n-1]``, with only the passages that were kept.

    Raises:
        UsageError: The question is empty, or another argument is wrong.
        BudgetError: Metaprompt and question do not fit.
        TemplateError: The template is missing or broken, or a variable is missing or unfit.
    """
    _check_question(question)
    if isinstance(passages, str):
        raise UsageError("passages must be a list.", fix="Wrap the text in a list: [text].")
    check_position(question_position)
    loaded = load_template(template, language=language)
    request = Request(
        template=loaded,
        values=loaded.values(variables),
        question=question,
        position=question_position,
        layout=layout_of(layout, loaded.component("evidence")),
        nonce=_checked_nonce(nonce),
        modes=modes_of(spotlight),
        sources=len(passages),
    )
    limit = window_of(model) if window is None else window
    meter = meter_for(model, encoding)
    past = _Past(summary_of(summary, request.nonce, meter), tuple(turns_of(history, request.nonce, meter)))
    return _build(request, passages, past, fixed_parts(request, meter, tools), limit, reserve, meter, quarantine)


def _build(
    request: Request,
    passages: Sequence[Passage | str],
    history: _Past,
    fixed: Fixed,
    limit: int,
    reserve: int,
    meter: Meter,
    quarantine: bool,
) -> Prompt:
    available = check_limits(limit, reserve)
    needed = fixed.tokens + meter.counter.count(NO_SOURCES)
    check_required(needed + meter.margin(needed), available)
    room = meter.room(available) - fixed.tokens
    evidence_room = room - history.within(int(room * HISTORY_SHARE)).size
    selection = select(passages, evidence_room, request=request, meter=meter, quarantine=quarantine)
    evidence = _settle(fixed, selection, evidence_room, meter)
    past = history.within(room - evidence.tokens)
    total = fixed.tokens + evidence.tokens + past.size
    check_required(total + meter.margin(total), available)
    return Prompt(
        messages=_messages(fixed, past.turns, evidence),
        passages=tuple(chosen.passage for chosen in evidence.kept),
        question=request.question,
        budget=Budget(
            limit=limit,
            reserved=reserve,
            parts=_parts(fixed, past.turns, evidence, meter),
            dropped=(*history.without(past), *evidence.dropped),
            exact=meter.exact and not fixed.tools,
            encoding=meter.counter.name,
        ),
        warnings=(*_request_warnings(request), *selection.warnings, *evidence.warnings),
        template=request.template.ref,
        nonce=request.nonce,
        layout=request.layout.name,
        spotlight=_spotlight(request, evidence),
    )


@dataclass(frozen=True, slots=True)
class _Past:
    """What was said before: a summary of the oldest, if any, and turns, oldest first."""

    summary: Turn | None
    said: tuple[Turn, ...]

    @property
    def turns(self) -> tuple[Turn, ...]:
        return (self.summary, *self.said) if self.summary else self.said

    @property
    def size(self) -> int:
        return sum(turn.size for turn in self.turns)

    def within(self, room: int) -> _Past:
        """The summary, if it fits, and the newest turns that do."""
        summary = self.summary if self.summary and self.summary.size <= room else None
        count = newest(self.said, room - (summary.size if summary else 0))
        return _Past(summary, self.said[len(self.said) - count :])

    def without(self, kept: _Past) -> list[Dropped]:
        """The account of what is not in ``kept``."""
        gone = [*self.said[: len(self.said) - len(kept.said)]]
        if self.summary and not kept.summary:
            gone.insert(0, self.summary)
        return [each for turn in gone for each in turn.dropped("no room left")]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The sources as they go into the user message; ``tokens`` is what they add to it."""

    kept: tuple[Chosen, ...]
    dropped: tuple[Dropped, ...]
    tokens: int

    @property
    def text(self) -> str:
        return "".join(chosen.text for chosen in self.kept) or NO_SOURCES

    @property
    def warnings(self) -> tuple[PromptWarning, ...]:
        return tuple(warning for chosen in self.kept for warning in chosen.warnings)


def _settle(fixed: Fixed, selection: Selection, room: int, meter: Meter) -> _Evidence:
    """The chosen sources with what they really add; a counter whose counts do not add up is asked for the whole."""
    kept, dropped = list(selection.kept), list(selection.dropped)
    lines = all(not chosen.text[0].isspace() and chosen.text[0] != "/" for chosen in kept)
    while True:
        evidence = _Evidence(tuple(kept), tuple(dropped), 0)
        if meter.additive and lines:
            tokens = sum(chosen.tokens for chosen in kept) if kept else meter.counter.count(NO_SOURCES)
            return replace(evidence, tokens=tokens)
        frame = fixed.task_tokens + fixed.question_tokens
        tokens = max(0, meter.counter.count(fixed.head + evidence.text + fixed.tail) - frame)
        if tokens <= room or not kept:
            return replace(evidence, tokens=tokens)
        freed = 0
        while kept and freed < tokens - room:
            last = kept.pop()
            freed += max(1, last.tokens)
            dropped.insert(0, Dropped(part="evidence", what=last.passage.id, tokens=last.tokens, reason="no room left"))


def _messages(fixed: Fixed, past: Sequence[Turn], evidence: _Evidence) -> tuple[Message, ...]:
    user = fixed.head + evidence.text + fixed.tail
    return (
        Message(role="system", content=fixed.system),
        *(message for turn in past for message in turn.messages),
        Message(role="user", content=user),
    )


def _parts(fixed: Fixed, past: Sequence[Turn], evidence: _Evidence, meter: Meter) -> dict[str, int]:
    parts = {
        "system": fixed.system_tokens,
        "history": sum(sum(turn.tokens) for turn in past),
        "evidence": evidence.tokens,
        "task": fixed.task_tokens,
        "question": fixed.question_tokens,
        "overhead": fixed.overhead + sum(sum(turn.overhead) for turn in past),
    }
    if fixed.tools:
        parts["tools"] = fixed.tools
    return {**parts, "margin": meter.margin(sum(parts.values()))} if meter.share else parts


def _check_question(question: object) -> None:
    if not isinstance(question, str) or not question.strip():
        raise UsageError("The question is empty.", fix="Pass a question.")
    if _SURROGATE.search(question):
        raise UsageError(
            "The question holds half a character (a lone surrogate), which no model can be sent.",
            fix="Decode it from UTF-8 anew.",
        )


def _checked_nonce(nonce: str | None) -> str:
    if nonce is None:
        return secrets.token_hex(8)
    if not _NONCE.fullmatch(nonce):
        raise UsageError("A nonce is 8 to 64 letters and digits.", fix="Leave it out to get a random one.")
    return nonce


def _request_warnings(request: Request) -> tuple[PromptWarning, ...]:
    """What the template warns of. The question stays as it is; what in it imitates structure is reported."""
    return (
        *(PromptWarning(kind="template", message=message) for message in request.template.warnings),
        *(
            PromptWarning(kind=found.kind, message=f"In the question: {found.message}", span=found.span)
            for found in neutralise(request.question).findings
        ),
    )


def _spotlight(request: Request, evidence: _Evidence) -> tuple[Mode, ...]:
    modes = tuple(request.modes[chosen.passage.trust] for chosen in evidence.kept)
    return modes if set(modes) - {"delimit"} else ()
