"""Checking while a model writes: the events are the report, however the text was cut."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grounded.errors import UsageError
from grounded.protocols import Judgement
from grounded.records import (
    CheckedEvent,
    CitationEvent,
    Claim,
    ClaimEvent,
    Policy,
    Report,
    RetractEvent,
    TextEvent,
    VerdictEvent,
    VerifierRef,
)
from grounded.text.regions import visible_spans
from grounded.verification import POLICIES, CheckEvent, ContainmentModel, replay, strip_markers, verify, verify_stream
from tests.verification.test_policies import ANSWERS, GOOD, INVENTED, SOURCES, WRONG
from tests.verification.test_verify import TEXTS

ANSWER = (
    "Hello! The warranty lasts 24 months from delivery. [1] It is 12 months, e.g. in Paris [2]. Yes. "
    "The kettle is red, and the warranty is 12 months [1].\n\n- red\n- blue [1]\n\n| a | b |\n|---|---|\n| 1 | 2 "
    "|\n\nBye!"
)


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def rewrite(report: Report, failing: Sequence[Claim]) -> list[str]:
    return [GOOD] * len(failing)


def whole(events: Sequence[CheckEvent]) -> Report:
    """The report at the end, after a look at everything before it."""
    *steps, last = events
    assert isinstance(last, CheckedEvent)
    text, claims = replay(event for event in steps if not isinstance(event, CheckedEvent))
    assert text == last.report.text
    assert claims == last.report.claims
    return last.report


def never_verifies_early(events: Sequence[CheckEvent], *, hold: bool) -> None:
    """At each step every verdict is about text that is shown, and held text that claims something has one."""
    for count in range(1, len(events)):
        steps = [event for event in events[:count] if not isinstance(event, CheckedEvent)]
        text, claims = replay(steps)
        for claim in claims:
            assert claim.span.slice(text) == claim.text
        last = steps[-1]
        if hold and isinstance(last, TextEvent | RetractEvent):
            following = [event for event in events[count:] if isinstance(event, VerdictEvent | TextEvent)]
            covered = [e.claim for e in following if isinstance(e, VerdictEvent)]
            assert not any(map(str.isalnum, strip_markers(_answering(text, last)).text)) or covered


def _answering(text: str, last: TextEvent | RetractEvent) -> str:
    """What the last event shows, reasoning left out."""
    start = len(text) - len(last.text) if isinstance(last, TextEvent) else len(text)
    return "".join(text[max(start, region.start) : region.end] for region in visible_spans(text))


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("size", [1, 3, 17, 1000])
def test_streamed_verdicts_are_those_of_the_whole(size: int, hold: bool) -> None:
    events = list(verify_stream(cut(ANSWER, size), SOURCES, question="How long is the warranty?", hold=hold))
    assert whole(events) == verify(ANSWER, SOURCES, question="How long is the warranty?")
    assert not any(isinstance(event, RetractEvent) for event in events)
    never_verifies_early(events, hold=hold)


def test_a_long_answer_is_read_in_windows_with_the_same_verdicts() -> None:
    long = "\n\n".join([f"{GOOD} It is red. {WRONG}\nThe kettle is red [2].", "- The kettle is red.\n- It flies."] * 40)
    started = time.process_time()
    events = list(verify_stream(cut(long, 8), SOURCES, hold=True))
    spent = time.process_time() - started
    assert whole(events) == verify(long, SOURCES)
    assert not any(isinstance(event, RetractEvent) for event in events)
    assert spent < 10


def test_each_verdict_comes_when_the_next_sentence_begins() -> None:
    came: list[tuple[str, str]] = []
    sent = ""

    def tokens() -> Iterator[str]:
        nonlocal sent
        for token in cut("The kettle is red. Returns take 30 days. Bye now.", 1):
            sent += token
            yield token

    for event in verify_stream(tokens(), SOURCES):
        if isinstance(event, VerdictEvent):
            came.append((event.claim.text, sent))
    assert came[:2] == [
        ("The kettle is red.", "The kettle is red. Returns "),
        ("Returns take 30 days.", "The kettle is red. Returns take 30 days. Bye "),
    ]


def test_held_text_comes_after_its_verdict_is_known() -> None:
    judged: list[str] = []

    class Noting(ContainmentModel):
        def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
            judged.extend(claim for _, claim in pairs)
            return super().judge(pairs)

    shown = ""
    for event in verify_stream(cut(f"{GOOD} The kettle is red.", 2), SOURCES, hold=True, verifier=Noting()):
        if isinstance(event, TextEvent):
            shown += event.text
            assert all(any(words in claim for claim in judged) for words in ("warranty", "kettle") if words in shown)
    assert shown == f"{GOOD} The kettle is red."


@pytest.mark.parametrize("hold", [False, True])
def test_strip_never_leaves_a_failing_sentence(hold: bool) -> None:
    events = list(verify_stream(cut(f"{GOOD} {WRONG} The kettle is red.", 4), SOURCES, policy="strip", hold=hold))
    assert whole(events).text == f"{GOOD} The kettle is red."
    retracted = [event for event in events if isinstance(event, RetractEvent)]
    assert bool(retracted) != hold
    if retracted:
        assert "contradicted" in retracted[0].reason
    else:
        assert not any(WRONG[:30] in event.text for event in events if isinstance(event, TextEvent))


def test_abstain_withdraws_at_the_first_failing_sentence() -> None:
    events = list(verify_stream(cut(f"{GOOD} {INVENTED} The kettle is red. Bye.", 5), SOURCES, policy="abstain"))
    at = next(n for n, event in enumerate(events) if isinstance(event, RetractEvent))
    assert not any(isinstance(event, TextEvent | VerdictEvent) for event in events[at:])
    assert whole(events).is_withheld


def test_repair_puts_the_new_sentence_in_place() -> None:
    events = list(verify_stream([f"{WRONG} The kettle is red."], SOURCES, policy="repair", rewrite=rewrite))
    assert whole(events).text == f"{GOOD} The kettle is red."


def test_reasoning_that_shows_late_is_taken_back() -> None:
    events = list(verify_stream(cut(f"{INVENTED} Hmm no.</think>{GOOD} Bye.", 3), SOURCES))
    assert "Jupiter" not in "".join(claim.text for claim in whole(events).claims)
    assert any(isinstance(event, RetractEvent) for event in events)


@given(
    answer=ANSWERS | TEXTS,
    cuts=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    policy=st.sampled_from(POLICIES),
    hold=st.booleans(),
)
@example(answer="He said `it. The kettle is red. [1] And` so.", cuts=[1], policy="flag", hold=True)
@example(answer="<think>", cuts=[1], policy="flag", hold=True)
@example(answer="A line\nthe kettle is red", cuts=[2], policy="strip", hold=False)
def test_events_are_the_report_however_the_text_was_cut(
    answer: str, cuts: list[int], policy: Policy, hold: bool
) -> None:
    tokens: list[str] = []
    at = 0
    while at < len(answer):
        size = cuts[len(tokens) % len(cuts)]
        tokens.append(answer[at : at + size])
        at += size
    events = list(verify_stream(tokens, SOURCES, policy=policy, hold=hold, rewrite=rewrite))
    assert whole(events) == verify(answer, SOURCES, policy=policy, rewrite=rewrite)
    never_verifies_early(events, hold=hold)
    announced = {event.span for event in events if isinstance(event, ClaimEvent)}
    assert all(event.claim.span in announced for event in events if isinstance(event, VerdictEvent))
    stray = [event.citation for event in events if isinstance(event, CitationEvent)]
    assert set(whole(events).citations) <= set(stray)


class Broken:
    ref = VerifierRef(name="broken", version="1")

    def __init__(self) -> None:
        self.calls = 0

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        self.calls += 1
        raise TimeoutError


def test_a_verifier_that_fails_supports_nothing_and_is_not_asked_for_ever() -> None:
    broken = Broken()
    answer = " ".join(f"The kettle number {number} is red." for number in range(30))
    report = whole(list(verify_stream(cut(answer, 9), SOURCES, verifier=broken)))
    assert {claim.verdict for claim in report.claims} == {"check_failed"}
    assert broken.calls <= 3


# -- cancelling -------------------------------------------------------------------------------------------------------


def test_closing_the_events_closes_the_tokens() -> None:
    closed = threading.Event()

    def tokens() -> Iterator[str]:
        try:
            yield from cut(GOOD * 50, 5)
        finally:
            closed.set()

    before = threading.active_count()
    events = verify_stream(tokens(), SOURCES)
    next(events)
    events.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_loading_the_model_is_over_when_the_events_are_closed() -> None:
    before = set(threading.enumerate())
    events = verify_stream(iter(["The kettle ", "is "]), SOURCES)
    next(events)
    events.close()
    assert set(threading.enumerate()) <= before


async def slowly(text: str, closed: asyncio.Event) -> AsyncIterator[str]:
    try:
        for token in cut(text, 6):
            await asyncio.sleep(0)
            yield token
    finally:
        closed.set()


def test_asynchronous_tokens_give_the_same_events() -> None:
    async def main() -> list[CheckEvent]:
        return [event async for event in verify_stream(slowly(ANSWER, asyncio.Event()), SOURCES, policy="strip")]

    assert asyncio.run(main()) == list(verify_stream(cut(ANSWER, 6), SOURCES, policy="strip"))


class Sleepy(ContainmentModel):
    """Takes its time over every batch, and says how many are under way."""

    working = 0

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        self.working += 1
        time.sleep(0.2)
        self.working -= 1
        return super().judge(pairs)


def test_cancelling_leaves_nothing_running() -> None:
    model = Sleepy()

    async def main() -> None:
        closed = asyncio.Event()

        async def consume() -> None:
            async for _ in verify_stream(slowly(f"{GOOD} " * 50, closed), SOURCES, verifier=model):
                pass

        task = asyncio.create_task(consume())
        while not model.working:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(closed.wait(), 2)
        assert not model.working
        assert asyncio.all_tasks() == {asyncio.current_task()}

    before = threading.active_count()
    asyncio.run(main())
    assert threading.active_count() == before


@pytest.mark.parametrize("wrong", ["a text", b"bytes", 3, None])
def test_tokens_are_an_iterable_of_texts(wrong: object) -> None:
    with pytest.raises(UsageError, match="tokens"):
        verify_stream(wrong, SOURCES)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="token"):
        list(verify_stream([b"x"], SOURCES))  # type: ignore[list-item]
    with pytest.raises(UsageError, match="language model"):
        verify_stream([], SOURCES, policy="repair")
