"""What streams need of the core: order, expiry, the last n, watermarks, acknowledgement, renames, kept messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grounded.ingestion.ledger import Ledger
from grounded.ingestion.ledger.engine import writing
from grounded.records import Change, Checkpoint, Delete, Failed, Keep, Locator, RawDocument, Rename, Upsert
from tests.ingestion.support import Base, ListSource, check_agreement, listing, raw

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def message(key: str, text: str, order: str = "", **declared: Any) -> Upsert:
    document = raw(key, text, **declared).document
    return Upsert(document=document, order=order)


def test_an_older_message_that_arrives_late_changes_nothing(base: Base) -> None:
    base.sync([message("a", "second", "2")])
    report = base.sync([message("a", "first", "1")])
    assert base.texts() == ["second"]
    assert "1 changes were older" in report.warnings[0]
    base.sync([message("a", "first", "1"), message("a", "third", "3"), message("a", "late", "2")])
    assert base.texts() == ["third"]


def test_an_older_message_does_not_bring_back_what_was_deleted(base_on: Base) -> None:
    base_on.sync([message("a", "first", "1"), Delete(key="a", order="3")])
    base_on.sync([Delete(key="never seen", order="9")])
    base_on.sync([message("a", "second", "2"), message("never seen", "old", "8")])
    check_agreement(base_on, {})
    base_on.sync([message("a", "fourth", "4"), Delete(key="a", order="2")])
    check_agreement(base_on, {"a": "fourth"})


def test_what_has_expired_is_not_found_and_is_retired_by_the_next_sync(base_on: Base) -> None:
    now = datetime.now(UTC)
    base_on.sync([message("gone", "old news", expires=now - timedelta(seconds=1), event_time=NOON)])
    base_on.sync([message("here", "news", expires=now + timedelta(hours=1))])
    assert base_on.texts() == ["news"]
    check_agreement(base_on, {"here": "news"})
    with writing(base_on.ledger._engine) as connection:
        connection.exec_driver_sql("UPDATE documents SET expires_at = '2020-01-01 00:00:00.000000'")
    assert base_on.texts() == []
    assert base_on.sync([]).documents_retired == 1
    check_agreement(base_on, {})


def test_only_the_last_messages_of_a_topic_are_kept(base_on: Base) -> None:
    changes: list[Change] = [
        message(f"orders/{n}", f"order {n}", event_time=NOON + timedelta(minutes=n)) for n in (3, 1, 2)
    ]
    base_on.sync([*changes, message("other/1", "not an order"), Keep(last=2, under="orders/")])
    check_agreement(base_on, {"orders/3": "order 3", "orders/2": "order 2", "other/1": "not an order"})


def test_watermark_and_lag_are_those_of_the_last_checkpoint(base_on: Base) -> None:
    base_on.sync([message("a", "one"), Checkpoint(state={"at": 1}, watermark=NOON, lag=7)])
    (status,) = base_on.ledger.sources()
    assert (status.watermark, status.lag, status.chunks) == (NOON, 7, 1)
    (passage,) = base_on.passages()
    assert passage.document_id is not None
    assert base_on.ledger.watermark([passage.document_id]) == NOON
    assert base_on.ledger.watermark(["00000000-0000-0000-0000-000000000000"]) is None


def test_places_of_a_whole_message_are_on_every_passage(base: Base) -> None:
    place = Locator(kind="stream", topic="orders", partition=0, offset=17, time="2026-11-23T12:00:00Z")
    base.sync([message("a", "one\n\ntwo", locators=(place,))])
    (segment, *_) = base.ledger.segments(base.passages()[0].document_id or "")
    assert segment.locator == place
    assert place.label() == "orders[0] offset 17 of 2026-11-23T12:00:00Z"
    assert Locator(kind="stream", topic="jobs", sequence=4).label() == "jobs message 4"
    with pytest.raises(ValueError, match="offset or sequence"):
        Locator(kind="stream", topic="jobs")


class Acknowledged(ListSource):
    """A source that acknowledges, and looks at what is stored when it does."""

    def __init__(self, base: Base, changes: list[Change]) -> None:
        super().__init__(changes)
        self.base = base
        self.seen: list[tuple[Any, list[str]]] = []

    def committed(self, state: Mapping[str, Any]) -> None:
        self.seen.append((state["at"], self.base.texts()))


def test_a_source_acknowledges_after_the_commit(base: Base) -> None:
    source = Acknowledged(
        base,
        [
            message("a", "one"),
            Checkpoint(state={"at": 1}, commit=True),
            message("b", "two"),
            Checkpoint(state={"at": 2}),
            message("c", "three"),
            Checkpoint(state={"at": 3}),
        ],
    )
    base.sync(source)
    assert source.seen[0] == (1, ["one"])
    assert source.seen[-1] == (3, ["one", "two", "three"])


def test_a_waiting_source_can_be_stopped(base: Base) -> None:
    asked = []

    def waiting() -> Iterator[Change]:
        yield message("a", "one")
        while True:
            yield Checkpoint(state={}, commit=True)

    def cancel() -> bool:
        asked.append(base.texts())
        return len(asked) > 5

    assert base.sync(ListSource(waiting()), cancel=cancel).interrupted
    assert base.texts() == ["one"]


def test_a_renamed_document_stays_the_same_document(base_on: Base) -> None:
    base_on.sync(listing({"a.md": "one\n\ntwo", "b.md": "three"}))
    before = {passage.document_id for passage in base_on.passages()}
    report = base_on.sync([Rename(key="a.md", to="c.md"), message("c.md", "one\n\ntwo", title="a.md")])
    assert report.chunks_embedded == 0
    assert {passage.document_id for passage in base_on.passages()} == before
    assert {key for _, key in base_on.ledger.live_keys("default", "memory")} == {"b.md", "c.md"}
    # The old name is free for another document, and a listing speaks of the new one.
    base_on.sync([message("a.md", "four"), Rename(key="b.md", to="c.md")])
    assert {key for _, key in base_on.ledger.live_keys("default", "memory")} == {"a.md", "c.md"}
    assert base_on.texts() == ["four", "three"]
    report = base_on.sync(listing({"c.md": "three"}), force_retire=True)
    assert (report.documents_retired, base_on.texts()) == (1, ["three"])


def test_a_poison_message_is_kept_until_a_newer_one_comes(base_on: Base) -> None:
    sent = RawDocument(key="b", content=b"\xff\x00", name="b.json")
    failed = Failed(key="b", error="SourceError", message="no JSON", received=Upsert(document=sent, order="1"))
    report = base_on.sync([message("a", " ", "1"), failed, Checkpoint(state={"at": 1})])
    assert len(report.failures) == 2
    kept = {change.document.key: change for _, _, change in base_on.ledger.kept() if isinstance(change, Upsert)}
    assert kept["b"] == Upsert(document=sent, order="1")
    assert kept["a"] == message("a", " ", "1")
    base_on.sync([message("a", "better", "2")])
    left = [change for _, _, change in base_on.ledger.kept()]
    assert [change.document.key for change in left if isinstance(change, Upsert)] == ["b"]
    assert len(left) == 1


def test_an_older_ledger_gets_what_is_new(tmp_path: Any) -> None:
    """Number 1 had none of it; made here by taking it away again."""
    ledger = Ledger.open(tmp_path / "old.sqlite")
    new = {
        "documents": ("position", "event_time", "expires_at"),
        "checkpoints": ("watermark", "lag"),
        "dead_letters": ("document",),
        "sources": ("dirty", "holder", "lease", "leased_at"),
    }
    with writing(ledger._engine) as connection:
        connection.exec_driver_sql("DROP INDEX documents_expiring")
        for table in ("identities", "forgotten"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        for table, columns in new.items():
            for column in columns:
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.exec_driver_sql("UPDATE meta SET schema_number = 1")
    ledger.close()
    with Ledger.open(tmp_path / "old.sqlite") as again:
        assert again.sources() == ()
        assert again.expired("default", "memory") == []


def test_a_poison_message_is_settled_by_a_newer_one_of_the_same_batch(base_on: Base) -> None:
    failed = Failed(key="b", error="SourceError", message="no JSON")
    base_on.sync([failed, message("b", "better", "2"), Checkpoint(state={"at": 1})])
    assert (base_on.texts(), base_on.ledger.dead_letters()) == (["better"], ())
    base_on.sync([message("b", "best", "3"), failed, Checkpoint(state={"at": 2})])
    assert [letter.key for letter in base_on.ledger.dead_letters()] == ["b"]
    base_on.sync([failed, Delete(key="b", order="4"), Checkpoint(state={"at": 3})])
    assert (base_on.texts(), base_on.ledger.dead_letters()) == ([], ())
