"""A LlamaIndex query engine whose answers are checked, over a knowledge base. Needs: grounded-rag[llama-index]

    python examples/llamaindex_engine.py

``MockLLM`` repeats its prompt; put your LLM in its place.
"""

from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer

from grounded import KnowledgeBase
from grounded.integrations.llamaindex import GroundedPostprocessor, GroundedQueryEngine, KnowledgeBaseRetriever

with KnowledgeBase.open("llamaindex-kb", create=True) as kb:
    kb.ingest([{"key": "care", "title": "Care", "text": "Descale the kettle every three months with citric acid."}])
    engine = GroundedQueryEngine(
        RetrieverQueryEngine(
            retriever=KnowledgeBaseRetriever(kb, k=3),
            response_synthesizer=get_response_synthesizer(llm=MockLLM()),
            node_postprocessors=[GroundedPostprocessor()],
        )
    )
    response = engine.query("How often should I descale the kettle?")
    found = response.metadata or {}
    for claim in found["report"].supported:
        evidence = claim.evidence[0]
        print(f"{claim.text!r} stands in {evidence.title}, {evidence.span.start}–{evidence.span.end}")
    print(f"groundedness {found['groundedness']:.0%}")
