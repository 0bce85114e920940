"""Any LlamaIndex embedding as an embedder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from grounded.answering.providers.failures import excerpt
from grounded.embedders.splitting import Settings, SplitsLikeOurs, unit_vectors
from grounded.errors import MissingExtraError, ProviderError

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding
except ImportError as error:  # pragma: no cover - the extra is installed where this is tested
    raise MissingExtraError("A LlamaIndex embedding", package="llama-index", extra="llama-index") from error

if TYPE_CHECKING:
    from grounded.protocols import Vector


def is_embedding(value: object) -> bool:
    """Whether ``value`` is a LlamaIndex embedding."""
    return isinstance(value, BaseEmbedding)


class LlamaIndexEmbedder(SplitsLikeOurs):
    """Embeds text with a LlamaIndex embedding. As thread-safe as that is."""

    def __init__(self, embedding: Any) -> None:
        super().__init__(Settings())
        self._embedding = embedding
        self._first = threading.Lock()
        self._dimension: int | None = None

    @property
    def identity(self) -> str:
        """Class and model name; two models must not share both."""
        return f"llama-index:{type(self._embedding).__name__}:{self._embedding.model_name}"

    @property
    def dimension(self) -> int:
        """Length of a vector; embeds one word to find out."""
        with self._first:
            if self._dimension is None:
                self._dimension = int(self._embedded(["dimension"]).shape[1])
            return self._dimension

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        """Vectors of shape ``(len(texts), dimension)``, in the order given.

        Raises:
            ProviderError: The embedding failed, or returned no vectors.
        """
        import numpy as np

        return self._embedded(texts) if texts else np.zeros((0, self.dimension), dtype=np.float32)

    def embed_query(self, text: str) -> Vector:
        """The vector of a question; raises as ``embed_documents``."""
        rows = [self._called("get_query_embedding", text)]
        vector: Vector = unit_vectors(rows, count=1, dimension=self._dimension, name=self.identity)[0]
        return vector

    def _embedded(self, texts: Sequence[str]) -> Vector:
        rows = self._called("get_text_embedding_batch", list(texts))
        return unit_vectors(rows, count=len(texts), dimension=self._dimension, name=self.identity)

    def _called(self, method: str, given: Any) -> Any:
        try:
            return getattr(self._embedding, method)(given)
        except Exception as error:
            # Integrations raise whatever their libraries do; the kinds cannot be listed.
            raise ProviderError(f"{self.identity} failed: {type(error).__name__}: {excerpt(str(error))}") from error
