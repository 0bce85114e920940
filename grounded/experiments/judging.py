"""A language model by its spec, asked to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grounded.answering import llm
from grounded.errors import UsageError

if TYPE_CHECKING:
    from grounded.verifiers import LLMJudge


def llm_judge(
    spec: object = "", *, batch_size: int | None = None, attempts: int | None = None, **options: Any
) -> LLMJudge:
    """A judge from what ``llm`` takes; endpoints that can enforce the form of the reply are asked to.

    Args:
        spec: ``ollama:NAME``, ``openai:NAME``, …, a LlamaIndex LLM or a ``Generator``.
        batch_size: Pairs in one request.
        attempts: How often a request is made before it counts as failed.
        options: Those of ``llm``.

    Raises:
        UsageError: The spec is none, or an option is wrong.
        ConfigurationError: A key or address is missing or wrong.
    """
    from grounded.verifiers.llm_judge import ATTEMPTS, BATCH_SIZE, SCHEMA, LLMJudge

    if not spec:
        raise UsageError("Which language model is to judge?", fix="Write llm-judge:ollama:NAME.")
    generator = llm(spec, **({"schema": SCHEMA} | options if isinstance(spec, str) else options))
    return LLMJudge(generator, batch_size=batch_size or BATCH_SIZE, attempts=attempts or ATTEMPTS)
