"""This package: a knowledge base with its embedded store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.peers.corpus import Item
from benchmarks.peers.embedding import Counted
from benchmarks.peers.systems import K
from grounded import KnowledgeBase


class System:
    def __init__(self, folder: Path, embedder: Counted) -> None:
        self._base = KnowledgeBase.open(folder, create=True, embedder=embedder)

    def ingest(self, folder: Path) -> None:
        report = self._base.ingest(folder)
        assert report.ok, report

    def load(self, items: Iterable[Item]) -> None:
        documents = ({"key": item.key, "text": item.text, "metadata": {"group": item.group}} for item in items)
        report = self._base.ingest(documents)
        assert report.ok, report

    def ask(self, question: str, group: str | None) -> int:
        return len(self._base.search(question, k=K, where={"group": group} if group else None))

    def count(self) -> int:
        return self._base.status().chunks

    def close(self) -> None:
        self._base.close()
