"""A process that is killed while it syncs: what was live stays, whole, and the next one carries on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from grounded import KnowledgeBase
from tests.ingestion.crash_steps import STEPS, steps
from tests.ingestion.support import Base, HashEmbedder, check_agreement, listing, paragraphs

ROOT = Path(__file__).parents[2]


def kill_while_syncing(folder: Path, first: int, after: float) -> int:
    """Run the child from step ``first`` on, kill it ``after`` seconds; the step it was in."""
    command = [sys.executable, "-m", "tests.ingestion.crash_child", str(folder), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(after)
        child.kill()
        begun = [int(line) for line in child.stdout.read().split()]
    return begun[-1] if begun else first


def check_between(base: Base, before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Every document is whole, as it was before the step or as it is after it; which, by key."""
    live: dict[str, list[str]] = {}
    for passage in base.passages():
        assert passage.document_id is not None
        assert passage.span is not None
        assert passage.span.slice(base.ledger.document(passage.document_id, passage.version)) == passage.text
        live.setdefault(passage.title, []).append(passage.text)
    assert before.keys() & after.keys() <= live.keys() <= before.keys() | after.keys()
    found = {}
    for key, texts in live.items():
        states = [state[key] for state in (before, after) if key in state]
        found[key] = next((state for state in states if paragraphs(state) == texts), "neither")
        assert found[key] != "neither", key
    check_agreement(base, found)
    return found


def survive(folder: Path, instants: int, seed: int) -> tuple[int, int]:
    """Kill at random instants; how many kills hit a half-done step, and how many left something to repair."""
    chance, documents = random.Random(seed), steps()
    half_done = repaired = step = 0
    Base(folder).close()
    began = time.monotonic()
    undisturbed = Base(folder.with_name("undisturbed"))
    undisturbed.sync(listing(documents[0]), force_retire=True)
    undisturbed.close()
    # Instants over several steps, however slow the machine is.
    span = max(0.6, 4 * (time.monotonic() - began))
    for _ in range(instants):
        if step >= STEPS - 1:
            base = Base(folder)
            base.sync(listing(documents[0]), force_retire=True)
            base.close()
            step = 1
        started = step
        step = kill_while_syncing(folder, started, chance.uniform(0.0, span))
        base = Base(folder)
        # Points go last: whatever is live can be found, even before the repair.
        assert set(base.ledger.live_chunks(limit=100_000)) <= set(base.store.ids())
        repaired += base.repair().points_removed > 0
        # A step that a kill has cut off twice starts from what is live, so the oracle is what lies between.
        previous = documents[step - 1] if step else {}
        found = check_between(base, previous, documents[step])
        half_done += found != documents[step] and found != previous
        assert not base.repair().scanned
        base.sync(listing(documents[step]), force_retire=True)
        check_agreement(base, documents[step])
        base.close()
        step += 1
    return half_done, repaired


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    survive(tmp_path / "kb", instants=4, seed=4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_kills_lose_nothing(tmp_path: Path) -> None:
    """The full run has GROUNDED_KILLS=200."""
    kills = int(os.environ.get("GROUNDED_KILLS", "30"))
    half_done, repaired = survive(tmp_path / "kb", instants=kills, seed=kills)
    # Kills that all fell between two transactions would prove nothing.
    assert half_done >= kills // 15
    assert repaired >= kills // 15


def test_no_search_sees_fewer_documents_while_they_change(tmp_path: Path) -> None:
    """Every document is there in some version, whatever instant a search falls on."""
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as kb:
        keys = [f"doc{n}" for n in range(12)]

        def bring_in(round_: int) -> None:
            kb.ingest([{"key": key, "title": key, "text": f"common words of {key} in round {round_}"} for key in keys])

        bring_in(0)
        rounds, enough = [0], threading.Event()

        def keep_changing() -> None:
            while not enough.is_set():
                rounds.append(len(rounds))
                bring_in(rounds[-1])

        changing = threading.Thread(target=keep_changing)
        changing.start()
        try:
            searches = 0
            while searches < 10 or len(rounds) < 4:
                assert {passage.title for passage in kb.search("common words", k=50)} == set(keys)
                searches += 1
        finally:
            enough.set()
            changing.join()
