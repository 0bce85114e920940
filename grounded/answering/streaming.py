"""From what a model writes, piece by piece, to the text a person may see: thinking is never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from grounded.records import Span

_TAG = re.compile(r"<(/?)think(?:ing)?\s*>", re.IGNORECASE)
_TAG_START = re.compile(r"<(?:/?(?:t|th|thi|thin|think|thinki|thinkin|thinking\s*|think\s*)?)?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shown:
    """Text to show now; not verified, may end anywhere."""

    text: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Everything shown so far was thinking whose opening tag never came; counting starts again at 0.

    Attributes:
        span: All of the text shown so far.
    """

    span: Span


Step = Shown | Withdrawn


def visible_text(text: str) -> str:
    """The answer in what a model wrote: thinking removed, white space at both ends removed.

    ``<think>…</think>`` is removed, also when it is not closed (to the end) or was not opened (from the start).
    """
    stream = VisibleText()
    for _ in chain(stream.feed(text), stream.finish()):
        pass
    return stream.text


class VisibleText:
    """Passes on the visible part of the pieces a model writes.

    All ``Shown`` texts after the last ``Withdrawn``, joined, are ``visible_text`` of all pieces joined, however the
    text was cut into pieces. For one thread at a time.
    """

    def __init__(self) -> None:
        self._held = ""  # may be the start of a tag
        self._blank = ""  # white space that is shown only when text follows
        self._thinking = False
        self._shown: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        """Everything shown and not withdrawn."""
        return "".join(self._shown)

    def feed(self, piece: str) -> Iterator[Step]:
        """What the next piece brings; the iterator must be exhausted."""
        buffer = self._held + piece
        self._held = ""
        position = 0
        for tag in _TAG.finditer(buffer):
            yield from self._pass(buffer[position : tag.start()])
            position = tag.end()
            yield from self._switch(closing=bool(tag.group(1)))
        rest = buffer[position:]
        partial = _TAG_START.search(rest)
        if partial:
            self._held = partial.group()
            rest = rest[: partial.start()]
        yield from self._pass(rest)

    def finish(self) -> Iterator[Step]:
        """What is left when the model is done."""
        held, self._held = self._held, ""
        yield from self._pass(held)

    def _switch(self, *, closing: bool) -> Iterator[Step]:
        if closing and not self._thinking:
            if self._length:
                yield Withdrawn(Span(start=0, end=self._length))
            self._shown, self._length, self._blank = [], 0, ""
        self._thinking = not closing

    def _pass(self, text: str) -> Iterator[Step]:
        if self._thinking or not text:
            return
        text = self._blank + text if self._length else (self._blank + text).lstrip()
        kept = text.rstrip()
        self._blank = text[len(kept) :]
        if not kept:
            return
        self._shown.append(kept)
        self._length += len(kept)
        yield Shown(kept)
