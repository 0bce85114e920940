"""Generators for tests: they say what they are told to, and count how often they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from grounded.records import Generation, GeneratorRef, Prompt, Usage

Reply = Callable[[Prompt, int], Generation | Exception | str]


class Scripted:
    """A generator that answers by a function of the prompt and of how many calls came before."""

    window = 8192

    def __init__(self, reply: Reply, name: str = "scripted") -> None:
        self.ref = GeneratorRef(name=name, label=name, model=f"{name}-1")
        self.calls = 0
        self._reply = reply

    def generate(self, prompt: Prompt) -> Generation:
        self.calls += 1
        found = self._reply(prompt, self.calls)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Generation):
            return found
        return Generation(text=found, usage=Usage(input_tokens=100, output_tokens=10))

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        yield self.generate(prompt)


def always(text: str, name: str = "scripted") -> Scripted:
    return Scripted(lambda prompt, call: text, name)
