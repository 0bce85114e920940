"""Checking an answer while it is written, with the same verdicts as for the whole."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import replace
from datetime import date
from itertools import takewhile
from typing import Any, TypedDict, Unpack, overload

from grounded.errors import UsageError
from grounded.protocols import EntailmentModel
from grounded.records import (
    CheckedEvent,
    CitationEvent,
    Claim,
    ClaimEvent,
    LiveEvent,
    Message,
    Policy,
    Report,
    RetractEvent,
    Span,
    TextEvent,
    VerdictEvent,
)
from grounded.twins import cancellable, iterate
from grounded.verification.claims import Draft
from grounded.verification.policies import REPAIR_TRIES, Rewrite, check_policy, fails, follow
from grounded.verification.prepared import Known, Prepared
from grounded.verification.resolution import SENTENCES_BEFORE
from grounded.verification.verifying import Verifier

_MAY_END = re.compile(r"[.!?…。！？:;\n\]】>)⁰¹²³⁴-⁹]")
# Where a sentence ends depends on the word that follows; eight letters will do where words are not set apart.
_WORD = re.compile(r"[\W\d]{0,80}[^\W\d](?:\w*\W|\w{7})")
_MAY_CHANGE = ("[", "【", "(", "<", "=", "-", *"⁰¹²³⁴⁵⁶⁷⁸⁹")
_REACHES_FAR = re.compile(r"`{3}|~{3}|<\s*/?\s*(?:think|reasoning)", re.IGNORECASE)
_LONG = 3000
_OVERLAP = 600
_READ_ANEW = "What followed changed how this is to be read."

CheckEvent = LiveEvent | CheckedEvent
"""What ``verify_stream`` yields."""


class AnswerStream:
    """Takes an answer as it grows and says, event by event, what may be shown of it and what its sentences are worth.

    A sentence is complete when the first word of another has come, since markers and closing quotes may still follow
    a full stop. What was said is taken back by a ``RetractEvent`` where later text changes it: a closing ``</think>``
    makes all text before it reasoning. After ``finish`` the events, put together by ``replay``, are its report.
    For one thread at a time.

    Args:
        prepared: The sources.
        policy: What is done about sentences that fail; ``repair`` rewrites at the end.
        hold: Show a sentence only when it has its verdict, and one that fails not at all unless the policy is
            ``flag``. Otherwise text comes first, and is retracted where it fails and the policy says so.
        rewrite: Needed for ``repair``.
        tries: How often to have sentences rewritten.

    Attributes:
        policy: As given.

    Raises:
        UsageError: The policy does not exist or needs ``rewrite``.
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        policy: Policy = "flag",
        hold: bool = False,
        rewrite: Rewrite | None = None,
        tries: int = REPAIR_TRIES,
    ) -> None:
        check_policy(policy, can_rewrite=rewrite is not None)
        self._prepared = prepared
        self.policy = policy
        self._hold = hold
        self._rewrite = rewrite
        self._tries = tries
        self._known: Known = {}
        self._text = ""  # as written
        self._judged = 0  # up to where it is judged
        self._from = 0  # where the next end of a sentence may be
        self._said = _Said()
        self._past: list[Draft] = []  # the sentences of that
        self._written: list[Claim] = []  # the verdicts on them
        self._settled: tuple[str, Sequence[Claim]] = "", ()  # what of it is to be shown

    def warming(self) -> AbstractContextManager[None]:
        """Load the model while the first sentence is being written; at the end of the block that is over, too."""
        return self._prepared.warming()

    def show(self, text: str, reason: str = _READ_ANEW) -> Iterator[LiveEvent]:
        """What a longer answer brings; the iterator must be exhausted.

        Args:
            text: The whole answer so far. When it does not go on from the one before, that is taken back.
            reason: Why, in that case.
        """
        if not text.startswith(self._text):
            self._judged, self._from, self._settled = 0, 0, ("", ())
            self._past, self._written = [], []
        self._text = text
        yield from self._say(reason)
        if not self._is_due():
            return
        drafts = self._drafts()
        for item in drafts[: _complete(drafts)]:
            if item.span.end > self._judged:
                yield from self._judge(item)

    def written(self) -> Report:
        """What is found in the whole answer as written, when it is complete."""
        return self._checked(self._text)

    def followed(self, written: Report) -> Report:
        """What the policy makes of it."""
        return follow(self.policy, written, self._checked, rewrite=self._rewrite, tries=self._tries)

    def finish(self, report: Report) -> Iterator[LiveEvent]:
        """The events that make all events together say what a report says."""
        reason = report.warnings[-1] if report.original is not None else _READ_ANEW
        yield from self._said.become(report.text, report.claims, reason)
        for citation in report.stray_citations:
            yield CitationEvent(citation=citation)

    def withdraw(self, text: str) -> Iterator[LiveEvent]:
        """Put ``text``, which states nothing, in place of all that was shown, if anything was."""
        if self._said.text:
            yield from self._said.become(text, (), text)

    def _checked(self, text: str) -> Report:
        return self._prepared.report(text, self._known)

    def _drafts(self) -> list[Draft]:
        """The sentences from a little before the last one judged; reading all of a long answer again would cost."""
        start = 0
        if len(self._text) > _LONG and not _REACHES_FAR.search(self._text):
            plain = (item for item in reversed(self._past) if not (item.is_item or item.skip))
            start = next((item.span.start for item in plain if self._judged - item.span.start > _OVERLAP), 0)
        return [_moved(item, start) for item in self._prepared.draft(self._text[start:]).drafts]

    def _judge(self, item: Draft) -> Iterator[LiveEvent]:
        announced = None
        if not self._hold:
            moved = len(self._said.text) - len(self._text)
            announced = item.span.shift(moved) if item.span.start + moved >= 0 else None
            if announced and announced.slice(self._said.text) == item.span.slice(self._text):
                yield ClaimEvent(span=announced, text=item.span.slice(self._text))
        drafts = [*self._past[-SENTENCES_BEFORE:], item]
        (claim,) = self._prepared.claims(self._text, drafts, self._known, start=len(drafts) - 1)
        self._past.append(item)
        self._written.append(claim)
        self._judged = item.span.end
        self._settled = self._settle()
        yield from self._say(f"{claim.verdict}: {claim.reason}" if fails(claim) else _READ_ANEW, announced)

    def _settle(self) -> tuple[str, Sequence[Claim]]:
        """What is to be shown of the sentences that are judged."""
        written, claims = self._text[: self._judged], tuple(self._written)
        policy: Policy = ("strip" if self._hold else "flag") if self.policy == "repair" else self.policy
        if policy == "flag" or not any(map(fails, claims)):
            return written, claims
        report = follow(policy, self._prepared.report_of(written, claims), self._checked)
        return report.text, report.claims

    def _say(self, reason: str, announced: Span | None = None) -> Iterator[LiveEvent]:
        text, claims = self._settled
        if not self._hold:
            is_over = self.policy == "abstain" and self._judged and not text
            rest = "" if is_over else self._text[self._judged :]
            text = text + rest if text else rest.lstrip() if self._judged else rest
        yield from self._said.become(text, claims, reason, announced)

    def _is_due(self) -> bool:
        """Whether a sentence may have been completed since this was asked last."""
        text = self._text
        due, last = False, -1
        for end in _MAY_END.finditer(text, self._from):
            last = end.end()
            due = due or bool(_WORD.match(text, last))
        # Only the last end may still be waiting for its word: what a word completes begins right before it.
        self._from = len(text) if last < 0 or _WORD.match(text, last) else last - 1
        return due


