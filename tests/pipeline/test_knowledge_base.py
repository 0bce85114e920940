"""The main job through the public API, on the shipped embedder and the embedded store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from grounded import KnowledgeBase
from grounded.demo import QUESTIONS, UNANSWERABLE, VERSIONS, catch_report, handbook
from grounded.errors import (
    BudgetError,
    EmbedderMismatchError,
    KnowledgeBaseError,
    KnowledgeBaseExistsError,
    KnowledgeBaseNotFoundError,
    UnknownNameError,
    UsageError,
)
from grounded.models.embedder import default_embedder
from grounded.records import AnswerRecord, DoneEvent, TextEvent, VerdictEvent

NONCE = "0123456789abcdef"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """The demo's handbook, ingested once."""
    with KnowledgeBase.open(tmp_path_factory.mktemp("shop") / "kb", create=True) as knowledge_base:
        report = knowledge_base.ingest(handbook())
        assert report.ok, report.failures
        assert report.documents_added == 7
        yield knowledge_base


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path / "kb", create=True) as knowledge_base:
        yield knowledge_base


# Answers


@pytest.mark.parametrize(
    ("question", "fact", "place"),
    [
        (QUESTIONS[0], "every three months", "page 2"),
        (QUESTIONS[1], "59.9", "row 4"),
        (QUESTIONS[2], "12 euros", "Express delivery"),
        (QUESTIONS[3], "30 days", "Sending something back"),
    ],
)
def test_answers_quote_the_place(shop: KnowledgeBase, question: str, fact: str, place: str) -> None:
    answer = shop.ask(question)
    assert answer.answered
    assert fact in answer.text
    assert answer.report is not None
    assert answer.report.groundedness == 1.0
    assert answer.report.citation_precision == 1.0
    cited = next(e for citation in answer.citations for e in citation.evidence if fact in e.text)
    assert place in cited.place()


def test_what_nothing_supports_is_declined(shop: KnowledgeBase) -> None:
    answer = shop.ask(UNANSWERABLE)
    assert answer.outcome == "declined_insufficient"
    assert answer.report is None
    assert answer.citations == ()


def test_the_terms_in_force_decide_and_the_outdated_ones_are_shown(shop: KnowledgeBase) -> None:
    answer = shop.ask(VERSIONS, reference_date=date(2026, 6, 1))
    assert answer.answered
    assert "36 months" in answer.text
    assert "24 months" not in answer.text
    assert answer.report is not None
    (claim, *_) = answer.report.supported
    assert {e.relation for e in claim.evidence} == {"supports", "contradicts"}
    assert answer.notes


def test_the_catch_is_caught(shop: KnowledgeBase) -> None:
    report = catch_report(shop)
    (wrong,) = report.contradicted
    assert "9 euros" in wrong.text
    assert "12 euros" in wrong.evidence[0].text
    assert len(report.supported) == 2


def test_evidence_and_passages_slice_back_to_the_stored_text(shop: KnowledgeBase) -> None:
    answer = shop.ask(QUESTIONS[0])
    assert answer.report is not None
    for passage in answer.passages:
        assert passage.document_id
        assert passage.version
        assert passage.span
        assert shop.text(passage.document_id, passage.version)[passage.span.start : passage.span.end] == passage.text
    for claim in answer.report.claims:
        for evidence in claim.evidence:
            assert evidence.document_id
            assert evidence.version
            assert evidence.span.slice(shop.text(evidence.document_id, evidence.version)) == evidence.text


def test_streamed_events_end_with_the_answer_and_never_verify_early(shop: KnowledgeBase) -> None:
    events = list(shop.stream(QUESTIONS[0]))
    assert isinstance(events[-1], DoneEvent)
    shown = ""
    for event in events[:-1]:
        if isinstance(event, TextEvent):
            shown += event.text
        if isinstance(event, VerdictEvent):
            assert event.claim.span.slice(shown) == event.claim.text
    answer = events[-1].answer
    assert shown == answer.text
    assert answer.report is not None
    assert tuple(e.claim for e in events if isinstance(e, VerdictEvent)) == answer.report.claims


