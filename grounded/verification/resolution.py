"""What a sentence is scored as: the answer's words, with what its neighbours and the question supply."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from grounded.text.terms import content_stems, terms
from grounded.verification.analysis import analyse
from grounded.verification.claims import Draft
from grounded.verification.phrases import before_verb, has_verb

_OPENING = re.compile(
    r"^\s*(?:(?:yes|no|sure|well|certainly|in summary|in short|in conclusion|to summari[sz]e|overall|therefore|thus"
    r"|hence|however|nevertheless|nonetheless|despite (?:this|that)|that said|importantly|notably"
    r"|interestingly|of course|in other words"
    r"|(?:first|second|third)(?:ly)?|lastly"
    r"|additionally|furthermore|moreover|finally|also|in addition|specifically|for example|for instance"
    r"|i found that|note that"
    r"|please note that|it is stated that"
    r"|(?:according to|based on|per|as (?:stated|mentioned|noted|described|given) in) (?:the |your |our |these "
    r"|those )?"
    r"(?:provided |given |available |supplied |retrieved )?(?:sources?|passages?|documents?|documentation|context"
    r"|texts?"
    r"|information|excerpts?|materials?|evidence|data)(?: provided| given| above| available)?)\s*,\s*"
    r"|(?:un)?fortunately,?\s+"
    r"|(?:the )?(?:provided |given )?(?:sources?|passages?|documents?|context|texts?) (?:says?|states?"
    r"|mentions?) that\s+)",
    re.IGNORECASE,
)
_SAYS = r"(?:(?:say|state|note|find|show|report|write|argue)s?|said|(?:stat|not|show|report|argu)ed|found|wrote)"
_AUTHOR = r"[^\W\d_]\S*(?:(?:,? (?:and|&) | et al)[^\s,]*)*"
_AUTHOR_SAYS = re.compile(rf"^(?:(?:according to|as) {_AUTHOR}(?: {_SAYS})?, |{_AUTHOR} {_SAYS} that )", re.IGNORECASE)
_PRONOUN = re.compile(
    r"^\W*(?:it|they|he|she|this|these|those|that|its|their|his|her|both|such)\b(?!\s+(?:is"
    r"|was)\s+(?:not\s+)?(?:clear|known|possible|important))",
    re.IGNORECASE,
)
_QUESTION_WORDS = re.compile(
    r"\b(?:how (?:long|many|much|old|often|far|big|tall|soon|late|high|deep|fast|wide|large|heavy)|what|which|who"
    r"|whom|whose|when"
    r"|where|why|how|does|do|did|can|could|will|would|should|please|tell|explain|give|take|takes|last|lasts|cost"
    r"|costs|time|year"
    r"|date|day|number|kind|type|name|amount)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\b(?:(today|yesterday|tomorrow)|(this|last|next) (year|month))\b", re.IGNORECASE)
SENTENCES_BEFORE = 8
"""Sentences before one in which what its pronoun stands for is looked for."""
_TOPIC_TERMS = 4
_FRAGMENT_ITEMS = 3


@dataclass(frozen=True, slots=True)
class Scored:
    """What is scored instead of the sentence.

    Attributes:
        text: The scoring text: what the rules compare, and what windows are looked for with.
        read: What a model reads; the question or lead-in itself stands before a fragment.
        own: What is the answer's own of it.
        topic: Stems of what a pronoun stands for; a supporting window must have one of them near it. Empty when
            the sentence names its subject.
    """

    text: str
    read: str
    own: str
    topic: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything of a sentence that its verdict rests on, except the sources and the question.

    Attributes:
        text: The sentence without its markers.
        lead: The lead-in it is listed under.
        cited: The passages that each of its markers may mean.
        parts: The texts of its parts.
        before: The sentences before it, each with why it needs no check, if it needs none.
    """

    text: str
    lead: str
    cited: tuple[tuple[int, ...], ...]
    parts: tuple[str, ...]
    before: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, drafts: Sequence[Draft], number: int) -> Basis:
        """That of one sentence of an answer."""
        item, before = drafts[number], drafts[max(0, number - SENTENCES_BEFORE) : number]
        return cls(
            text=item.text,
            lead=item.lead,
            cited=tuple(marker.numbers for marker in item.markers),
            parts=tuple(part.text for part in item.parts),
            before=tuple((earlier.text, earlier.skip) for earlier in before),
        )


def resolve(
    text: str,
    *,
    lead: str = "",
    before: Sequence[Draft] = (),
    question: str = "",
    reference_date: date | None = None,
    cites_author: bool = False,
) -> Scored:
    """The scoring text of a sentence or part.

    Args:
        text: The sentence without markers.
        lead: The lead-in it is listed under.
        before: The sentences before it.
        question: The question it answers; empty without one.
        reference_date: Day that words such as ``yesterday`` count from; without it they stay words.
        cites_author: Whether it cites a source by its author, as ``Smith (2020)``, who then need not be named there.
    """
    bare = _without_opening(text)
    if cites_author:
        bare = _AUTHOR_SAYS.sub("", bare, count=1)
    if reference_date is not None:
        bare = _RELATIVE.sub(lambda match: _day_of(match, reference_date), bare)
    items = len(analyse(bare).items)
    keywords = _keywords(lead) or _keywords(question)
    if (
        items < _FRAGMENT_ITEMS
        and not has_verb(bare)
        and keywords
        and not set(content_stems(keywords)) <= set(content_stems(bare))
    ):
        return Scored(f"{keywords}: {bare}", f"{lead.strip() if _keywords(lead) else _asked(question)} {bare}", bare)
    return Scored(bare, bare, bare, _topic(before, question) if _PRONOUN.match(bare) else frozenset())


def _without_opening(text: str) -> str:
    for _ in range(3):
        shorter = _OPENING.sub("", text, count=1)
        if shorter == text or not shorter.strip():
            break
        text = shorter
    return text


def _keywords(text: str) -> str:
    kept = _QUESTION_WORDS.sub(" ", text.strip().rstrip("?:."))
    return " ".join(term.text for term in terms(kept) if not term.is_stop_word)


def _asked(question: str) -> str:
    """The question with its mark, by which a model knows where it ends."""
    return question.strip() if question.rstrip().endswith(("?", "？")) else f"{question.strip().rstrip('.:!')}?"


def _topic(before: Sequence[Draft], question: str) -> frozenset[str]:
    for earlier in reversed(before):
        bare = _without_opening(earlier.text)
        if not earlier.skip and not _PRONOUN.match(bare):
            return frozenset(content_stems(before_verb(bare))[:_TOPIC_TERMS] or content_stems(bare)[:_TOPIC_TERMS])
    return frozenset(content_stems(_keywords(question)))


def _day_of(match: re.Match[str], on: date) -> str:
    word = match.group(1)
    if word:
        return f"on {on + timedelta(days={'today': 0, 'yesterday': -1, 'tomorrow': 1}[word.casefold()])}"
    step = {"this": 0, "last": -1, "next": 1}[match.group(2).casefold()]
    if match.group(3).casefold() == "year":
        return f"in {on.year + step}"
    first = on.replace(day=1)
    moved = first + timedelta(days=monthrange(on.year, on.month)[1]) if step > 0 else first - timedelta(days=1)
    shown = moved if step else on
    return f"in {shown:%B} {shown.year}"