class _Said:
    """What the events so far make up: a text, and claims about it."""

    def __init__(self) -> None:
        self.text = ""
        self._claims: Sequence[Claim] = ()

    def become(
        self, text: str, claims: Sequence[Claim], reason: str, announced: Span | None = None
    ) -> Iterator[LiveEvent]:
        """The events that turn what was said into ``text`` with ``claims``."""
        old, self.text = self.text, text
        kept = len(claims) if claims is self._claims else _in_common(self._claims, claims)
        start = len(old) if text.startswith(old) else _in_common(old, text)
        if kept < len(self._claims):
            start = min(start, self._claims[kept].span.start)
        while kept and self._claims[kept - 1].span.end > start:
            kept -= 1
            start = min(start, self._claims[kept].span.start)
        self._claims = claims
        if start < len(old):
            yield RetractEvent(span=Span(start=start, end=len(old)), reason=reason, replacement=text[start:])
        elif len(text) > len(old):
            yield TextEvent(text=text[len(old) :])
        for claim in claims[kept:]:
            if claim.span != announced:
                yield ClaimEvent(span=claim.span, text=claim.text)
            yield VerdictEvent(claim=claim)
            for citation in claim.citations:
                yield CitationEvent(citation=citation)


def replay(events: Iterable[LiveEvent]) -> tuple[str, tuple[Claim, ...]]:
    """What a stream of events says when all is put together: a text, and the sentences with their verdicts.

    A retraction replaces the text of its span, and voids the verdict of every sentence in it.
    """
    text, claims = "", []  # type: str, list[Claim]
    for event in events:
        match event:
            case TextEvent():
                text += event.text
            case RetractEvent(span=span):
                text = text[: span.start] + event.replacement + text[span.end :]
                claims = [claim for claim in claims if claim.span.end <= span.start]
            case VerdictEvent():
                claims.append(event.claim)
    return text, tuple(claims)