def test_a_follow_up_leans_on_the_question_before(shop: KnowledgeBase) -> None:
    history = [{"role": "user", "content": "What does express delivery cost?"}, {"role": "assistant", "content": "12"}]
    answer = shop.ask("And when does it arrive?", history=history)
    assert answer.question_used.startswith("What does express delivery cost?")
    assert "next working day" in answer.text


def test_records_are_kept_only_when_asked_for_and_after_redaction(shop: KnowledgeBase) -> None:
    shop.ask(QUESTIONS[0])
    assert shop.answers() == []

    def redact(record: AnswerRecord) -> AnswerRecord:
        return record.model_copy(update={"question": "[removed]"})

    answer = shop.ask(QUESTIONS[0], record=True, redact=redact)
    (kept,) = shop.answers()
    assert (kept.request_id, kept.question, kept.answer) == (answer.request_id, "[removed]", answer.text)


def test_freshness_says_how_current_the_data_is(shop: KnowledgeBase) -> None:
    freshness = shop.ask(QUESTIONS[0]).freshness
    assert freshness.last_sync is not None
    assert freshness.oldest_passage is not None
    assert freshness.oldest_passage <= freshness.last_sync


# Prompts


def test_prompts_call_no_model_and_keep_the_question(shop: KnowledgeBase) -> None:
    prompt = shop.prompt("How long is the warranty?", nonce=NONCE, window=4000)
    assert "How long is the warranty?" in prompt.messages[-1].content
    assert prompt.budget.left >= 0
    assert prompt == shop.prompt("How long is the warranty?", nonce=NONCE, window=4000)


def test_a_question_over_the_budget_is_an_error_before_any_call(shop: KnowledgeBase) -> None:
    with pytest.raises(BudgetError):
        shop.prompt("How long? " * 5000, window=4000)


def test_a_plain_text_file_is_a_template(shop: KnowledgeBase, tmp_path: Path) -> None:
    template = tmp_path / "pirate.txt"
    template.write_text("You are a pirate who answers from the sources only.")
    prompt = shop.prompt("How long is the warranty?", template=template)
    assert "pirate" in prompt.messages[0].content


# Search, filters, permissions


def test_search_filters_by_declared_keys(shop: KnowledgeBase) -> None:
    found = shop.search("warranty", where={"product": "kettle"})
    assert found
    assert {passage.title for passage in found} == {"Warranty terms 2024", "Warranty terms 2026"}
    assert shop.search("warranty", where={"product": "toaster"}) == ()
    with pytest.raises(UnknownNameError, match="product"):
        shop.search("warranty", where={"colour": "red"})


def test_search_keeps_to_a_day(shop: KnowledgeBase) -> None:
    then = shop.search("warranty on kettles", on=date(2025, 1, 1))
    assert "Warranty terms 2026" not in {passage.title for passage in then}
    now = shop.search("warranty on kettles", on=date(2026, 6, 1))
    assert "Warranty terms 2024" not in {passage.title for passage in now}


def test_search_is_stable(shop: KnowledgeBase) -> None:
    assert shop.search("delivery") == shop.search("delivery")


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_a_usage_error(shop: KnowledgeBase, question: str) -> None:
    for call in (shop.search, shop.prompt, shop.ask):
        with pytest.raises(UsageError, match="empty"):
            call(question)


def test_documents_with_principals_are_invisible_to_others(empty: KnowledgeBase) -> None:
    empty.ingest(
        [
            {"key": "open", "text": "The canteen opens at eleven."},
            {"key": "secret", "text": "The salary of the director is 90,000 euros.", "principals": ["hr"]},
        ]
    )
    question = "What is the salary of the director?"
    assert all("salary" not in passage.text for passage in empty.search(question))
    assert "90,000" not in empty.ask(question).to_json()
    assert any("salary" in passage.text for passage in empty.search(question, principals=["hr"]))
    assert "90,000" in empty.ask(question, principals=["hr"]).text
    assert empty.status().restricted


