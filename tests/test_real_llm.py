"""The whole job with a real language model on a real server: small, often wrong, and that is the point."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grounded import KnowledgeBase
from grounded.demo import QUESTIONS, handbook
from grounded.records import DoneEvent, TextEvent, VerdictEvent
from tests.llm_server import ServerMissingError, running_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The spec of a model that answers on loopback."""
    try:
        with running_server() as url:
            yield f"{url}#smollm2"
    except ServerMissingError as error:
        pytest.skip(f"the local language model cannot be had: {error}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path_factory.mktemp("shop") / "kb", create=True) as knowledge_base:
        knowledge_base.ingest(handbook())
        yield knowledge_base


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_sentence_of_a_real_model_is_judged(shop: KnowledgeBase, model: str, question: str) -> None:
    answer = shop.ask(question, llm=model, k=2, window=2048, reserve=200)
    assert answer.generator.model
    assert answer.prompt is not None
    assert answer.usage.output_tokens
    if answer.report is not None:
        assert answer.report.complete
        for claim in answer.report.claims:
            assert claim.span.slice(answer.text) == claim.text
            assert claim.verdict != "supported" or claim.evidence


def test_streaming_and_asking_agree(shop: KnowledgeBase, model: str) -> None:
    events = list(shop.stream(QUESTIONS[0], llm=model, k=1, window=2048, reserve=200))
    last = events[-1]
    assert isinstance(last, DoneEvent)
    shown = "".join(event.text for event in events if isinstance(event, TextEvent))
    assert shown
    if last.answer.answered and last.answer.report is not None:
        assert shown == last.answer.text
        verdicts = [event.claim for event in events if isinstance(event, VerdictEvent)]
        assert [claim.verdict for claim in verdicts] == [claim.verdict for claim in last.answer.report.claims]
