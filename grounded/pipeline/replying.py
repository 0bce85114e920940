"""What a model writes, piece by piece: the answer in it, without thinking and without quotations before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from grounded.answering import VisibleText, Withdrawn
from grounded.answering.streaming import Step
from grounded.prompting import Quote, answer_so_far, parse_answer
from grounded.records import Event, Prompt
from grounded.verification import AnswerStream


class Reply:
    """What a model writes, read as its layout asks: thinking and quotations before the answer are no part of it."""

    def __init__(self, prompt: Prompt, answer: AnswerStream) -> None:
        self.text = ""
        self.quotes: tuple[Quote, ...] = ()
        self._prompt = prompt
        self._answer = answer
        self._visible = VisibleText()
        self._written = ""

    def feed(self, piece: str) -> Iterator[Event]:
        """The events that a piece of it brings."""
        yield from self._take(self._visible.feed(piece))

    def finish(self) -> Iterator[Event]:
        """The events that its end brings; sets ``text`` and ``quotes``."""
        yield from self._take(self._visible.finish())
        parsed = parse_answer(self._written, self._prompt)
        self.text, self.quotes = parsed.text, parsed.quotes
        yield from self._answer.show(self.text)

    def _take(self, steps: Iterable[Step]) -> Iterator[Event]:
        for step in steps:
            if isinstance(step, Withdrawn):
                self._written = ""
                yield from self._answer.show("", "This was the model's thinking, not its answer.")
            else:
                self._written += step.text
                yield from self._answer.show(answer_so_far(self._written, self._prompt))