class StreamOptions(TypedDict, total=False):
    """What ``verify_stream`` takes; see there."""

    question: str | None
    history: Sequence[Message] | None
    reference_date: date | None
    policy: Policy
    hold: bool
    verifier: Verifier | EntailmentModel | str | None
    rewrite: Rewrite | None
    tries: int


@overload
def verify_stream(
    tokens: Iterable[str], sources: Any, **options: Unpack[StreamOptions]
) -> Generator[CheckEvent, None, None]: ...


@overload
def verify_stream(
    tokens: AsyncIterable[str], sources: Any, **options: Unpack[StreamOptions]
) -> AsyncGenerator[CheckEvent, None]: ...


def verify_stream(
    tokens: Iterable[str] | AsyncIterable[str], sources: Any, **options: Unpack[StreamOptions]
) -> Generator[CheckEvent, None, None] | AsyncGenerator[CheckEvent, None]:
    """Check an answer while a model writes it.

    Args:
        tokens: The answer in pieces, cut anywhere; an asynchronous iterable gives an asynchronous generator, which
            judges in a worker thread. It is closed when the events are, so that closing or cancelling them stops the
            model.
        sources: As for ``verify``.
        options: ``question``, ``history``, ``reference_date``, ``policy``, ``verifier``, ``rewrite`` and ``tries`` as
            for ``verify``; ``hold=True`` shows each sentence only after its verdict, otherwise text comes at once, and
            its verdict follows when the next sentence begins.

    Returns:
        ``text``, ``claim``, ``verdict``, ``citation`` and ``retract`` events, which ``replay`` puts together, and at
        last ``done`` with the report that ``verify`` gives for the whole.

    Raises:
        UsageError: An argument is wrong. A token that is not text raises it when its turn comes.
    """
    stream = _stream(sources, **options)
    if isinstance(tokens, AsyncIterable):
        return _asynchronous(tokens, stream)
    if isinstance(tokens, str | bytes) or not isinstance(tokens, Iterable):
        raise UsageError(f"The tokens cannot be a {type(tokens).__name__}.", fix="Pass an iterable of texts.")
    return _synchronous(tokens, stream)


def _stream(
    sources: Any,
    *,
    question: str | None = None,
    history: Sequence[Message] | None = None,
    reference_date: date | None = None,
    policy: Policy = "flag",
    hold: bool = False,
    verifier: Verifier | EntailmentModel | str | None = None,
    rewrite: Rewrite | None = None,
    tries: int = REPAIR_TRIES,
) -> AnswerStream:
    chosen = verifier if isinstance(verifier, Verifier) else Verifier(verifier)
    prepared = chosen.prepare(sources, question=question, history=history, reference_date=reference_date)
    return AnswerStream(prepared, policy=policy, hold=hold, rewrite=rewrite, tries=tries)


def _synchronous(tokens: Iterable[str], stream: AnswerStream) -> Generator[CheckEvent, None, None]:
    text = ""
    try:
        with stream.warming():
            for token in tokens:
                text += _checked_token(token)
                yield from stream.show(text)
        report = stream.followed(stream.written())
        yield from stream.finish(report)
        yield CheckedEvent(report=report)
    finally:
        close = getattr(tokens, "close", None)
        if callable(close):
            close()


async def _asynchronous(tokens: AsyncIterable[str], stream: AnswerStream) -> AsyncGenerator[CheckEvent, None]:
    text = ""
    try:
        with stream.warming():
            async for token in tokens:
                text += _checked_token(token)
                async with aclosing(iterate(stream.show(text))) as events:
                    async for event in events:
                        yield event
        report = await cancellable(lambda _: stream.followed(stream.written()))
        for event in stream.finish(report):
            yield event
        yield CheckedEvent(report=report)
    finally:
        close = getattr(tokens, "aclose", None)
        if callable(close):
            await close()


def _checked_token(token: object) -> str:
    if not isinstance(token, str):
        raise UsageError(f"A token must be text, not {type(token).__name__}.")
    return token


def _in_common(one: Sequence[object], other: Sequence[object]) -> int:
    """How many items they begin with alike."""
    alike = takewhile(lambda pair: pair[0] is pair[1] or pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)


def _moved(item: Draft, by: int) -> Draft:
    """A sentence of a later piece of the text, placed in the whole."""
    if not by:
        return item
    return replace(
        item,
        span=item.span.shift(by),
        markers=tuple(marker.shifted(by) for marker in item.markers),
        parts=tuple(replace(part, span=part.span.shift(by)) for part in item.parts),
    )


def _complete(drafts: Sequence[Draft]) -> int:
    """How many sentences nothing that follows can be expected to change."""
    if len(drafts) < 2:
        return 0
    # Whether a line is a heading or a table's header, and "[1" or "(Smith" a marker, is known when more has come.
    waits = "|" in drafts[-2].text or drafts[-1].text.startswith(_MAY_CHANGE)
    return len(drafts) - (2 if waits else 1)
