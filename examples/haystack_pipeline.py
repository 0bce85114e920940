"""A Haystack pipeline that ends in a verified answer. Needs: grounded-rag[haystack]

    python examples/haystack_pipeline.py

``Parrot`` stands for your generator: it repeats the first document and invents one more sentence.
"""

import os

# Haystack sends usage data unless this is set before it is imported.
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

from haystack import Document, Pipeline, component

from grounded.integrations.haystack import GroundedVerifier

DOCUMENTS = [Document(content="Descale the kettle every three months with citric acid.", meta={"title": "Care"})]


@component
class Parrot:
    @component.output_types(replies=list[str])
    def run(self, documents: list[Document]) -> dict[str, list[str]]:
        return {"replies": [f"{documents[0].content} [1] Parrots live for a hundred years."]}


pipeline = Pipeline()
pipeline.add_component("parrot", Parrot())
pipeline.add_component("verify", GroundedVerifier())
pipeline.connect("parrot.replies", "verify.replies")
result = pipeline.run({"parrot": {"documents": DOCUMENTS}, "verify": {"documents": DOCUMENTS, "query": "How often?"}})
for claim in result["verify"]["reports"][0].claims:
    print(f"{claim.verdict:12}  {claim.text}")
