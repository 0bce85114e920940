"""A LangChain chain that ends in a verified answer. Needs: grounded-rag[langchain]

    python examples/langchain_chain.py

``parrot`` stands for your prompt and model: it repeats the first document and invents one more sentence.
"""

from typing import Any

from langchain_core.runnables import RunnablePassthrough

from grounded import KnowledgeBase
from grounded.integrations.langchain import GroundedVerifier, KnowledgeBaseRetriever


def parrot(given: dict[str, Any]) -> str:
    return f"{given['documents'][0].page_content} [1] Parrots live for a hundred years."


with KnowledgeBase.open("langchain-kb", create=True) as kb:
    kb.ingest([{"key": "care", "title": "Care", "text": "Descale the kettle every three months with citric acid."}])
    retriever = KnowledgeBaseRetriever(knowledge_base=kb, options={"k": 3})
    retrieve = RunnablePassthrough.assign(documents=lambda given: retriever.invoke(given["question"]))
    chain = retrieve.assign(answer=parrot) | GroundedVerifier()
    result = chain.invoke({"question": "How often should I descale the kettle?"})
    for claim in result["report"].claims:
        print(f"{claim.verdict:12}  {claim.text}")
