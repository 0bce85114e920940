"""A table of many rows into a knowledge base with a fake embedder: time, memory, and runs after which nothing changed.

python benchmarks/tables.py --rows 1000000 --folder /tmp/tables
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from grounded.pipeline.connecting import connector
from grounded.records import IngestReport
from tests.ingestion.support import Base, split

MEGABYTE = 1_000_000


def anonymous() -> int:
    """Anonymous memory of this process in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


class Nothing(list[str]):
    """A list that keeps nothing."""

    def extend(self, texts: Iterable[str]) -> None:
        """Let go of them."""


class Watch:
    """Samples anonymous memory while a run lasts."""

    def __init__(self) -> None:
        self.samples: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            self.samples.append(anonymous())


def fill(path: Path, rows: int) -> None:
    """Distinct rows whose version column counts up."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price NUMERIC, version INTEGER)")
        made = ((number, f"Item {number} of the catalogue", number % 997 / 10, number) for number in range(rows))
        database.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", made)
    database.close()


def measured(rows: int, folder: Path) -> dict[str, float]:
    """Seconds and megabytes of a first run, one by cursor, one by cursor and census, and one that reads all rows."""
    fill(folder / "items.db", rows)
    base = Base(folder / "kb")
    # It keeps what it embedded, for tests; here that would be counted as memory of the run.
    base.embedder.texts = Nothing()
    uri = f"sqlite:///{folder}/items.db"

    def run(**options: object) -> tuple[IngestReport, Watch, tuple[float, float]]:
        wall, cpu = time.perf_counter(), time.process_time()
        with Watch() as watch:
            report = base.sync(connector(uri, tables="items", **options), split=split)
        return report, watch, (time.perf_counter() - wall, time.process_time() - cpu)

    first, memory, (seconds, cpu) = run(cursor="version", deletions="never")
    assert first.documents_added == rows, first
    figures = {
        "rows": rows,
        "first_s": seconds,
        "first_cpu_s": cpu,
        "cpu_ms_per_row": 1000 * cpu / rows,
        "peak_mb": max(memory.samples, default=anonymous()) / MEGABYTE,
    }
    quarter = memory.samples[len(memory.samples) // 4 :] or [anonymous()]
    figures["growth_after_first_quarter_mb"] = (max(quarter) - quarter[0]) / MEGABYTE
    figures["growth_after_first_quarter_bytes_per_row"] = (max(quarter) - quarter[0]) / (0.75 * rows)
    for name, options in {
        "cursor": {"cursor": "version", "deletions": "never"},
        "census": {"cursor": "version"},
        "whole": {},
    }.items():
        report, _, (again, its_cpu) = run(**options)
        assert report.chunks_embedded == 0, report
        figures |= {
            f"{name}_s": again,
            f"{name}_times_faster": seconds / again,
            f"{name}_times_less_cpu": cpu / its_cpu,
        }
    base.close()
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        print(
            json.dumps({name: round(value, 3) for name, value in measured(given.rows, Path(place)).items()}, indent=1)
        )
