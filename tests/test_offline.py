"""The whole demo without a network: nothing is looked up, nothing is sent."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = """
import socket, sys
looked_up = []

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        looked_up.append((event, str(arguments)))

sys.addaudithook(watch)
from grounded.cli.app import run
code = run(["demo"])
print("LOOKUPS", len(looked_up), looked_up)
sys.exit(code)
"""


@pytest.fixture
def cut_off() -> list[str]:
    """The start of a command line that runs in a network namespace with only loopback."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not on this machine (Linux only)")
    command = [unshare, "--net", "--map-root-user"]
    probe = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"network namespaces are not permitted here: {probe.stderr.strip()}")
    return command


def test_the_demo_needs_no_network_and_looks_nothing_up(cut_off: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*cut_off, sys.executable, "-c", WATCHED],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "36 months" in done.stdout
    assert "LOOKUPS 0 []" in done.stdout


def test_native_libraries_look_nothing_up_either(cut_off: list[str], tmp_path: Path) -> None:
    """Audit hooks see Python only; a resolver on loopback sees what native code asks for."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not on this machine")
    log = tmp_path / "trace"
    done = subprocess.run(
        [*cut_off, strace, "-f", "-qq", "-e", "trace=connect,sendto,sendmmsg", "-o", str(log),
         sys.executable, "-m", "grounded", "demo"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    internet = [line for line in log.read_text().splitlines() if "AF_INET" in line]
    assert internet == []
