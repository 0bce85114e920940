"""Reconcile, retry, forget, prune and compact through the public API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from grounded import KnowledgeBase
from grounded.errors import UsageError
from grounded.records import Erasure, RawDocument, Upsert
from tests.ingestion.support import HashEmbedder, ListSource

SECRET = "xylophonequartz"
OTHER = "ordinary words about kettles"


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as knowledge_base:
        yield knowledge_base


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sources"
    made.mkdir()
    (made / "a.md").write_text("# First\n\nWarranty lasts 24 months.\n")
    (made / "b.md").write_text("# Second\n\nReturns within 30 days.\n")
    return made


def files_with(path: Path, wanted: str) -> list[str]:
    """Files under a folder that hold some bytes anywhere."""
    return [str(file) for file in path.rglob("*") if file.is_file() and wanted.encode() in file.read_bytes()]


def test_what_agrees_is_said_to_agree(kb: KnowledgeBase, folder: Path) -> None:
    kb.ingest(folder)
    found = kb.reconcile(folder)
    assert found.agrees
    assert (found.documents, found.points, found.sources[0].same) == (2, found.chunks, 2)


def test_every_kind_of_difference_is_found_and_repaired(kb: KnowledgeBase, folder: Path) -> None:
    (folder / "c.md").write_text("Nothing of this stays.\n")
    kb.ingest(folder, metadata={"team": "service"})
    (folder / "a.md").write_text("# First\n\nWarranty lasts 12 months.\n")
    (folder / "c.md").unlink()
    (folder / "d.md").write_text("New here.\n")
    lost, wrong, *_ = sorted(kb._store.ids())
    kb._store.delete([lost])
    kb._store.set_payload([wrong], {"team": "sales", "principals": ["somebody"]})
    found = kb.reconcile(folder, metadata={"team": "service"})
    (source,) = found.sources
    assert not found.agrees
    assert (found.points_missing, found.points_orphaned, found.payloads_wrong) == (1, 0, 1)
    assert [Path(key).name for key in (*source.missing, *source.changed, *source.gone)] == ["d.md", "a.md", "c.md"]
    assert not kb.reconcile(folder, metadata={"team": "service"}).agrees, "looking changes nothing"
    kb.reconcile(folder, metadata={"team": "service"}, repair=True, force_retire=True)
    again = kb.reconcile(folder, metadata={"team": "service"})
    assert again.agrees, again


def test_a_source_without_a_listing_cannot_say_what_is_gone(kb: KnowledgeBase) -> None:
    kb.ingest([{"key": "a", "text": "one"}])
    (source,) = kb.reconcile([{"key": "a", "text": "one"}]).sources
    assert (source.same, source.agrees) == (1, False)
    assert "complete=True" in source.unlisted


def test_dead_letters_of_files_and_messages_are_tried_again(kb: KnowledgeBase, folder: Path) -> None:
    broken = folder / "b.md"
    broken.write_bytes(b"")
    message = Upsert(document=RawDocument(key="m", content=b"%PDF-1.4 broken", name="m.pdf"), order="1")
    assert not kb.ingest(folder).ok
    assert not kb.ingest(ListSource([message], source="queue")).ok
    assert {each.source: each.dead_letters for each in kb.status().sources} == {"files": 1, "queue": 1}
    broken.write_text("Readable now.\n")
    report = kb.retry()
    assert report.documents_added == 1
    assert [failure.key for failure in report.failures] == ["m"]
    assert {each.source: each.dead_letters for each in kb.status().sources} == {"files": 0, "queue": 1}
    assert kb.retry().failures, "the message is still kept"


def test_dead_letters_of_other_sources_need_their_source(kb: KnowledgeBase) -> None:
    records: list[dict[str, Any]] = [{"key": "a", "text": "one"}, {"key": "b", "text": 7}]
    assert not kb.ingest(records).ok
    assert "1 of records" in kb.retry().warnings[0]
    records[1]["text"] = "two"
    report = kb.retry(records)
    assert (report.documents_added, report.ok) == (1, True)


def test_no_file_holds_what_was_forgotten(kb: KnowledgeBase, tmp_path: Path) -> None:
    secret: dict[str, Any] = {
        "key": f"people/{SECRET}-key",
        "text": f"Everything about {SECRET}-text.",
        "title": f"{SECRET}-title",
        "uri": f"hr://{SECRET}-uri",
        "metadata": {"person": f"{SECRET}-person"},
        "principals": [f"{SECRET}-principal"],
    }
    other = {"key": "other", "text": OTHER, "metadata": {"person": "nobody"}}
    kb.ingest([secret, other])
    kb.ingest([{**secret, "text": f"Changed, still about {SECRET}-text."}, {"key": f"{SECRET}-broken", "text": ""}])
    kb.ask(f"What about {SECRET}-asked?", principals=[f"{SECRET}-principal"], record=True, sufficiency_threshold=0.0)
    assert kb.answers()
    assert files_with(kb.path, SECRET)
    plan = kb.forget(where={"person": f"{SECRET}-person"})
    assert (plan.dry_run, len(plan.documents), len(plan.documents[0].versions), plan.answers) == (True, 1, 2, 1)
    assert kb.answers(), "a dry run erases nothing"
    kb.forget(f"{SECRET}-broken", dry_run=False)
    receipt = kb.forget(where={"person": f"{SECRET}-person"}, dry_run=False, reason="asked for by letter")
    assert files_with(kb.path, SECRET) == []
    assert kb.answers() == []
    assert kb.search(OTHER)[0].text == OTHER
    assert kb.reconcile().agrees
    stored = [Erasure.from_json(file.read_text()) for file in (kb.path / "receipts").glob("*.json")]
    assert receipt in stored
    assert receipt.is_intact
    assert not receipt.model_copy(update={"reason": "another"}).is_intact
    report = kb.ingest([secret, other])
    assert "1 documents were forgotten before" in " ".join(report.warnings)
    assert kb.status().documents == 1
    assert kb.readmit(secret["key"]) == 1
    assert kb.ingest([secret, other]).documents_added == 1


def test_what_must_be_kept_is_not_forgotten(kb: KnowledgeBase) -> None:
    kb.ingest(
        [
            {"key": "held", "text": "A contract.", "metadata": {"case": "x", "legal_hold": True}},
            {"key": "kept", "text": "An invoice.", "metadata": {"case": "x", "retention_class": "tax"}},
            {"key": "free", "text": "A note.", "metadata": {"case": "x"}},
        ]
    )
    kb.ask("contract invoice note", record=True, sufficiency_threshold=0.0)
    erasure = kb.forget(where={"case": "x"}, dry_run=False)
    assert (len(erasure.documents), len(erasure.held)) == (1, 2)
    assert (erasure.answers, erasure.answers_held, len(kb.answers())) == (0, 1, 1)
    assert kb.status().documents == 2


def test_forgetting_needs_to_be_told_what(kb: KnowledgeBase) -> None:
    with pytest.raises(UsageError, match="Nothing says what"):
        kb.forget()
    assert kb.forget("nothing of this name").documents == ()


def test_pruned_versions_are_gone_and_live_ones_stay(kb: KnowledgeBase) -> None:
    for text in ("first edition", "second edition"):
        kb.ingest([{"key": "a", "text": text}])
    (passage,) = kb.search("edition")
    assert passage.document_id is not None
    assert kb.prune(keep=timedelta(days=1)).versions == 0
    done = kb.prune(keep=timedelta(0))
    assert (done.versions, done.documents) == (1, 0)
    assert files_with(kb.path, "first edition") == []
    assert kb.text(passage.document_id) == "second edition"
    assert kb.reconcile().agrees


def test_compacting_loses_nothing(kb: KnowledgeBase, tmp_path: Path) -> None:
    kb.ingest([{"key": f"k{n}", "text": f"text number {n}", "metadata": {"n": n}} for n in range(150)])
    before = kb.search("text number 7", where={"n": {"gte": 5}})
    kb.compact()
    assert kb.search("text number 7", where={"n": {"gte": 5}}) == before
    kb.close()
    with KnowledgeBase.open(tmp_path / "kb", embedder=HashEmbedder()) as again:
        assert again.search("text number 7", where={"n": {"gte": 5}}) == before
        assert again.reconcile().agrees


def test_a_crash_while_files_are_rewritten_is_put_in_order(tmp_path: Path) -> None:
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as kb:
        kb.ingest([{"key": "a", "text": "one"}])
    store = tmp_path / "kb" / "shard"
    (store / "shard").rename(store / "shard.old")
    (store / "fresh" / "shard").mkdir(parents=True)
    with KnowledgeBase.open(tmp_path / "kb", embedder=HashEmbedder()) as kb:
        assert [passage.text for passage in kb.search("one")] == ["one"]
        assert kb.reconcile().points == 1
    assert not (store / "fresh").exists()


def test_answers_are_shown_to_those_who_may_see_their_documents(kb: KnowledgeBase) -> None:
    kb.ingest([{"key": "a", "text": "Salaries are paid monthly.", "principals": ["hr"]}])
    kb.ask("When are salaries paid?", principals=["hr"], record=True, sufficiency_threshold=0.0)
    assert len(kb.answers()) == len(kb.answers(principals=["hr"])) == 1
    assert kb.answers(principals=[]) == kb.answers(tenant="other") == []
    kb.ingest([{"key": "a", "text": "Salaries are paid monthly.", "principals": ["board"]}])
    assert kb.answers(principals=["hr"]) == []
    receipt = json.loads(kb.status().to_json())
    assert "Salaries" not in json.dumps(receipt)


def test_principals_by_rule(kb: KnowledgeBase) -> None:
    records = [{"key": key, "text": f"text of {key}"} for key in ("a/hr/1", "a/board/2", "a/3")]
    rules = {"*/hr/*": ["hr"], "*/board/*": ["board", "hr"], "*": []}
    kb.ingest(records, principals=rules)
    assert {passage.text for passage in kb.search("text")} == {"text of a/3"}
    assert len(kb.search("text", principals=["hr"])) == 3
    assert len(kb.search("text", principals=["board"])) == 2
    report = kb.ingest(records, principals={"*/hr/*": ["board"], "*": []})
    assert (report.chunks_embedded, report.documents_updated) == (0, 2)
    assert {passage.text for passage in kb.search("text", principals=["hr"])} == {"text of a/board/2", "text of a/3"}
