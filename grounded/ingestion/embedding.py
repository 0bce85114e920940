"""From text to points, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grounded.protocols import Embedder, Point, SparseVector, VectorStore

EMBED_CHUNKS = 256
"""Chunks per call of the embedder: enough to sort by length, little enough to stop soon."""

Sparse = Callable[[str], SparseVector]


def store_points(
    texts: Mapping[str, str],
    payloads: Sequence[Mapping[str, Any]],
    *,
    embedder: Embedder,
    sparse: Sparse,
    store: VectorStore,
) -> None:
    """Embed texts and write their points; at most a few hundred at a time.

    Args:
        texts: Embedded text by chunk id.
        payloads: What each point carries, in the order of ``texts``.
        embedder: Makes the dense vectors.
        sparse: Makes the BM25 vectors.
        store: Where the points go.
    """
    clean = [_encodable(text) for text in texts.values()]
    vectors = embedder.embed_documents(clean)
    store.upsert(
        [
            Point(id=chunk_id, dense=vector, sparse=sparse(text), payload=payload)
            for chunk_id, vector, text, payload in zip(texts, vectors, clean, payloads, strict=True)
        ]
    )


def _encodable(text: str) -> str:
    """Tokenizers refuse lone surrogates; canonical text keeps them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text
