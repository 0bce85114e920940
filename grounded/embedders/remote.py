"""An embedding model behind an HTTP endpoint: OpenAI's form, as Azure and most servers speak it, or Ollama's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from grounded.answering.providers.addresses import Address
from grounded.answering.providers.failures import refused_request
from grounded.answering.providers.transport import Limits, Reply
from grounded.embedders.splitting import Settings, SplitsLikeOurs, unit_vectors

if TYPE_CHECKING:
    from grounded.protocols import Vector

BATCH = 64
"""Texts per request."""


class RemoteEmbedder(SplitsLikeOurs):
    """Embeds text at an endpoint. Thread-safe; each request opens its own connection.

    Its identity holds provider, model and settings but no address, so that a model may move to another machine.
    Nothing is cut: a text too long for the model is an error, never a vector of its beginning. (Ollama is told so;
    OpenAI's form refuses by itself.)
    """

    def __init__(self, address: Address, settings: Settings, limits: Limits) -> None:
        super().__init__(settings)
        self._address = address
        self._is_ollama = address.provider == "ollama"
        self._endpoint = address.endpoint("/api/embed" if self._is_ollama else "/embeddings", limits)
        self._first = threading.Lock()
        self._dimension = settings.dimensions

    @property
    def identity(self) -> str:
        """Provider, model, and what changes its vectors."""
        return f"{self._address.provider}:{self._address.model}{self._settings.suffix}"

    @property
    def dimension(self) -> int:
        """Length of a vector; asks the endpoint once, unless the spec says it.

        Raises:
            GenerationError: As for ``embed_documents``.
        """
        with self._first:
            if self._dimension is None:
                self._dimension = int(self._embedded(["dimension"]).shape[1])
            return self._dimension

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        """Vectors of shape ``(len(texts), dimension)``, in the order given.

        Raises:
            ProviderError: The endpoint refused (the key, the model, a text too long), or what came is no vectors.
            ProviderTimeoutError: It took too long.
            ProviderUnavailableError: Nobody answers there, or it is overloaded.
            EmbedderMismatchError: Its vectors have another length than before.
        """
        import numpy as np

        dimension = self.dimension
        parts = [
            self._embedded([self._settings.document + text for text in texts[start : start + BATCH]])
            for start in range(0, len(texts), BATCH)
        ]
        return np.concatenate([np.zeros((0, dimension), dtype=np.float32), *parts])

    def embed_query(self, text: str) -> Vector:
        """The vector of a question; raises as ``embed_documents``."""
        vector: Vector = self._embedded([self._settings.query + text])[0]
        return vector

    def _embedded(self, texts: Sequence[str]) -> Vector:
        address = self._address
        # Endpoints refuse an empty text; a blank is one without words.
        body: dict[str, Any] = {"model": address.model, "input": [text or " " for text in texts]}
        if self._is_ollama:
            body["truncate"] = False
        if self._settings.dimensions is not None:
            body["dimensions"] = self._settings.dimensions
        with self._endpoint.post(body) as reply:
            if reply.status != 200:
                failure = reply.failure()
                raise refused_request(self._endpoint.name, failure, missing=address.missing, denied=address.denied)
            rows = self._rows(reply)
        return unit_vectors(rows, count=len(texts), dimension=self._dimension, name=self.identity)

    def _rows(self, reply: Reply) -> list[Any]:
        data = reply.json()
        rows = data.get("embeddings" if self._is_ollama else "data") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            reply.reject(data)
        if self._is_ollama:
            return rows
        if not all(isinstance(row, dict) and isinstance(row.get("embedding"), list) for row in rows):
            reply.reject(data)
        # The order of the texts is promised by index only.
        places = [row.get("index", place) for place, row in enumerate(rows)]
        if sorted(map(str, places)) != sorted(map(str, range(len(rows)))):
            reply.reject(f"vectors of the texts {places}")
        return [
            row["embedding"] for _, row in sorted(zip(map(int, places), rows, strict=True), key=lambda pair: pair[0])
        ]
