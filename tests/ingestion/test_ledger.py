"""The ledger on SQLite and PostgreSQL: what is committed is what is read, and only by those who may."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, event, insert, inspect, select, text

from grounded.errors import (
    ConfigurationError,
    KnowledgeBaseNotFoundError,
    LedgerError,
    SchemaError,
    UnknownNameError,
)
from grounded.ingestion.ledger import Attributes, Batch, Checkpointed, Content, Ledger, Write, reads
from grounded.ingestion.ledger.engine import connect, reading, writing
from grounded.ingestion.ledger.migrations import prepare
from grounded.ingestion.ledger.schema import BLOCK_CHARACTERS, SCHEMA_NUMBER, metadata, runs, texts
from grounded.ingestion.ledger.text import TextCache
from grounded.records import (
    AnswerRecord,
    Document,
    Failure,
    GeneratorRef,
    Locator,
    Segment,
    Span,
    Viewer,
    document_id,
)
from tests.ingestion.support import split

ID = document_id("default", "files", "a.md")
TEXT = "Warranty\n\nTwenty-four months.\n\nFrom delivery."


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as opened:
        yield opened


def write(text: str = TEXT, *, key: str = "a.md", tenant: str = "default", **about: object) -> Write:
    identity = document_id(tenant, "files", key)
    document = Document(key=key, text=text, title=key)
    content = Content(document.version, text, document.segments, split(document, identity))
    attributes = Attributes(**{"title": key, **about})  # type: ignore[arg-type]
    return Write(identity, key, "fingerprint", "declared", attributes, {}, content)


def put(ledger: Ledger, *writes: Write, tenant: str = "default", **batch: object) -> list[str]:
    ledger.commit(Batch(tenant=tenant, source="files", writes=writes, **batch))  # type: ignore[arg-type]
    return [chunk.id for each in writes if each.content for chunk in each.content.chunks]


def test_passages_are_slices_of_canonical_text(ledger: Ledger) -> None:
    ids = put(ledger, write(uri="file:///a.md", trust="trusted"))
    found = ledger.passages([*ids, "00000000-0000-0000-0000-000000000000"], Viewer())
    assert list(found) == ids
    passages = [passage for each in found.values() for passage in each]
    assert [passage.text for passage in passages] == ["Warranty", "Twenty-four months.", "From delivery."]
    assert all(TEXT[p.span.start : p.span.end] == p.text for p in passages if p.span)
    assert passages[1].locators == (Locator(kind="line", number=3),)
    assert (passages[0].uri, passages[0].trust, passages[0].document_id) == ("file:///a.md", "trusted", ID)


def test_a_superseded_version_keeps_its_text_but_no_passage(ledger: Ledger) -> None:
    old = put(ledger, write("first\n\nshared"))
    first = ledger.passages(old, Viewer())[old[0]][0].version
    new = put(ledger, write("second\n\nshared"))
    assert ledger.passages([old[0]], Viewer()) == {}
    assert [p.text for each in ledger.passages(new, Viewer()).values() for p in each] == ["second", "shared"]
    assert ledger.document(ID, first) == "first\n\nshared"
    assert ledger.document(ID) == "second\n\nshared"
    assert ledger.slice_text(ID, str(first), 7, 999) == "shared"
    assert ledger.totals() == (1, 2)


def test_a_version_can_come_back(ledger: Ledger) -> None:
    ids = put(ledger, write("first"))
    put(ledger, write("second"))
    before = ledger.live_since([ID])[ID]
    assert put(ledger, write("first")) == ids
    assert ledger.passages(ids, Viewer())[ids[0]][0].text == "first"
    assert ledger.live_since([ID])[ID] > before


def test_a_retired_document_is_invisible_and_comes_back(ledger: Ledger) -> None:
    ids = put(ledger, write())
    put(ledger, retired=[ID])
    assert ledger.passages(ids, Viewer()) == {}
    assert ledger.known([ID])[ID].live is False
    assert ledger.totals() == (0, 0)
    assert ledger.live_chunks() == []
    put(ledger, write())
    assert ledger.passages(ids, Viewer()).keys() == set(ids)


def test_only_permitted_viewers_see_a_restricted_document(ledger: Ledger) -> None:
    assert not ledger.restricted()
    ids = put(ledger, write(principals=("hr", "board", "hr")))
    assert ledger.restricted()
    assert ledger.passages(ids, Viewer()) == {}
    assert ledger.passages(ids, Viewer(principals=("sales",))) == {}
    assert ledger.visible([ID], Viewer(principals=("sales",))) == set()
    found = ledger.passages(ids, Viewer(principals=("sales", "hr")))
    assert found[ids[0]][0].principals == ("board", "hr")
    assert ledger.visible([ID], Viewer(principals=("hr",))) == {ID}
    put(ledger, write())
    assert not ledger.restricted()
    assert ledger.visible([ID], Viewer()) == {ID}


def test_another_tenant_sees_nothing(ledger: Ledger) -> None:
    ids = put(ledger, write())
    assert ledger.passages(ids, Viewer(tenant="other")) == {}
    assert ledger.visible([ID], Viewer(tenant="other")) == set()
    version = ledger.passages(ids, Viewer())[ids[0]][0].version or ""
    assert ledger.near(ID, version, 0, 100, viewer=Viewer())
    assert ledger.near(ID, version, 0, 100, viewer=Viewer(tenant="other")) == []


@pytest.mark.parametrize(
    ("on", "seen"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-12-31", True), ("2027-01-01", False)],
)
def test_effective_dates_are_a_half_open_range(ledger: Ledger, on: str, seen: bool) -> None:
    ids = put(ledger, write(effective_from=date(2026, 1, 1), effective_to=date(2027, 1, 1)))
    viewer = Viewer(on=date.fromisoformat(on))
    assert bool(ledger.passages(ids, viewer)) is seen
    assert bool(ledger.visible([ID], viewer)) is seen
    assert ledger.passages(ids, Viewer())[ids[0]][0].effective_to == date(2027, 1, 1)


def test_what_shares_text_with_a_place_is_near_it(ledger: Ledger) -> None:
    ids = put(ledger, write("a\n\nb\n\nc\n\nd\n\ne"))
    passage = ledger.passages(ids, Viewer())[ids[2]][0]
    assert passage.span == Span(start=6, end=7)
    version = passage.version or ""
    assert [p.text for p in ledger.near(ID, version, 3, 10, viewer=Viewer())] == ["b", "c", "d"]
    assert [p.text for p in ledger.near(ID, version, 4, 9, viewer=Viewer())] == ["c"], "half-open"
    put(ledger, write("other"))
    assert ledger.near(ID, version, 0, 100, viewer=Viewer()) == [], "a version that is not live"


def test_what_a_document_supersedes_is_found_by_key_or_by_name_beside_it(ledger: Ledger) -> None:
    old = document_id("default", "files", "hr/2024.md")
    put(ledger, write("old", key="hr/2024.md"), write("elsewhere", key="2024.md"))
    beside = put(ledger, write("new", key="hr/2026.md", supersedes="./2024.md"))
    exact = put(ledger, write("newer", key="hr/2027.md", supersedes="hr/2024.md"))
    unknown = put(ledger, write("newest", key="hr/2028.md", supersedes="hr/1999.md"))
    found = ledger.passages([*beside, *exact, *unknown], Viewer())
    assert [found[each[0]][0].supersedes for each in (beside, exact)] == [old, old]
    assert found[unknown[0]][0].supersedes == document_id("default", "files", "hr/1999.md")


def _with_plan(path: Path, ask: Callable[[Connection], Any], *kept: dict[str, Any]) -> tuple[Any, list[str]]:
    """What a question of one statement finds among ``kept`` texts, and how SQLite looks for it."""
    engine = create_engine(f"sqlite:///{path / 'ledger.sqlite'}")
    metadata.create_all(engine)
    asked: list[tuple[str, Any]] = []
    with engine.connect() as connection:
        if kept:
            connection.execute(insert(texts), kept)
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        found = ask(connection)
        ((statement, parameters),) = asked
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    return found, [step.detail for step in plan]


def test_looking_for_what_expired_does_not_go_through_all_that_is_live(tmp_path: Path) -> None:
    """It is asked every second: at a million documents of one source that would cost more than everything else."""
    found, plan = _with_plan(tmp_path, lambda ledger: reads.expired(ledger, "default", "memory", datetime.now(UTC), 10))
    assert found == []
    assert "USING INDEX documents_expiring" in plan[0]


def test_reading_passages_does_not_go_through_all_texts(tmp_path: Path) -> None:
    """Every search asks for thirty of them or more."""
    border = BLOCK_CHARACTERS
    wanted = [(1, 0, 1), (2, border - 1, border + 1), (1, border, border + 2)]
    kept = ({"version_id": n, "block": b, "content": b"ab"} for n in (1, 2) for b in (0, 1))
    found, plan = _with_plan(tmp_path, lambda ledger: TextCache().read(ledger, wanted), *kept)
    assert found[::2] == ["a", "ab"]
    assert not [step for step in plan if step.startswith("SCAN")]


def test_attributes_change_without_a_new_version(ledger: Ledger) -> None:
    ids = put(ledger, write())
    before = ledger.live_since([ID])
    only = write(title="New title", metadata={"year": 2026})
    put(ledger, Write(ID, "a.md", "fingerprint", "other", only.attributes, {"title": "x"}, None))
    assert ledger.passages(ids, Viewer())[ids[0]][0].title == "New title"
    assert ledger.details([ID])[ID].metadata == {"year": 2026}
    assert ledger.details([ID])[ID].chunk_ids == tuple(ids)
    assert ledger.live_since([ID]) == before


def test_a_batch_is_all_or_nothing(ledger: Ledger) -> None:
    put(ledger, write("good"))
    broken = dataclasses.replace(write("bad"), fingerprint=None)  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="nothing stored before is lost"):
        put(ledger, write("b", key="b.md"), broken, checkpoint=Checkpointed("all", "s", {"at": 1}))
    assert ledger.document(ID) == "good"
    assert ledger.totals() == (1, 1)
    assert ledger.checkpoint("default", "files", "all") is None
    put(ledger, write("b", key="b.md"))
    assert ledger.totals() == (2, 2)


def test_checkpoints_hold_for_their_settings_only(ledger: Ledger) -> None:
    put(ledger, checkpoint=Checkpointed("scope", "settings-1", {"offset": 7, "deep": {"a": [1]}}))
    assert ledger.checkpoint("default", "files", "scope", settings="settings-1") == {"offset": 7, "deep": {"a": [1]}}
    assert ledger.checkpoint("default", "files", "scope", settings="settings-2") is None
    assert ledger.checkpoint("default", "files", "other") is None
    put(ledger, checkpoint=Checkpointed("scope", "settings-2", {"offset": 8}))
    assert ledger.checkpoint("default", "files", "scope") == {"offset": 8}


def test_dead_letters_are_replaced_and_cleared(ledger: Ledger) -> None:
    failure = Failure(key="a", stage="parse", error="ParseError", message="bad \x00")
    put(ledger, failures=[failure])
    put(ledger, failures=[failure.model_copy(update={"message": "worse"})])
    assert [each.message for each in ledger.dead_letters()] == ["worse"]
    assert ledger.sources()[0].dead_letters == 1
    put(ledger, cleared=["a"])
    assert ledger.dead_letters("default", "files") == ()


def test_filter_keys_keep_their_first_kind(ledger: Ledger) -> None:
    ledger.declare({"year": "integer"})
    ledger.declare({"year": "keyword", "product": "keyword"})
    assert ledger.filter_keys() == {"year": "integer", "product": "keyword"}


def test_answer_records_come_back_newest_first(ledger: Ledger) -> None:
    records = [
        AnswerRecord(
            request_id=f"r{hour}",
            time=datetime(2026, 1, 1, hour, tzinfo=UTC),
            question="How long?\x00",
            answer="24 months",
            outcome="answered",
            generator=GeneratorRef(name="extractive", label="quotes"),
        )
        for hour in (1, 2, 3)
    ]
    for each in (*records, records[0]):
        ledger.record(each)
    assert ledger.answers() == records[::-1]
    assert ledger.answers(since=records[1].time, limit=1) == [records[2]]


def test_runs_say_when_a_source_was_last_read_without_loss(ledger: Ledger) -> None:
    assert ledger.last_success() is None
    ledger.begin_run("1", "default", "files", "all")
    ledger.finish_run("1", "partial", None, clean=True)
    assert ledger.last_success() is None
    ledger.begin_run("2", "default", "files", "all")
    ledger.begin_run("3", "default", "files", "all")
    ledger.finish_run("3", "ok", None, clean=True)
    last = ledger.last_success()
    assert last is not None
    assert abs((datetime.now(UTC) - last).total_seconds()) < 60
    assert ledger.sources()[0].last_success == last


def test_only_the_newest_runs_are_remembered(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grounded.ingestion.ledger.journal.RUNS_KEPT", 3)
    for number, outcome in enumerate(("ok", *("partial",) * 6)):
        ledger.begin_run(str(number), "default", "stream", "all")
        ledger.finish_run(str(number), outcome, None, clean=True)
    ledger.begin_run("now", "default", "stream", "all")
    with reading(ledger._engine) as connection:
        kept = set(connection.execute(select(runs.c.id)).scalars())
    assert kept == {"0", "4", "5", "6", "now"}, "the last that went well, the newest three, and the one that runs"


def test_one_writer_at_a_time(ledger: Ledger, ledger_url: str) -> None:
    order: list[str] = []

    def second() -> None:
        with other.writer():
            order.append("second")

    with Ledger.open(ledger_url) if ledger_url.startswith("postgresql") else nullcontext(ledger) as other:
        thread = threading.Thread(target=second)
        with ledger.writer(), ledger.writer():
            thread.start()
            thread.join(0.2)
            order.append("first")
        thread.join(10)
    assert order == ["first", "second"]


def test_readers_work_beside_a_writer(ledger: Ledger, ledger_url: str) -> None:
    ids = put(ledger, write())
    with Ledger.open(ledger_url, read_only=True) as reader:
        assert reader.passages(ids, Viewer()).keys() == set(ids)
        put(ledger, write("changed"))
        assert reader.document(ID) == "changed"
        with pytest.raises(LedgerError):
            put(reader, write("forbidden"))
        with pytest.raises(LedgerError, match="read-only"), reader.writer():
            pass
    assert ledger.document(ID) == "changed"


def test_unknown_documents_and_versions_are_named(ledger: Ledger) -> None:
    put(ledger, write())
    with pytest.raises(UnknownNameError, match="nope"):
        ledger.document("nope")
    with pytest.raises(UnknownNameError, match=ID):
        ledger.segments(ID, "f" * 64)


def test_what_cannot_be_stored_as_it_is_comes_back_as_it_was(ledger: Ledger) -> None:
    odd = "nul \x00 surrogate \udc80 astral 😀 mark"
    key = "\x1a\x00.md"
    segments = (Segment(span=Span(start=0, end=len(odd)), locator=Locator(kind="heading", path=("a", odd))),)
    document = Document(key=key, text=odd, segments=segments, title=odd)
    identity = document_id("tenant \x00", "files", key)
    chunks = split(document, identity)
    content = Content(document.version, odd, segments, chunks)
    about = Attributes(title=odd, uri=odd, metadata={odd: odd}, principals=(odd,))
    put(ledger, Write(identity, key, "f", "d", about, {"title": odd}, content), tenant="tenant \x00")
    viewer = Viewer(tenant="tenant \x00", principals=(odd,))
    passage = ledger.passages([chunks[0].id], viewer)[chunks[0].id][0]
    assert (passage.text, passage.title, passage.uri, passage.principals) == (odd, odd, odd, (odd,))
    assert ledger.segments(identity) == segments
    assert list(ledger.live_keys("tenant \x00", "files")) == [(identity, key)]
    assert ledger.stored([chunks[0].id])[0].embedded_text == chunks[0].embedded_text


@given(
    text=st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=60),
    repeat=st.integers(1, 3),
    spans=st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 40_000)), min_size=1, max_size=8),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_slice_is_a_slice_of_the_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, repeat: int, spans: list[tuple[int, int]]
) -> None:
    """However long the text, however small the cache."""
    whole = text * (1 + repeat * BLOCK_CHARACTERS // len(text))
    path = tmp_path_factory.mktemp("slices") / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        ledger._texts = TextCache(blocks=1)
        document = Document(key="a.md", text=whole)
        about = Attributes()
        put(ledger, Write(ID, "a.md", "f", "d", about, {}, Content(document.version, whole, (), [])))
        for start, length in spans:
            start, end = min(start, len(whole)), min(start + length, len(whole))
            assert ledger.slice_text(ID, document.version, start, end) == whole[start:end]
        assert ledger.document(ID) == whole


def test_a_new_sqlite_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        put(ledger, write())
        for file in tmp_path.iterdir():
            assert os.stat(file).st_mode & 0o777 == 0o600, file
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_a_ledger_in_a_folder_nobody_may_write_to_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "kb"
    folder.mkdir()
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        put(ledger, write())
    folder.chmod(0o500)
    try:
        with Ledger.open(folder / "ledger.sqlite", read_only=True) as ledger:
            assert ledger.document(ID) == TEXT
    finally:
        folder.chmod(0o700)


def test_a_missing_ledger_is_not_created_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeBaseNotFoundError, match="no ledger"):
        Ledger.open(tmp_path / "ledger.sqlite", read_only=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger.open(tmp_path / "missing" / "ledger.sqlite")


def test_a_missing_ledger_is_made_only_when_wanted(ledger_url: str) -> None:
    for _ in range(2):
        with pytest.raises(LedgerError, match="vectors"):
            Ledger.open(ledger_url, create=False)
    with Ledger.open(ledger_url) as made:
        assert made.unused
        made.begin_run("1", "default", "files", "all")
    with Ledger.open(ledger_url, create=False) as again:
        assert not again.unused


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql://host/db?schema=a-b", ":memory:", "nonsense://"])
def test_impossible_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Ledger.open(url)


def test_an_unreachable_server_is_an_error_without_its_password() -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open("postgresql://user:secret@127.0.0.1:1/db")
    assert "secret" not in str(caught.value)


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.sqlite"
    rubbish.write_bytes(b"not a database at all" * 100)
    with pytest.raises(LedgerError):
        Ledger.open(rubbish)
    assert rubbish.read_bytes() == b"not a database at all" * 100
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE meta (anything)")
    connection.close()
    for read_only in (True, False):
        with pytest.raises(SchemaError):
            Ledger.open(foreign, read_only=read_only)


def _second(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE runs ADD COLUMN colour VARCHAR"))


def _third(connection: Connection) -> None:
    connection.execute(text("UPDATE runs SET colour = 'blue'"))


def _broken(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE runs ADD COLUMN half VARCHAR"))
    connection.execute(text("ALTER TABLE no_such_table ADD COLUMN other VARCHAR"))


def test_migrations_run_in_order_and_once(ledger: Ledger, ledger_url: str) -> None:
    ledger.begin_run("1", "default", "files", "all")
    chain = {SCHEMA_NUMBER + 1: _second, SCHEMA_NUMBER + 2: _third}
    engine = connect(ledger_url, read_only=False)
    for _ in range(2):
        with writing(engine) as connection:
            prepare(connection, read_only=False, migrations=chain, newest=SCHEMA_NUMBER + 2)
    with writing(engine) as connection:
        assert connection.execute(text("SELECT colour FROM runs")).scalars().all() == ["blue"]
        with pytest.raises(SchemaError, match="read-only"):
            prepare(connection, read_only=True, migrations={}, newest=SCHEMA_NUMBER + 3)
    engine.dispose()
    with pytest.raises(SchemaError, match=f"schema {SCHEMA_NUMBER + 2}; this release reads up to {SCHEMA_NUMBER}"):
        Ledger.open(ledger_url)


def test_a_failed_migration_leaves_everything_as_it_was(ledger: Ledger, ledger_url: str) -> None:
    engine = connect(ledger_url, read_only=False)
    chain = {SCHEMA_NUMBER + 1: _second, SCHEMA_NUMBER + 2: _broken}
    with pytest.raises(LedgerError), writing(engine) as connection:
        prepare(connection, read_only=False, migrations=chain, newest=SCHEMA_NUMBER + 2)
    with writing(engine) as connection:
        assert {"half", "colour"}.isdisjoint(column["name"] for column in inspect(connection).get_columns("runs"))
    engine.dispose()
    put(ledger, write())
    assert ledger.totals()[0] == 1
