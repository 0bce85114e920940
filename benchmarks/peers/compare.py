"""The same work by grounded and by its peers, each in an environment of its own, one after the other.

    python benchmarks/peers/compare.py                       # everything that finishes within an hour or so
    python benchmarks/peers/compare.py start files --systems grounded llamaindex
    python benchmarks/peers/compare.py questions --chunks 500000 --systems grounded lancedb --limit 3000

start      import; import, open, bring in one file and ask
files      2,000 text files: the first time, again unchanged, again with 1 % changed
many       the same with 10,000 files
pipeline   2,000 files with the embedder that ships with grounded, by grounded only
questions  records of one chunk: bringing them in, opening, a question, a question within one of 100 groups

All systems have one embedder on one thread. Except in ``pipeline`` it makes up the vectors of documents in
microseconds, since what is compared is what a system takes besides embedding; questions are embedded by the real one.
Figures are processor seconds of all threads and children, beyond embedding; those in brackets are times ours. Memory is
the highest sum of resident memory of the process and its children, the loaded embedding model (about 130 MB) included.
The environments are made from the pins beside this file, and kept in the user's cache folder.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.peers import corpus
from benchmarks.peers.environments import OURS, cache, interpreter, surroundings
from benchmarks.peers.processes import DidNotFinish, run
from benchmarks.peers.results import Column, overhead, table
from benchmarks.peers.systems import NAMES

CHANGED_SHARE = 0.01
Rows = dict[str, "dict[str, Any] | str"]


class Comparison:
    """The runs of one invocation."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given, self._folder = given, folder
        self._python: dict[str, Path] = {}

    def start(self) -> None:
        """What a program costs before it does any work."""
        files = self._folder / "one"
        corpus.write_files(files, 1)

        def of(name: str) -> dict[str, Any]:
            imported = self._phase(name, "import")
            first = self._phase(name, "start", files=files, store=self._store(name))
            return {f"import_{key}": value for key, value in imported.items()} | first

        columns = [
            Column("import, CPU s", lambda row: row["import_cpu"], ratio=True),
            Column("modules", lambda row: row["import_modules"], "{:,.0f}"),
            Column("memory after it, MB", lambda row: row["import_import_peak_mb"], "{:.0f}", ratio=True),
            Column("until the first answer, CPU s", overhead, ratio=True),
        ]
        self._show("Starting", self._each(of), columns)

    def files(self, count: int) -> None:
        """A folder of text files, three times."""
        folder = self._folder / f"files{count}"

        def of(name: str) -> dict[str, Any]:
            corpus.write_files(folder, count)
            rows = {}
            for step in ("first", "again", "changed"):
                if step == "changed":
                    corpus.change_files(folder, count, CHANGED_SHARE, edition=1)
                rows[step] = self._phase(name, "ingest", files=folder, store=self._store(f"{name}{count}"))
            return rows

        columns = [Column("chunks", lambda row: row["first"]["chunks"], "{:,.0f}")]
        for step, title in (("first", "first time"), ("again", "unchanged"), ("changed", "1 % changed")):
            columns += [
                Column(f"{title}, CPU s", lambda row, step=step: overhead(row[step]), ratio=True),
                Column("embedded", lambda row, step=step: row[step]["texts"], "{:,.0f}"),
            ]
        columns.append(
            Column("memory, MB", lambda row: max(each["peak_mb"] for each in row.values()), "{:.0f}", ratio=True)
        )
        self._show(f"{count:,} text files", self._each(of), columns)

    def pipeline(self) -> None:
        """Ours as users have it."""
        folder = self._folder / "files"
        corpus.write_files(folder, self._given.files)
        row = self._phase(OURS, "ingest", files=folder, store=self._store("pipeline"), embedder="real")
        share = row["embedding"] / row["cpu"]
        print(
            f"\n### The whole pipeline, {self._given.files:,} files, {row['texts']:,} chunks, the shipped embedder\n\n"
            f"{row['cpu']:.1f} CPU s, of which the embedder {row['embedding']:.1f}: "
            f"throughput {100 * share:.1f} % of the embedder alone, {row['texts'] / row['cpu']:.0f} chunks per CPU s; "
            f"memory {row['peak_mb']:.0f} MB",
            flush=True,
        )

    def questions(self, count: int) -> None:
        """Records of one chunk each."""

        def of(name: str) -> dict[str, Any]:
            store = self._store(f"{name} records {count}")
            loaded = self._phase(name, "load", chunks=count, store=store)
            asked = self._phase(name, "ask", store=store)
            return {f"load_{key}": value for key, value in loaded.items()} | asked

        columns = [
            Column("bringing in, CPU s", lambda row: row["load_cpu"] - row["load_embedding"], "{:.1f}", ratio=True),
            Column("memory, MB", lambda row: row["load_peak_mb"], "{:.0f}", ratio=True),
            Column("opening and first question, s", lambda row: row["wall"]),
            Column("question, p50 ms", lambda row: row["question_p50"], "{:.1f}"),
            Column("CPU ms", lambda row: row["question_cpu"] - row["question_embedding"], "{:.1f}", ratio=True),
            Column("filtered, p50 ms", lambda row: row["filtered_p50"], "{:.1f}"),
            Column("CPU ms", lambda row: row["filtered_cpu"] - row["filtered_embedding"], "{:.1f}", ratio=True),
            Column("found of 8", lambda row: row["filtered_found"], "{:.1f}"),
            Column("memory asking, MB", lambda row: row["peak_mb"], "{:.0f}", ratio=True),
        ]
        self._show(f"Questions over {count:,} chunks", self._each(of), columns)

    def _each(self, measure: Callable[[str], dict[str, Any]]) -> Rows:
        rows: Rows = {}
        for name in self._given.systems:
            try:
                rows[name] = measure(name)
            except DidNotFinish as problem:
                rows[name] = str(problem)
            print(f"{name}: {json.dumps(rows[name])}", file=sys.stderr, flush=True)
        return rows

    def _phase(
        self,
        name: str,
        phase: str,
        *,
        store: Path | None = None,
        files: Path | None = None,
        chunks: int = 0,
        embedder: str = "made-up",
    ) -> dict[str, Any]:
        if name not in self._python:
            self._python[name] = interpreter(name, self._given.cache)
        command: list[str | Path] = [self._python[name], "-m", "benchmarks.peers.runner", name, phase]
        for option, value in (("store", store), ("files", files), ("chunks", chunks), ("embedder", embedder)):
            if value:
                command += [f"--{option}", str(value)]
        return run(command, surroundings(), self._given.limit)

    def _store(self, name: str) -> Path:
        return self._folder / "stores" / name

    def _show(self, title: str, rows: Rows, columns: Sequence[Column]) -> None:
        print(f"\n### {title}\n\n{table(rows, columns, OURS)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measures = ("start", "files", "many", "pipeline", "questions")
    parser.add_argument("measures", nargs="*", metavar="measure", help=f"{', '.join(measures)}; default: all")
    parser.add_argument("--systems", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--limit", type=float, default=900, help="processor seconds that a phase may take (900)")
    parser.add_argument("--cache", type=Path, default=cache(), help="where environments are kept")
    parser.add_argument("--folder", type=Path, help="where the stores are made; default: a temporary folder")
    given = parser.parse_args()
    wanted = given.measures or measures
    if unknown := set(wanted) - set(measures):
        parser.error(f"unknown measures {sorted(unknown)}; there are {', '.join(measures)}")
    load = f", load {os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else ""
    print(f"{datetime.date.today()}, {os.cpu_count()} cores{load}, Python {sys.version.split()[0]}", flush=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        comparison = Comparison(given, Path(folder))
        for measure in wanted:
            match measure:
                case "files":
                    comparison.files(given.files)
                case "many":
                    comparison.files(given.many)
                case "questions":
                    for count in given.chunks:
                        comparison.questions(count)
                case _:
                    getattr(comparison, measure)()


if __name__ == "__main__":
    main()
