from __future__ import annotations

import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grounded.errors import EncryptedDocumentError, LimitExceededError, ParseError, WorkerCrashError
from grounded.ingestion.parsers import Limits
from grounded.ingestion.parsers.source import Source
from grounded.ingestion.parsers.worker import ParsingProcess, _environment

from .making import archive, pdf, read, word, workbook

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
HELLO = pdf([["Hello"]])


@pytest.fixture
def worker() -> Iterator[ParsingProcess]:
    with ParsingProcess() as process:
        yield process


def test_one_process_serves_many_documents_and_errors(worker: ParsingProcess) -> None:
    assert worker.pid is None
    assert worker.parse("pdf", Source(HELLO)).text == "Hello"
    first = worker.pid
    with pytest.raises(EncryptedDocumentError):
        worker.parse("pdf", Source(pdf([["x"]], password="pw")))
    with pytest.raises(ParseError, match="damaged"):
        worker.parse("docx", Source(archive({"[Content_Types].xml": b"<broken"})))
    assert worker.parse("docx", Source(word([("p", "Hi")]))).text == "Hi"
    assert worker.pid == first
    worker.close()
    assert worker.pid is None


def test_threads_share_it(worker: ParsingProcess) -> None:
    documents = [pdf([[f"Document {number}"]]) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda content: worker.parse("pdf", Source(content)).text, documents))
    assert texts == [f"Document {number}" for number in range(12)]


@posix_only
def test_a_process_that_died_is_replaced(worker: ParsingProcess) -> None:
    worker.parse("pdf", Source(HELLO))
    first = worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while worker.pid is not None:
        time.sleep(0.01)
    assert worker.parse("pdf", Source(HELLO)).text == "Hello"
    assert worker.pid != first


@posix_only
def test_dying_on_a_document_is_typed_and_the_next_one_is_read(worker: ParsingProcess) -> None:
    worker.parse("pdf", Source(HELLO))
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # it will not read the document, so it surely dies on it
    killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(WorkerCrashError, match="died"):
        worker.parse("pdf", Source(HELLO))
    assert worker.parse("pdf", Source(HELLO)).text == "Hello"


@posix_only
def test_a_process_that_hangs_is_killed(worker: ParsingProcess) -> None:
    worker.parse("pdf", Source(HELLO))
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(LimitExceededError, match=r"0\.5 seconds"):
        worker.parse("pdf", Source(HELLO, limits=Limits(seconds=0.5)))
    assert time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert worker.parse("pdf", Source(HELLO)).text == "Hello"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits data memory")
def test_memory_is_limited_and_the_next_document_is_read(worker: ParsingProcess) -> None:
    rows = [[f"cell {row} {column}" for column in range(20)] for row in range(20_000)]
    content = workbook({"A": rows})
    with pytest.raises((LimitExceededError, WorkerCrashError)):
        worker.parse("xlsx", Source(content, limits=Limits(memory_bytes=60_000_000)))
    assert worker.parse("pdf", Source(HELLO)).text == "Hello"


def test_too_much_text_is_refused(worker: ParsingProcess) -> None:
    with pytest.raises(LimitExceededError, match="characters"):
        worker.parse("pdf", Source(pdf([["Hello"]] * 30), limits=Limits(output_characters=100)))


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    types = b'<Types><Override ContentType="application/vnd.x.wordprocessingml.document.main+xml"/></Types>'
    bomb = archive({"[Content_Types].xml": types, "word/document.xml": bytes(5_000_000)})
    with pytest.raises(LimitExceededError, match="unpacks"):
        read(bomb, "a.docx", Limits(archive_bytes=1_000_000))
    with pytest.raises(LimitExceededError, match="parts"):
        read(bomb, "a.docx", Limits(archive_members=1))


def test_deep_xml_is_refused() -> None:
    types = b'<Types><Override ContentType="application/vnd.x.wordprocessingml.document.main+xml"/></Types>'
    content = archive({"[Content_Types].xml": types, "word/document.xml": b"<a>" * 100_000})
    with pytest.raises(ParseError):
        read(content, "a.docx")


def test_it_ends_with_its_parent() -> None:
    code = (
        "from grounded.ingestion.parsers.worker import ParsingProcess\n"
        "from grounded.ingestion.parsers.source import Source\n"
        "import os, sys\n"
        "p = ParsingProcess()\n"
        "p.parse('xlsx', Source(sys.stdin.buffer.read()))\n"
        "print(p.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    content = workbook({"A": [["x"]]})
    done = subprocess.run(
        [sys.executable, "-c", code], input=content, capture_output=True, env=_environment(), timeout=60, check=True
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def test_what_libraries_print_does_not_reach_the_answers(tmp_path: Path) -> None:
    """A stand-in for a library prints while it is imported, from Python and from C."""
    (tmp_path / "python_calamine.py").write_text("import os\nprint('noise')\nos.write(1, b'noise')\n")
    environment = _environment()
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment.get("PYTHONPATH", "")])
    header = json.dumps({"format": "xlsx", "name": "", "limits": {}}).encode()
    request = b"".join(struct.pack(">Q", len(part)) + part for part in (header, b"content"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "grounded._worker"],
        input=request,
        capture_output=True,
        env=environment,
        timeout=60,
    )
    assert done.stdout.startswith(struct.pack(">Q", 5) + b"ready")
    assert b"noise" not in done.stdout
    assert b"noise" in done.stderr


def test_a_library_in_the_working_directory_is_not_imported(
    tmp_path: Path, worker: ParsingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pypdfium2.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    assert worker.parse("pdf", Source(HELLO)).text == "Hello"


@pytest.mark.skipif(importlib.util.find_spec("unstructured") is None, reason="the extra is not installed")
def test_the_long_tail_looks_nothing_up() -> None:
    code = (
        "import socket\n"
        "def refuse(*a, **k): print('looked up', a, flush=True); raise OSError('no network')\n"
        "socket.getaddrinfo = refuse\n"
        "from grounded.ingestion.parsers.formats import run_parser\n"
        "from grounded.ingestion.parsers.source import Source\n"
        "print(run_parser('rtf', Source(rb'{\\rtf1 Kettles have a warranty of two years.}')).text)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, env=_environment(), timeout=120
    )
    assert done.stdout.strip() == "Kettles have a warranty of two years.", done.stderr[-2000:]
