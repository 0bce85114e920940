"""The parent's side of the parsing process: one child, restarted when it dies, killed when it hangs."""

from __future__ import annotations

import atexit
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

import grounded
from grounded import errors
from grounded.errors import LimitExceededError, MissingExtraError, ParseError, SchemaError, WorkerCrashError
from grounded.ingestion.parsers.source import Limits, Source
from grounded.records import Parsed

START_SECONDS = 60.0
DOCUMENTS_PER_PROCESS = 500
"""The process is replaced after so many documents, because parsing libraries leak."""

_LENGTH = struct.Struct(">Q")
_BYTES_PER_CHARACTER = 12
_FRAME_MARGIN = 64_000_000
_PACKAGE_ROOT = Path(grounded.__file__).resolve().parent.parent


class ParsingProcess:
    """One ``python -m grounded._worker``, started at the first document. Thread-safe: one document at a time.

    Messages are length-prefixed. The answer is JSON and validated like any foreign input, because a hostile
    document may have taken the child over.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._owner = 0
        self._served = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def parse(self, format_name: str, source: Source) -> Parsed:
        """Parse a document of a known format in the child.

        Raises:
            ParseError: It cannot be read. ``LimitExceededError`` when the child took too long and was killed,
                ``WorkerCrashError`` when it died.
            MissingExtraError: The format needs an extra.
        """
        return _parsed(self._asked({"format": format_name}, source))

    def view(self, source: Source, page: int, quote: str, places: list[list[float]]) -> dict[str, Any]:
        """A page of a PDF as a picture with a quote's places; see ``viewing.view_page``.

        Raises:
            ParseError: It cannot be opened, has no such page, took too long, or the child died.
        """
        answer = self._asked({"view": {"number": page, "quote": quote, "places": places}}, source)
        if isinstance(answer.get("error"), dict):
            raise _error(answer["error"])
        view = answer.get("view")
        if not isinstance(view, dict):
            raise WorkerCrashError("The parsing process answered with something that is no page.")
        return view

    def _asked(self, what: dict[str, Any], source: Source) -> dict[str, Any]:
        header = {**what, "name": source.name, "limits": asdict(source.limits)}
        with self._lock:
            self._ensure()
            answer = self._exchange(json.dumps(header).encode(), source)
            self._served += 1
            if self._served >= DOCUMENTS_PER_PROCESS or answer.get("exit"):
                self._stop()
        return answer

    def close(self) -> None:
        """End the child; the next document starts another."""
        with self._lock:
            self._stop()

    def _ensure(self) -> None:
        if self._process and self._owner != os.getpid():
            self._process = None  # inherited by fork: the pipes belong to our parent
        if self._process and self._process.poll() is not None:
            self._stop()
        if not self._process:
            self._start()

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW
        try:
            # -P: a file in the working directory must never stand in for a library.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "grounded._worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(),
                **options,
            )
        except OSError as error:
            raise WorkerCrashError(f"The parsing process cannot be started: {error}.") from error
        self._owner, self._served = os.getpid(), 0
        timer = self._timer(START_SECONDS)
        try:
            hello = self._receive(1000)
        except (EOFError, OSError) as error:
            detail = self._last_words()
            self._stop()
            raise WorkerCrashError(
                f"The parsing process did not start. {detail}".strip(),
                fix=f"Try: {sys.executable} -P -m grounded._worker",
            ) from error
        finally:
            timer.cancel()
        if hello != b"ready":
            self._stop()
            raise WorkerCrashError("The parsing process answered with something else than expected.")

    def _exchange(self, header: bytes, source: Source) -> dict[str, Any]:
        limits = source.limits
        timer = self._timer(limits.seconds)
        try:
            self._send(header)
            self._send(source.content)
            frame = self._receive(limits.output_characters * _BYTES_PER_CHARACTER + _FRAME_MARGIN)
            answer = json.loads(frame)
        except (EOFError, OSError) as error:
            code = self._stop()
            if timer.fired or (os.name == "posix" and code == -signal.SIGALRM):
                raise LimitExceededError(
                    f"Reading this document took longer than {limits.seconds:g} seconds.",
                    fix="Split it, or raise Limits.seconds.",
                ) from error
            raise WorkerCrashError(
                f"The parsing process died on this document (exit code {code}).",
                fix="The document is probably damaged: open and save it again.",
            ) from error
        except (ValueError, RecursionError) as error:
            self._stop()
            raise WorkerCrashError("The parsing process answered with rubbish.") from error
        finally:
            timer.cancel()
        return answer if isinstance(answer, dict) else {}

    def _timer(self, seconds: float) -> _KillTimer:
        assert self._process is not None
        return _KillTimer(seconds, self._process)

    def _send(self, frame: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(_LENGTH.pack(len(frame)))
        self._process.stdin.write(frame)
        self._process.stdin.flush()

    def _receive(self, limit: int) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        return receive(self._process.stdout, limit)

    def _last_words(self) -> str:
        if not self._errors:
            return ""
        self._errors.seek(0)
        lines = self._errors.read(100_000).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _stop(self) -> int | None:
        """End the child and what it started; returns its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]
        kill_tree(process, only_leftovers=_ended(process))
        code = process.wait()
        with suppress(OSError):
            process.stdout.close()  # type: ignore[union-attr]
        if self._errors:
            self._errors.close()
            self._errors = None
        return code


