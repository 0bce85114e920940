"""LangChain: a ``Runnable`` that verifies answers, and a retriever.

from grounded.integrations.langchain import GroundedVerifier, KnowledgeBaseRetriever
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grounded.errors import MissingExtraError, UsageError
from grounded.integrations.passages import metadata_of, sources_from
from grounded.pipeline.knowledge_base import KnowledgeBase
from grounded.verification import verify

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import Runnable, RunnableConfig
except ImportError as error:
    raise MissingExtraError("The LangChain adapter", package="langchain-core", extra="langchain") from error

_ANSWER, _DOCUMENTS, _QUESTION = ("answer",), ("documents", "context"), ("question", "input")


class GroundedVerifier(Runnable[dict[str, Any], dict[str, Any]]):
    """Adds ``report`` to a mapping with ``answer``, ``documents`` and, if there is one, ``question``.

    ``answer`` is text or a message; what comes back under it is the text that the report speaks of. The keys
    ``context`` and ``input`` of LangChain's retrieval chains do as well. All other keys are passed on. ``[n]`` in
    the answer is the n-th document.

    Args:
        options: Those of ``grounded.verify``: ``policy``, ``verifier``, ``reference_date``, ``rewrite``, ``tries``.
    """

    def __init__(self, **options: Any) -> None:
        self._options: Mapping[str, Any] = options

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        """Verify one answer.

        Raises:
            UsageError: The answer or the documents are missing or of another type.
        """
        found: dict[str, Any] = self._call_with_config(self._verified, input, config)
        return found

    def _verified(self, given: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise UsageError(f"A verifier takes a mapping, not a {type(given).__name__}.")
        answer, documents = _value(given, _ANSWER), _value(given, _DOCUMENTS)
        question = next((given[key] for key in _QUESTION if isinstance(given.get(key), str)), None)
        sources = [documents] if isinstance(documents, str | Document) else list(documents)
        report = verify(_text(answer), sources_from(sources), question=question, **self._options)
        return {**given, "answer": report.text, "report": report}


def _value(given: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        if given.get(key) is not None:
            return given[key]
    raise UsageError(f"There is no {keys[0]!r} to verify.", fix=f"Known keys: {', '.join(keys)}.")


def _text(answer: Any) -> str:
    """The text of a string or a message; messages may hold a list of parts, of which only text can be checked."""
    content = getattr(answer, "content", answer)
    if isinstance(content, list):
        parts = (part.get("text", "") if isinstance(part, Mapping) else part for part in content)
        return "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        raise UsageError(f"An answer is text or a message, not a {type(answer).__name__}.")
    return content


class KnowledgeBaseRetriever(BaseRetriever):
    """Finds passages of a knowledge base. Evidence for an answer from its documents names the exact place.

    Attributes:
        knowledge_base: An open one; it stays the caller's to close.
        options: Those of ``KnowledgeBase.search``: ``k``, ``where``, ``tenant``, ``principals``, ``on``.
    """

    knowledge_base: KnowledgeBase
    options: dict[str, Any] = {}  # noqa: RUF012  (a pydantic field, copied for each instance)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        found = self.knowledge_base.search(query, **self.options)
        return [Document(id=each.id, page_content=each.text, metadata=metadata_of(each)) for each in found]
