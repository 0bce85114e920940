"""txtai: an index by meaning and by words that keeps its content, over paragraphs that the caller cuts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from txtai import Embeddings

from benchmarks.peers.corpus import Item
from benchmarks.peers.embedding import Counted
from benchmarks.peers.systems import K, paragraphs


class System:
    def __init__(self, folder: Path, embedder: Counted) -> None:
        # It takes functions only, neither methods nor other callables.
        self._folder, self._transform = folder, lambda texts: embedder.embed_documents(texts)
        self._index = Embeddings(method="external", transform=self._transform, content=True, hybrid=True)
        if folder.exists():
            self._index.load(str(folder), config={"transform": self._transform})

    def ingest(self, folder: Path) -> None:
        self._upsert(paragraphs(folder))

    def load(self, items: Iterable[Item]) -> None:
        self._upsert(items)

    def ask(self, question: str, group: str | None) -> int:
        wanted = f" and grouped = '{group}'" if group else ""
        statement = f"select id, text, score from txtai where similar(:question){wanted}"
        found = self._index.search(statement, K, parameters={"question": question})
        return sum(bool(each["text"]) for each in found)

    def count(self) -> int:
        held: int = self._index.count()
        return held

    def close(self) -> None:
        self._index.close()

    def _upsert(self, items: Iterable[Item]) -> None:
        self._index.upsert(_rows(items))
        # A function cannot be written.
        del self._index.config["transform"]
        self._index.save(str(self._folder))
        self._index.config["transform"] = self._transform


def _rows(items: Iterable[Item]) -> Iterator[tuple[str, dict[str, str], None]]:
    return ((item.key, {"text": item.text, "grouped": item.group}, None) for item in items)
