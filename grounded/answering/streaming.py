"""From pieces of text to complete sentences: thinking is never shown, the result never depends on piece borders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from grounded.records import Span
from grounded.text.sentences import sentences

_TAG = re.compile(r"<(/?)think(?:ing)?\s*>", re.IGNORECASE)
_TAG_START = re.compile(r"<(?:/?(?:t|th|thi|thin|think|thinki|thinkin|thinking\s*|think\s*)?)?\Z", re.IGNORECASE)
_WORD_END = re.compile(r"(?<=\S)\s")
_MARKERS_ONLY = re.compile(r"\s*(?:\[[^\[\]\n]{0,12}(?:\]\s*|\Z))+\Z")
_MAY_END = re.compile(r"[.!?…。！？:;\n|]")
_LONG = 4_000
"""Code points of an unfinished sentence from which on only line ends are looked at, to stay linear."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Text to show now; not verified, may end anywhere."""

    text: str


@dataclass(frozen=True, slots=True)
class Complete:
    """A sentence is complete.

    Attributes:
        span: The sentence without surrounding white space, in code points of the text shown so far.
        text: The sentence.
    """

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Everything shown so far was thinking whose opening tag never came; counting starts again at 0.

    Attributes:
        span: All of the text shown so far.
    """

    span: Span


Step = Shown | Complete | Withdrawn


def visible_text(text: str) -> str:
    """The answer in what a model wrote: thinking removed, white space at both ends removed.

    ``<think>…</think>`` is removed, also when it is not closed (to the end) or was not opened (from the start).
    """
    stream = SentenceStream()
    for _ in chain(stream.feed(text), stream.finish()):
        pass
    return stream.text


class SentenceStream:
    """Makes sentences of the pieces a model writes.

    All ``Shown`` texts after the last ``Withdrawn``, joined, are ``visible_text`` of all pieces joined, and the
    same pieces cut elsewhere yield the same ``Complete`` steps.
    """

    def __init__(self) -> None:
        self._held = ""  # may be the start of a tag
        self._blank = ""  # white space that is shown only when text follows
        self._thinking = False
        self._shown: list[str] = []
        self._length = 0
        self._tail = ""  # shown, not yet part of a complete sentence
        self._tail_start = 0
        self._seen = 0  # how much of the tail was looked at

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
        yield from self._complete(sentences(self._tail))

    def _switch(self, *, closing: bool) -> Iterator[Step]:
        if closing and not self._thinking:
            if self._length:
                yield Withdrawn(Span(start=0, end=self._length))
            self._shown, self._length, self._blank = [], 0, ""
            self._tail, self._tail_start, self._seen = "", 0, 0
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
        self._tail += kept
        yield Shown(kept)
        yield from self._complete_certain()

    def _complete_certain(self) -> Iterator[Step]:
        """Complete the sentences after which a whole further word was written.

        The look is taken at word ends, which lie where they lie however the text was cut into pieces.
        """
        look = _WORD_END.search(self._tail, self._seen)
        while look:
            self._seen = look.end()
            before = self._tail[: look.start()]
            is_due = len(before) < _LONG or look.group() == "\n"
            if is_due and _MAY_END.search(before):
                found = sentences(before)
                # A closing marker belongs to the sentence before it, so it proves nothing.
                while len(found) > 1 and _MARKERS_ONLY.match(found[-1].slice(before)):
                    found.pop()
                yield from self._complete(found[:-1])
            look = _WORD_END.search(self._tail, self._seen)

    def _complete(self, found: list[Span]) -> Iterator[Step]:
        if not found:
            return
        for span in _with_markers(found, self._tail):
            yield Complete(span.shift(self._tail_start), span.slice(self._tail))
        end = found[-1].end
        self._tail = self._tail[end:]
        self._tail_start += end
        self._seen = max(0, self._seen - end)


def _with_markers(found: Iterable[Span], text: str) -> list[Span]:
    """The same spans, those that hold nothing but markers joined to the sentence before."""
    joined: list[Span] = []
    for span in found:
        if joined and _MARKERS_ONLY.match(span.slice(text)):
            joined[-1] = Span(start=joined[-1].start, end=span.end)
        else:
            joined.append(span)
    return joined
