"""Finding passages: vector stores, filters, lexical vectors, fusion and search.

The stores are in ``grounded.retrieval.edge`` and ``grounded.retrieval.qdrant``; importing them loads their
engine, importing this package does not.
"""

from grounded.retrieval.bm25 import document_vector, query_vector
from grounded.retrieval.filters import visible_to
from grounded.retrieval.search import Found, SearchResult, search

__all__ = ["Found", "SearchResult", "document_vector", "query_vector", "search", "visible_to"]