class _KillTimer:
    """Kills the child when the time is up; ``fired`` says that it did."""

    def __init__(self, seconds: float, process: subprocess.Popen[bytes]) -> None:
        self.fired = False
        self._process = process
        self._timer = threading.Timer(seconds, self._fire)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()

    def _fire(self) -> None:
        self.fired = True
        kill_tree(self._process)


def receive(stream: IO[bytes], limit: int) -> bytes:
    """One length-prefixed message.

    Raises:
        EOFError: The other side is gone.
        OSError: The message is longer than ``limit``, or reading failed.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length > limit:
        raise OSError(f"a message of {length} bytes is too long")
    return _exactly(stream, length)


def kill_tree(process: subprocess.Popen[bytes], *, only_leftovers: bool = False) -> None:
    """Kill a child and whatever it started (the converter of the long-tail formats, for one)."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif not only_leftovers:
        process.kill()


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the child has ended or does so at once, now that its input is closed."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.2)
    return process.returncode is not None


def _exactly(stream: IO[bytes], length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        part = stream.read(min(length, 1 << 20))
        if not part:
            raise EOFError("the parsing process closed its pipe")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _environment() -> dict[str, str]:
    """The child's environment; a source tree that is not installed is found behind everything else."""
    environment = dict(os.environ)
    known = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    if _PACKAGE_ROOT.name not in ("site-packages", "dist-packages") and str(_PACKAGE_ROOT) not in known:
        environment["PYTHONPATH"] = os.pathsep.join([*known, str(_PACKAGE_ROOT)])
    environment["PYTHONDONTWRITEBYTECODE"] = environment.get("PYTHONDONTWRITEBYTECODE", "")
    return environment


def _parsed(answer: dict[str, Any]) -> Parsed:
    error = answer.get("error")
    if isinstance(error, dict):
        raise _error(error)
    try:
        return Parsed.from_dict(answer.get("parsed", {}))
    except SchemaError as broken:
        raise WorkerCrashError("The parsing process answered with something that is no document.") from broken


def _error(data: dict[str, Any]) -> errors.GroundedError:
    """The error the child reports; only kinds that parsing may raise."""
    kind, message, fix = (str(data.get(name, "")) for name in ("type", "message", "fix"))
    if kind == "MissingExtraError":
        return MissingExtraError(message, package=str(data.get("package", "")), extra=str(data.get("extra", "")))
    made = getattr(errors, kind, ParseError)
    if not (isinstance(made, type) and issubclass(made, ParseError)):
        made = ParseError
    return made(message or "The document cannot be read.", fix=fix)


_shared = ParsingProcess()
atexit.register(_shared.close)


def parse_isolated(format_name: str, source: Source) -> Parsed:
    """Parse in the parsing process that this process shares between its threads; see ``ParsingProcess.parse``."""
    return _shared.parse(format_name, source)


def view_isolated(source: Source, page: int, quote: str, places: list[list[float]]) -> dict[str, Any]:
    """A page as a picture, drawn in the shared parsing process; see ``ParsingProcess.view``."""
    return _shared.view(source, page, quote, places)


def close_worker() -> None:
    """End the shared parsing process; the next document that needs one starts it again."""
    _shared.close()


__all__ = ["Limits", "ParsingProcess", "close_worker", "parse_isolated", "receive"]
