"""The LangChain adapter, in chains of LangChain's own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain_core", reason="LangChain is not installed")

from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough

from grounded import KnowledgeBase
from grounded.errors import UsageError
from grounded.integrations.langchain import GroundedVerifier, KnowledgeBaseRetriever
from tests.integrations.conftest import TEXT

WARRANTY = "Our warranty lasts 24 months."
DOCUMENT = Document(page_content=WARRANTY, metadata={"source": "terms.pdf"})


@pytest.mark.parametrize("answer", [f"{WARRANTY} [1]", AIMessage(f"{WARRANTY} [1]"), AIMessage([WARRANTY, " [1]"])])
def test_an_answer_gets_its_report(answer: Any) -> None:
    given = {"answer": answer, "documents": [DOCUMENT], "question": "How long?", "kept": 1}
    verifier = GroundedVerifier()
    for found in (verifier.invoke(given), asyncio.run(verifier.ainvoke(given)), verifier.batch([given])[0]):
        assert found["kept"] == 1
        assert found["answer"] == f"{WARRANTY} [1]"
        assert found["report"].groundedness == 1.0
        assert found["report"].claims[0].evidence[0].uri == "terms.pdf"
        assert [citation.status for citation in found["report"].citations] == ["correct"]


@pytest.mark.parametrize(
    "given",
    [{"documents": [DOCUMENT]}, {"answer": "x"}, {"answer": 7, "documents": [DOCUMENT]}, "x"],
)
def test_what_cannot_be_verified_is_wrong_use(given: Any) -> None:
    with pytest.raises(UsageError):
        GroundedVerifier().invoke(given)


def test_a_retrieval_chain_ends_in_a_report_with_exact_places(shop: KnowledgeBase) -> None:
    retriever = KnowledgeBaseRetriever(knowledge_base=shop, options={"k": 1})
    model: Runnable[Any, AIMessage] = RunnableLambda(lambda given: AIMessage(given["context"][0].page_content))
    chain = RunnablePassthrough.assign(context=lambda given: retriever.invoke(given["input"])).assign(answer=model)
    found = (chain | GroundedVerifier()).invoke({"input": "How long is the warranty?"})
    assert found["report"].groundedness == 1.0
    evidence = [each for claim in found["report"].supported for each in claim.evidence]
    assert all(each.span.slice(TEXT) == each.text and each.version for each in evidence)
    assert asyncio.run(retriever.ainvoke("warranty")) == retriever.invoke("warranty")


def test_a_document_that_was_changed_on_the_way_is_taken_as_it_is(shop: KnowledgeBase) -> None:
    (document,) = KnowledgeBaseRetriever(knowledge_base=shop, options={"k": 1}).invoke("warranty")
    document.page_content = f"Changed. {WARRANTY}"
    found = GroundedVerifier().invoke({"answer": WARRANTY, "documents": [document]})
    (evidence,) = found["report"].claims[0].evidence
    assert evidence.span.slice(document.page_content) == evidence.text == WARRANTY
    assert evidence.version is None
