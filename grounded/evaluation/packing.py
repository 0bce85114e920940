"""Trials as an experiment keeps them: each passage once, messages in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grounded.records import Answer, Message, MetricValue, PackedMessage, Passage, Problem, Report, Trial


class Packing:
    """What the trials of one experiment share.

    Attributes:
        passages: Each passage once, without a score.
        texts: Pieces of messages, each once.
    """

    def __init__(self) -> None:
        self.passages: list[Passage] = []
        self.texts: list[str] = []
        self._places: dict[Passage, int] = {}
        self._text_places: dict[str, int] = {}

    def answered(
        self,
        row: str,
        variant: str,
        answer: Answer,
        *,
        retrieved: Iterable[Passage] = (),
        values: Iterable[MetricValue] = (),
        seconds: float | None = None,
        cost: float | None = None,
    ) -> Trial:
        """The trial of an answer; ``Experiment.answer_of`` is its inverse."""
        places = tuple(map(self._place, answer.passages))
        prompt = answer.prompt
        messages = tuple(self._message(each, places) for each in prompt.messages) if prompt else ()
        bare = prompt.model_copy(update={"messages": (), "passages": ()}) if prompt else None
        kept = {"passages": (), "prompt": bare, "report": without_passages(answer.report)}
        return Trial(
            row=row,
            variant=variant,
            answer=answer.model_copy(update=kept),
            passages=places,
            scores=tuple(passage.score for passage in answer.passages),
            retrieved=tuple(map(self._place, retrieved)),
            messages=messages,
            values=tuple(values),
            seconds=seconds,
            cost=cost,
        )

    def failed(self, row: str, variant: str, problem: Problem, values: Iterable[MetricValue] = ()) -> Trial:
        """The trial of a question that got no answer because something failed."""
        return Trial(row=row, variant=variant, problem=problem, values=tuple(values))

    def _place(self, passage: Passage) -> int:
        bare = passage.model_copy(update={"score": None})
        if bare not in self._places:
            self._places[bare] = len(self.passages)
            self.passages.append(bare)
        return self._places[bare]

    def _message(self, message: Message, places: Sequence[int]) -> PackedMessage:
        pieces: list[int] = []
        position = 0
        for place in places:
            text = self.passages[place].text
            at = message.content.find(text, position) if text else -1
            if at >= 0:
                pieces += [*self._text(message.content[position:at]), place]
                position = at + len(text)
        return PackedMessage(role=message.role, pieces=(*pieces, *self._text(message.content[position:])))

    def _text(self, text: str) -> tuple[int, ...]:
        if not text:
            return ()
        if text not in self._text_places:
            self.texts.append(text)
            self._text_places[text] = -len(self.texts)
        return (self._text_places[text],)


def without_passages(report: Report | None) -> Report | None:
    """A report whose passages are kept elsewhere."""
    if report is None:
        return None
    return report.model_copy(update={"passages": (), "original": without_passages(report.original)})