def test_ingesting_again_without_principals_publishes_nothing(empty: KnowledgeBase) -> None:
    document = {"key": "secret", "text": "The salary of the director is 90,000 euros."}
    empty.ingest([document], principals=["hr"])
    report = empty.ingest([document])
    assert empty.search("salary") == ()
    assert empty.search("salary", principals=["hr"])
    assert any("principal" in warning for warning in report.warnings)
    empty.ingest([document], principals=())
    assert empty.search("salary")


def test_tenants_do_not_see_each_other(empty: KnowledgeBase) -> None:
    document = {"key": "a", "text": "The code of the door is 4711."}
    empty.ingest([document], tenant="one")
    assert empty.search("door code", tenant="two") == ()
    assert len(empty.search("door code", tenant="one")) == 1


# Sync


def test_unchanged_changed_and_removed_files(empty: KnowledgeBase, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.md").write_text(f"# Note {number}\n\nThe number of this note is {number}.\n")
    first = empty.ingest(folder)
    assert (first.documents_added, first.ok) == (8, True)
    again = empty.ingest(folder)
    assert (again.documents_unchanged, again.chunks_embedded) == (8, 0)
    (folder / "3.md").write_text("# Note 3\n\nThe number of this note is three hundred.\n")
    (folder / "5.md").unlink()
    third = empty.ingest(folder)
    assert (third.documents_updated, third.documents_unchanged, third.documents_retired) == (1, 6, 1)
    assert any("three hundred" in passage.text for passage in empty.search("number of note 3"))
    assert all("is 5." not in passage.text for passage in empty.search("number of note 5", k=20))


def test_an_emptied_folder_retires_nothing(empty: KnowledgeBase, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("The answer is in the archive.")
    empty.ingest(folder)
    (folder / "a.txt").unlink()
    report = empty.ingest(folder)
    assert report.retirement_refused
    assert not report.ok
    assert empty.search("archive")
    assert empty.ingest(folder, force_retire=True).documents_retired == 1
    assert empty.search("archive") == ()


def test_nothing_outside_the_ingested_place_is_touched(empty: KnowledgeBase, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "note.txt").write_text(f"Note of folder {name}.")
    empty.ingest(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "note.txt").write_text("Another note of folder b.")
    assert empty.ingest(tmp_path / "b").documents_updated == 1
    assert empty.status().documents == 2


def test_one_bad_file_never_stops_a_run(empty: KnowledgeBase, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7\nrubbish")
    (folder / "good.txt").write_text("The good file says hello.")
    (folder / "zero.txt").write_bytes(b"")
    report = empty.ingest(folder)
    assert report.documents_added == 1
    assert {Path(failure.key).name for failure in report.failures} == {"bad.pdf", "zero.txt"}
    assert all(failure.message for failure in report.failures)
    assert empty.status().sources[0].dead_letters == 2


def test_cancelling_keeps_what_is_committed(empty: KnowledgeBase) -> None:
    documents = [{"key": str(number), "text": f"Entry number {number}."} for number in range(200)]
    seen = 0

    def cancel() -> bool:
        nonlocal seen
        seen += 1
        return seen > 120

    report = empty.ingest(documents, cancel=cancel)
    assert report.interrupted
    assert empty.status().documents == report.documents_added < 200
    rest = empty.ingest(documents)
    assert rest.documents_added + rest.documents_unchanged == 200
    assert not empty.status().drifted


# Opening


def test_a_knowledge_base_is_made_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeBaseNotFoundError, match="grounded ingest"):
        KnowledgeBase.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(KnowledgeBaseExistsError):
        KnowledgeBase.open(tmp_path / "file", create=True)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.doc").write_text("x")
    with pytest.raises(KnowledgeBaseExistsError):
        KnowledgeBase.open(tmp_path / "used", create=True)


def test_it_opens_again_with_everything(tmp_path: Path) -> None:
    with KnowledgeBase.open(tmp_path / "kb", create=True) as first:
        first.ingest([{"key": "a", "text": "Bees make honey."}])
    with KnowledgeBase.open(tmp_path / "kb") as second:
        assert second.search("honey")[0].text == "Bees make honey."


def test_another_embedding_model_is_refused(tmp_path: Path) -> None:
    KnowledgeBase.open(tmp_path / "kb", create=True).close()

    class Other:
        identity = "another-model"
        dimension = default_embedder().dimension
        max_tokens = 100
        token_spans = default_embedder().token_spans
        embed_documents = default_embedder().embed_documents
        embed_query = default_embedder().embed_query

    with pytest.raises(EmbedderMismatchError, match="another-model"):
        KnowledgeBase.open(tmp_path / "kb", embedder=Other())


def test_a_closed_one_says_so(tmp_path: Path) -> None:
    knowledge_base = KnowledgeBase.open(tmp_path / "kb", create=True)
    knowledge_base.close()
    knowledge_base.close()
    for call in (lambda: knowledge_base.search("x"), knowledge_base.status, knowledge_base.answers):
        with pytest.raises(KnowledgeBaseError, match="closed"):
            call()
    with pytest.raises(KnowledgeBaseError, match="closed"):
        knowledge_base.ingest([{"key": "a", "text": "b"}])


def test_a_verifier_may_be_named(shop: KnowledgeBase) -> None:
    answer = shop.ask(QUESTIONS[0], verifier="containment")
    assert answer.report is not None
    assert answer.report.verifier.name == "containment"
    with pytest.raises(UnknownNameError, match="containment"):
        shop.ask(QUESTIONS[0], verifier="no-such-verifier")


def test_its_files_are_private(empty: KnowledgeBase) -> None:
    for path in empty.path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_status_can_be_read_while_it_is_open(empty: KnowledgeBase) -> None:
    empty.ingest([{"key": "a", "text": "Bees make honey."}])
    status = KnowledgeBase.status_of(empty.path)
    assert (status.documents, status.points) == (1, None)
    assert empty.status().points == empty.status().chunks == 1


# Threads and asynchronous twins


def test_searches_run_beside_an_ingest(empty: KnowledgeBase) -> None:
    empty.ingest([{"key": "first", "text": "The first entry stays."}])
    problems: list[BaseException] = []

    def search() -> None:
        try:
            for _ in range(20):
                assert any("first entry" in passage.text for passage in empty.search("first entry"))
        except BaseException as error:  # noqa: BLE001  # reported by the main thread
            problems.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    empty.ingest([{"key": f"other {number}", "text": f"Other text {number}."} for number in range(30)])
    for thread in threads:
        thread.join()
    assert problems == []


def test_asynchronous_twins_give_the_same(shop: KnowledgeBase) -> None:
    async def main() -> None:
        assert await shop.asearch("delivery") == shop.search("delivery")
        assert (await shop.aask(QUESTIONS[0])).text == shop.ask(QUESTIONS[0]).text
        assert (await shop.aprompt("q?", nonce=NONCE)).messages == shop.prompt("q?", nonce=NONCE).messages
        events = [event async for event in shop.astream(QUESTIONS[0])]
        assert isinstance(events[-1], DoneEvent)
        async for _ in shop.astream(QUESTIONS[0]):
            break

    asyncio.run(main())


def test_cancelling_an_asynchronous_ingest_stops_at_a_batch_border(empty: KnowledgeBase) -> None:
    documents = [{"key": str(number), "text": f"Entry number {number}."} for number in range(2000)]

    async def main() -> None:
        task = asyncio.create_task(empty.aingest(documents))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    status = empty.status()
    assert status.documents < 2000
    assert not status.drifted
