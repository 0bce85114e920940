"""Kafka, and what speaks its protocol: Redpanda, Azure Event Hubs, Fabric Eventstream."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from grounded.errors import (
    MissingExtraError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnavailableError,
)
from grounded_connectors.streams.messages import Gap, Message
from grounded_connectors.streams.options import Address
from grounded_connectors.streams.reading import (
    BATCH_BYTES,
    START_NEW,
    Positions,
    StreamConnector,
    start_of,
)

PORT = 9092
TIMEOUT_SECONDS = 5.0
PARTITIONS_SECONDS = 60.0
"""How often to look for partitions that were added."""
FETCH_KILOBYTES = BATCH_BYTES // 1000

_OPTIONS = ("user", "password", "mechanism", "ca", "group", "start", "name")


class KafkaConnector(StreamConnector):
    """``kafka://host:9092/TOPIC``, with TLS ``kafka+ssl://…``; several hosts are separated by commas.

    Offsets are kept in the ledger and committed there with what they led to, so no consumer group is needed; with
    ``group`` they are committed to the broker as well, afterwards, for tools that show the lag. All partitions are
    read. Only committed messages of transactions are.

    Event Hubs and Fabric Eventstream: ``kafka+ssl://NAMESPACE.servicebus.windows.net:9093/HUB`` with
    ``user="$ConnectionString"`` and the connection string as ``password``.

    Args:
        uri: The address; credentials may stand in it and are never shown.
        options: ``user``, ``password``, ``mechanism`` (``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``), ``ca`` (path
            of the authorities' certificates), ``group``, ``start`` (``first`` or ``new``), ``name`` of the source, and
            those of ``StreamOptions``.

    Raises:
        UsageError: The address or an option is wrong.
        MissingExtraError: Without the package ``confluent-kafka``.
    """

    def __init__(self, uri: str, **options: Any) -> None:
        address = Address(uri, options)
        topic = address.need(address.path, "a topic", "kafka://host:9092/TOPIC")
        reader = _Reader(address, topic)
        name = address.take("name") or f"kafka://{address.hosts}/{topic}"
        super().__init__(reader, address.rest(_OPTIONS), source=name, scope=topic)


class _Reader:
    """Reads every partition of a topic from given offsets on."""

    def __init__(self, address: Address, topic: str) -> None:
        if importlib.util.find_spec("confluent_kafka") is None:
            raise MissingExtraError("Reading Kafka", package="confluent-kafka", extra="kafka")
        hosts = [host if ":" in host else f"{host}:{PORT}" for host in address.hosts.split(",")]
        user = address.take("user") or address.user
        is_encrypted = address.scheme.endswith("+ssl")
        group = address.take("group")
        self._configuration: dict[str, Any] = {
            "bootstrap.servers": ",".join(hosts),
            "security.protocol": ("SASL_" if user else "") + ("SSL" if is_encrypted else "PLAINTEXT"),
            "group.id": group or "grounded",
            "client.id": "grounded",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": FETCH_KILOBYTES,
            "fetch.max.bytes": BATCH_BYTES,
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
        password = address.take("password") or address.password
        mechanism = address.take("mechanism", "PLAIN")
        if user:
            credentials = {"sasl.username": user, "sasl.password": password, "sasl.mechanism": mechanism}
            self._configuration |= credentials
        if authorities := address.take("ca"):
            self._configuration["ssl.ca.location"] = authorities
        self._server = self._configuration["bootstrap.servers"]
        self._has_group = bool(group)
        self._topic = topic
        self._start = start_of(address)
        self._consumer: Any = None
        self._offsets: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._looked = 0.0
        self._down = ""

    def open(self, positions: Positions) -> Sequence[Gap]:
        from confluent_kafka import Consumer, TopicPartition

        self._down = ""
        gaps: list[Gap] = []
        with self._translated():
            self._consumer = Consumer({**self._configuration, "error_cb": self._failed})
            known = {int(partition): int(offset) for partition, offset in positions.items()}
            self._offsets = {}
            for partition in self._partitions():
                place = TopicPartition(self._topic, partition)
                low, high = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_SECONDS)
                offset, gap = self._begin(partition, known.get(partition), low, high, is_first=not known)
                self._offsets[partition], self._ends[partition] = offset, high
                gaps += [gap] if gap else []
            self._consumer.assign(
                [TopicPartition(self._topic, partition, offset) for partition, offset in self._offsets.items()]
            )
        return gaps

    def _begin(
        self, partition: int, after: int | None, low: int, high: int, *, is_first: bool
    ) -> tuple[int, Gap | None]:
        """The offset to start at, and what was lost before it."""
        place = f"{self._topic}[{partition}]"
        if after is None:
            return (high if is_first and self._start == START_NEW else low), None
        if after > high:
            reason = f"The partition ends at {high} but was read up to {after}: it was made anew, and is read again."
            return low, Gap(place, str(after), "", reason)
        if after < low:
            reason = f"{low - after} messages from {after} on were deleted by the broker before they were read."
            return low, Gap(place, str(after), str(low), reason)
        return after, None

    def _partitions(self) -> list[int]:
        found = self._consumer.list_topics(self._topic, timeout=TIMEOUT_SECONDS).topics[self._topic]
        self._looked = time.monotonic()
        if found.error is not None or not found.partitions:
            raise SourceNotFoundError(
                f"kafka://{self._server} has no topic {self._topic!r}.", fix="Check its name, and the right to read it."
            )
        return sorted(found.partitions)

    def read(self, limit: int, wait: float) -> Sequence[Message | Gap]:
        found: list[Message | Gap] = []
        size, until = 0, time.monotonic() + wait
        with self._translated():
            self._look_for_partitions()
            while len(found) < limit and size < BATCH_BYTES:
                left = 0.0 if found else max(0.0, until - time.monotonic())
                received = self._consumer.poll(left)
                if received is None:
                    break
                if self._is_message(received):
                    message = self._message(received)
                    size += message.size
                    found.append(message)
        if not found and self._down:
            raise SourceUnavailableError(
                f"kafka://{self._server} cannot be reached: {self._down}.", fix="Check that it runs."
            )
        return found

    def _is_message(self, received: Any) -> bool:
        from confluent_kafka import KafkaError, KafkaException

        error = received.error()
        if error is None:
            return True
        if error.code() == KafkaError._PARTITION_EOF:
            # What lies between the last message and the end are marks of transactions.
            partition = received.partition()
            self._offsets[partition] = max(self._offsets[partition], received.offset())
            self._down = ""
            return False
        raise KafkaException(error)

    def _message(self, received: Any) -> Message:
        from confluent_kafka import TIMESTAMP_NOT_AVAILABLE

        partition, offset, content = received.partition(), received.offset(), received.value()
        self._offsets[partition] = offset + 1
        self._down = ""
        kind, milliseconds = received.timestamp()
        return Message(
            topic=self._topic,
            partition=partition,
            position=str(offset),
            content=content,
            key=_name(received.key()),
            time=None if kind == TIMESTAMP_NOT_AVAILABLE else _time(milliseconds),
            headers={name: _name(value) or "" for name, value in received.headers() or ()},
            size=len(content or b""),
        )

    def _look_for_partitions(self) -> None:
        if time.monotonic() - self._looked < PARTITIONS_SECONDS:
            return
        if self._partitions() != sorted(self._offsets):
            raise SourceUnavailableError(f"The partitions of {self._topic!r} have changed; they are read anew.")

    def positions(self) -> Positions:
        return {str(partition): offset for partition, offset in sorted(self._offsets.items())}

    def settle(self, positions: Positions) -> None:
        if not self._has_group:
            return
        from confluent_kafka import TopicPartition

        offsets = [TopicPartition(self._topic, int(partition), offset) for partition, offset in positions.items()]
        with self._translated():
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def lag(self) -> int | None:
        from confluent_kafka import TopicPartition

        waiting = 0
        for partition, offset in self._offsets.items():
            place = TopicPartition(self._topic, partition)
            _, high = self._consumer.get_watermark_offsets(place, cached=True)
            waiting += max(0, max(high, self._ends.get(partition, 0)) - offset)
        return waiting

    def mark(self) -> None:
        """The ends were noted when the partitions were opened."""

    def is_past_mark(self) -> bool:
        return all(self._offsets[partition] >= end for partition, end in self._ends.items())

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _failed(self, error: Any) -> None:
        """Called by the client while it reads."""
        from confluent_kafka import KafkaError

        if error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION):
            self._down = error.str()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from confluent_kafka import KafkaError, KafkaException

        try:
            yield
        except KafkaException as failure:
            error = failure.args[0]
            refused = (
                KafkaError._AUTHENTICATION,
                KafkaError.SASL_AUTHENTICATION_FAILED,
                KafkaError.TOPIC_AUTHORIZATION_FAILED,
            )
            if error.code() in refused:
                raise SourceAccessError(
                    f"kafka://{self._server} does not accept these credentials for {self._topic!r}.",
                    fix="Check user, password, mechanism and rights.",
                ) from failure
            if error.code() == KafkaError._INVALID_ARG:
                raise SourceError(f"The client refuses these settings: {error.str()}.") from failure
            # Whatever else goes wrong, opening it again at the checkpoint is right: also when offsets are gone.
            raise SourceUnavailableError(
                f"kafka://{self._server} does not serve {self._topic!r}: {error.str()}.", fix="Check that it runs."
            ) from failure


def _name(value: bytes | None) -> str | None:
    """A key or header as text; bytes that are none are written as hexadecimal digits."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _time(milliseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # the sender's clock is of no use
