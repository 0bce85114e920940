"""Any LlamaIndex node postprocessor that scores nodes as a reranker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grounded.errors import MissingExtraError, RerankerError

try:
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ImportError as error:  # pragma: no cover - the extra is installed where this is tested
    raise MissingExtraError("A LlamaIndex reranker", package="llama-index", extra="llama-index") from error


def is_postprocessor(value: object) -> bool:
    """Whether ``value`` is a LlamaIndex node postprocessor."""
    return isinstance(value, BaseNodePostprocessor)


class LlamaIndexReranker:
    """Scores texts with a LlamaIndex node postprocessor. As thread-safe as that is.

    Many of them return only their ``top_n``: what they leave out comes behind what they return.
    """

    def __init__(self, postprocessor: Any) -> None:
        self._postprocessor = postprocessor

    @property
    def name(self) -> str:
        """The postprocessor's class."""
        return type(self._postprocessor).__name__

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """The score that each text's node came back with.

        Raises:
            RerankerError: The postprocessor failed, or returned nodes without scores or of its own.
        """
        nodes = [NodeWithScore(node=TextNode(id_=str(n), text=text), score=0.0) for n, text in enumerate(texts)]
        try:
            returned = self._postprocessor.postprocess_nodes(nodes, query_bundle=QueryBundle(question))
        except Exception as error:
            # Integrations raise whatever their libraries do; the kinds cannot be listed.
            raise RerankerError(f"{self.name} failed: {type(error).__name__}: {error}") from error
        said = {each.node.node_id: each.score for each in returned}
        if any(score is None for score in said.values()) or not said.keys() <= {each.node.node_id for each in nodes}:
            raise RerankerError(f"{self.name} returned nodes without scores, or others than it was given.")
        least = min(said.values(), default=0.0) - 1.0
        return [said.get(str(n), least) for n in range(len(texts))]
