"""A model of FastEmbed's list, run by onnxruntime in this process. FastEmbed downloads it at first use."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from grounded.embedders.splitting import Settings, SplitsLikeOurs, unit_vectors
from grounded.errors import ConfigurationError, MissingExtraError, ModelFileError
from grounded.models import runtime

if TYPE_CHECKING:
    from grounded.protocols import Vector


class FastEmbedder(SplitsLikeOurs):
    """Embeds text with FastEmbed. Thread-safe: one call of the model at a time, with several threads of its own.

    Raises:
        MissingExtraError: The package is not installed.
        ConfigurationError: It makes no vectors of the length asked for.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(settings)
        try:
            import fastembed
        except ImportError as error:
            raise MissingExtraError("A FastEmbed model", package="fastembed", extra="fastembed") from error
        if settings.dimensions is not None:
            raise ConfigurationError("FastEmbed makes vectors of one length only.", fix="Leave dimensions out.")
        self._kind: Any = fastembed.TextEmbedding
        self._name = name
        self._turn = threading.Lock()
        self._model: Any = None
        self._dimension: int | None = None

    @property
    def identity(self) -> str:
        """The model's name and what is put before texts."""
        return f"fastembed:{self._name}{self._settings.suffix}"

    @property
    def dimension(self) -> int:
        """Length of a vector; embeds one word to find out."""
        if self._dimension is None:
            self._dimension = int(self.embed_query("dimension").shape[0])
        return self._dimension

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        """Vectors of shape ``(len(texts), dimension)``, in the order given.

        Raises:
            ModelFileError: FastEmbed does not know the model, or cannot load it.
        """
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._vectors("passage_embed", [self._settings.document + text for text in texts])

    def embed_query(self, text: str) -> Vector:
        """The vector of a question; raises as ``embed_documents``."""
        vector: Vector = self._vectors("query_embed", [self._settings.query + text])[0]
        return vector

    def _vectors(self, method: str, texts: list[str]) -> Vector:
        with self._turn:
            if self._model is None:
                self._model = self._loaded()
            rows = list(getattr(self._model, method)(texts))
        return unit_vectors(rows, count=len(texts), dimension=self._dimension, name=self.identity)

    def _loaded(self) -> Any:
        try:
            return self._kind(self._name, threads=runtime.threads_to_use())
        except Exception as error:
            # Downloads and model files fail in ways that cannot be listed.
            raise ModelFileError(
                f"FastEmbed cannot load {self._name!r}: {error}",
                fix="Check the name against fastembed.TextEmbedding.list_supported_models(), and the network.",
            ) from error
