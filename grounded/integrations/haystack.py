"""Haystack: a component that turns replies into verified answers.

    from grounded.integrations.haystack import GroundedVerifier

Haystack itself reports every run of a pipeline over the network unless ``HAYSTACK_TELEMETRY_ENABLED=False`` is set
before it is imported; this adapter neither needs nor changes that.
"""

from __future__ import annotations

from typing import Any

from grounded.errors import MissingExtraError
from grounded.integrations.passages import sources_from
from grounded.records import Policy
from grounded.verification import verify

try:
    from haystack import Document, GeneratedAnswer, component
    from haystack.dataclasses import ChatMessage
except ImportError as error:
    raise MissingExtraError("The Haystack adapter", package="haystack-ai", extra="haystack") from error


@component
class GroundedVerifier:
    """Takes the place of ``AnswerBuilder``: replies, documents and query in, answers with their reports out.

    Each answer's ``meta`` holds ``report`` (as JSON-compatible values, so that pipelines can be stored) and
    ``groundedness``. ``[n]`` in a reply is the n-th document; none is left out, so that numbers hold.

    Args:
        policy: ``flag``, ``strip`` or ``abstain``, as for ``grounded.verify``.
        verifier: The name of an installed verifier, such as ``folder:./minicheck``; None: the default.
    """

    def __init__(self, policy: Policy = "flag", verifier: str | None = None) -> None:
        self.policy = policy
        self.verifier = verifier

    @component.output_types(answers=list[GeneratedAnswer], reports=list[Any])
    def run(self, replies: list[str] | list[ChatMessage], documents: list[Document], query: str = "") -> dict[str, Any]:
        """Verify each reply against the documents.

        Returns:
            ``answers``, and ``reports`` as ``grounded.Report`` records, both in the order of the replies.
        """
        sources = sources_from(documents)
        reports = [
            verify(
                reply.text or "" if isinstance(reply, ChatMessage) else reply,
                sources,
                question=query or None,
                policy=self.policy,
                verifier=self.verifier,
            )
            for reply in replies
        ]
        answers = [
            GeneratedAnswer(
                data=report.text,
                query=query,
                documents=documents,
                meta={"report": report.to_dict(), "groundedness": report.groundedness},
            )
            for report in reports
        ]
        return {"answers": answers, "reports": reports}
