"""Chroma: a collection on disk, over paragraphs that the caller cuts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings

from benchmarks.peers.corpus import Item
from benchmarks.peers.embedding import Counted
from benchmarks.peers.systems import K, batches, paragraphs


class System:
    def __init__(self, folder: Path, embedder: Counted) -> None:
        self._embedder = embedder
        self._client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        # Vectors are given with every call: the collection's own embedder is never made.
        self._chunks: Any = self._client.get_or_create_collection(
            "chunks", embedding_function=None, metadata={"hnsw:space": "cosine"}
        )

    def ingest(self, folder: Path) -> None:
        self.load(paragraphs(folder))

    def load(self, items: Iterable[Item]) -> None:
        for some in batches(items):
            texts = [item.text for item in some]
            self._chunks.upsert(
                ids=[item.key for item in some],
                embeddings=self._embedder.embed_documents(texts),
                documents=texts,
                metadatas=[{"group": item.group} for item in some],
            )

    def ask(self, question: str, group: str | None) -> int:
        wanted = {"group": group} if group else None
        vector = self._embedder.embed_query(question)
        found = self._chunks.query(query_embeddings=[vector], n_results=K, where=wanted)
        return sum(bool(text) for text in found["documents"][0])

    def count(self) -> int:
        held: int = self._chunks.count()
        return held

    def close(self) -> None:
        del self._chunks, self._client
