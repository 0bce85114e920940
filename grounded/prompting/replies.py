"""How a model's reply is read: quotations split off, marks taken out, base64 decoded, all of it traced."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import get_args

from grounded.errors import UsageError
from grounded.prompting.layouts import PART, LayoutName, prepared
from grounded.prompting.marking import mark_of, spotlit
from grounded.prompting.tracing import RUN, UNFINISHED, Traced, decoded
from grounded.records import Prompt, Span

_QUOTES = re.compile(r"<quotes>(.*?)(?:</quotes>|(?=<answer>))", re.IGNORECASE | re.DOTALL)
_HALF_TAG = re.compile(r"<(?:/?[a-z]{0,7})\Z", re.IGNORECASE)
_QUOTE = re.compile(r"^[ \t]*(?:[-*•][ \t]*)?\[[ \t]*(\d{1,6})[ \t]*\][ \t]*(\S[^\n]*)$", re.MULTILINE)
_MARKS_OF_QUOTATION = "\"'“”„‟‘’‚‹›«»「」『』"


@dataclass(frozen=True, slots=True)
class Quote:
    """A quotation that a model put before its answer.

    Attributes:
        number: The ``n`` of the ``[n]`` it names.
        text: Its words, without quotation marks.
        span: Where they stand in ``passages[n-1]``, code points from the start of its text; None when they stand
            nowhere there, or no prompt was given.
    """

    number: int
    text: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """A reply, split into what is to be verified and shown, and the quotations before it.

    Attributes:
        text: The answer. Whatever stands outside the part for quotations belongs to it, so that nothing a model
            says escapes the verifier.
    """

    text: str
    quotes: tuple[Quote, ...] = ()
    _traced: Traced = field(default=Traced.of(""), repr=False, compare=False)

    def origin(self, start: int, end: int) -> Span:
        """The part of the reply from which ``text[start:end]`` was read, such as the base64 of a decoded word.

        Raises:
            UsageError: The span lies outside the text.
        """
        return self._traced.origin(start, end)


def parse_answer(text: str, layout: Prompt | LayoutName) -> ParsedAnswer:
    """Read a model's reply according to the layout it was asked for.

    With a prompt the marks of its spotlighting are taken out of the answer, base64 is decoded where sources were
    shown in base64, and each quotation is traced to its passage. A reply that does not keep to the layout is an answer
    as a whole.

    Args:
        text: The reply.
        layout: The prompt, or the name of its layout.

    Raises:
        UsageError: There is no such layout.
    """
    prompt = layout if isinstance(layout, Prompt) else None
    name: LayoutName = layout.layout if isinstance(layout, Prompt) else layout
    if name not in get_args(LayoutName):
        raise UsageError(f"There is no layout {name!r}.", fix=f"Use one of {', '.join(get_args(LayoutName))}.")
    return _read(text, name, prompt, encoded=prompt is not None and "encode" in prompt.spotlight)


def answer_so_far(text: str, prompt: Prompt) -> str:
    """The answer in as much of a reply as has come; what may yet prove to be a quotation, a mark or base64 is left out.

    When the reply is complete, ``parse_answer`` says what the answer is.
    """
    encoded, marked = "encode" in prompt.spotlight, "datamark" in prompt.spotlight
    if prompt.layout != "quote_first" and not (encoded or marked):
        return text
    if encoded:
        text = text.rstrip(UNFINISHED)
    if prompt.layout == "quote_first":
        if encoded and not PART.search(text):
            text, encoded = _decoded(Traced.of(text)).text, False
        text = _HALF_TAG.sub("", text)
        opened = text.lower().rfind("<quotes>")
        if opened >= 0 and not _QUOTES.match(text, opened):
            text = text[:opened]
    if marked:
        mark = mark_of(prompt.nonce)
        halves = (mark[:length] for length in range(len(mark) - 1, 0, -1))
        text = text.removesuffix(next((half for half in halves if text.endswith(half)), ""))
    return _read(text, prompt.layout, prompt, encoded=encoded).text


def trace(prompt: Prompt, number: int, quote: str) -> Span | None:
    """Where in ``prompt.passages[number-1]`` a model's quotation comes from, whatever the layout and the spotlighting.

    Returns:
        Code points from the start of the passage's text; None when it stands nowhere there.
    """
    if not 1 <= number <= len(prompt.passages):
        return None
    mode = prompt.spotlight[number - 1] if prompt.spotlight else "delimit"
    text = prompt.passages[number - 1].text
    return replace(spotlit(prepared(prompt.layout, text), mode, prompt.nonce), original=text).find(quote)


def _read(text: str, name: LayoutName, prompt: Prompt | None, *, encoded: bool) -> ParsedAnswer:
    reply = Traced.of(text)
    quotes: tuple[Quote, ...] = ()
    if name == "quote_first":
        if encoded and not PART.search(text):  # all of it may be in base64, the tags too
            reply, encoded = _decoded(reply), False
        found = [quote for part in _QUOTES.finditer(reply.text) for quote in _QUOTE.finditer(part[1])]
        quotes = tuple(_quote(int(each[1]), each[2], prompt) for each in found)
        reply = reply.sub(_QUOTES, lambda _: "").sub(PART, lambda _: "")
    if encoded:
        reply = _decoded(reply)
    if prompt and "datamark" in prompt.spotlight:
        reply = reply.sub(re.compile(re.escape(mark_of(prompt.nonce))), lambda _: " ")
    reply = reply.strip()
    return ParsedAnswer(reply.text, quotes, reply)


def _decoded(reply: Traced) -> Traced:
    return reply.sub(RUN, lambda run: decoded(run) or run)


def _quote(number: int, words: str, prompt: Prompt | None) -> Quote:
    words = words.strip().strip(_MARKS_OF_QUOTATION)
    span = trace(prompt, number, words) if prompt else None
    if prompt and "datamark" in prompt.spotlight:
        words = words.replace(mark_of(prompt.nonce), " ").strip()
    if prompt and "encode" in prompt.spotlight:
        words = _decoded(Traced.of(words)).text
    return Quote(number, words, span)
