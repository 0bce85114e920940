"""What follows from ``stream`` for whoever has one: its last answer, and its asynchronous twins."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Unpack

from grounded.records import Answer, DoneEvent, Event
from grounded.twins import iterate

if TYPE_CHECKING:
    from grounded.pipeline.questions import AskOptions


def answer_of(events: Iterable[Event]) -> Answer:
    """The answer that a stream of events ends with."""
    for event in events:
        if isinstance(event, DoneEvent):
            return event.answer
    raise AssertionError("a stream always ends with DoneEvent")  # pragma: no cover


class Streamed:
    """The asynchronous twins of ``ask`` and ``stream``. As thread-safe as the ``stream`` it is built on."""

    def stream(self, question: str, **options: Unpack[AskOptions]) -> Iterator[Event]:
        """The events of an answer, ``done`` last."""
        raise NotImplementedError

    async def aask(self, question: str, **options: Unpack[AskOptions]) -> Answer:
        """``ask`` in worker threads; cancelling stops it at the model's next piece."""
        async for event in self.astream(question, **options):
            if isinstance(event, DoneEvent):
                return event.answer
        raise AssertionError("a stream always ends with DoneEvent")  # pragma: no cover

    async def astream(self, question: str, **options: Unpack[AskOptions]) -> AsyncGenerator[Event, None]:
        """``stream`` in worker threads; leaving the loop or cancelling stops the model at its next piece."""
        async with aclosing(iterate(self.stream(question, **options))) as events:
            async for event in events:
                yield event
