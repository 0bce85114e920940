"""The comparison with other libraries: its made-up texts, its pins, its processes, its tables, and our side of it."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks.peers import corpus
from benchmarks.peers.environments import HERE, OURS, pins
from benchmarks.peers.imports import IMPORTS
from benchmarks.peers.processes import DidNotFinish, family, memory, processor_seconds, run
from benchmarks.peers.results import Column, Figures, overhead, table
from benchmarks.peers.runner import measured
from benchmarks.peers.systems import NAMES, batches, paragraphs


def test_every_system_has_a_module_an_import_and_exact_pins_of_what_the_embedder_needs() -> None:
    assert set(IMPORTS) == set(NAMES)
    for name in NAMES:
        assert (HERE / "systems" / f"{name}.py").exists()
        if name != OURS:
            assert {"numpy", "onnxruntime", "tiktoken"} <= {line.split("==")[0] for line in pins(name)}


def test_a_requirement_without_an_exact_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "peer.txt").write_text("one==1.0\ntwo>=2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="two>=2"):
        pins("peer", tmp_path)


def test_files_are_the_same_in_every_run_and_a_change_touches_one_paragraph(tmp_path: Path) -> None:
    corpus.write_files(tmp_path, 40)
    before = {item.key: item.text for item in paragraphs(tmp_path)}
    assert len(before) == 40 * corpus.PARAGRAPHS
    assert before[f"{corpus.path_of(tmp_path, 7)}#0"] == corpus.text("7/0/0", corpus.PARAGRAPH_WORDS)
    assert corpus.change_files(tmp_path, 40, 0.1, edition=1) == 4
    after = {item.key: item.text for item in paragraphs(tmp_path)}
    assert sorted(key for key in before if before[key] != after[key]) == [
        f"{corpus.path_of(tmp_path, number)}#{corpus.PARAGRAPHS - 1}" for number in (0, 10, 20, 30)
    ]


def test_records_differ_and_are_spread_over_the_groups() -> None:
    made = list(corpus.records(300))
    assert len({item.key for item in made}) == len({item.text for item in made}) == 300
    assert [item.group for item in made].count("g07") == 3
    assert [len(some) for some in batches(made, 128)] == [128, 128, 44]


def test_a_table_shows_times_ours_and_why_a_system_has_no_figures() -> None:
    rows: dict[str, Figures | str] = {
        "grounded": {"cpu": 2.5, "embedding": 0.5, "embedded": 0},
        "other": {"cpu": 31.0, "embedding": 1.0, "embedded": 7},
        "swift": {"cpu": 0.1, "embedding": 0.04, "embedded": 7},
        "third": "not finished after 900 processor seconds",
    }
    columns = [Column("CPU s", overhead, "{:.1f}", ratio=True), Column("embedded", lambda row: row["embedded"], "{}")]
    assert table(rows, columns, "grounded").splitlines() == [
        "| system | CPU s | embedded |",
        "|---|---|---|",
        "| grounded | 2.0 | 0 |",
        "| other | 30.0 (15×) | 7 |",
        "| swift | 0.1 (0.03×) | 7 |",
        "| third | not finished after 900 processor seconds | |",
    ]


def test_a_process_is_watched_with_its_children() -> None:
    child = "import sys; held = bytearray(80_000_000); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        assert started.pid in family(os.getpid())
        assert memory(started.pid) > 80_000_000 / 1024
        assert processor_seconds(started.pid) > 0
        started.communicate()
    assert memory(started.pid) == 0


def test_the_figures_are_the_last_line_a_phase_prints() -> None:
    assert run([sys.executable, "-c", "print('loading'); print('{\"cpu\": 1}')"], os.environ, limit=60)["cpu"] == 1


@pytest.mark.parametrize(("code", "reason"), [("while True: pass", "not finished"), ("raise SystemExit(3)", "code 3")])
def test_what_runs_too_long_or_fails_is_told_apart_from_figures(code: str, reason: str) -> None:
    with pytest.raises(DidNotFinish, match=reason):
        run([sys.executable, "-c", code], os.environ, limit=0.3)


def test_our_side_embeds_only_what_changed(tmp_path: Path) -> None:
    files = tmp_path / "files"
    corpus.write_files(files, 20)

    def ingested() -> tuple[int, int]:
        given = {"system": OURS, "phase": "ingest", "store": tmp_path / "store", "files": files, "chunks": 0}
        figures = measured(Namespace(**given, embedder="made-up"))
        return figures["chunks"], figures["texts"]

    chunks, texts = ingested()
    assert chunks == texts >= 20 * corpus.PARAGRAPHS
    assert ingested() == (chunks, 0)
    corpus.change_files(files, 20, 0.1, edition=1)
    _, again = ingested()
    assert 2 <= again <= 2 * corpus.PARAGRAPHS
