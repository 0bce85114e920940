"""The Haystack adapter, in a pipeline of Haystack's own."""

from __future__ import annotations

import pytest

pytest.importorskip("haystack", reason="Haystack is not installed")

from haystack import Document, GeneratedAnswer, Pipeline, component
from haystack.dataclasses import ChatMessage

from grounded.integrations.haystack import GroundedVerifier
from grounded.records import Report

WARRANTY = "Our warranty lasts 24 months."
DOCUMENTS = [Document(content=WARRANTY, meta={"file_path": "terms.pdf"}), Document(content=None, meta={})]


def test_replies_become_answers_with_reports() -> None:
    replies = [ChatMessage.from_assistant(f"{WARRANTY} [1]"), ChatMessage.from_assistant("It lasts 12 months [3].")]
    found = GroundedVerifier().run(replies=replies, documents=DOCUMENTS, query="How long is the warranty?")
    good, bad = found["reports"]
    assert (good.groundedness, bad.groundedness) == (1.0, 0.0)
    assert good.claims[0].evidence[0].title == "terms.pdf"
    assert [citation.status for citation in bad.citations] == ["dangling"]
    answer = found["answers"][0]
    assert (answer.data, answer.query) == (f"{WARRANTY} [1]", "How long is the warranty?")
    assert answer.documents == DOCUMENTS
    restored = GeneratedAnswer.from_dict(answer.to_dict())
    assert Report.from_dict(restored.meta["report"]) == good


@component
class Saying:
    """Stands for a generator."""

    @component.output_types(replies=list[str])
    def run(self, prompt: str) -> dict[str, list[str]]:
        return {"replies": [prompt]}


def test_it_runs_at_the_end_of_a_pipeline() -> None:
    pipeline = Pipeline()
    pipeline.add_component("says", Saying())
    pipeline.add_component("verify", GroundedVerifier())
    pipeline.connect("says.replies", "verify.replies")
    said = pipeline.run({"says": {"prompt": WARRANTY}, "verify": {"documents": DOCUMENTS}})
    assert said["verify"]["reports"][0].groundedness == 1.0


def test_a_pipeline_with_it_can_be_stored() -> None:
    pipeline = Pipeline()
    pipeline.add_component("verify", GroundedVerifier(verifier="containment"))
    loaded = Pipeline.loads(pipeline.dumps(), allowed_modules=["grounded.integrations.haystack"])
    said = loaded.run({"verify": {"replies": [WARRANTY], "documents": DOCUMENTS}})
    assert said["verify"]["reports"][0].verifier.name == "containment"
