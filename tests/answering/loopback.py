"""A real HTTP server on the loopback interface that answers as the test says, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Asked:
    """One request as it came."""

    def __init__(self, path: str, headers: dict[str, str], body: Any) -> None:
        self.path = path
        self.headers = headers
        self.body = body


Answering = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Loopback

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_GET(self) -> None:
        self._serve(None)

    def _serve(self, body: Any) -> None:
        self.server.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answers = self.server.answers
        try:
            answers[min(len(self.server.asked), len(answers)) - 1](self)
        except ConnectionError:
            self.server.hung_up.set()
        self.close_connection = True

    def begin(self, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Loopback(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: Sequence[Answering]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.hung_up = threading.Event()
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(*answers: Answering) -> Iterator[Loopback]:
    """Serve the answers in turn, the last one again and again."""
    server = Loopback(answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        thread.join()
        server.server_close()


def replies(status: int, body: object, kind: str = "application/json", **headers: str) -> Answering:
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()

    def answer(handler: Handler) -> None:
        handler.begin(status, kind, Content_Length=str(len(data)), **headers)
        handler.wfile.write(data)

    return answer


def streams(*pieces: str | bytes) -> Answering:
    """Server-sent events, written piece by piece."""

    def answer(handler: Handler) -> None:
        handler.begin(200, "text/event-stream")
        for piece in pieces:
            handler.wfile.write(piece if isinstance(piece, bytes) else piece.encode())
            handler.wfile.flush()

    return answer


def events(*data: object, done: bool = True) -> list[str]:
    lines = [f"data: {json.dumps(item)}\n\n" for item in data]
    return [*lines, "data: [DONE]\n\n"] if done else lines


def delta(text: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    return {"model": "served-1", "choices": [{"delta": {"content": text, **more}, "finish_reason": finish}]}


def hangs(handler: Handler) -> None:
    handler.server.release.wait(20)
