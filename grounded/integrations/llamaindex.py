"""LlamaIndex: an evaluator, a node postprocessor, a query engine that verifies, and a retriever.

    from grounded.integrations.llamaindex import GroundedQueryEngine

Nodes keep their order: ``[n]`` in an answer is the n-th node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from grounded.errors import MissingExtraError, UsageError
from grounded.integrations.passages import KEY, metadata_of, sources_from
from grounded.pipeline.knowledge_base import KnowledgeBase
from grounded.prompting.spotlight import neutralise
from grounded.records import Report, out_of_force
from grounded.verification import passages_from, verify

try:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.base.response.schema import AsyncStreamingResponse, Response
    from llama_index.core.evaluation import BaseEvaluator, EvaluationResult
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ImportError as error:  # pragma: no cover - the extra is installed where this is tested
    raise MissingExtraError("The LlamaIndex adapter", package="llama-index", extra="llama-index") from error

CITATION = "citation"
"""The metadata key under which a model reads the number to cite a node by."""


class GroundedResult(EvaluationResult):
    """An evaluation with the whole report.

    Attributes:
        passing: True when every claim is supported, None when the answer states nothing that could be checked.
        score: Groundedness in [0, 1]; None when nothing was checked.
        invalid_result: True when a check failed; ``passing`` is False then.
        feedback: A line for each claim that is not supported.
    """

    report: Report


class GroundedEvaluator(BaseEvaluator):
    """Checks each sentence of a response against its contexts. Calls no language model by default.

    Args:
        options: Those of ``grounded.verify``: ``verifier``, ``reference_date``, ``history``.
    """

    def __init__(self, **options: Any) -> None:
        self._options: Mapping[str, Any] = options

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts: dict[str, Any]) -> None:
        pass

    def evaluate(
        self,
        query: str | None = None,
        response: str | None = None,
        contexts: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> GroundedResult:
        """Evaluate one response.

        Raises:
            UsageError: The response or the contexts are missing.
        """
        if response is None or contexts is None:
            raise UsageError("A response and its contexts are needed.", fix="Pass response= and contexts=.")
        sources = sources_from(contexts)
        report = verify(response, sources, question=query, **self._options)
        passages = [passage.text for passage in report.passages]
        return GroundedResult(query=query, response=response, contexts=passages, report=report, **_judged(report))

    async def aevaluate(
        self,
        query: str | None = None,
        response: str | None = None,
        contexts: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> GroundedResult:
        """``evaluate`` in a worker thread."""
        return await asyncio.to_thread(self.evaluate, query, response, contexts)

    def evaluate_response(
        self, query: str | None = None, response: Response | None = None, **kwargs: Any
    ) -> GroundedResult:
        """Evaluate a response against its own source nodes, whose titles and places the evidence then names."""
        text, nodes = (None, None) if response is None else (response.response, response.source_nodes)
        return self.evaluate(query, text, nodes)

    async def aevaluate_response(
        self, query: str | None = None, response: Response | None = None, **kwargs: Any
    ) -> GroundedResult:
        """``evaluate_response`` in a worker thread."""
        return await asyncio.to_thread(self.evaluate_response, query, response)


def _judged(report: Report) -> dict[str, Any]:
    bad = [*report.contradicted, *report.failed, *report.unsupported]
    lines = [f"{claim.verdict}: {claim.text} ({claim.reason})" for claim in bad]
    return {
        "passing": not bad if report.groundedness is not None else None,
        "score": report.groundedness,
        "feedback": "\n".join(lines) or ("Every claim is supported." if report.supported else "There is no claim."),
        "invalid_result": not report.complete,
        "invalid_reason": None if report.complete else f"{len(report.failed)} claims could not be checked.",
    }


class GroundedPostprocessor(BaseNodePostprocessor):
    """Prepares nodes for an answer that can be checked: drops what is not in force, numbers the rest.

    Attributes:
        on: The day that decides what is in force; None: today. Nodes say so with ``effective_from``,
            ``effective_to`` and ``supersedes`` in their metadata.
        quarantine: Drop nodes in which hidden text or forged structure was found.
        number: Let the model read ``citation: [n]`` with each node.
    """

    on: date | None = None
    quarantine: bool = False
    number: bool = True

    @classmethod
    def class_name(cls) -> str:
        """The name LlamaIndex stores it under."""
        return "GroundedPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        outdated = out_of_force(passages_from(sources_from(nodes)), self.on or date.today())
        kept = [node for n, node in enumerate(nodes) if n not in outdated]
        if self.quarantine:
            kept = [node for node in kept if not neutralise(node.node.get_content()).findings]
        return [_numbered(node, n) for n, node in enumerate(kept, start=1)] if self.number else kept


def _numbered(node: NodeWithScore, number: int) -> NodeWithScore:
    """A copy, since nodes of a store in memory are the store's own."""
    copy = node.node.model_copy(update={"metadata": {**node.node.metadata, CITATION: f"[{number}]"}})
    return NodeWithScore(node=copy, score=node.score)


class GroundedQueryEngine(BaseQueryEngine):
    """Another query engine whose responses are verified against their source nodes before they are returned.

    ``response.metadata["report"]`` is the ``Report``; the text returned is the one it speaks of. A streaming engine's
    response is read to its end first.

    Args:
        query_engine: The engine that answers.
        options: Those of ``grounded.verify``: ``policy``, ``verifier``, ``reference_date``, ``rewrite``, ``tries``.
    """

    def __init__(self, query_engine: BaseQueryEngine, **options: Any) -> None:
        super().__init__(query_engine.callback_manager)
        self._query_engine = query_engine
        self._options: Mapping[str, Any] = options

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {"query_engine": self._query_engine}

    def _query(self, query_bundle: QueryBundle) -> Response:
        return self._verified(self._query_engine.query(query_bundle), query_bundle.query_str)

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        response = await self._query_engine.aquery(query_bundle)
        if isinstance(response, AsyncStreamingResponse):
            response = await response.get_response()
        return await asyncio.to_thread(self._verified, response, query_bundle.query_str)

    def _verified(self, response: Any, question: str) -> Response:
        whole = response if isinstance(response, Response) else response.get_response()
        nodes = whole.source_nodes
        report = verify(whole.response or "", sources_from(nodes), question=question, **self._options)
        metadata = {**(whole.metadata or {}), "report": report, "groundedness": report.groundedness}
        return Response(report.text, source_nodes=nodes, metadata=metadata)


class KnowledgeBaseRetriever(BaseRetriever):
    """Finds passages of a knowledge base. Evidence for an answer from its nodes names the exact place in the document.

    Args:
        knowledge_base: An open one; it stays the caller's to close.
        options: Those of ``KnowledgeBase.search``: ``k``, ``where``, ``tenant``, ``principals``, ``on``.
    """

    def __init__(self, knowledge_base: KnowledgeBase, **options: Any) -> None:
        super().__init__()
        self._knowledge_base = knowledge_base
        self._options: Mapping[str, Any] = options

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._knowledge_base.search(query_bundle.query_str, **self._options)
        hidden = [KEY, "uri"]
        return [
            NodeWithScore(
                node=TextNode(
                    id_=passage.id,
                    text=passage.text,
                    metadata=metadata_of(passage),
                    excluded_llm_metadata_keys=hidden,
                    excluded_embed_metadata_keys=hidden,
                ),
                score=passage.score,
            )
            for passage in found
        ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)
