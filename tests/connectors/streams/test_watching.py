"""Following real streams into a real knowledge base: searchable, gone, restarted, resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grounded.errors import ConfigurationError, UsageError
from grounded.pipeline.knowledge_base import KnowledgeBase
from grounded.pipeline.watching import Polled, SourceState, Watch, Watched, watch
from grounded.protocols import Point
from grounded.records import Change, Checkpoint, Upsert
from grounded.retrieval.edge import EdgeStore
from grounded.settings import ProjectSettings
from grounded_connectors.files import FilesConnector
from grounded_connectors.memory import MemoryConnector
from grounded_connectors.streams import reading
from grounded_connectors.streams.nats import NatsConnector
from grounded_connectors.streams.reading import StreamConnector
from grounded_connectors.streams.redis import RedisConnector
from tests.connectors.streams.servers import Nats, Valkey
from tests.ingestion.support import DIMENSION, Base, HashEmbedder

PATIENCE_SECONDS = 30


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as opened:
        yield opened


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def texts(kb: KnowledgeBase) -> set[str]:
    return {passage.text for passage in kb.search("kettle", k=50)}


def put(server: Valkey, stream: str, *messages: dict[str, Any]) -> None:
    for message in messages:
        server.client().xadd(stream, {"payload": json.dumps(message)})


def orders(server: Valkey, stream: str, **options: Any) -> RedisConnector:
    given = {"key": "{{ id }}", "text": "{{ note }}", "tombstone": "{{ gone | default(false) }}", **options}
    return RedisConnector(f"{server.url}/{stream}", **given)


def test_a_message_is_found_replaced_and_gone(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    put(valkey_server, "life", {"id": 1, "note": "kettle one"})
    with watch(kb, orders(valkey_server, "life")) as live:
        until(lambda: texts(kb) == {"kettle one"})
        put(valkey_server, "life", {"id": 1, "note": "kettle two"}, {"id": 2, "note": "kettle three"})
        until(lambda: texts(kb) == {"kettle two", "kettle three"})
        (passage,) = (found for found in kb.search("kettle", k=50) if found.text == "kettle three")
        assert passage.locators[0].fields["topic"] == "life"
        put(valkey_server, "life", {"id": 1, "gone": True, "note": ""})
        until(lambda: texts(kb) == {"kettle three"})
    (state,) = live.states
    assert (state.state, state.documents_added, state.documents_retired, state.lag) == ("stopped", 2, 1, 0)
    (source,) = kb.status().sources
    assert (source.lag, source.dead_letters) == (0, 0)
    assert source.watermark is not None
    assert datetime.now(UTC) - source.watermark < timedelta(minutes=1)


def test_answers_say_until_when_the_stream_is_known(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    put(valkey_server, "fresh", {"id": 1, "note": "The kettle weighs 4 kg."})
    before = datetime.now(UTC)
    kb.ingest(orders(valkey_server, "fresh"))
    watermark = kb.ask("How much does the kettle weigh?").freshness.watermark
    assert watermark is not None
    assert watermark >= before


def test_poison_is_a_dead_letter_and_stops_nothing(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    connector = orders(valkey_server, "poison", format="json")
    valkey_server.client().xadd("poison", {"payload": b"{broken"})
    put(valkey_server, "poison", {"id": 2, "note": "kettle two"})
    with watch(kb, connector) as live:
        until(lambda: texts(kb) == {"kettle two"})
        until(lambda: live.states[0].documents_failed == 1)
    assert not live.states[0].ok
    assert "is not JSON" in live.states[0].failures[0]
    assert kb.status().sources[0].dead_letters == 1


def test_a_kept_message_is_brought_in_when_the_options_are_right(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    put(
        valkey_server,
        "kept",
        {"id": 1, "body": "kettle old", "at": "2026-11-22T08:00:00Z"},
        {"id": 2, "body": "kettle two", "at": "2026-11-22T08:00:00Z"},
        {"id": 1, "note": "kettle new", "at": "2026-11-22T09:00:00Z"},
        {"number": 1, "note": "kettle older", "at": "2026-11-22T07:00:00Z"},
        {"number": 3, "note": "kettle three", "at": "2026-11-22T08:00:00Z"},
    )
    kb.ingest(orders(valkey_server, "kept", time="at"))
    assert (texts(kb), kb.status().sources[0].dead_letters) == ({"kettle new"}, 3), "a newer message settles an older"
    valkey_server.client().delete("kept")  # the source cannot be asked for them again
    assert not kb.retry().documents_added, "no connector, no document"
    corrected = {"key": "{{ id | default(number) }}", "text": "{{ note | default(body) }}", "time": "at"}
    report = kb.retry(orders(valkey_server, "kept", **corrected))
    assert (report.documents_added, report.failures) == (2, ())
    assert texts(kb) == {"kettle new", "kettle two", "kettle three"}, "the older message of a key replaces nothing"
    assert kb.status().sources[0].dead_letters == 0


def test_a_deletion_is_one_message(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    put(valkey_server, "gone", {"id": 1, "note": "kettle one"}, {"id": 2, "note": "kettle two"})
    kb.ingest(orders(valkey_server, "gone"))
    put(valkey_server, "gone", {"id": 1, "gone": True, "note": ""})
    assert kb.ingest(orders(valkey_server, "gone")).documents_retired == 1
    assert texts(kb) == {"kettle two"}


@pytest.mark.parametrize("seconds", [0.0, 600.0])
def test_a_run_goes_on_while_messages_come(
    valkey_server: Valkey, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(reading, "RUN_SECONDS", seconds)
    stream = f"run{seconds:.0f}"
    put(valkey_server, stream, *({"id": number, "note": f"kettle {number}"} for number in range(25)))
    live = orders(valkey_server, stream, batch=10)
    live.follow()
    states = [change.state for change in live.changes(None) if isinstance(change, Checkpoint)]
    assert len(states) == (3 if seconds else 1)
    rest = [change for change in live.changes(states[-1]) if isinstance(change, Upsert)]
    assert len(rest) == (0 if seconds else 10), "the next run goes on behind the last checkpoint"
    live.close()


class Counting(EdgeStore):
    """A slow store, which notes at every write how much of the source is held in memory meanwhile."""

    def __init__(self, path: Path, held: Callable[[], int]) -> None:
        super().__init__(path, dimension=DIMENSION, create=True)
        self.most, self._held = 0, held

    def upsert(self, points: Sequence[Point]) -> None:
        time.sleep(0.02)  # room for a source that would send without being asked
        self.most = max(self.most, self._held())
        super().upsert(points)


@pytest.mark.parametrize("system", ["redis", "nats"])
def test_a_slow_store_holds_up_the_source(
    system: str, valkey_server: Valkey, nats_server: Nats, tmp_path: Path
) -> None:
    count, batch = 600, 40
    sent = [{"id": number, "note": f"kettle {number}"} for number in range(count)]
    options = {"key": "{{ id }}", "text": "{{ note }}", "batch": batch}
    if system == "redis":
        put(valkey_server, "slow", *sent)
        made: StreamConnector = RedisConnector(f"{valkey_server.url}/slow", **options)
    else:
        nats_server.stream("slow")
        nats_server.publish([("slow.x", json.dumps(each).encode()) for each in sent])
        made = NatsConnector(f"{nats_server.url}/slow", **options)
    read = stored = 0

    class Counted(Polled):
        def changes(self, checkpoint: Any) -> Iterator[Change]:
            nonlocal read
            for change in super().changes(checkpoint):
                read += isinstance(change, Upsert)
                yield change

        def committed(self, state: Any) -> None:
            nonlocal stored
            super().committed(state)
            stored = read

    def held() -> int:
        """Read and not stored, and what the client has fetched ahead."""
        return read - stored + len(getattr(made._reader, "_arrived", ()))

    store = Counting(tmp_path / "shard", held)
    base = Base(tmp_path / "kb", store=store)
    assert base.sync(Counted(made)).documents_added == count
    assert 0 < store.most <= 2 * batch
    base.close()


def test_append_keeps_only_the_newest(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    put(valkey_server, "log", *({"note": f"kettle {number}"} for number in range(7)))
    kb.ingest(RedisConnector(f"{valkey_server.url}/log", mode="append", text="{{ note }}", last=3))
    assert texts(kb) == {"kettle 4", "kettle 5", "kettle 6"}


def test_an_older_event_never_replaces_a_newer_one(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    newer, older = "2026-11-22T10:00:00Z", "2026-11-22T09:00:00Z"
    put(
        valkey_server,
        "late",
        {"id": 1, "note": "kettle new", "at": newer},
        {"id": 1, "note": "kettle old", "at": older},
    )
    kb.ingest(orders(valkey_server, "late", time="at"))
    assert texts(kb) == {"kettle new"}


def test_a_broker_that_is_killed_and_comes_back(kb: KnowledgeBase, tmp_path: Path) -> None:
    nats = Nats(tmp_path / "nats")
    nats.start()
    nats.stream("shop")
    nats.publish([("shop.a", b"kettle one")])
    try:
        with watch(kb, NatsConnector(f"{nats.url}/shop")) as live:
            until(lambda: texts(kb) == {"kettle one"})
            nats.kill()
            until(lambda: live.states[0].state == "failing")
            assert live.states[0].error
            assert texts(kb) == {"kettle one"}, "what is stored stays"
            nats.start()
            nats.publish([("shop.a", b"kettle two")])
            until(lambda: texts(kb) == {"kettle one", "kettle two"})
            until(lambda: live.states[0].ok)
    finally:
        nats.stop()
    assert live.states[0].documents_added == 2, "nothing twice"


def test_a_stopped_watch_goes_on_at_its_checkpoint(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    put(valkey_server, "resume", *({"id": number, "note": f"kettle {number}"} for number in range(20)))
    with watch(kb, orders(valkey_server, "resume", batch=5)):
        until(lambda: texts(kb))
    put(valkey_server, "resume", {"id": 20, "note": "kettle 20"})
    seen: list[SourceState] = []
    with watch(kb, orders(valkey_server, "resume", batch=5), notify=seen.append):
        until(lambda: len(texts(kb)) == 21)
    assert seen[-1].documents_updated == 0
    assert kb.status().documents == 21


def test_one_source_that_fails_does_not_stop_the_others(kb: KnowledgeBase, valkey_server: Valkey) -> None:
    put(valkey_server, "fine", {"id": 1, "note": "kettle one"})
    with watch(kb, orders(valkey_server, "no_such_stream"), orders(valkey_server, "fine")) as live:
        until(lambda: texts(kb) == {"kettle one"})
        until(lambda: live.states[0].state == "failing")
        assert "no_such_stream" in live.states[0].error
        put(valkey_server, "no_such_stream", {"id": 1, "note": "kettle two"})
        until(lambda: "kettle two" in texts(kb))


def test_what_is_not_live_is_read_on_schedule(kb: KnowledgeBase, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("kettle one")
    with Watch(kb.ingest, [Watched(FilesConnector(tmp_path / "docs"), every=0.2)]) as live:
        until(lambda: texts(kb) == {"kettle one"})
        (tmp_path / "docs" / "a.md").write_text("kettle two")
        until(lambda: texts(kb) == {"kettle two"})
    assert live.states[0].state == "stopped"


def test_an_error_nobody_expected_is_raised(kb: KnowledgeBase) -> None:
    class Broken(MemoryConnector):
        def changes(self, checkpoint: Any = None) -> Any:
            raise ZeroDivisionError

    live = Watch(kb.ingest, [Watched(Broken([]))])
    live.start()
    with pytest.raises(ZeroDivisionError):
        live.wait(PATIENCE_SECONDS)
    live.close()


def test_nothing_to_watch(kb: KnowledgeBase) -> None:
    with pytest.raises(UsageError):
        watch(kb)


def settings(tmp_path: Path, text: str) -> ProjectSettings:
    (tmp_path / "grounded.toml").write_text(text)
    return ProjectSettings.read(tmp_path / "grounded.toml")


def test_sources_of_the_project_file(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        """
        tenant = "acme"
        [sources.docs]
        uri = "docs"
        every = "10m"
        [sources.orders]
        uri = "redis://localhost/orders"
        password = "${REDIS_PASSWORD}"
        key = "{{ id }}"
        metadata = { team = "sales" }
        principals = ["sales"]
        """,
    )
    docs, shop = found.sources["docs"], found.sources["orders"]
    assert (docs.uri, docs.every, docs.options) == (str(tmp_path / "docs"), 600.0, {})
    assert shop.options == {"password": "${REDIS_PASSWORD}", "key": "{{ id }}"}
    assert shop.arguments("acme") == {
        "tenant": "acme",
        "metadata": {"team": "sales"},
        "principals": ("sales",),
        "max_retire_share": 0.2,
    }


@pytest.mark.parametrize(
    "table",
    [
        'uri = "nats://me:hunter2@host/s"',
        'uri = "nats://host/s"\npassword = "hunter2"',
        'uri = "nats://host/s"\naccount_key = "hunter2"',
        'uri = "docs"\nevery = "hunter2"',
        'uri = "docs"\nevery = "1h"\nat = 02:30:00',
        'name = "hunter2"',
    ],
)
def test_secrets_and_nonsense_are_refused_and_not_repeated(tmp_path: Path, table: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings(tmp_path, f"[sources.x]\n{table}")
    assert "sources.x" in str(raised.value)
    assert "hunter2" not in str(raised.value).replace("'hunter2' is no length of time", "")


def test_live_sources_may_be_polled(valkey_server: Valkey) -> None:
    polled = Polled(orders(valkey_server, "polled"))
    assert Watched(polled).live is None
    assert Watched(orders(valkey_server, "polled")).live is not None


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_the_command_stops_gracefully_and_says_what_it_did(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("The kettle weighs 4 kg.")
    (tmp_path / "grounded.toml").write_text('kb = "kb"\n[sources.docs]\nuri = "docs"\nevery = "200ms"\n')
    command = [sys.executable, "-m", "grounded", "watch", "--json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    states: list[dict[str, Any]] = []
    while not (states and states[-1]["documents_added"]):
        states.append(json.loads(process.stdout.readline()))
    process.send_signal(signal.SIGTERM)
    rest, problems = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, problems
    assert json.loads(rest.splitlines()[-1])["state"] == "stopped"
    assert "docs" in problems
