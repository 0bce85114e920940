"""An embedder that remembers the last questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from grounded.protocols import Embedder

QUESTIONS = 16
"""How many questions are remembered; one answer embeds its question for the search and for the quotes."""


class RememberingEmbedder:
    """The same embedder, which embeds a question once when it is asked for again soon. Thread-safe when it is."""

    def __init__(self, embedder: Embedder) -> None:
        self.identity = embedder.identity
        self.dimension = embedder.dimension
        self.max_tokens = embedder.max_tokens
        self.embed_documents = embedder.embed_documents
        self.embed_query = lru_cache(QUESTIONS)(embedder.embed_query)
        self.token_spans = embedder.token_spans
        self.token_starts: Callable[[str], Sequence[int]] = getattr(embedder, "token_starts", self._token_starts)
        """Where tokens start, found faster by an embedder that is asked for no more."""
        self.splitting = str(getattr(embedder, "splitting", embedder.identity))
        self.reads: Callable[[str], bool] | None = getattr(embedder, "reads", None)

    def _token_starts(self, text: str) -> Sequence[int]:
        return [start for start, _ in self.token_spans(text)]

    def similarity(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """How alike a question and each text are: cosines in [-1, 1]."""
        if not texts:
            return []
        return [float(each) for each in self.embed_documents(texts) @ self.embed_query(question)]
