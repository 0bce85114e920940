"""Two worker processes on PostgreSQL and a Qdrant server, one of them killed: nothing lost, doubled or done by two."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from grounded.ingestion.ledger import Ledger
from grounded.retrieval.qdrant import QdrantStore
from tests.ingestion.support import DIMENSION, Base, paragraphs
from tests.ingestion.worker_child import DOCUMENTS, ROUNDS, SOURCES, Rounds, text_of

ROOT = Path(__file__).parents[2]
KILLS = 3


def lines(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def is_at_work(worker: str, log: list[list[str]], share: float) -> bool:
    """Whether a worker holds a source and has had so large a share of its documents."""
    mine = [line[1] for line in log if line[0] == worker]
    held = mine[::-1].index("take") if "take" in mine else 0
    return bool(mine) and mine[-1] == "item" and held >= share * DOCUMENTS * ROUNDS


def check_turns(log: list[list[str]], killed: dict[str, int]) -> int:
    """Nobody touches a source between another's taking and its end or death; how many takings followed a death."""
    owner: dict[str, str] = {}
    inherited = 0
    for place, (worker, what, source) in enumerate(log):
        before = owner.get(source, "")
        if what == "take":
            dead = before in killed and place >= killed[before]
            assert not before or dead, f"{worker} took {source} from {before}"
            inherited += dead
            owner[source] = worker
        else:
            assert before == worker, f"{worker} touched {source}, which is {before}'s"
            if what == "done":
                owner[source] = ""
    return inherited


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_worker_is_taken_over(postgresql: str, qdrant_server: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    name = uuid.uuid4().hex
    ledger, store = f"{postgresql}?schema=test_{name}", f"qdrant://{qdrant_server}/test_{name}"
    log, killed, inherited_from = tmp_path / "log", dict[str, int](), 0
    Base(tmp_path / "made", ledger=ledger, store=QdrantStore(store, dimension=DIMENSION)).close()

    def start(worker: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.ingestion.worker_child", str(tmp_path / worker), ledger, store, worker]
        return subprocess.Popen(command, cwd=ROOT)

    steady = start("steady")
    for number in range(KILLS):
        victim = start(f"victim{number}")
        begun = time.monotonic()
        share = chance.uniform(0.0, 0.3)
        while time.monotonic() - begun < 120 and not is_at_work(f"victim{number}", lines(log), share):
            assert steady.poll() in (None, 0)
            if steady.poll() == 0:
                break
            time.sleep(0.005)
        victim.kill()
        victim.wait()
        killed[f"victim{number}"] = len(lines(log))
    assert steady.wait(600) == 0
    inherited_from = check_turns(lines(log), killed)
    assert inherited_from >= 1, "a kill that hit nobody at work proves nothing"
    base = Base(tmp_path / "made", ledger=ledger, store=QdrantStore(store, dimension=DIMENSION))
    for source in SOURCES:
        base.sync(Rounds(source))
    expected = sorted(
        paragraph
        for source in SOURCES
        for number in range(DOCUMENTS)
        for paragraph in paragraphs(text_of(source, number, ROUNDS - 1))
    )
    assert sorted(base.texts()) == expected
    assert set(base.store.ids()) == set(base.ledger.live_chunks(limit=100_000))
    base.close()
    with Ledger.open(ledger, read_only=True) as reader:
        assert [(each.source, each.documents, each.held_by) for each in reader.sources()] == [
            (source, DOCUMENTS, "") for source in sorted(SOURCES)
        ]
