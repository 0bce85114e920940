"""Redis and Valkey Streams."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
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

PORT = 6379
TIMEOUT_SECONDS = 5.0
_OPTIONS = ("user", "password", "db", "field", "start", "name")
_BEFORE_ALL = "0-0"


class RedisConnector(StreamConnector):
    """``redis://host:6379/STREAM``, ``valkey://…``; with TLS ``rediss://…`` and ``valkeys://…``.

    An entry with one field is that field's value. Of an entry with several ``field`` names the payload, and templates
    see the others as ``stream['headers']``; without it the payload is an object of all fields.

    Args:
        uri: The address; credentials may stand in it and are never shown.
        options: ``user``, ``password``, ``db`` (0), ``field``, ``start`` (``first`` or ``new``), ``name`` of the
            source, and those of ``StreamOptions``.

    Raises:
        UsageError: The address or an option is wrong.
        MissingExtraError: Without the package ``redis``.
    """

    def __init__(self, uri: str, **options: Any) -> None:
        address = Address(uri, options)
        stream = address.need(address.path, "the name of a stream", "redis://host:6379/STREAM")
        reader = _Reader(address, stream)
        name = address.take("name") or f"redis://{address.hosts}/{stream}"
        super().__init__(reader, address.rest(_OPTIONS), source=name, scope=stream)


class _Reader:
    """Reads entries after an id; the stream keeps them, so nothing needs to be acknowledged."""

    def __init__(self, address: Address, stream: str) -> None:
        if importlib.util.find_spec("redis") is None:
            raise MissingExtraError("Reading Redis Streams", package="redis", extra="redis")
        self._server = f"{address.host or 'localhost'}:{address.port or PORT}"
        self._connection: dict[str, Any] = {
            "host": address.host or "localhost",
            "port": address.port or PORT,
            "db": int(address.take("db", "0")),
            "username": address.take("user") or address.user or None,
            "password": address.take("password") or address.password or None,
            "ssl": address.scheme in ("rediss", "valkeys"),
        }
        self._stream = stream
        self._field = address.take("field")
        self._start = start_of(address)
        self._client: Any = None
        self._at = self._end = _BEFORE_ALL
        self._ordinal: int | None = None
        self._lag: int | None = None
        self._count = 0

    def open(self, positions: Positions) -> Sequence[Gap]:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._client = redis.Redis(
            **self._connection,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=2 * TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        with self._translated():
            about = _about(self._client.xinfo_stream(self._stream))
        return self._begin(positions, about)

    def _begin(self, positions: Positions, about: Mapping[str, Any]) -> list[Gap]:
        """Where to go on, and what was trimmed away before it could be read."""
        added, trimmed = about.get("entries-added"), None
        if added is not None:
            trimmed = int(added) - int(about["length"])
        self._end = _text(about["last-generated-id"])
        self._count = 0
        after = positions.get("id")
        if after is None:
            is_new = self._start == START_NEW
            self._at = self._end if is_new else _BEFORE_ALL
            self._ordinal = None if added is None else int(added) if is_new else trimmed
            self._measure(added)
            return []
        self._at, self._ordinal = str(after), positions.get("ordinal")
        gaps = self._gaps(trimmed, added)
        self._measure(added)
        return gaps

    def _gaps(self, trimmed: int | None, added: int | None) -> list[Gap]:
        if _number(self._at) > _number(self._end) or (self._ordinal is not None and (added or 0) < self._ordinal):
            gap = Gap(self._stream, self._at, "", "The stream was made anew after it was read; it is read again.")
            self._at, self._ordinal = _BEFORE_ALL, trimmed
            return [gap]
        if trimmed is None or self._ordinal is None or trimmed <= self._ordinal:
            return []
        lost, self._ordinal = trimmed - self._ordinal, trimmed
        reason = f"{lost} entries after {self._at} were trimmed away or deleted before they were read."
        return [Gap(self._stream, self._at, "", reason)]

    def read(self, limit: int, wait: float) -> Sequence[Message | Gap]:
        self._count = min(self._count or limit, limit)
        # A wait of zero would be one without end.
        block = max(1, int(wait * 1000)) if wait > 0 else None
        with self._translated():
            entries = _entries(self._client.xread({self._stream: self._at}, count=self._count, block=block))
            messages = [self._message(_text(identity), fields) for identity, fields in entries]
            if messages:
                self._at = messages[-1].position
                self._ordinal = None if self._ordinal is None else self._ordinal + len(messages)
            if len(messages) < self._count:
                self._lag = 0
            else:
                self._measure(_about(self._client.xinfo_stream(self._stream)).get("entries-added"))
        if sum(message.size for message in messages) > BATCH_BYTES:
            self._count = max(1, self._count // 4)
        else:
            self._count = min(limit, 2 * self._count)
        return messages

    def _measure(self, added: int | None) -> None:
        known = added is not None and self._ordinal is not None
        self._lag = max(0, int(added or 0) - (self._ordinal or 0)) if known else None
        if self._at == self._end:
            self._lag = 0

    def positions(self) -> Positions:
        return {"id": self._at, "ordinal": self._ordinal}

    def settle(self, positions: Positions) -> None:
        """Reading a stream takes nothing away from it."""

    def lag(self) -> int | None:
        return self._lag

    def mark(self) -> None:
        """The end was noted when the stream was opened."""

    def is_past_mark(self) -> bool:
        return _number(self._at) >= _number(self._end)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _message(self, identity: str, fields: Mapping[bytes, bytes] | None) -> Message:
        fields = fields or {}  # deleted while it was read
        sent = datetime.fromtimestamp(_number(identity)[0] / 1000, UTC)
        content, others = self._payload({_text(name): value for name, value in fields.items()})
        size = sum(map(len, fields.values()))
        return Message(topic=self._stream, position=identity, content=content, time=sent, headers=others, size=size)

    def _payload(self, fields: Mapping[str, bytes]) -> tuple[bytes | None, dict[str, str]]:
        """The payload, and what stands beside it."""
        if self._field:
            others = {name: _text(value) for name, value in fields.items() if name != self._field}
            return fields.get(self._field) or None, others
        if len(fields) == 1:
            return next(iter(fields.values())), {}
        texts = {}
        for name, value in fields.items():
            try:
                texts[name] = value.decode()
            except UnicodeDecodeError:
                return value, {}  # the payload cannot be read, and decoding it says why
        return json.dumps(texts).encode(), {}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from redis import exceptions

        try:
            yield
        except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
            raise SourceAccessError(
                f"redis://{self._server} does not accept these credentials.", fix="Check user and password."
            ) from error
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            reason = str(error).rstrip(".")
            raise SourceUnavailableError(
                f"redis://{self._server} cannot be reached or does not answer: {reason}.", fix="Check that it runs."
            ) from error
        except exceptions.ResponseError as error:
            if "no such key" in str(error):
                raise SourceNotFoundError(
                    f"redis://{self._server} has no stream {self._stream!r}.",
                    fix="Check its name and the option 'db'; a stream exists from its first entry on.",
                ) from error
            raise SourceError(f"redis://{self._server} refused to read {self._stream!r}: {error}.") from error


def _about(info: Mapping[Any, Any]) -> dict[str, Any]:
    return {_text(name): value for name, value in info.items()}


def _entries(reply: Any) -> Sequence[tuple[bytes, Mapping[bytes, bytes] | None]]:
    """The entries of the one stream that was asked for, in either version of the protocol."""
    if not reply:
        return []
    if isinstance(reply, Mapping):
        (entries,) = reply.values()
        return [entry for part in entries for entry in part] if entries and isinstance(entries[0], list) else entries
    found: Sequence[tuple[bytes, Mapping[bytes, bytes] | None]] = reply[0][1]
    return found


def _number(identity: str) -> tuple[int, int]:
    milliseconds, _, sequence = identity.partition("-")
    return int(milliseconds), int(sequence or 0)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
