"""LlamaIndex: its ingestion pipeline with a document store, and Qdrant's local mode through its vector store.

The pipeline's cache of transformations is off: the document store already keeps unchanged files from being embedded,
and the cache would be written out whole after every run.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llama_index.core import Document, SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import ExactMatchFilter, MetadataFilters
from llama_index.vector_stores.qdrant import QdrantVectorStore
from pydantic import PrivateAttr
from qdrant_client import QdrantClient

from benchmarks.peers.corpus import Item
from benchmarks.peers.embedding import Counted
from benchmarks.peers.systems import BATCH, K, batches

COLLECTION = "chunks"
CHUNK_TOKENS = 256


class Embedding(BaseEmbedding):
    _counted: Counted = PrivateAttr()

    def __init__(self, counted: Counted) -> None:
        super().__init__(model_name=counted.identity, embed_batch_size=BATCH)
        self._counted = counted

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._counted.embed_documents(texts).tolist()
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self._counted.embed_query(query).tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class System:
    def __init__(self, folder: Path, embedder: Counted) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._documents = folder / "docstore.json"
        self._client = QdrantClient(path=str(folder / "qdrant"))
        self._store = QdrantVectorStore(COLLECTION, client=self._client)
        self._embedding = Embedding(embedder)
        self._index: Any = None

    def ingest(self, folder: Path) -> None:
        held = (
            SimpleDocumentStore.from_persist_path(str(self._documents))
            if self._documents.exists()
            else SimpleDocumentStore()
        )
        pipeline = self._pipeline(docstore=held, docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE)
        pipeline.run(documents=SimpleDirectoryReader(folder, recursive=True, filename_as_id=True).load_data())
        held.persist(str(self._documents))

    def load(self, items: Iterable[Item]) -> None:
        pipeline = self._pipeline()
        for some in batches(items):
            pipeline.run(
                documents=[Document(id_=item.key, text=item.text, metadata={"group": item.group}) for item in some]
            )

    def ask(self, question: str, group: str | None) -> int:
        if self._index is None:
            self._index = VectorStoreIndex.from_vector_store(self._store, embed_model=self._embedding)
        wanted = MetadataFilters(filters=[ExactMatchFilter(key="group", value=group)]) if group else None
        found = self._index.as_retriever(similarity_top_k=K, filters=wanted).retrieve(question)
        return sum(bool(node.get_content()) for node in found)

    def count(self) -> int:
        return self._client.count(COLLECTION).count

    def close(self) -> None:
        self._client.close()

    def _pipeline(self, **more: Any) -> IngestionPipeline:
        splitter = SentenceSplitter(chunk_size=CHUNK_TOKENS, chunk_overlap=0)
        return IngestionPipeline(
            transformations=[splitter, self._embedding], vector_store=self._store, disable_cache=True, **more
        )
