"""Runs a phase in a process, and watches the memory of it and its children."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAUSE = 0.1
PROC = Path("/proc")


class DidNotFinish(RuntimeError):  # noqa: N818
    """A phase took more processor time than it may, or failed."""


def family(process: int) -> list[int]:
    """A process and its descendants that are alive."""
    found = [process]
    for each in found:
        for task in PROC.glob(f"{each}/task/*/children"):
            try:
                found += [int(child) for child in task.read_text("ascii").split()]
            except OSError:
                continue
    return found


def memory(process: int) -> int:
    """Resident kilobytes of one process; 0 when it is gone."""
    return _status(process, "VmRSS:")


def processor_seconds(process: int) -> float:
    """What one process has used; 0 when it is gone."""
    try:
        fields = (PROC / str(process) / "stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(process: int, name: str) -> int:
    try:
        lines = (PROC / str(process) / "status").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def run(command: Sequence[str | Path], variables: Mapping[str, str], limit: float) -> dict[str, Any]:
    """The JSON of its last line, with ``peak_mb``: the highest resident memory of it and its children.

    Raises:
        DidNotFinish: It used more than ``limit`` processor seconds, or failed.
    """
    name = " ".join(str(part) for part in command[2:])
    started = subprocess.Popen(
        [str(part) for part in command], env=dict(variables), stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    peak = 0
    with started:
        while started.poll() is None:
            members = family(started.pid)
            peak = max(peak, sum(memory(each) for each in members))
            if sum(processor_seconds(each) for each in members) > limit:
                started.kill()
                raise DidNotFinish(f"{name}: not finished after {limit:.0f} processor seconds")
            time.sleep(PAUSE)
        assert started.stdout is not None
        printed = started.stdout.read().strip().splitlines()
    if started.returncode != 0 or not printed:
        raise DidNotFinish(f"{name}: failed with exit code {started.returncode}")
    figures: dict[str, Any] = json.loads(printed[-1])
    # What rises and falls between two samples is known to the process itself.
    return {**figures, "peak_mb": max(peak / 1024, figures.get("own_peak_mb", 0.0))}
