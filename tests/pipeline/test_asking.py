"""Policies, held streams, layouts and marks through ``ask``: whatever is returned is what was checked."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grounded import KnowledgeBase
from grounded.answering import explanation
from grounded.errors import UsageError
from grounded.models.embedder import default_embedder
from grounded.prompting.marking import mark_of
from grounded.records import Answer, DoneEvent, Event, RetractEvent, TextEvent, VerdictEvent
from grounded.verification import replay
from tests.answering.loopback import Handler, delta, events, serving, streams
from tests.pipeline.test_bad_input import Scripted

BEES = "Bees make honey from nectar in the summer."
WASPS = "Wasps build nests of paper."
ASKED = "What do bees make from nectar, and what do wasps build?"
GOOD = f"{BEES[:-1]} [1]."
WRONG = "Bees make honey from nectar in the winter for the queen of England [1]."
NONCE = "a1b2c3d4e5f60718"


class Counting:
    """The shipped embedder, counting the questions it embeds."""

    def __init__(self) -> None:
        self._embedder = default_embedder()
        self.identity, self.dimension = self._embedder.identity, self._embedder.dimension
        self.max_tokens = self._embedder.max_tokens
        self.token_spans, self.embed_documents = self._embedder.token_spans, self._embedder.embed_documents
        self.questions: list[str] = []

    def embed_query(self, text: str) -> Any:
        self.questions.append(text)
        return self._embedder.embed_query(text)


@pytest.fixture(scope="module")
def embedder() -> Counting:
    return Counting()


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory, embedder: Counting) -> Iterator[KnowledgeBase]:
    folder = tmp_path_factory.mktemp("insects") / "kb"
    with KnowledgeBase.open(folder, create=True, embedder=embedder) as knowledge_base:
        knowledge_base.ingest([{"key": "bees", "text": BEES}, {"key": "wasps", "text": WASPS}])
        yield knowledge_base


def seen(happened: Sequence[Event]) -> tuple[str, Answer]:
    """The text that the events make up, and the answer; both must agree."""
    *steps, last = happened
    assert isinstance(last, DoneEvent)
    text, claims = replay(event for event in steps if not isinstance(event, DoneEvent))
    answer = last.answer
    assert text in ("", answer.text)
    assert answer.report is None or (answer.report.text, answer.report.claims) == (answer.text, claims)
    return text, answer


@pytest.mark.parametrize("hold", [False, True])
def test_strip_returns_and_reports_what_stands(kb: KnowledgeBase, hold: bool) -> None:
    model = Scripted(*f"{GOOD} {WRONG} {WASPS[:-1]} [2].")
    happened = list(kb.stream(ASKED, llm=model, policy="strip", hold=hold, record=True))
    text, answer = seen(happened)
    assert text == f"{GOOD} {WASPS[:-1]} [2]."
    assert answer.outcome == "answered"
    assert answer.report is not None
    assert answer.report.original is not None
    assert WRONG in answer.report.original.text
    assert any(isinstance(event, RetractEvent) for event in happened) != hold
    assert "winter" in "".join(e.text for e in happened if isinstance(e, TextEvent)) or hold
    assert kb.answers()[0].policy == "strip"


def test_abstain_keeps_the_answer_and_shows_why_there_is_none(kb: KnowledgeBase) -> None:
    text, answer = seen(list(kb.stream(ASKED, llm=Scripted(GOOD, f" {WRONG}", " Bye."), policy="abstain")))
    assert (answer.outcome, answer.text) == ("blocked_by_policy", explanation("blocked_by_policy"))
    assert text in ("", answer.text)
    assert answer.citations == ()
    assert answer.report is not None
    assert answer.report.original is not None
    assert answer.report.original.text == f"{GOOD} {WRONG} Bye."
    assert answer.report.groundedness is None


def test_an_answer_that_turns_out_to_be_none_is_withdrawn(kb: KnowledgeBase) -> None:
    text, answer = seen(list(kb.stream(ASKED, llm=Scripted("The sources do not ", "answer this question."))))
    assert answer.outcome == "declined_insufficient"
    assert text == answer.text == explanation("declined_insufficient")


@pytest.mark.parametrize("question", ["What do bees make from nectar in the summer?", "And they?"])
def test_a_question_is_embedded_once(kb: KnowledgeBase, embedder: Counting, question: str) -> None:
    embedder.questions.clear()
    history = [{"role": "user", "content": f"{ASKED} {question}"}]
    assert kb.ask(question, history=history).answered
    assert len(embedder.questions) == 1


def test_verify_follows_a_policy(kb: KnowledgeBase) -> None:
    assert kb.verify(f"{BEES} {WRONG}", policy="strip").text == BEES
    assert kb.verify(f"{BEES} {WRONG}", policy="abstain").is_withheld


# -- repair -----------------------------------------------------------------------------------------------------------


def test_repair_asks_for_the_failing_sentences_only_and_checks_them(kb: KnowledgeBase) -> None:
    written = f"{GOOD} {WRONG.replace('.', ' </sentences>.')}"
    replies = (
        streams(*events(delta(written), {**delta("", "stop"), "usage": {"prompt_tokens": 5, "completion_tokens": 7}})),
        streams(*events(delta(f"1. {WASPS[:-1]} [2].\n"), {**delta("", "stop"), "usage": {"completion_tokens": 4}})),
    )
    with serving(*replies) as server:
        answer = kb.ask(ASKED, llm=f"{server.url}/v1#m", policy="repair", nonce=NONCE)
    assert answer.text == f"{GOOD} {WASPS[:-1]} [2]."
    assert answer.report is not None
    assert [claim.verdict for claim in answer.report.claims] == ["supported", "supported"]
    assert answer.usage.output_tokens == 11
    first, second = (asked.body["messages"] for asked in server.asked)
    assert second[0] == first[0]
    assert second[-2]["role"] == "assistant"
    task = second[-1]["content"]
    listed = task[task.index("<sentences-") : task.rindex("</sentences-")]
    assert "1. Bees make honey from nectar in the winter" in listed
    assert "summer" not in listed.split("A source says")[0]
    assert NONCE not in task


def test_repair_gives_up_and_abstains(kb: KnowledgeBase) -> None:
    with serving(streams(*events(delta(f"{GOOD} {WRONG}"), delta("", "stop")))) as server:
        answer = kb.ask(ASKED, llm=f"{server.url}/v1#m", policy="repair", tries=3)
    assert answer.outcome == "blocked_by_policy"
    assert len(server.asked) == 4


def test_repair_needs_a_model(kb: KnowledgeBase) -> None:
    with pytest.raises(UsageError, match="language model"):
        kb.ask(ASKED, policy="repair")


# -- layouts and marks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_quotations_before_the_answer_are_no_part_of_it(kb: KnowledgeBase, size: int) -> None:
    reply = f'<quotes>\n[1] "{BEES}"\n[2] "Wasps are made of cheese."\n</quotes>\n<answer>\n{GOOD}\n</answer>'
    model = Scripted(*(reply[at : at + size] for at in range(0, len(reply), size)))
    happened = list(kb.stream(ASKED, llm=model, layout="quote_first"))
    text, answer = seen(happened)
    assert text == answer.text == GOOD
    assert not any(isinstance(event, RetractEvent) for event in happened)
    assert answer.prompt is not None
    assert answer.prompt.layout == "quote_first"
    assert answer.notes == ("Source 2 does not hold “Wasps are made of cheese.”.",)


@pytest.mark.parametrize("size", [1, 1000])
def test_marks_of_spotlighting_are_read_as_the_spaces_they_stand_for(kb: KnowledgeBase, size: int) -> None:
    reply = GOOD.replace(" ", mark_of(NONCE))
    model = Scripted(*(reply[at : at + size] for at in range(0, len(reply), size)))
    text, answer = seen(list(kb.stream(ASKED, llm=model, spotlight="datamark", nonce=NONCE)))
    assert text == GOOD
    assert answer.report is not None
    assert answer.report.groundedness == 1.0


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_in_base64_is_decoded_before_it_is_shown_and_verified(kb: KnowledgeBase, size: int) -> None:
    claim, marker = GOOD.rsplit(" ", 1)
    reply = f"{base64.b64encode(claim.encode()).decode()} {marker}"
    model = Scripted(*(reply[at : at + size] for at in range(0, len(reply), size)))
    happened = list(kb.stream(ASKED, llm=model, spotlight="encode", nonce=NONCE))
    text, answer = seen(happened)
    assert text == answer.text == GOOD
    assert not any(isinstance(event, RetractEvent) for event in happened)
    assert answer.report is not None
    assert answer.report.groundedness == 1.0


def test_prompt_and_ask_build_the_same_prompt(kb: KnowledgeBase) -> None:
    options: dict[str, Any] = {
        "nonce": NONCE,
        "layout": "numbered",
        "spotlight": {"untrusted": "datamark"},
        "quarantine": True,
        "language": "de",
        "question_position": "both",
        "window": 4000,
    }
    answer = kb.ask(ASKED, llm=Scripted(GOOD), **options)
    assert answer.prompt == kb.prompt(ASKED, **options)
    with pytest.raises(UsageError, match="layout"):
        kb.prompt(ASKED, layout="round")  # type: ignore[arg-type]


# -- cancelling -------------------------------------------------------------------------------------------------------


def test_cancelling_wakes_a_read_that_waits_for_a_silent_model(kb: KnowledgeBase) -> None:
    def falls_silent(handler: Handler) -> None:
        handler.begin(200, "text/event-stream")
        handler.wfile.write(events(delta(f"{GOOD} {WASPS} And"), done=False)[0].encode())
        handler.wfile.flush()
        handler.connection.settimeout(20)
        if not handler.connection.recv(1):
            handler.server.hung_up.set()

    async def main(url: str) -> float:
        verified = asyncio.Event()

        async def consume() -> None:
            async for event in kb.astream(ASKED, llm=f"{url}/v1#m"):
                if isinstance(event, VerdictEvent):
                    verified.set()

        task = asyncio.create_task(consume())
        await asyncio.wait_for(verified.wait(), 60)
        await asyncio.sleep(0.2)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return time.monotonic() - started

    with serving(falls_silent) as server:
        before = threading.active_count()
        assert asyncio.run(main(server.url)) < 15
        assert server.hung_up.wait(15)
        assert threading.active_count() <= before + 1


def test_settings_reach_the_commands(kb: KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grounded.cli.output import Output
    from grounded.cli.reading import prompting, reading
    from grounded.settings import ProjectSettings

    (tmp_path / "grounded.toml").write_text('layout = "numbered"\nspotlight = "datamark"\nquarantine = true\nk = 3\n')
    output = Output(settings=ProjectSettings.find(tmp_path), kb="kb", as_json=False, wait=0.0)
    built = prompting(output, None, None, None, "delimit", None)
    assert (built["layout"], built["spotlight"], built["quarantine"]) == ("numbered", "delimit", True)
    found = reading(output, ["year=2024"], ["hr"], None)
    assert (found["k"], found["where"], found["principals"]) == (3, {"year": 2024}, ("hr",))
    assert kb.prompt(ASKED, **{**built, "template": "core/qa"}).layout == "numbered"
    with (tmp_path / "grounded.toml").open("a") as file:
        file.write('template = "core/support"\n[variables]\norganisation = "Acme"\ntone = "formal"\n')
    output = Output(settings=ProjectSettings.find(tmp_path), kb="kb", as_json=False, wait=0.0)
    of = partial(prompting, output, language=None, layout=None, spotlight=None, quarantine=None)
    assert of(template=None, var=["tone=neutral"])["variables"] == {"organisation": "Acme", "tone": "neutral"}
    assert of(template="core/qa")["variables"] == {"organisation": "Acme"}


def test_a_summary_of_older_turns_and_tools_go_into_the_prompt(kb: KnowledgeBase) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
    prompt = kb.prompt(ASKED, summary="The user owns a blue kettle.", tools=[tool])
    assert any("blue kettle" in message.content for message in prompt.messages)
    assert prompt.budget.parts["tools"] > 0
