"""Every system against a real server: positions, gaps, deletions, refusals."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from grounded.errors import SourceAccessError, SourceNotFoundError, SourceUnavailableError, UsageError
from grounded.records import Change, Checkpoint, Delete, Failed, Upsert
from grounded.testing.connectors import ConnectorContract
from grounded_connectors.streams.kafka import KafkaConnector
from grounded_connectors.streams.nats import NatsConnector
from grounded_connectors.streams.reading import StreamConnector
from grounded_connectors.streams.redis import RedisConnector
from tests.connectors.streams.servers import Kafka, Nats, Valkey, free_port

NAMES = (f"stream{number}" for number in count())
Send = Callable[[list[dict[str, Any]]], None]


class System:
    """A fresh stream of one system: how to read it and how to write to it."""

    def __init__(self, url: str, make: Callable[..., StreamConnector], send: Send) -> None:
        self.url, self.make, self.send = url, make, send

    def connector(self, **options: Any) -> StreamConnector:
        made = self.make(self.url, **{"key": "{{ id }}", "text": "{{ note }}", **options})
        made.clock = lambda: datetime(2036, 1, 1, tzinfo=UTC)  # later than any message, and always the same
        return made


def redis_system(server: Valkey) -> System:
    name, client = next(NAMES), server.client()

    def send(messages: list[dict[str, Any]]) -> None:
        for message in messages:
            client.xadd(name, {"payload": json.dumps(message)})

    return System(f"{server.url}/{name}", RedisConnector, send)


def nats_system(server: Nats) -> System:
    name = next(NAMES)
    server.stream(name)

    def send(messages: list[dict[str, Any]]) -> None:
        server.publish([(f"{name}.x", json.dumps(message).encode()) for message in messages])

    return System(f"{server.url}/{name}", NatsConnector, send)


def kafka_system(cluster: Kafka) -> System:
    name = next(NAMES)

    def send(messages: list[dict[str, Any]]) -> None:
        cluster.produce(name, [{"value": json.dumps(each), "partition": each["id"] % 2} for each in messages])

    return System(f"{cluster.url}/{name}", KafkaConnector, send)


@pytest.fixture(params=["redis", "nats", "kafka"])
def system(request: pytest.FixtureRequest) -> System:
    if request.param == "redis":
        return redis_system(request.getfixturevalue("valkey_server"))
    if request.param == "nats":
        return nats_system(request.getfixturevalue("nats_server"))
    return kafka_system(request.getfixturevalue("kafka_cluster"))


def orders(*numbers: int, note: str = "A kettle was sold") -> list[dict[str, Any]]:
    return [{"id": number, "note": f"{note}: {number}"} for number in numbers]


def read(connector: StreamConnector, state: dict[str, Any] | None = None) -> tuple[list[Change], Checkpoint]:
    *changes, last = connector.changes(state)
    assert isinstance(last, Checkpoint)
    return [change for change in changes if not isinstance(change, Checkpoint)], last


def keys(changes: list[Change]) -> list[str]:
    return sorted(change.document.key for change in changes if isinstance(change, Upsert))


def test_reading_goes_on_after_the_checkpoint(system: System) -> None:
    system.send(orders(1, 2, 3))
    first, checkpoint = read(system.connector())
    assert keys(first) == ["1", "2", "3"]
    assert (checkpoint.lag, checkpoint.watermark) == (0, datetime(2036, 1, 1, tzinfo=UTC))
    assert read(system.connector(), checkpoint.state)[0] == []
    system.send(orders(4, 5))
    again, later = read(system.connector(), checkpoint.state)
    assert keys(again) == ["4", "5"]
    assert read(system.connector(), later.state)[0] == []


def test_a_backlog_is_read_in_batches_with_a_checkpoint_after_each(system: System) -> None:
    system.send(orders(*range(25)))
    changes = list(system.connector(batch=10).changes(None))
    states = [change for change in changes if isinstance(change, Checkpoint)]
    assert len(states) >= 3
    assert len(keys(changes)) == 25
    lags = [each.lag for each in states if each.lag is not None]
    assert lags == sorted(lags, reverse=True)
    assert states[0].watermark is None or states[0].watermark < datetime(2036, 1, 1, tzinfo=UTC)
    middle = states[0].state
    rest = keys(read(system.connector(batch=10), middle)[0])
    assert sorted(keys(changes[: changes.index(states[0])]) + rest) == keys(changes), "nothing twice, nothing lost"


def test_following_reads_what_comes_at_once(system: System) -> None:
    system.send(orders(1))
    live = system.connector()
    live.follow()
    state, seen = None, set[str]()
    until = time.monotonic() + 20
    for wanted in ("1", "2"):
        while wanted not in seen and time.monotonic() < until:
            changes, checkpoint = read(live, state)
            state, seen = checkpoint.state, seen | set(keys(changes))
            live.wait(0.2)
        assert wanted in seen
        if wanted == "1":
            system.send(orders(2))
    live.close()


def test_a_run_that_was_not_stored_is_read_again(system: System) -> None:
    system.send(orders(1, 2))
    live = system.connector()
    live.follow()
    got: list[str] = []
    while len(got) < 2:
        got = keys(read(live, None)[0])  # nothing was committed: the ledger still says None
    assert got == ["1", "2"]
    live.close()


def test_other_options_read_the_stream_again(system: System) -> None:
    system.send(orders(1, 2))
    _, checkpoint = read(system.connector())
    assert keys(read(system.connector(text="{{ id }}"), checkpoint.state)[0]) == ["1", "2"]


def test_only_new_messages_when_asked_to(system: System) -> None:
    system.send(orders(1))
    changes, checkpoint = read(system.connector(start="new"))
    assert changes == []
    system.send(orders(2))
    assert keys(read(system.connector(start="new"), checkpoint.state)[0]) == ["2"]


def test_a_stream_that_is_not_there(system: System) -> None:
    kind = system.make
    url = system.url.rpartition("/")[0]
    with pytest.raises(UsageError, match=r"name of a stream|a topic"):
        kind(url)
    if kind is not KafkaConnector:  # the mock cluster makes topics that are asked for
        with pytest.raises(SourceNotFoundError):
            read(kind(f"{url}/nothing_here"))


@pytest.mark.parametrize("kind", [RedisConnector, NatsConnector, KafkaConnector])
def test_an_unreachable_server(kind: Callable[..., StreamConnector]) -> None:
    scheme = kind.__name__.removesuffix("Connector").lower()
    with pytest.raises(SourceUnavailableError) as raised:
        read(kind(f"{scheme}://me:hidden@127.0.0.1:{free_port()}/orders"))
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("kind", [RedisConnector, NatsConnector, KafkaConnector])
def test_credentials_are_never_shown(kind: Callable[..., StreamConnector]) -> None:
    scheme = kind.__name__.removesuffix("Connector").lower()
    made = kind(f"{scheme}://me:hidden@host:1/orders", password="secret")
    shown = f"{made.source} {made.scope} {made!r}"
    assert "hidden" not in shown
    assert "secret" not in shown
    with pytest.raises(UsageError, match="no option 'colour'"):
        kind(f"{scheme}://host:1/orders", colour="red")


def test_keyed_tombstones_of_kafka(kafka_cluster: Kafka) -> None:
    kafka_cluster.produce("compacted", [{"key": "a", "value": b"one"}, {"key": "a", "value": None}])
    changes, _ = read(KafkaConnector(f"{kafka_cluster.url}/compacted"))
    assert isinstance(changes[0], Upsert)
    assert changes[1] == Delete(key="a")
    assert changes[0].document.uri.endswith("offset=0")


def test_a_bucket_of_nats(nats_server: Nats) -> None:
    async def fill(_: Any, stream: Any) -> None:
        from nats.js.api import KeyValueConfig

        bucket = await stream.create_key_value(KeyValueConfig(bucket="notes"))
        await bucket.put("kettle.k2", b"The K2 boils in 90 seconds.")
        await bucket.put("kettle.k3", b"The K3 is out of stock.")
        await bucket.delete("kettle.k3")

    nats_server.run(fill)
    changes, _ = read(NatsConnector(f"{nats_server.url}/KV_notes"))
    assert keys(changes) == ["kettle.k2"]
    assert changes[-1] == Delete(key="kettle.k3")


def test_a_work_queue_forgets_only_what_is_stored(nats_server: Nats) -> None:
    from nats.js.api import RetentionPolicy

    nats_server.stream("jobs", retention=RetentionPolicy.WORK_QUEUE)
    nats_server.publish([("jobs.x", json.dumps(each).encode()) for each in orders(1, 2)])

    async def left(_: Any, stream: Any) -> int:
        return int((await stream.stream_info("jobs")).state.messages)

    connector = NatsConnector(f"{nats_server.url}/jobs", durable="grounded", key="{{ id }}")
    connector.follow()
    changes: list[Change] = []
    checkpoint = Checkpoint()
    while not keys(changes):
        changes, checkpoint = read(connector, checkpoint.state or None)
        connector.wait(0.5)
    assert keys(changes) == ["1", "2"]
    assert nats_server.run(left) == 2, "read is not stored"
    connector.committed(checkpoint.state)
    connector.close()
    time.sleep(0.2)
    assert nats_server.run(left) == 0


def test_what_was_trimmed_before_it_was_read_is_a_gap(nats_server: Nats, valkey_server: Valkey) -> None:
    for system, purge in (_trimmed_redis(valkey_server), _trimmed_nats(nats_server)):
        system.send(orders(1, 2))
        _, checkpoint = read(system.connector())
        system.send(orders(3, 4, 5))
        purge()
        changes, later = read(system.connector(), checkpoint.state)
        (gap,) = (change for change in changes if isinstance(change, Failed))
        assert gap.error == "GapError"
        assert "2 " in gap.message
        assert keys(changes) == ["5"]
        assert not any(isinstance(change, Failed) for change in read(system.connector(), later.state)[0])


def _trimmed_redis(server: Valkey) -> tuple[System, Callable[[], None]]:
    system = redis_system(server)
    return system, lambda: server.client().xtrim(system.url.rpartition("/")[2], maxlen=1, approximate=False)


def _trimmed_nats(server: Nats) -> tuple[System, Callable[[], None]]:
    system = nats_system(server)

    async def purge(_: Any, stream: Any) -> None:
        await stream.purge_stream(system.url.rpartition("/")[2], keep=1)

    return system, lambda: server.run(purge)


def test_a_message_of_fifty_megabytes_is_a_dead_letter(valkey_server: Valkey) -> None:
    system = redis_system(valkey_server)
    system.send([{"id": 1, "note": "x" * 50_000_000}, *orders(2)])
    changes, _ = read(system.connector(), None)
    (failed,) = (change for change in changes if isinstance(change, Failed))
    assert failed.error == "LimitExceededError"
    assert len(failed.message) < 200
    assert keys(changes) == ["2"]


def test_entries_with_several_fields(valkey_server: Valkey) -> None:
    client = valkey_server.client()
    client.xadd("fields", {"id": "7", "note": "Hot"})
    client.xadd("fields", {"id": "8", "note": b"\xff"})
    url = f"{valkey_server.url}/fields"
    good, bad = read(RedisConnector(url, key="{{ id }}"))[0]
    assert isinstance(good, Upsert)
    assert isinstance(bad, Failed)
    chosen = RedisConnector(url, field="note", key="{{ stream['headers']['id'] }}")
    assert keys(read(chosen)[0]) == ["7"]


def test_credentials_of_servers(tmp_path_factory: pytest.TempPathFactory) -> None:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"), "--requirepass", "right")
    nats = Nats(tmp_path_factory.mktemp("nats"), "--user", "me", "--pass", "right")
    for server, kind in ((valkey, RedisConnector), (nats, NatsConnector)):
        server.start()
        try:
            with pytest.raises(SourceAccessError) as raised:
                read(kind(f"{server.url}/orders", user="me" if server is nats else "", password="wrong"))
            assert "wrong" not in str(raised.value)
            with pytest.raises(SourceNotFoundError):
                read(kind(f"{server.url}/orders", user="me" if server is nats else "", password="right"))
        finally:
            server.stop()


class StreamContract(ConnectorContract):
    """What both streams do to the data under test."""

    system: System

    def make(self) -> StreamConnector:
        return self.system.connector(tombstone="{{ note == 'gone' }}")

    def edit(self) -> None:
        self.system.send([{"id": 1, "note": "Returned"}, {"id": 2, "note": "gone"}, *orders(4)])

    def spoil(self) -> None:
        self.system.send([{"id": 9}])

    def hide(self) -> None:
        self.system.url += "_elsewhere"


class TestRedisKeepsTheContract(StreamContract):
    @pytest.fixture(autouse=True)
    def _stream(self, valkey_server: Valkey) -> None:
        self.system = redis_system(valkey_server)
        self.system.send(orders(1, 2, 3))


class TestNatsKeepsTheContract(StreamContract):
    @pytest.fixture(autouse=True)
    def _stream(self, nats_server: Nats) -> None:
        self.system = nats_system(nats_server)
        self.system.send(orders(1, 2, 3))
