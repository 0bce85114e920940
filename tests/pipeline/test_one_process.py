"""A SQLite ledger belongs to one process: another one is told who holds it, and gets it when that one is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from grounded import KnowledgeBase
from grounded.errors import KnowledgeBaseLockedError
from tests.ingestion.support import HashEmbedder

HOLD = """
import sys
from grounded import KnowledgeBase
from tests.ingestion.support import HashEmbedder
with KnowledgeBase.open(sys.argv[1], create=True, ledger=sys.argv[2], embedder=HashEmbedder()) as kb:
    kb.ingest([{"key": "a", "text": "held by another process"}])
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path, ledger: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(folder), str(ledger)]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_at_one_ledger_is_told_who_holds_it(tmp_path: Path) -> None:
    """Two folders with one ledger: the lock of the embedded store alone would let both in."""
    ledger = tmp_path / "shared.sqlite"
    with holder(tmp_path / "one", ledger) as process:
        try:
            with pytest.raises(KnowledgeBaseLockedError, match="PostgreSQL") as caught:
                KnowledgeBase.open(tmp_path / "two", create=True, ledger=str(ledger), embedder=HashEmbedder())
            assert caught.value.pid == process.pid
            assert not (tmp_path / "two" / "kb.toml").exists()
            assert KnowledgeBase.status_of(tmp_path / "one").documents == 1, "reading the ledger needs no lock"
        finally:
            process.kill()
    with KnowledgeBase.open(tmp_path / "one", embedder=HashEmbedder()) as kb:
        assert [each.text for each in kb.search("held")] == ["held by another process"]


@pytest.mark.slow
def test_a_server_for_vectors_alone_shares_nothing(tmp_path: Path, qdrant_server: str) -> None:
    """With the vectors on a server no embedded store keeps a second process away; the ledger does."""
    script = HOLD.replace("ledger=sys.argv[2]", "store=sys.argv[2]")
    address = f"qdrant://{qdrant_server}/one_process"
    command = [sys.executable, "-c", script, str(tmp_path / "kb"), address]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(KnowledgeBaseLockedError) as caught:
            KnowledgeBase.open(tmp_path / "kb", embedder=HashEmbedder())
        assert caught.value.pid == process.pid
        process.kill()
    with KnowledgeBase.open(tmp_path / "kb", embedder=HashEmbedder()) as kb:
        assert len(kb.search("held")) == 1
