"""Plug in any function that writes text: three members make a generator.

python examples/own_model.py
"""

from collections.abc import Iterator

from grounded import KnowledgeBase
from grounded.records import Generation, GeneratorRef, Prompt


class Parrot:
    """Stands for your model: it repeats the first passage and invents one more sentence."""

    ref = GeneratorRef(name="parrot", label="a parrot")
    window = 8192

    def generate(self, prompt: Prompt) -> Generation:
        """The whole answer at once."""
        return Generation(text=f"{prompt.passages[0].text} [1] Parrots live for a hundred years.")

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        """The answer in pieces; one piece is fine."""
        yield self.generate(prompt)


with KnowledgeBase.open("parrot-kb", create=True) as kb:
    kb.ingest([{"key": "care", "text": "Descale the kettle every three months."}])
    answer = kb.ask("How often should I descale the kettle?", llm=Parrot())
    for claim in answer.report.claims if answer.report else ():
        print(f"{claim.verdict:12}  {claim.text}")
