"""The whole job with a real language model on a real server: small, often wrong, and that is the point."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grounded import KnowledgeBase, rewriter, verify
from grounded.demo import QUESTIONS, handbook
from grounded.records import DoneEvent, Policy, TextEvent, VerdictEvent
from grounded.verification import fails
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


@pytest.mark.parametrize("policy", ["strip", "abstain", "repair"])
def test_under_a_policy_nothing_that_fails_is_returned(shop: KnowledgeBase, model: str, policy: Policy) -> None:
    answer = shop.ask(QUESTIONS[0], llm=model, k=1, window=2048, reserve=100, policy=policy, tries=1)
    if answer.report is not None:
        assert answer.report.text == answer.text
        assert not any(map(fails, answer.report.claims))
        assert answer.answered or answer.report.is_withheld


def test_a_real_model_is_asked_to_rewrite_and_what_it_writes_is_checked(model: str) -> None:
    rewrite = rewriter(model, question="How long is the warranty?", window=2048, reserve=100)
    source = "Our warranty lasts 24 months from delivery. Returns take 30 days."
    answer = "Returns take 30 days [1]. Our warranty lasts 12 months from delivery [1]."
    report = verify(answer, [source], policy="repair", rewrite=rewrite, tries=2)
    assert rewrite.usage.output_tokens
    assert "12 months" not in report.text
    assert not any(map(fails, report.claims))
    assert report.original is not None
    assert report.original.text == answer
