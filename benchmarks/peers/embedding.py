"""The one embedder of all systems, with what it was asked for and the processor time it took.

``real`` is the embedder that ships with grounded. ``made-up`` makes the vectors of documents from a hash of their text,
in microseconds, so that a hundred thousand chunks show what a system costs besides embedding; questions are
embedded by the real one all the same.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from grounded.models.embedder import default_embedder

KINDS = ("real", "made-up")
_BASES = 4096


class Counted:
    """An embedder of ``grounded.protocols`` on one thread, so that its processor time is that of its calls."""

    def __init__(self, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"An embedder is one of {KINDS}, not {kind!r}.")
        self._real, self._kind = default_embedder(threads=1), kind
        self.identity = f"{self._real.identity} {kind}"
        self.dimension, self.max_tokens = self._real.dimension, self._real.max_tokens
        self.token_spans, self.token_starts, self.reads = (
            self._real.token_spans,
            self._real.token_starts,
            self._real.reads,
        )
        bases = np.random.default_rng(7).standard_normal((_BASES, self.dimension), dtype=np.float32)
        self._bases = bases / np.linalg.norm(bases, axis=1, keepdims=True)
        self.texts, self.seconds = 0, 0.0

    def warm(self) -> None:
        """Load the model."""
        self._real.embed_query("Load the model.")

    def reset(self) -> None:
        """Count from here on."""
        self.texts, self.seconds = 0, 0.0

    def embed_documents(self, texts: Sequence[str]) -> Any:
        """Vectors of shape ``(len(texts), dimension)``, float32, unit length."""
        started = time.thread_time()
        vectors = self._real.embed_documents(texts) if self._kind == "real" else self._made_up(texts)
        self.seconds += time.thread_time() - started
        self.texts += len(texts)
        return vectors

    def embed_query(self, text: str) -> Any:
        """The vector of a question."""
        started = time.thread_time()
        vector = self._real.embed_query(text)
        self.seconds += time.thread_time() - started
        self.texts += 1
        return vector

    def _made_up(self, texts: Sequence[str]) -> Any:
        hashes = np.array([zlib.crc32(text.encode()) for text in texts], dtype=np.uint32)
        vectors = self._bases[hashes % _BASES] + self._bases[hashes // _BASES % _BASES] / 2
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
