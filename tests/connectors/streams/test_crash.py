"""Killed at random instants while following a stream, and started again: nothing lost, doubled or stale."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from grounded.ingestion.ledger import Ledger
from grounded.pipeline.knowledge_base import KnowledgeBase
from grounded.pipeline.opening import LEDGER_FILE
from grounded.records import Viewer
from grounded_connectors.streams.nats import NatsConnector
from grounded_connectors.streams.redis import RedisConnector
from tests.connectors.streams.servers import Nats, Valkey
from tests.ingestion.support import HashEmbedder

KILLS = int(os.environ.get("STREAM_KILLS", "4"))
MESSAGES = 5_000
KEYS = 400
OPTIONS = {"key": "{{ id }}", "text": "{{ note }}", "tombstone": "{{ gone }}", "batch": 100}
KINDS = {"redis": RedisConnector, "nats": NatsConnector}

BATCHES, STEPS = 40, 4
"""Of the 50 batches that the messages make, about so many are begun before the last kill; each says four steps of its
own before it takes them, and the kill comes at one of these."""

CHILD = """
import sys
from grounded.pipeline.knowledge_base import KnowledgeBase
from grounded.pipeline.watching import watch
from tests.connectors.streams.test_crash import KINDS, OPTIONS
from tests.ingestion.support import HashEmbedder
kind, url, folder = sys.argv[1:]

def told(owner, name):
    original = getattr(owner, name)
    def call(*given, **named):
        print(name, flush=True)
        return original(*given, **named)
    setattr(owner, name, call)

with KnowledgeBase.open(folder, create=True, embedder=HashEmbedder(), wait=20) as kb:
    for name in ("upsert", "flush", "delete"):
        told(kb._store, name)
    told(kb._ledger, "commit")
    with watch(kb, KINDS[kind](url, **OPTIONS)) as live:
        print("watching", flush=True)
        live.wait(60)
"""


def messages(seed: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Inserts, updates and deletions in random order, and what is there after the last."""
    chance, sent, there = random.Random(seed), [], dict[str, str]()
    for number in range(MESSAGES):
        key, gone = str(chance.randrange(KEYS)), chance.random() < 0.2
        sent.append({"id": key, "note": f"kettle {key} version {number}", "gone": gone})
        there.pop(key, None)
        if not gone:
            there[key] = f"kettle {key} version {number}"
    return sent, there


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("system", ["redis", "nats"])
def test_killed_while_following(system: str, nats_server: Nats, valkey_server: Valkey, tmp_path: Path) -> None:
    sent, there = messages(seed=7)
    contents = [json.dumps(each).encode() for each in sent]
    if system == "redis":
        pipe = valkey_server.client().pipeline(transaction=False)
        for content in contents:
            pipe.xadd("crash", {"payload": content})
        pipe.execute()
        url = f"{valkey_server.url}/crash"
    else:
        nats_server.stream("crash")
        nats_server.publish([("crash.x", content) for content in contents])
        url = f"{nats_server.url}/crash"
    chance, half_done = random.Random(11), 0
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, system, url, str(tmp_path / "kb")], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "watching\n"
        for _ in range(chance.randint(1, STEPS * BATCHES // KILLS)):
            child.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.02))
        child.kill()
        child.wait()
        child.stdout.close()
        with Ledger.open(tmp_path / "kb" / LEDGER_FILE, read_only=True) as ledger:
            half_done += ledger.dirty
    assert half_done >= KILLS // 4, "kills between two runs prove nothing"
    with KnowledgeBase.open(tmp_path / "kb", embedder=HashEmbedder(), wait=20) as kb:
        kb.ingest(KINDS[system](url, **OPTIONS))
        found = kb.search("kettle", k=100)
        assert found
        assert all(there[passage.title.split()[-1]] == passage.text for passage in found), "stale"
        status = kb.status()
        assert (status.documents, status.chunks, status.points) == (len(there), len(there), len(there))
        ids = [each.document_id for each in found if each.document_id]
        assert kb._ledger.visible(ids, Viewer()) == set(ids)
