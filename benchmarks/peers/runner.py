"""One phase of one system in a process of its own; prints its figures as a line of JSON.

    PYTHONPATH=. python -m benchmarks.peers.runner grounded ingest --store STORE --files FOLDER

``compare.py`` starts it with the interpreter of each system's environment. Times and processor time start when the
system has been imported, has loaded the embedding model and has brought in one file elsewhere, so that what it loads
at first use is not counted; ``start`` counts that. What making the records takes is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.peers.embedding import Counted
    from benchmarks.peers.systems import System

QUESTIONS = 100


class Meter:
    """Processor seconds of this process and the children it has waited for, less what iterating items took."""

    def __init__(self) -> None:
        self._started, self._begun = time.perf_counter(), _spent()
        self._items = 0.0

    def items(self, made: Iterable[Any]) -> Iterator[Any]:
        """The same items; making them does not count."""
        left = iter(made)
        while True:
            begun = time.thread_time()
            item = next(left, None)
            self._items += time.thread_time() - begun
            if item is None:
                return
            yield item

    def read(self) -> dict[str, float]:
        """Seconds by clock and processor."""
        return {"wall": time.perf_counter() - self._started, "cpu": _spent() - self._begun - self._items}


def _spent() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def imported(name: str) -> dict[str, Any]:
    """What importing a system takes, without what a measurement needs besides."""
    from benchmarks.peers.imports import IMPORTS

    before, meter = len(sys.modules), Meter()
    exec(IMPORTS[name], {})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**meter.read(), "modules": len(sys.modules) - before, "import_peak_mb": peak}


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """Open the system, do the phase, close it."""
    from benchmarks.peers import corpus
    from benchmarks.peers.embedding import Counted
    from benchmarks.peers.systems import system

    embedder = Counted(given.embedder)
    embedder.warm()
    questions = corpus.questions(QUESTIONS + 1)
    meter = Meter()
    kind = system(given.system)
    if given.phase == "start":
        first_use(kind, embedder, given.store, given.files)
        return {**meter.read(), "embedding": embedder.seconds}
    with tempfile.TemporaryDirectory() as folder:
        corpus.write_files(Path(folder) / "files", 1)
        first_use(kind, embedder, Path(folder) / "store", Path(folder) / "files")
    embedder.reset()
    meter = Meter()
    held = kind(given.store, embedder)
    figures: dict[str, Any] = {}
    if given.phase == "ingest":
        held.ingest(given.files)
    elif given.phase == "load":
        held.load(meter.items(corpus.records(given.chunks)))
    else:
        figures["found"] = held.ask(questions[-1], None)
    if given.phase != "ask":
        held.close()
        figures |= meter.read()
        held = kind(given.store, embedder)
    else:
        figures |= meter.read()
        for label, group in (("question", None), ("filtered", "g{:02}")):
            figures |= _asked(
                label,
                lambda number, group=group: held.ask(questions[number], group and group.format(number % corpus.GROUPS)),
                embedder,
            )
    figures |= {"chunks": held.count(), "texts": embedder.texts, "embedding": embedder.seconds}
    held.close()
    return figures


def first_use(kind: type[System], embedder: Counted, store: Path, files: Path) -> None:
    """One file and one question."""
    from benchmarks.peers.corpus import questions

    held = kind(store, embedder)
    held.ingest(files)
    assert held.ask(questions(1)[0], None) > 0
    held.close()


def _asked(label: str, ask: Callable[[int], int], embedder: Counted) -> dict[str, float]:
    walls, found = [], 0
    begun, embedding = _spent(), embedder.seconds
    for number in range(QUESTIONS):
        started = time.perf_counter()
        found += ask(number)
        walls.append(1000 * (time.perf_counter() - started))
    each = 1000 / QUESTIONS
    return {
        f"{label}_p50": statistics.median(walls),
        f"{label}_p95": statistics.quantiles(walls, n=20)[-1],
        f"{label}_cpu": (_spent() - begun) * each,
        f"{label}_embedding": (embedder.seconds - embedding) * each,
        f"{label}_found": found / QUESTIONS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system")
    parser.add_argument("phase", choices=("import", "start", "ingest", "load", "ask"))
    parser.add_argument("--store", type=Path)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--chunks", type=int, default=0)
    parser.add_argument("--embedder", default="real")
    given = parser.parse_args()
    figures = imported(given.system) if given.phase == "import" else measured(given)
    own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**figures, "own_peak_mb": own_peak}), flush=True)
    # Threads of a system must not keep its process, and everything is closed.
    os._exit(0)


if __name__ == "__main__":
    main()
