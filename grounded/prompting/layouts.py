"""How sources are laid out, where the question stands, and how the reply to each layout is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from grounded.errors import UsageError
from grounded.prompting.marking import mark_of, spotlit
from grounded.prompting.sandbox import Sandbox
from grounded.prompting.templates import Component
from grounded.records import Prompt, Span

LayoutName = Literal["xml", "numbered", "quote_first"]
"""``xml``: the template's own layout, elements in ours. ``numbered``: plain blocks that begin with ``[n]``.
``quote_first``: as ``xml``, and the reply begins with the quotations it rests on."""

QuestionPosition = Literal["after", "before", "both"]
"""Where the question stands: where the template puts it (in ours at the very end), before the sources, or both."""

QUOTE_FIRST = """\
**Quotes first.** Write the reply in two parts and nothing besides:
<quotes>
[1] "the words of source 1 that bear on the question, copied exactly"
[3] "the same from source 3; one quotation on each line, with its id"
</quotes>
<answer>
the answer, resting on these quotations, under all rules above
</answer>
If the sources do not answer the question, leave the first part empty and put only the sentence for that case into the \
second."""
"""What the system message says in addition when the layout is ``quote_first``."""

_NUMBERED = """\
[{{ number }}]{% if title %} {{ title }}{% endif %}{% if place %} · {{ place }}{% endif %}\
{% if dates %} · in force {{ dates }}{% endif %}{% if note %} · {{ note }}{% endif %}

{{ text }}
"""
_FORGED_NUMBER = re.compile(r"[\[［]([ \t]{0,4}\d{1,6}[ \t]{0,4})[\]］]")
_QUOTES = re.compile(r"<quotes>(.*?)(?:</quotes>|(?=<answer>))", re.IGNORECASE | re.DOTALL)
_PART = re.compile(r"</?(?:quotes|answer)>", re.IGNORECASE)
_HALF_TAG = re.compile(r"<(?:/?[a-z]{0,7})\Z", re.IGNORECASE)
_QUOTE = re.compile(r"^[ \t]*(?:[-*•][ \t]*)?\[[ \t]*(\d{1,6})[ \t]*\][ \t]*(\S[^\n]*)$", re.MULTILINE)
_MARKS_OF_QUOTATION = "\"'“”„‟‘’‚‹›«»「」『』"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one source is laid out.

    Attributes:
        component: Renders it.
        between: Ends each source.
    """

    name: LayoutName
    component: Component
    between: str = "\n"

    @property
    def rule(self) -> str:
        """What the system message says in addition."""
        return QUOTE_FIRST if self.name == "quote_first" else ""

    def prepare(self, text: str) -> str:
        """A source's text, as long as before, without what imitates this layout: ``[3]`` becomes ``⟦3⟧``."""
        match self.name:
            case "numbered":
                return _FORGED_NUMBER.sub(r"⟦\1⟧", text)
            case "quote_first":
                return _PART.sub(lambda part: f"‹{part[0][1:-1]}›", text)
        return text


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


def layout_of(name: str, component: Component) -> Layout:
    """The layout of that name.

    Args:
        name: One of ``LayoutName``.
        component: The template's own evidence layout.

    Raises:
        UsageError: There is no such layout.
    """
    match name:
        case "xml":
            return Layout("xml", component)
        case "quote_first":
            return Layout("quote_first", component)
        case "numbered":
            return Layout("numbered", _numbered(), between="\n\n")
    raise UsageError(f"There is no layout {name!r}.", fix=f"Use one of {', '.join(get_args(LayoutName))}.")


def check_position(position: str) -> None:
    """Refuse a place for the question that does not exist.

    Raises:
        UsageError: There is no such place.
    """
    if position not in get_args(QuestionPosition):
        raise UsageError(
            f"The question cannot stand {position!r}.", fix=f"Use one of {', '.join(get_args(QuestionPosition))}."
        )


def parse_answer(text: str, layout: Prompt | LayoutName) -> ParsedAnswer:
    """Read a model's reply according to the layout it was asked for.

    With a prompt the marks of its spotlighting are taken out of the answer and each quotation is traced to its
    passage. A reply that does not keep to the layout is an answer as a whole.

    Args:
        text: The reply.
        layout: The prompt, or the name of its layout.

    Raises:
        UsageError: There is no such layout.
    """
    prompt = layout if isinstance(layout, Prompt) else None
    name = prompt.layout if prompt else layout
    if name not in get_args(LayoutName):
        raise UsageError(f"There is no layout {name!r}.", fix=f"Use one of {', '.join(get_args(LayoutName))}.")
    quotes: tuple[Quote, ...] = ()
    if name == "quote_first":
        found = [quote for part in _QUOTES.finditer(text) for quote in _QUOTE.finditer(part[1])]
        quotes = tuple(_quote(int(each[1]), each[2], prompt) for each in found)
        text = _QUOTES.sub("", text)
        text = _PART.sub("", text)
    if prompt and "datamark" in prompt.spotlight:
        text = text.replace(mark_of(prompt.nonce), " ")
    return ParsedAnswer(text.strip(), quotes)


def answer_so_far(text: str, prompt: Prompt) -> str:
    """The answer in as much of a reply as has come; what may yet prove to be a quotation or a mark is left out.

    When the reply is complete, ``parse_answer`` says what the answer is.
    """
    if prompt.layout == "quote_first":
        text = _HALF_TAG.sub("", text)
        opened = text.lower().rfind("<quotes>")
        if opened >= 0 and not _QUOTES.match(text, opened):
            text = text[:opened]
    elif "datamark" not in prompt.spotlight:
        return text
    mark = mark_of(prompt.nonce)
    halves = (mark[:length] for length in range(len(mark) - 1, 0, -1))
    half = next((half for half in halves if text.endswith(half)), "") if "datamark" in prompt.spotlight else ""
    return parse_answer(text.removesuffix(half), prompt).text


def trace(prompt: Prompt, number: int, quote: str) -> Span | None:
    """Where in ``prompt.passages[number-1]`` a model's quotation comes from, whatever the spotlighting.

    Returns:
        Code points from the start of the passage's text; None when it stands nowhere there.
    """
    if not 1 <= number <= len(prompt.passages):
        return None
    mode = prompt.spotlight[number - 1] if prompt.spotlight else "delimit"
    return spotlit(prompt.passages[number - 1].text, mode, prompt.nonce).find(quote)


def _quote(number: int, words: str, prompt: Prompt | None) -> Quote:
    words = words.strip().strip(_MARKS_OF_QUOTATION)
    span = trace(prompt, number, words) if prompt else None
    if prompt and "datamark" in prompt.spotlight:
        words = words.replace(mark_of(prompt.nonce), " ").strip()
    return Quote(number, words, span)


@lru_cache(maxsize=1)
def _numbered() -> Component:
    name = "numbered.j2"
    sandbox = Sandbox({name: _NUMBERED}, "layouts")
    return Component(
        name="layout-numbered",
        kind="evidence",
        version="1.0.0",
        file=name,
        source=_NUMBERED,
        description="One source as a block that begins with its number.",
        compiled=sandbox.compile(name),
        sandbox=sandbox,
        used=sandbox.variables(name),
    )
