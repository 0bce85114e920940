"""Sync: what each change costs, what it leaves alone, and what it refuses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from grounded.errors import LedgerError, SourceError, StoreError, UsageError
from grounded.ingestion.sync import Progress
from grounded.records import (
    AllOf,
    AnyOf,
    Change,
    Checkpoint,
    Condition,
    Delete,
    Document,
    Failed,
    Listing,
    Locator,
    Parsed,
    RawDocument,
    Segment,
    Span,
    Unchanged,
    Upsert,
    Viewer,
    document_id,
)
from grounded.retrieval.filters import visible_to
from tests.ingestion.support import SOURCE, Base, ListSource, check_agreement, listing, raw

DOCUMENTS = {"a.md": "one\n\ntwo\n\nthree", "b.md": "four", "c.md": "two\n\ntwo\n\ntwo"}


LOCATOR = Locator(kind="page", number=1)


def count(base: Base, *conditions: Condition, viewer: Viewer | None = None) -> int:
    return base.store.count(AllOf(conditions=(visible_to(viewer or Viewer()), *conditions)))


def test_a_first_sync_brings_everything(base_on: Base) -> None:
    report = base_on.sync(listing(DOCUMENTS))
    assert (report.documents_added, report.chunks_embedded, report.chunks_reused) == (3, 7, 0)
    assert report.ok
    assert not base_on.ledger.dirty
    check_agreement(base_on, DOCUMENTS)


def test_nothing_is_embedded_twice(base_on: Base) -> None:
    base_on.sync(listing(DOCUMENTS))
    revision = base_on.ledger.revision
    report = base_on.sync(listing(DOCUMENTS))
    assert (report.documents_unchanged, report.documents, base_on.embedder.texts) == (3, 3, [])
    assert base_on.ledger.revision == revision


def test_a_changed_document_embeds_its_new_chunks_only(base_on: Base) -> None:
    base_on.sync(listing(DOCUMENTS))
    changed = {**DOCUMENTS, "a.md": "zero\n\none\n\nthree"}
    report = base_on.sync(listing(changed))
    assert base_on.embedder.texts == ["a.md\nzero"]
    assert (report.documents_updated, report.documents_unchanged) == (1, 2)
    assert (report.chunks_embedded, report.chunks_reused) == (1, 2)
    check_agreement(base_on, changed)


def test_an_unchanged_document_is_not_even_parsed(base: Base) -> None:
    base.sync(listing(DOCUMENTS))
    report = base.sync(listing(DOCUMENTS), parse=None, split=None)
    assert report.documents_unchanged == 3


def test_other_settings_read_everything_again(base: Base) -> None:
    base.sync(listing(DOCUMENTS))
    read: list[str] = []

    def parse_and_note(document: RawDocument) -> Any:
        from tests.ingestion.support import parse

        read.append(document.key)
        return parse(document)

    report = base.sync(listing(DOCUMENTS), settings="2", parse=parse_and_note)
    assert read == list(DOCUMENTS)
    assert (report.documents_unchanged, report.chunks_embedded) == (3, 0)


def test_a_source_may_name_its_own_fingerprint(base: Base) -> None:
    base.sync([raw("a.md", "one", fingerprint="1")])
    assert base.sync([raw("a.md", "two", fingerprint="1")]).documents_unchanged == 1
    assert base.sync([raw("a.md", "two", fingerprint="2")]).documents_updated == 1
    check_agreement(base, {"a.md": "two"})


def test_metadata_permissions_and_dates_change_payloads_and_embed_nothing(base_on: Base) -> None:
    base_on.sync(listing(DOCUMENTS, metadata={"year": 2025, "old": True}))
    assert count(base_on, AnyOf(key="year", values=(2025,))) == 7
    report = base_on.sync(
        listing(DOCUMENTS, metadata={"year": 2026}, principals=("hr",), effective_from=date(2026, 1, 1))
    )
    assert (report.documents_updated, base_on.embedder.texts) == (3, [])
    assert base_on.texts() == []
    hr = Viewer(principals=("hr",))
    assert count(base_on, AnyOf(key="year", values=(2026,)), viewer=hr) == 7
    assert count(base_on, AnyOf(key="old", values=(True,)), viewer=hr) == 0
    assert count(base_on) == 0
    assert {passage.effective_from for passage in base_on.passages(hr)} == {date(2026, 1, 1)}
    base_on.sync(listing(DOCUMENTS), principals=())
    assert (count(base_on), base_on.embedder.texts) == (7, [])


def test_new_content_and_new_permissions_at_once(base: Base) -> None:
    base.sync([raw("a.md", "one\n\ntwo")])
    base.sync([raw("a.md", "two\n\nthree", principals=("hr",))])
    assert base.embedder.texts == ["a.md\nthree"]
    assert count(base) == 0
    assert count(base, viewer=Viewer(principals=("hr",))) == 2


def test_a_restricted_document_stays_restricted_until_somebody_says_otherwise(base_on: Base) -> None:
    hr = Viewer(principals=("hr",))
    base_on.sync([*listing({"a.md": "one", "b.md": "two"}), raw("open.md", "three", principals=("all",))])
    base_on.sync(listing({"a.md": "one", "b.md": "two"}), principals=("hr",), force_retire=True)
    for changed in ("one", "another", "another"):
        report = base_on.sync(listing({"a.md": changed, "b.md": "two", "c.md": "public"}))
        assert base_on.texts() == ["public"]
        assert count(base_on) == 1
        assert base_on.texts(hr) == [changed, "two", "public"]
        if report.documents_updated:
            assert any("restricted documents keep their principals" in warning for warning in report.warnings)
            assert report.warnings[0].startswith(f"{report.documents_updated} ")
    base_on.sync([Delete(key="a.md")])
    report = base_on.sync([raw("a.md", "back")])
    assert base_on.texts() == ["public"]
    assert report.warnings[0].startswith("1 restricted")
    report = base_on.sync(listing({"a.md": "back", "b.md": "two", "c.md": "public"}), principals=())
    assert base_on.texts() == ["back", "two", "public"]
    assert (count(base_on), report.warnings) == (3, ())


def says(key: str, name: str, **declared: object) -> Upsert:
    return raw(key, f"supersedes: {name}\n\n{key}", **declared)


@pytest.mark.parametrize(
    ("key", "name", "target"),
    [
        ("/d/new.md", "w.md", "/d/w.md"),
        ("d/new.md", "w.md", "d/w.md"),
        ("new.md", "w.md", "w.md"),
        ("/d/new.md", "/d/w.md", None),
        ("/e/evil.md", "/d/w.md", None),
        ("/e/evil.md", "../d/w.md", None),
        ("/d/sub/evil.md", "w.md", None),
        ("e/evil.md", "w.md", None),
        ("d/evil.md", "sub/../w.md", None),
        ("/d/evil.md", "..", None),
    ],
)
def test_content_supersedes_in_its_own_folder_only_and_never_in_silence(
    base: Base, key: str, name: str, target: str | None
) -> None:
    base.sync([raw(each, "old") for each in ("/d/w.md", "d/w.md", "w.md")])
    report = base.sync([says(key, name)])
    (passage,) = [each for each in base.passages() if each.title == key and each.text == key]
    live = {document: each for document, each in base.ledger.live_keys("default", SOURCE)}
    assert live.get(passage.supersedes or "") == target
    (warning,) = report.warnings
    assert key in warning
    assert name in warning
    assert base.sync([says(key, name)]).warnings == ()


def test_the_source_may_supersede_across_folders(base: Base) -> None:
    base.sync([raw("/d/w.md", "old")])
    report = base.sync([says("/e/new.md", "other.md", supersedes="/d/w.md")])
    assert report.warnings == ()
    assert {each.supersedes for each in base.passages() if each.title == "/e/new.md"} == {
        document_id("default", SOURCE, "/d/w.md")
    }


def test_source_wins_over_ingest_and_ingest_over_content(base: Base) -> None:
    text = "audience: content\nyear: 2024"
    viewer = Viewer(principals=("content", "ingest", "source"))
    for options, declared, year, principals in (
        ({}, {}, 2024, ("content",)),
        ({"metadata": {"year": 2025}, "principals": ["ingest"]}, {}, 2025, ("ingest",)),
        (
            {"metadata": {"year": 2025}, "principals": ["ingest"]},
            {"metadata": {"year": 2026}, "principals": ("source",)},
            2026,
            ("source",),
        ),
        ({}, {}, 2024, ("content",)),
    ):
        base.sync([raw("a.md", text, **declared)], **options)
        assert [passage.principals for passage in base.passages(viewer)] == [principals]
        assert count(base, AnyOf(key="year", values=(year,)), viewer=viewer) == 1


def test_documents_given_as_text_are_not_parsed(base: Base) -> None:
    document = Document(key="a", text="one\n\ntwo", title="A", metadata={"product": "kettle"})
    base.sync([Upsert(document=document)], parse=None)
    assert base.texts() == ["one", "two"]
    assert base.sync([Upsert(document=document)], parse=None).documents_unchanged == 1
    renamed = document.model_copy(update={"title": "B"})
    assert base.sync([Upsert(document=renamed)], parse=None).chunks_embedded == 2
    assert {passage.title for passage in base.passages()} == {"B"}


def test_one_bad_document_stops_nothing_and_keeps_its_last_version(base_on: Base) -> None:
    base_on.sync(listing(DOCUMENTS))
    report = base_on.sync([*listing({**DOCUMENTS, "b.md": "  ", "d.md": "", "e.md": "five"})])
    assert [(f.key, f.stage, f.error, f.fix) for f in report.failures] == [
        ("b.md", "parse", "EmptyDocumentError", "Put some in."),
        ("d.md", "parse", "EmptyDocumentError", "Put some in."),
    ]
    assert not report.ok
    check_agreement(base_on, {**DOCUMENTS, "e.md": "five"})
    assert {letter.key for letter in base_on.ledger.dead_letters()} == {"b.md", "d.md"}
    assert base_on.ledger.last_success() is not None
    report = base_on.sync(listing({**DOCUMENTS, "e.md": "five"}))
    assert report.ok
    assert base_on.ledger.dead_letters() == ()


def test_a_parser_that_makes_no_valid_record_fails_its_document_only(base: Base) -> None:
    def parse_wrongly(document: RawDocument) -> Parsed:
        start = len(document.content) if document.key == "bad.md" else 0
        return Parsed(text="text", segments=(Segment(span=Span(start=start, end=start), locator=LOCATOR),))

    report = base.sync([raw("bad.md", "longer"), raw("a.md", "text")], parse=parse_wrongly)
    assert [(failure.key, failure.error) for failure in report.failures] == [("bad.md", "ParseError")]
    check_agreement(base, {"a.md": "text"})


def test_undecodable_text_is_kept_as_it_is(base: Base) -> None:
    base.sync([Upsert(document=RawDocument(key="latin.md", content="caf\xe9".encode("latin-1")))])
    assert base.texts() == ["caf\udce9"]
    base.store.delete(list(base.store.ids()))
    assert base.repair().points_restored == 1
    assert base.texts() == ["caf\udce9"]


def test_a_document_that_failed_or_is_unchanged_is_not_gone(base: Base) -> None:
    base.sync(listing(DOCUMENTS))
    failed = Failed(key="a.md", error="PermissionError", message="denied")
    report = base.sync([failed, Unchanged(key="b.md"), raw("c.md", DOCUMENTS["c.md"]), Listing(complete=True)])
    assert (report.documents_retired, report.documents_unchanged) == (0, 2)
    assert [failure.stage for failure in report.failures] == ["read"]
    check_agreement(base, DOCUMENTS)
    report = base.sync([Unchanged(key="a.md")])
    assert [failure.message for failure in report.failures] == ["denied"]


def test_unchanged_but_never_stored_is_a_failure(base: Base) -> None:
    report = base.sync([Unchanged(key="ghost.md")])
    assert [(failure.key, failure.stage) for failure in report.failures] == [("ghost.md", "list")]


def test_what_a_complete_listing_leaves_out_is_retired(base_on: Base) -> None:
    documents = {f"{n}.md": f"text {n}" for n in range(10)}
    base_on.sync(listing(documents))
    del documents["3.md"], documents["4.md"]
    report = base_on.sync(listing(documents))
    assert (report.documents_retired, report.retirement_refused) == (2, "")
    check_agreement(base_on, documents)
    assert base_on.sync(listing({**documents, "3.md": "text 3"})).documents_added == 1
    check_agreement(base_on, {**documents, "3.md": "text 3"})


def test_too_large_a_share_is_refused_until_it_is_forced(base: Base) -> None:
    documents = {f"{n}.md": f"text {n}" for n in range(10)}
    base.sync(listing(documents))
    fewer = {key: documents[key] for key in list(documents)[:7]}
    report = base.sync(listing({**fewer, "new.md": "new"}))
    assert (report.documents_retired, report.documents_added, report.ok) == (0, 1, False)
    assert "3 of 10 documents" in report.retirement_refused
    check_agreement(base, {**documents, "new.md": "new"})
    assert base.sync(listing({**fewer, "new.md": "new"}), max_retire_share=0.3).documents_retired == 3
    check_agreement(base, {**fewer, "new.md": "new"})
    assert base.sync(listing({"new.md": "new"}), force_retire=True).documents_retired == 7


def test_a_moved_folder_does_not_hide_behind_its_new_names(base: Base) -> None:
    base.sync(listing({f"old/{n}.md": f"text {n}" for n in range(10)}))
    report = base.sync(listing({f"new/{n}.md": f"text {n}" for n in range(60)}))
    assert "10 of 10" in report.retirement_refused


def test_few_documents_may_go_but_never_all_at_once(base: Base) -> None:
    base.sync(listing(DOCUMENTS))
    assert base.sync(listing({"a.md": DOCUMENTS["a.md"]})).documents_retired == 2
    report = base.sync([Listing(complete=True)])
    assert "empty" in report.retirement_refused
    check_agreement(base, {"a.md": DOCUMENTS["a.md"]})
    assert base.sync([Listing(complete=True)], force_retire=True).documents_retired == 1
    check_agreement(base, {})


def test_nothing_is_retired_without_a_complete_listing(base: Base) -> None:
    base.sync(listing(DOCUMENTS))
    assert base.sync([raw("a.md", DOCUMENTS["a.md"])]).documents_retired == 0
    report = base.sync([raw("a.md", DOCUMENTS["a.md"]), Listing(complete=False, reason="a folder is closed")])
    assert report.documents_retired == 0
    assert "a folder is closed" in report.warnings[0]
    check_agreement(base, DOCUMENTS)


def test_nothing_outside_the_ingested_part_is_touched(base: Base) -> None:
    documents = {"x/1.md": "one", "x/2.md": "two", "y/1.md": "three"}
    base.sync(listing(documents))
    part = ListSource(listing({"x/1.md": "one"}), scope="x", covers=lambda key: key.startswith("x/"))
    assert base.sync(part).documents_retired == 1
    elsewhere = ListSource(listing({"z": "other"}), source="elsewhere")
    assert base.sync(elsewhere).documents_retired == 0
    assert base.sync(listing({"x/1.md": "other"}), tenant="t").documents_retired == 0
    assert sorted(base.texts()) == ["one", "other", "three"]
    assert base.texts(Viewer(tenant="t")) == ["other"]


def test_a_source_can_delete(base_on: Base) -> None:
    base_on.sync(listing(DOCUMENTS))
    report = base_on.sync([Delete(key="a.md"), Delete(key="never-there")])
    assert report.documents_retired == 1
    check_agreement(base_on, {key: DOCUMENTS[key] for key in ("b.md", "c.md")})


def test_changes_of_one_document_happen_in_order(base: Base) -> None:
    changes: list[Change] = [raw("a.md", "one"), Delete(key="a.md"), raw("a.md", "two"), raw("b.md", "three")]
    base.sync([*changes, Delete(key="b.md"), Failed(key="a.md", error="E", message="m")])
    check_agreement(base, {"a.md": "two"})
    assert [letter.key for letter in base.ledger.dead_letters()] == ["a.md"]


def test_of_two_documents_with_one_key_the_later_wins(base: Base) -> None:
    filler = listing({f"{n:03}.md": f"text {n}" for n in range(100)})[:-1]
    report = base.sync(
        [raw("a.md", "first"), raw("a.md", "second"), *filler, raw("a.md", "third"), Listing(complete=True)]
    )
    assert "named twice" in report.warnings[0]
    assert base.texts().count("third") == 1
    assert not {"first", "second"} & set(base.texts())


def test_dead_letters_of_documents_that_are_gone_are_dropped(base: Base) -> None:
    base.sync(listing({**DOCUMENTS, "bad.md": ""}))
    assert len(base.ledger.dead_letters()) == 1
    assert base.sync(listing(DOCUMENTS)).ok
    assert base.ledger.dead_letters() == ()


def test_checkpoints_move_with_what_they_vouch_for(base: Base) -> None:
    first = ListSource([raw("a.md", "one"), Checkpoint(state={"at": 1}), raw("b.md", "two")])
    base.sync(first)
    assert first.checkpoint is None
    second = ListSource([Checkpoint(state={"at": 2})])
    base.sync(second)
    assert second.checkpoint == {"at": 1}
    with_other_settings = ListSource([])
    base.sync(with_other_settings, settings="2")
    assert with_other_settings.checkpoint is None
    assert base.ledger.checkpoint("default", "memory", "all") == {"at": 2}


def test_metadata_of_another_kind_is_dropped_from_the_filter_only(base: Base) -> None:
    report = base.sync(
        [
            raw("a.md", "one", metadata={"year": 2024, "price": 1.5, "tenant": "theirs", 'quo"te': 1}),
            raw("b.md", "two", metadata={"year": "soon", "price": 2}),
            raw("c.md", "three", metadata={"price": float("inf"), "huge": 2**70}),
        ]
    )
    assert base.ledger.filter_keys() == {"year": "integer", "price": "float"}
    assert count(base, AnyOf(key="price", values=(2,))) == 1
    assert len(report.warnings) == 5
    assert report.ok
    details = base.ledger.details([document_id("default", "memory", "b.md")])
    assert next(iter(details.values())).metadata == {"year": "soon", "price": 2}
    assert count(base) == 3


def test_at_most_64_keys_are_declared(base: Base) -> None:
    report = base.sync([raw("a.md", "one", metadata={f"key{n}": n for n in range(70)})])
    assert len(base.ledger.filter_keys()) == 64
    assert len(report.warnings) == 6


def test_progress_counts_documents_and_chunks(base: Base) -> None:
    seen: list[Progress] = []
    base.sync(listing(DOCUMENTS), progress=seen.append)
    assert [each.done for each in seen] == [1, 2, 3, 3]
    assert seen[-1] == Progress(done=3, total=None, document="c.md", chunks=7)


def test_cancelling_keeps_what_is_committed(base: Base) -> None:
    documents = {f"{n:03}.md": f"text {n}\n\nmore {n}" for n in range(200)}
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(1)
        return len(asked) > 160

    report = base.sync(listing(documents), cancel=cancel)
    assert report.interrupted
    assert not report.ok
    assert 0 < report.documents_added < 200
    committed = dict(list(documents.items())[: report.documents_added])
    check_agreement(base, committed)
    assert not base.ledger.dirty
    rest = base.sync(listing(documents))
    assert (rest.documents_unchanged, rest.documents_added) == (len(committed), 200 - len(committed))
    check_agreement(base, documents)


def test_an_interrupt_anywhere_leaves_documents_whole(base: Base) -> None:
    documents = {f"{n:03}.md": f"text {n}\n\nmore {n}" for n in range(260)}

    def interrupted() -> Iterator[Change]:
        yield from listing(documents)[:200]
        raise KeyboardInterrupt

    report = base.sync(ListSource(interrupted()))
    assert (report.interrupted, report.documents_added) == (True, 128)
    check_agreement(base, dict(list(documents.items())[:128]))


@pytest.mark.parametrize("method", ["upsert", "flush", "delete", "set_payload"])
def test_an_interrupt_inside_the_store_is_settled(base: Base, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The interrupt arrives when the call has done its work, as with Ctrl-C during a call of the engine."""
    base.sync(listing(DOCUMENTS))
    real = getattr(base.store, method)

    def call_then_interrupt(*arguments: Any) -> None:
        monkeypatch.undo()
        real(*arguments)
        raise KeyboardInterrupt

    changed = {"a.md": "one\n\nnew", "b.md": DOCUMENTS["b.md"], "c.md": "two"}
    monkeypatch.setattr(base.store, method, call_then_interrupt)
    report = base.sync(listing(changed, metadata={"year": 1}))
    assert report.interrupted
    check_agreement(base, changed if method == "delete" else DOCUMENTS)
    assert base.sync(listing(changed, metadata={"year": 1})).ok
    check_agreement(base, changed)
    assert count(base, AnyOf(key="year", values=(1,))) == base.ledger.totals()[1]


