"""Haystack: converter, splitter, embedder and writer in a pipeline, Qdrant's local mode as its document store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from haystack import Document, Pipeline, component
from haystack.components.converters import TextFileToDocument
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.writers import DocumentWriter
from haystack.document_stores.types import DuplicatePolicy
from haystack_integrations.components.retrievers.qdrant import QdrantEmbeddingRetriever
from haystack_integrations.document_stores.qdrant import QdrantDocumentStore

from benchmarks.peers.corpus import Item
from benchmarks.peers.embedding import Counted
from benchmarks.peers.systems import K, batches


@component
class Embedder:
    def __init__(self, counted: Counted) -> None:
        self._counted = counted

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        vectors = self._counted.embed_documents([document.content or "" for document in documents])
        for document, vector in zip(documents, vectors, strict=True):
            document.embedding = vector.tolist()
        return {"documents": documents}


class System:
    def __init__(self, folder: Path, embedder: Counted) -> None:
        self._embedder = embedder
        self._store = QdrantDocumentStore(path=str(folder), embedding_dim=embedder.dimension, return_embedding=False)
        self._retriever = QdrantEmbeddingRetriever(self._store, top_k=K)

    def ingest(self, folder: Path) -> None:
        pipeline = Pipeline()
        pipeline.add_component("read", TextFileToDocument(encoding="utf-8", store_full_path=True))
        pipeline.add_component("split", DocumentSplitter(split_by="passage", split_length=1))
        pipeline.add_component("embed", Embedder(self._embedder))
        pipeline.add_component("write", self._writer())
        for sender, receiver in (("read", "split"), ("split", "embed"), ("embed", "write")):
            pipeline.connect(sender, receiver)
        pipeline.run({"read": {"sources": sorted(folder.rglob("*.txt"))}})

    def load(self, items: Iterable[Item]) -> None:
        embed, write = Embedder(self._embedder), self._writer()
        for some in batches(items):
            documents = [Document(id=item.key, content=item.text, meta={"group": item.group}) for item in some]
            write.run(**embed.run(documents))

    def ask(self, question: str, group: str | None) -> int:
        wanted = {"field": "meta.group", "operator": "==", "value": group} if group else None
        vector = self._embedder.embed_query(question).tolist()
        found = self._retriever.run(query_embedding=vector, filters=wanted)["documents"]
        return sum(bool(document.content) for document in found)

    def count(self) -> int:
        held: int = self._store.count_documents()
        return held

    def close(self) -> None:
        self._store._client.close()

    def _writer(self) -> DocumentWriter:
        return DocumentWriter(self._store, policy=DuplicatePolicy.OVERWRITE)
