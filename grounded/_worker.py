"""The parsing process: ``python -m grounded._worker``, spoken to through pipes.

Standard output carries nothing but answers: before any library is imported the pipe is moved aside, and what
libraries print goes to standard error. The process ends with its parent, because its input does.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
from typing import IO, Any

_LENGTH = struct.Struct(">Q")
_GRACE_SECONDS = 2.0
_LARGEST_REQUEST = 1 << 40


def main() -> None:
    """Answer requests until the input ends."""
    requests, answers = _take_pipes()
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _send(answers, b"ready")
    while True:
        header, content = _receive(requests), _receive(requests)
        if header is None or content is None:
            return
        answer = _answer(json.loads(header), content)
        _send(answers, json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))
        if answer.get("exit"):
            return


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Move both pipes away from where libraries and their children would find them."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return requests, answers


def _answer(header: dict[str, Any], content: bytes) -> dict[str, Any]:
    from grounded.errors import LimitExceededError, MissingExtraError, ParseError
    from grounded.ingestion.parsers.formats import run_parser
    from grounded.ingestion.parsers.source import Limits, Source

    limits = Limits(**header["limits"])
    _limit_memory(limits.memory_bytes)
    watchdog = _Watchdog(limits.seconds + _GRACE_SECONDS)
    try:
        if "view" in header:
            from grounded.ingestion.parsers.viewing import view_page

            return {"view": view_page(content, **header["view"])}
        parsed = run_parser(header["format"], Source(content, name=header["name"], limits=limits))
        return {"parsed": parsed.to_dict()}
    except MissingExtraError as error:
        feature = error.message.split(" needs the package ")[0]
        names = {"package": error.package, "extra": error.extra}
        return {"error": {"type": "MissingExtraError", "message": feature, **names}}
    except ParseError as error:
        # After running out of memory nothing in here can be relied on.
        leave = {"exit": True} if isinstance(error, LimitExceededError) else {}
        return {"error": {"type": type(error).__name__, "message": error.message, "fix": error.fix}, **leave}
    finally:
        watchdog.cancel()


class _Watchdog:
    """Ends this process when a document takes too long, even when the parent is gone and cannot."""

    def __init__(self, seconds: float) -> None:
        self._timer: threading.Timer | None = None
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the kernel ends us, whatever library is busy
            signal.setitimer(signal.ITIMER_REAL, seconds)
        else:
            self._timer = threading.Timer(seconds, os._exit, (1,))
            self._timer.daemon = True
            self._timer.start()

    def cancel(self) -> None:
        if self._timer:
            self._timer.cancel()
        else:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(limit: int) -> None:
    """Bound data memory: address space would also count what a converter reserves and never touches."""
    if sys.platform == "win32":
        return
    import resource

    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    _, hard = resource.getrlimit(kind)
    soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (ValueError, OSError):
        return  # the platform offers the call and refuses it


def _receive(stream: IO[bytes]) -> bytes | None:
    prefix = stream.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(prefix)
    if length > _LARGEST_REQUEST:
        return None
    content = stream.read(length)
    return content if len(content) == length else None


def _send(stream: IO[bytes], frame: bytes) -> None:
    stream.write(_LENGTH.pack(len(frame)))
    stream.write(frame)
    stream.flush()


if __name__ == "__main__":
    main()