def test_a_source_that_breaks_off_keeps_what_it_gave(base: Base) -> None:
    def broken() -> Iterator[Change]:
        yield raw("a.md", "one")
        raise SourceError("The server went away.")

    with pytest.raises(SourceError):
        base.sync(ListSource(broken()))
    check_agreement(base, {"a.md": "one"})
    assert not base.ledger.dirty
    assert base.ledger.last_success() is None


def test_a_store_that_fails_loses_nothing(base: Base, tmp_path: Path) -> None:
    base.sync(listing(DOCUMENTS))
    base.store.close()
    with pytest.raises(StoreError, match="closed"):
        base.sync(listing({**DOCUMENTS, "d.md": "four"}))
    base.ledger.close()
    again = Base(tmp_path / "kb")
    again.repair()
    check_agreement(again, DOCUMENTS)
    again.sync(listing({**DOCUMENTS, "d.md": "four"}))
    check_agreement(again, {**DOCUMENTS, "d.md": "four"})
    again.close()


def test_a_full_disk_under_the_ledger_loses_nothing(base: Base, tmp_path: Path) -> None:
    base.sync(listing(DOCUMENTS))
    with base.ledger._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    large = {**DOCUMENTS, "large.md": "\n\n".join(f"text {n} " + "x" * 500 for n in range(400))}
    with pytest.raises(LedgerError, match="full"):
        base.sync(listing(large))
    assert base.ledger.dirty
    base.close()
    again = Base(tmp_path / "kb")
    report = again.repair()
    assert (report.scanned, report.points_removed) == (True, 400)
    check_agreement(again, DOCUMENTS)
    again.sync(listing(large))
    check_agreement(again, large)
    again.close()


def test_a_long_document_is_embedded_in_portions(base: Base) -> None:
    text = "\n\n".join(f"paragraph {n}" for n in range(600))
    seen: list[Progress] = []
    base.sync([raw("long.md", text)], progress=seen.append)
    assert [each.chunks for each in seen] == [0, 256, 512, 600]
    check_agreement(base, {"long.md": text})


@pytest.mark.parametrize(
    "options",
    [
        {"max_retire_share": 1.5},
        {"principals": "hr"},
        {"tenant": ""},
        {"tenant": " "},
        {"metadata": {"a": ["list"]}},
        {"metadata": {"a": None}},
    ],
)
def test_wrong_arguments_are_refused(base: Base, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        base.sync([raw("a.md", "one")], **options)
    assert base.ledger.totals() == (0, 0)


def test_no_content_is_logged(base: Base, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        base.sync([raw("secret-name.md", "secret text"), Failed(key="k", error="E", message="secret message")])
    assert "1 added" in caplog.text
    assert "secret" not in caplog.text
