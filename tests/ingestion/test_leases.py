"""Several workers on one ledger: one per source, none beside a repair, and none after it was taken over."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from grounded.errors import LeaseLostError, SourceBusyError
from grounded.ingestion.ledger import Batch, Ledger
from grounded.ingestion.ledger.engine import alone
from grounded.protocols import Point
from grounded.records import Change, Failure
from tests.ingestion.support import Base, ListSource, check_agreement, listing, raw


@pytest.fixture
def shared(postgresql: str) -> Iterator[tuple[Ledger, Ledger, str]]:
    """Two workers' views of one ledger in PostgreSQL."""
    url = f"{postgresql}?schema=test_{uuid.uuid4().hex}"
    with Ledger.open(url) as one, Ledger.open(url) as two:
        yield one, two, url


def test_sources_are_synced_side_by_side(base_on: Base) -> None:
    """A source that waits for something holds up no other one."""
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[Change]:
        yield raw("a", "one")
        inside.set()
        assert go_on.wait(60)
        yield raw("b", "two")

    thread = threading.Thread(target=lambda: base_on.sync(ListSource(slow(), source="slow")))
    thread.start()
    assert inside.wait(60)
    base_on.sync(ListSource([raw("c", "three")], source="fast"))
    with pytest.raises(SourceBusyError, match="'slow'"):
        base_on.sync(ListSource([raw("d", "four")], source="slow"), wait=False)
    assert not base_on.repair().scanned
    go_on.set()
    thread.join(60)
    assert base_on.texts() == ["one", "two", "three"]
    assert set(base_on.store.ids()) == set(base_on.ledger.live_chunks())


def test_one_worker_per_source(shared: tuple[Ledger, Ledger, str]) -> None:
    one, two, _ = shared
    with one.lease("default", "files", holder="first") as number:
        assert {status.source: status.held_by for status in two.sources()} in ({}, {"files": "first"})
        with pytest.raises(SourceBusyError), two.lease("default", "files", wait=False):
            pass
        with two.lease("default", "queue", wait=False), two.lease("other", "files", wait=False):
            pass
        with two.writer(wait=False) as held:
            assert not held
    with two.lease("default", "files", wait=False) as next_number:
        assert next_number > number
    with two.writer(wait=False) as held:
        assert held


def test_a_worker_that_was_cut_off_commits_nothing_more(shared: tuple[Ledger, Ledger, str]) -> None:
    one, two, _ = shared
    failure = Failure(key="a", stage="read", error="OSError", message="no")
    with one.lease("default", "files") as number:
        one.commit(Batch(tenant="default", source="files", failures=[failure], lease=number))
        with alone(two._engine) as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))
        with two.lease("default", "files") as taken:
            assert taken == number + 1
            assert not one.holds("default", "files", number)
            with pytest.raises(LeaseLostError, match="taken over"):
                one.commit(Batch(tenant="default", source="files", cleared=["a"], lease=number))
    assert [each.key for each in two.dead_letters()] == ["a"]


def test_workers_commit_at_the_same_time(shared: tuple[Ledger, Ledger, str], tmp_path: Path) -> None:
    """Different sources at once, the first batch of each, which all register the tenant: nobody fails."""
    one, two, url = shared
    bases = [Base(tmp_path / str(n), ledger=url) for n in range(4)]

    def run(number: int) -> None:
        for step in range(5):
            changes = [raw(f"k{n}", f"{number} {step} {n}") for n in range(20)]
            bases[number].sync(ListSource(changes, source=f"source {number}"))

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(run, range(4)))
    for base in bases:
        base.close()
    assert one.totals() == (80, 80)
    assert {status.source: status.documents for status in two.sources()} == {f"source {n}": 20 for n in range(4)}


def test_what_a_dead_worker_left_is_removed_by_the_next_one(base_on: Base) -> None:
    """Its points alone: those of other sources may be in the making."""
    base_on.sync(listing({"a": "one"}))
    base_on.sync(ListSource([raw("b", "two")], source="other"))
    ids = set(base_on.store.ids())
    point = base_on.store.points([base_on.ledger.live_chunks()[0]])[0]
    for n, source in enumerate(("memory", "other")):
        payload = {**point.payload, "source": source}
        left = Point(f"00000000-0000-0000-0000-00000000000{n}", point.dense, point.sparse, payload)
        base_on.store.upsert([left])
    base_on.ledger.mark_source("default", "memory", dirty=True)
    with base_on.ledger.lease("default", "elsewhere"):
        # Somebody syncs something, so nothing as a whole can be repaired.
        thread = threading.Thread(target=lambda: base_on.sync(listing({"a": "one"})))
        thread.start()
        thread.join(60)
    assert set(base_on.store.ids()) - ids == {"00000000-0000-0000-0000-000000000001"}
    assert not base_on.ledger.dirty
    base_on.store.delete(["00000000-0000-0000-0000-000000000001"])


def test_a_lease_that_is_waited_for_comes(base_on: Base) -> None:
    order: list[str] = []

    def second() -> None:
        with base_on.ledger.lease("default", "memory"):
            order.append("second")

    thread = threading.Thread(target=second)
    with base_on.ledger.lease("default", "memory"):
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
    check_agreement(base_on, {})
