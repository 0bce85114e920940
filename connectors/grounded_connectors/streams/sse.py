"""Server-Sent Events over HTTP."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from grounded.errors import (
    GroundedError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnavailableError,
    UsageError,
)
from grounded.records.durations import seconds
from grounded_connectors.streams.events import Event, EventParser
from grounded_connectors.streams.messages import Gap, Message
from grounded_connectors.streams.options import Address, StreamOptions
from grounded_connectors.streams.reading import Positions, StreamConnector

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
PIECE_BYTES = 65_536
QUEUED = 1_000
REDIRECTS = 5
IDLE_SECONDS = 2.0
"""Read once, the events end with so much silence."""
_OPTIONS = ("user", "password", "token", "events", "silence", "name")


class SseConnector(StreamConnector):
    """``sse+https://host/path`` or ``sse+http://…``: an endpoint that sends events.

    Where events have ids, reading goes on after the last one that was stored, as far as the server remembers. Events
    without ids that were sent while nobody listened are lost: that is reported as a gap after every reconnection.

    Read once, it takes what comes until the server has been silent for two seconds, or closes the connection.

    Args:
        uri: The address with its query; what is in the query belongs to the endpoint.
        options: ``user`` and ``password``, or ``token`` (a bearer token); ``events`` (kinds to read, all unless given);
            ``silence`` (after so much of it the connection counts as lost, 60 s); ``name`` of the source; and those of
            ``StreamOptions``.

    Raises:
        UsageError: The address or an option is wrong.
    """

    def __init__(self, uri: str, **options: Any) -> None:
        parts = urlsplit(uri)
        scheme = parts.scheme.lower().removeprefix("sse+")
        if scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{parts.scheme}://… is no address of events.", fix="Write sse+https://host/path.")
        address = Address(urlunsplit(parts._replace(query="")), options)
        plain = urlunsplit((scheme, address.hosts, parts.path, parts.query, ""))
        name = address.take("name") or f"sse+{scheme}://{address.hosts}{parts.path}"
        access = (address.take("user") or address.user, address.take("password") or address.password)
        token, kinds = address.take("token"), address.take("events")
        silence = seconds(address.take("silence", str(SILENCE_SECONDS)))
        stream = address.rest(_OPTIONS)
        reader = _Reader(plain, parts.path or "/", access, token, kinds, silence, stream)
        super().__init__(reader, stream, source=name, scope=parts.path or "/")


class _EndedError(SourceUnavailableError):
    """The server closed the stream in an orderly way."""


class _Reader:
    """Listens in a thread; when what it heard is not read, it stops listening, and the server has to wait."""

    def __init__(
        self,
        url: str,
        topic: str,
        access: tuple[str, str],
        token: str,
        kinds: str,
        silence: float,
        options: StreamOptions,
    ) -> None:
        self._url, self._topic = url, topic
        self._access, self._token = access, token
        self._kinds = frozenset(kind.strip() for kind in kinds.split(",") if kind.strip())
        self._silence = silence
        self._max_bytes = options.max_bytes
        self._listener: _Listener | None = None
        self._id = ""
        self._number = 0
        self._has_ended = False
        self._is_read_once = False
        self._quiet_since = 0.0

    def open(self, positions: Positions) -> Sequence[Gap]:
        self._id, self._number = str(positions.get("id", "")), int(positions.get("number", 0))
        self._has_ended = self._is_read_once = False
        with _translated(self._url):
            response = self._connect()
        self._listener = _Listener(response, self._max_bytes)
        self._quiet_since = time.monotonic()
        if self._number and not self._id:
            reason = "Events have no ids here: those sent since the connection was lost, or before, are not known."
            return [Gap(self._topic, str(self._number), "", reason)]
        return []

    def _connect(self) -> Any:
        import requests

        # No compression: a small answer must not become a large one in memory.
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"}
        if self._id:
            headers["Last-Event-ID"] = self._id
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        session = requests.Session()
        session.max_redirects = REDIRECTS
        session.trust_env = False
        response = session.get(
            self._url,
            headers=headers,
            auth=self._access if self._access[0] else None,
            stream=True,
            timeout=(CONNECT_SECONDS, self._silence),
        )
        problem = _problem(response, self._url)
        if problem is not None:
            response.close()
            raise problem
        return response

    def read(self, limit: int, wait: float) -> Sequence[Message | Gap]:
        assert self._listener is not None, "open comes first"
        found: list[Message | Gap] = []
        until = time.monotonic() + wait
        while len(found) < limit:
            left = 0.0 if found else max(0.0, until - time.monotonic())
            heard = self._listener.next(left)
            if heard is None:
                break
            self._quiet_since = time.monotonic()
            if isinstance(heard, GroundedError):
                self._has_ended = True
                if isinstance(heard, _EndedError) and self._is_read_once:
                    break
                if found:
                    self._listener.put_back(heard)
                    break
                raise heard
            if message := self._message(heard):
                found.append(message)
        return found

    def _message(self, event: Event) -> Message | None:
        self._number += 1
        if event.id is not None:
            self._id = event.id
        if self._kinds and event.kind not in self._kinds:
            return None
        return Message(
            topic=self._topic,
            position=event.id if event.id else str(self._number),
            content=event.data,
            time=datetime.now(UTC),
            subject=event.kind,
            size=event.size,
        )

    def positions(self) -> Positions:
        return {"id": self._id, "number": self._number}

    def settle(self, positions: Positions) -> None:
        """There is nobody to tell."""

    def lag(self) -> int | None:
        return self._listener.waiting if self._listener is not None else None

    def mark(self) -> None:
        """An endpoint has no end; silence must do, or that it closes."""
        self._is_read_once = True

    def is_past_mark(self) -> bool:
        return self._has_ended or time.monotonic() - self._quiet_since > IDLE_SECONDS

    def close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()


class _Listener:
    """Reads a response in a thread of its own."""

    def __init__(self, response: Any, max_bytes: int) -> None:
        self._response = response
        self._parser = EventParser(max_bytes)
        self._heard: queue.Queue[Event | GroundedError] = queue.Queue(QUEUED)
        self._last: GroundedError | None = None
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="grounded-sse", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._heard.qsize()

    def next(self, wait: float) -> Event | GroundedError | None:
        """What comes next: an event, the reason why there are no more, or None when nothing came in time."""
        if self._last is not None:
            return self._last
        with suppress(queue.Empty):
            return self._heard.get(block=wait > 0, timeout=wait or None)
        return None

    def put_back(self, reason: GroundedError) -> None:
        """Say it again at the next call."""
        self._last = reason

    def stop(self) -> None:
        self._is_stopped.set()
        with suppress(OSError, RuntimeError, ValueError):  # already closed
            self._response.raw.shutdown()  # wakes the thread, which waits in a read
        self._response.close()
        while self._thread.is_alive():
            with suppress(queue.Empty):  # it may wait for room
                self._heard.get_nowait()
            self._thread.join(0.05)

    def _listen(self) -> None:
        reason: GroundedError = _EndedError("The server closed the stream of events.", fix="It is opened again.")
        try:
            with _translated(self._response.url):
                # One read of what has arrived; read() would wait until the piece is full.
                while piece := self._response.raw.read1(PIECE_BYTES):
                    for event in self._parser.feed(piece):
                        self._put(event)
        except GroundedError as error:
            reason = error
        except (AttributeError, ValueError):
            pass  # closed by stop() while it was read
        self._put(reason)

    def _put(self, heard: Event | GroundedError) -> None:
        while not self._is_stopped.is_set():
            with suppress(queue.Full):
                self._heard.put(heard, timeout=0.1)
                return


def _problem(response: Any, url: str) -> SourceError | None:
    """Why an answer is no stream of events."""
    shown = urlunsplit(urlsplit(url)._replace(query=""))
    status, kind = response.status_code, response.headers.get("Content-Type", "")
    if status in (401, 403):
        return SourceAccessError(f"{shown} does not accept these credentials ({status}).", fix="Check user or token.")
    if status in (404, 410):
        return SourceNotFoundError(f"There is nothing at {shown} ({status}).", fix="Check the path.")
    if status == 429 or status >= 500:
        return SourceUnavailableError(f"{shown} answers with status {status}.", fix="Try again later.")
    if status != 200 or not kind.lower().startswith("text/event-stream"):
        return SourceError(
            f"{shown} sends no events: status {status}, {kind or 'no content type'}.",
            fix="Name an endpoint that answers with text/event-stream.",
        )
    return None


@contextmanager
def _translated(url: str) -> Iterator[None]:
    import requests
    import urllib3

    try:
        yield
    except SourceError:
        raise  # some are errors of the operating system too
    except (requests.TooManyRedirects, requests.exceptions.InvalidURL) as error:
        raise SourceError(f"{urlsplit(url).netloc} redirects too often or wrongly.") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        host = urlsplit(url).netloc.rpartition("@")[2]
        raise SourceUnavailableError(
            f"{host} cannot be reached or stopped sending: {type(error).__name__}.", fix="Check that it runs."
        ) from error
