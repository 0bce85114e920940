"""What a program that uses a system imports first."""

from __future__ import annotations

IMPORTS = {
    "grounded": "from grounded import KnowledgeBase",
    "llamaindex": "from llama_index.core import VectorStoreIndex\n"
    "from llama_index.vector_stores.qdrant import QdrantVectorStore",
    "haystack": "from haystack import Pipeline\nfrom haystack.components.writers import DocumentWriter\n"
    "from haystack_integrations.document_stores.qdrant import QdrantDocumentStore",
    "txtai": "from txtai import Embeddings",
    "chroma": "import chromadb",
    "lancedb": "import lancedb",
}
