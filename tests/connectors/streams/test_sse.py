"""Server-Sent Events: the format against its standard, the connector against a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.errors import SourceAccessError, SourceError, SourceNotFoundError, SourceUnavailableError, UsageError
from grounded.records import Failed, Upsert
from grounded_connectors.streams.events import Event, EventParser
from grounded_connectors.streams.sse import SseConnector


def parse(*pieces: bytes, max_bytes: int = 100) -> list[Event]:
    parser = EventParser(max_bytes)
    return [event for piece in pieces for event in parser.feed(piece)]


def test_the_examples_of_the_standard() -> None:
    stock = b"data: YHOO\ndata: +2\ndata: 10\n\n"
    assert [event.data for event in parse(stock)] == [b"YHOO\n+2\n10"]
    ids = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    events = [(event.data, event.id) for event in parse(ids)]
    assert events == [(b"first event", "1"), (b"second event", ""), (b" third event", None)]
    assert [event.data for event in parse(b"data\n\ndata\ndata\n\ndata:")] == [b"", b"\n"]
    assert [event.kind for event in parse(b"event: add\ndata: 1\n\ndata: 2\n\n")] == ["add", "message"]


@given(
    st.lists(st.text(alphabet="ab: é", min_size=1, max_size=8), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_pieces_and_line_breaks_change_nothing(lines: list[str], end: str, cuts: list[int]) -> None:
    whole = ("\ufeff" + "".join(f"id: {n}{end}data: {line}{end}{end}" for n, line in enumerate(lines)) + end).encode()
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    pieces = [whole[start:stop] for start, stop in pairwise(places)]
    events = parse(*pieces)
    assert [event.data.decode() for event in events] == lines
    assert [event.id for event in events] == [str(n) for n in range(len(lines))]


@given(st.integers(0, 300), st.integers(1, 50))
def test_what_is_too_large_is_counted_and_not_kept(size: int, piece: int) -> None:
    whole = b"data: " + b"x" * size + b"\n\ndata: next\n\n"
    first, second = parse(*(whole[at : at + piece] for at in range(0, len(whole), piece)))
    assert (first.size, second.data) == (size, b"next")
    assert len(first.data) == (size if size <= 100 else 0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append(dict(self.headers))
        status = {"/missing": 404, "/private": 401, "/broken": 503}.get(self.path)
        if status or self.path == "/page":
            self.send_response(status or 200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        after = int(self.headers.get("Last-Event-ID") or 0)
        for number in range(after + 1, 4):
            name = "" if self.path == "/nameless" else f"id: {number}\n"
            self._chunk(f"{name}data: Event {number} happened\n\n".encode())
        if self.path == "/open":
            server.release.wait(10)
        self._chunk(b"")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    made.asked, made.release, made.url = [], threading.Event(), f"sse+http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.release.set()
    made.shutdown()
    made.server_close()
    thread.join()


def changes_of(connector: SseConnector, state: Any = None) -> list[Any]:
    return list(connector.changes(state))


def titles(changes: list[Any]) -> list[str]:
    return [change.document.key for change in changes if isinstance(change, Upsert)]


def test_events_are_read_until_the_server_closes(server: Any) -> None:
    changes = changes_of(SseConnector(f"{server.url}/feed?topic=a"))
    assert titles(changes) == ["/feed@1", "/feed@2", "/feed@3"]
    assert changes[-1].state["positions"] == {"id": "3", "number": 3}


def test_reading_goes_on_after_the_last_id(server: Any) -> None:
    connector = SseConnector(f"{server.url}/feed", token="hidden")
    first = changes_of(connector)
    state = {**first[-1].state, "positions": {"id": "2", "number": 2}}
    assert titles(list(connector.changes(state))) == ["/feed@3"]
    assert server.asked[-1]["Last-Event-ID"] == "2"
    assert server.asked[-1]["Authorization"] == "Bearer hidden"
    assert "hidden" not in connector.source


def test_without_ids_a_reconnection_is_a_gap(server: Any) -> None:
    connector = SseConnector(f"{server.url}/nameless")
    first = changes_of(connector)
    assert titles(first) == ["/nameless@1", "/nameless@2", "/nameless@3"]
    (gap,) = (change for change in connector.changes(first[-1].state) if isinstance(change, Failed))
    assert gap.error == "GapError"


def test_a_live_stream_is_read_as_it_comes(server: Any) -> None:
    connector = SseConnector(f"{server.url}/open")
    connector.follow()
    state, seen = None, list[str]()
    until = time.monotonic() + 10
    while len(seen) < 3 and time.monotonic() < until:
        changes = changes_of(connector, state)
        state, seen = changes[-1].state, seen + titles(changes)
        connector.wait(0.1)
    assert len(seen) == 3
    server.release.set()
    with pytest.raises(SourceUnavailableError, match="closed"):
        connector.wait(10)
    connector.close()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/missing", SourceNotFoundError),
        ("/private", SourceAccessError),
        ("/broken", SourceUnavailableError),
        ("/page", SourceError),
    ],
)
def test_what_is_no_stream_of_events(server: Any, path: str, error: type[SourceError]) -> None:
    with pytest.raises(error):
        list(SseConnector(f"{server.url}{path}").changes(None))


def test_addresses_that_are_none() -> None:
    for uri in ("sse://host/x", "sse+ftp://host/x", "sse+https:///x"):
        with pytest.raises(UsageError):
            SseConnector(uri)
