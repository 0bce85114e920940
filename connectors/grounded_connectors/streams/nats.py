"""NATS JetStream: a stream, a subject of it, or a key-value bucket."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import threading
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

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

PORT = 4222
TIMEOUT_SECONDS = 5.0
PULL_SECONDS = 30.0
FORGET_SECONDS = 60.0
"""After so much silence the server forgets a reader, or sends again what was not acknowledged."""
MAX_UNSETTLED = 20_000

_OPTIONS = ("user", "password", "token", "credentials", "subject", "durable", "start", "name")
_BUCKET = "KV_"
_ENDS = ("deleted", "shutdown", "leadership", "push based")
_DELETED = frozenset({"DEL", "PURGE"})
_T = TypeVar("_T")


class NatsConnector(StreamConnector):
    """``nats://host:4222/STREAM``, or ``nats+tls://…``; of a key-value bucket the stream is ``KV_NAME``.

    A message has no key of its own: name one with ``key="{{ id }}"`` or ``key="{{ stream['subject'] }}"``; in a bucket
    it is the entry's key, and deleting the entry deletes the document.

    Args:
        uri: The address; credentials may stand in it and are never shown.
        options: ``user``, ``password``, ``token``, ``credentials`` (path of a ``.creds`` file); ``subject`` (only
            these, such as ``orders.>``); ``durable`` (a consumer on the server: needed for work queues, which forget a
            message once it is acknowledged; that happens after it is stored); ``start`` (``first`` or ``new``);
            ``name`` of the source; and those of ``StreamOptions``.

    Raises:
        UsageError: The address or an option is wrong.
        MissingExtraError: Without the package ``nats-py``.
    """

    def __init__(self, uri: str, **options: Any) -> None:
        address = Address(uri, options)
        stream = address.need(address.path, "the name of a stream", "nats://host:4222/STREAM")
        reader = _Reader(address, stream)
        name = address.take("name") or f"nats://{address.hosts}/{stream}"
        super().__init__(reader, address.rest(_OPTIONS), source=name, scope=reader.scope)


class _Reader:
    """Pulls messages through a consumer that starts after the last one read."""

    def __init__(self, address: Address, stream: str) -> None:
        if importlib.util.find_spec("nats") is None:
            raise MissingExtraError("Reading NATS JetStream", package="nats-py", extra="nats")
        scheme = "tls" if address.scheme.endswith("+tls") else "nats"
        hosts = [host if ":" in host else f"{host}:{PORT}" for host in address.hosts.split(",")]
        self._server = f"{scheme}://{','.join(hosts)}"
        self._connection: dict[str, Any] = {
            "servers": [f"{scheme}://{host}" for host in hosts],
            "user": address.take("user") or address.user or None,
            "password": address.take("password") or address.password or None,
            "token": address.take("token") or None,
            "user_credentials": address.take("credentials") or None,
        }
        self._stream = stream
        self._subject = address.take("subject")
        self._durable = address.take("durable")
        self._start = start_of(address)
        self.scope = f"{stream} {self._subject}".strip()
        self._loop: Loop | None = None
        self._client: Any = None
        self._reset()

    def _reset(self) -> None:
        self._arrived: deque[Any] = deque()
        self._bell = asyncio.Event()
        self._replies = ""
        self._asked = 0
        self._requests = ""
        self._at = 0
        self._delivered = 0
        self._pending = 0
        self._left = 0
        self._request = _Request()
        self._unsettled: deque[tuple[int, Any]] = deque()

    def open(self, positions: Positions) -> Sequence[Gap]:
        self._reset()
        self._loop = Loop("grounded-nats")
        return self._run(self._connect(positions.get("sequence")))

    def read(self, limit: int, wait: float) -> Sequence[Message | Gap]:
        return self._run(self._pull(limit, wait))

    def positions(self) -> Positions:
        return {"sequence": self._at}

    def settle(self, positions: Positions) -> None:
        stored = int(positions["sequence"])
        while self._unsettled and self._unsettled[0][0] <= stored:
            self._run(self._unsettled.popleft()[1].ack())

    def lag(self) -> int | None:
        return self._pending

    def mark(self) -> None:
        self._left = self._pending

    def is_past_mark(self) -> bool:
        return self._left <= 0

    def close(self) -> None:
        loop, self._loop = self._loop, None
        client, self._client = self._client, None
        if loop is None:
            return
        if client is not None:
            with suppress(Exception):  # it may never have been connected
                loop.run(asyncio.wait_for(self._leave(client), TIMEOUT_SECONDS))
        loop.stop()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        assert self._loop is not None, "open comes first"
        with _translated(self._server, self._stream):
            return self._loop.run(work)

    async def _leave(self, client: Any) -> None:
        for _, message in self._unsettled:
            await message.nak()  # to have it sent again at once
        self._unsettled.clear()
        await client.close()

    async def _connect(self, after: int | None) -> list[Gap]:
        from nats.aio.client import Client

        async def ignored(error: Exception) -> None:
            """What goes wrong is raised by the call that it concerns."""

        async def arrived(received: Any) -> None:
            self._arrived.append(received)
            self._bell.set()

        async def ended() -> None:
            self._bell.set()  # whoever waits for messages finds out

        self._client = Client()
        connecting = self._client.connect(
            **self._connection,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.1,
            connect_timeout=int(TIMEOUT_SECONDS),
            error_cb=ignored,
            disconnected_cb=ended,
            closed_cb=ended,
            name="grounded",
        )
        await asyncio.wait_for(connecting, TIMEOUT_SECONDS)
        context = self._client.jetstream(timeout=TIMEOUT_SECONDS)
        state = (await context.stream_info(self._stream)).state
        self._at = self._first(after, state)
        info = await self._consumer(context)
        self._pending = (info.num_pending or 0) + (info.num_ack_pending or 0)
        self._requests = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{info.name}"
        self._replies = self._client.new_inbox()
        # Waiting for each message would make a task of it.
        await self._client.subscribe(f"{self._replies}.*", cb=arrived)
        return self._gaps(after, state)

    def _first(self, after: int | None, state: Any) -> int:
        """The sequence after which to go on."""
        if after is None:
            return int(state.last_seq) if self._start == START_NEW else 0
        return 0 if after > state.last_seq else after

    def _gaps(self, after: int | None, state: Any) -> list[Gap]:
        if not after:
            return []
        if after > state.last_seq:
            reason = (
                f"The stream ends at {state.last_seq} but was read up to {after}: it was made anew, and is read again."
            )
            return [Gap(self._stream, str(after), "", reason)]
        lost = state.first_seq - after - 1
        if lost <= 0:
            return []
        reason = f"Up to {lost} messages after {after} were deleted by the stream before they were read."
        return [Gap(self._stream, str(after), str(state.first_seq), reason)]

    async def _consumer(self, context: Any) -> Any:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
        from nats.js.errors import NotFoundError

        if self._durable:
            with suppress(NotFoundError):
                return await context.consumer_info(self._stream, self._durable)
            config = ConsumerConfig(
                durable_name=self._durable,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=FORGET_SECONDS,
                max_ack_pending=MAX_UNSETTLED,
                filter_subject=self._subject or None,
            )
            return await context.add_consumer(self._stream, config)
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._at + 1,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=FORGET_SECONDS,
            filter_subject=self._subject or None,
            mem_storage=True,
        )
        return await context.add_consumer(self._stream, config)

    async def _pull(self, limit: int, wait: float) -> list[Message | Gap]:
        found: list[Message | Gap] = []
        size, until = 0, time.monotonic() + wait
        while len(found) < limit and size < BATCH_BYTES:
            await self._ask(limit)
            if not self._arrived:
                await asyncio.sleep(0)  # time for what the socket holds
            if not self._arrived and (found or not await self._comes(until)):
                break
            received = self._arrived.popleft()
            message = self._message(received)
            if message is not None:
                size += message.size
                found.append(message)
        return found

    async def _comes(self, until: float) -> bool:
        """Whether a message has arrived, by ``until``."""
        from nats.errors import ConnectionClosedError

        while not self._arrived:
            self._bell.clear()
            if not self._client.is_connected:
                raise ConnectionClosedError
            try:
                await asyncio.wait_for(self._bell.wait(), max(0.001, until - time.monotonic()))
            except TimeoutError:
                return False
        return True

    async def _ask(self, limit: int) -> None:
        """Keep one request for messages open at the server: so much may be on its way to us, and no more."""
        request = self._request
        if request.is_open:
            return
        wanted: dict[str, int] = {"batch": limit, "expires": int(PULL_SECONDS * 1e9), "max_bytes": BATCH_BYTES}
        if request.is_too_large:
            wanted = {"batch": 1, "expires": wanted["expires"]}
        self._asked += 1
        reply = f"{self._replies}.{self._asked}"
        self._request = _Request(reply, left=wanted["batch"], until=time.monotonic() + PULL_SECONDS)
        await self._client.publish(self._requests, json.dumps(wanted).encode(), reply=reply)

    def _message(self, received: Any) -> Message | None:
        headers = dict(received.headers or {})
        if "Status" in headers and not received.reply.startswith("$JS.ACK"):
            self._request.ended(received.subject, headers["Status"], headers.get("Description", ""))
            return None
        about = received.metadata
        self._request.got()
        self._pending = about.num_pending
        self._left -= 1
        sequence = about.sequence.stream
        if self._durable:
            self._unsettled.append((sequence, received))
            if sequence <= self._at:
                return None  # stored before, and not acknowledged in time
        elif about.sequence.consumer != self._delivered + 1:
            raise SourceUnavailableError(f"Messages of {self._stream!r} were lost on their way.")
        self._delivered = about.sequence.consumer
        self._at = sequence
        return self._built(received, sequence, headers, about.timestamp)

    def _built(self, received: Any, sequence: int, headers: dict[str, str], sent: datetime) -> Message:
        key, is_deleted = None, not received.data
        if self._stream.startswith(_BUCKET):
            key = received.subject.split(".", 2)[2]
            is_deleted = headers.get("KV-Operation") in _DELETED
        return Message(
            topic=self._stream,
            position=str(sequence),
            content=None if is_deleted else received.data,
            key=key,
            time=sent.astimezone(UTC),
            subject=received.subject,
            headers=headers,
            size=len(received.data),
        )


class _Request:
    """A request for messages that the server is serving."""

    def __init__(self, reply: str = "", left: int = 0, until: float = 0.0) -> None:
        self._reply, self._left, self._until = reply, left, until
        self._got = 0
        self.is_too_large = False

    @property
    def is_open(self) -> bool:
        return self._left > 0 and time.monotonic() < self._until

    def got(self) -> None:
        self._left -= 1
        self._got += 1

    def ended(self, reply: str, status: str, description: str) -> None:
        """The server will send no more for a request; it says so with the status of HTTP.

        It says so of one that is complete, too, after the next one was made: which then is still open. Taking that for
        its end would open one more with every batch, and messages would pile up here.
        """
        if reply == self._reply:
            self._left = 0
        if status == "409" and "maxbytes" in description.lower().replace(" ", ""):
            self.is_too_large = reply == self._reply and not self._got
        elif status == "503" or any(word in description.lower() for word in _ENDS):
            raise SourceUnavailableError(f"The server ended the reading: {description or status}.")


class Loop:
    """An event loop in a thread of its own, for a client that knows no other way."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of the work."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """End the thread, and what still runs in it."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # what was closed says so on the next turn


@contextmanager
def _translated(server: str, stream: str) -> Iterator[None]:
    import nats.errors
    import nats.js.errors

    try:
        yield
    except SourceError:
        raise  # some are errors of the operating system too
    except nats.js.errors.NotFoundError as error:
        raise SourceNotFoundError(
            f"{server} has no stream {stream!r}.", fix="nats stream ls lists those there are; names are case-sensitive."
        ) from error
    except (nats.errors.AuthorizationError, nats.errors.NoServersError, nats.errors.ConnectionClosedError) as error:
        raise _unreachable(server, error) from error
    except (TimeoutError, OSError) as error:
        raise _unreachable(server, error) from error
    except nats.js.errors.APIError as error:
        raise SourceError(f"{server} refused to serve {stream!r}: {error.description or error}.") from error
    except nats.errors.Error as error:
        raise _unreachable(server, error) from error


def _unreachable(server: str, error: BaseException) -> SourceError:
    if "authorization" in str(error).lower():
        return SourceAccessError(f"{server} does not accept these credentials.", fix="Check user, password or token.")
    reason = f": {error}" if str(error) else ""
    return SourceUnavailableError(f"{server} cannot be reached or does not answer{reason}.", fix="Check that it runs.")
