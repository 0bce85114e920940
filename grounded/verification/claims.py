"""An answer taken apart into sentences, each with its exact place, its markers and what of it is to be checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from grounded.records import Span
from grounded.text.regions import code_spans, inside, thought_spans, visible_spans
from grounded.text.sentences import sentences
from grounded.verification.markers import Marker, markers, strip_markers
from grounded.verification.phrases import has_verb, is_interjection, nothing_to_check
from grounded.verification.quantities import quantities

_HEADING_LINE = re.compile(r"[ \t>]*#{1,6}[ \t]")
_BOLD_LINE = re.compile(r"[ \t>]*(\*\*|__)[^*_\n]{1,80}\1:?[ \t]*$")
_LIST_LINE = re.compile(r"[ \t>]*(?:[-*+•]|\(?\d{1,3}[.)])[ \t]+")
_SEPARATOR_ROW = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$")
_PROSE_IN_CODE = re.compile(r"\s*[A-ZÀ-Þ][^{}()=<>\[\];]*\s\w+\s\w+[^{}()=<>\[\];]*[.!]\s*$")
_BREAK = re.compile(
    r";\s+|,\s+(?:and|but|while|whereas|so)\s+|\s+but\s+|\s+and\s+(?=(?:the|it|they|he|she|this|these|our|your"
    r"|its)\b)"
)
_STARTS_CLAUSE = re.compile(
    r"(?:the|a|an|it|they|he|she|we|you|this|that|these|those|there|our|your|its|their|his|her|all|each|every|no|in"
    r"|on|for)\b|[A-ZÀ-Þ0-9]",
)
_SUBORDINATE = re.compile(
    r"\b(?:that|which|who|whom|whose|if|unless|when|because|between|both|either|neither|whether)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Part:
    """A checkable part of a compound sentence: its place in the answer and its text without markers."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A sentence of an answer before it is checked.

    Attributes:
        span: Its place in the answer, markers that belong to it included.
        text: The sentence without markers, for scoring.
        skip: Why there is nothing to check; empty for a claim.
        markers: Its markers, in order.
        parts: Two or more parts of a compound claim, or none.
        lead: The lead-in a list item stands under, for scoring; empty without one.
        is_item: It stands in a list or a table.
    """

    span: Span
    text: str
    skip: str
    markers: tuple[Marker, ...] = ()
    parts: tuple[Part, ...] = ()
    lead: str = ""
    is_item: bool = False


@dataclass(frozen=True, slots=True)
class Drafts:
    """All sentences of an answer.

    Attributes:
        drafts: In order, not overlapping.
        stray: Markers that belong to no sentence.
        thought: Reasoning that was left out.
    """

    drafts: tuple[Draft, ...]
    stray: tuple[Marker, ...]
    thought: tuple[Span, ...]


def draft(answer: str, *, titles: Iterable[str] = ()) -> Drafts:
    """Take an answer apart. Reasoning in ``<think>`` tags is no part of it.

    Args:
        answer: The whole answer.
        titles: Titles and addresses of the sources; a line that only names one is no claim.
    """
    known = frozenset(title.casefold().strip(" .-–:") for title in titles if title)
    found = markers(answer)
    pieces: list[tuple[Span, str, list[Marker]]] = []
    stray: list[Marker] = []
    for region in visible_spans(answer):
        own = [marker for marker in found if region.contains(marker.span)]
        inner, outer = _attach(answer, region, own)
        pieces.extend(inner)
        stray.extend(outer)
    drafts = _classified(answer, pieces, known)
    return Drafts(tuple(_with_leads(answer, drafts)), tuple(stray), tuple(thought_spans(answer)))


def _attach(
    answer: str, region: Span, own: Sequence[Marker]
) -> tuple[list[tuple[Span, str, list[Marker]]], list[Marker]]:
    """Sentences of a region with their markers; a marker after the full stop belongs to the sentence before it."""
    local = [replace(marker, start=marker.start - region.start, end=marker.end - region.start) for marker in own]
    stripped = strip_markers(region.slice(answer), local)
    pieces: list[tuple[Span, str, list[Marker]]] = [
        (stripped.origin(span).shift(region.start), span.slice(stripped.text), []) for span in sentences(stripped.text)
    ]
    stray: list[Marker] = []
    place = 0
    for marker in own:
        while place < len(pieces) and pieces[place][0].end <= marker.start:
            place += 1
        target = _owner(answer, pieces, place, marker)
        if target is None:
            stray.append(marker)
            continue
        span, text, held = pieces[target]
        wider = Span(start=min(span.start, marker.start), end=max(span.end, marker.end))
        pieces[target] = wider, text, [*held, marker]
    return pieces, stray


def _owner(answer: str, pieces: Sequence[tuple[Span, str, list[Marker]]], place: int, marker: Marker) -> int | None:
    if place < len(pieces) and pieces[place][0].start <= marker.start:
        return place
    before = answer[pieces[place - 1][0].end : marker.start] if place else "\n\n"
    # On the same line, or alone on the next one.
    if not before.strip() and ("\n" not in before or (before.count("\n") == 1 and _ends_line(answer, marker.end))):
        return place - 1
    if place < len(pieces) and not answer[marker.end : pieces[place][0].start].strip(" \t"):
        return place
    return None


def _ends_line(text: str, position: int) -> bool:
    end = text.find("\n", position)
    return not re.sub(r"\[[^\[\]\n]{1,30}\]", "", text[position : end if end >= 0 else len(text)]).strip()


def _classified(answer: str, pieces: Sequence[tuple[Span, str, list[Marker]]], titles: frozenset[str]) -> list[Draft]:
    code = [span for span in code_spans(answer) if "\n" in span.slice(answer)]
    drafts: list[Draft] = []
    for number, (span, text, held) in enumerate(pieces):
        line = _line(answer, span.start)
        following = pieces[number + 1][1] if number + 1 < len(pieces) else None
        skip = _skip(text, line, following, in_code=inside(span.start, code), titles=titles)
        drafts.append(
            Draft(
                span,
                text,
                skip,
                tuple(held),
                () if skip else _parts(answer, span, held),
                is_item=bool(_LIST_LINE.match(line)) or line.lstrip().startswith("|"),
            )
        )
    return drafts


def _skip(text: str, line: str, following: str | None, *, in_code: bool, titles: frozenset[str]) -> str:
    if in_code and not _PROSE_IN_CODE.match(text):
        return "code"
    if _SEPARATOR_ROW.match(text) or (following is not None and _is_header_row(text, following)):
        return "a table header"
    if is_interjection(text) and following is not None:
        return "said by the next sentence"
    heading = bool(_HEADING_LINE.match(line) or _BOLD_LINE.match(line))
    return nothing_to_check(text, heading=heading, titles=titles)


def _is_header_row(text: str, following: str) -> bool:
    return text.lstrip().startswith("|") and bool(_SEPARATOR_ROW.match(following))


def _line(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return text[start : end if end >= 0 else len(text)]


def _parts(answer: str, span: Span, held: Sequence[Marker]) -> tuple[Part, ...]:
    """The full clauses of a compound sentence; none unless each can be checked on its own."""
    stripped = strip_markers(
        span.slice(answer),
        [replace(marker, start=marker.start - span.start, end=marker.end - span.start) for marker in held],
    )
    pieces: list[tuple[int, int]] = []
    start = 0
    for match in _BREAK.finditer(stripped.text):
        left, right = stripped.text[start : match.start()], stripped.text[match.end() :]
        if _is_clause(left) and _is_clause(right) and _STARTS_CLAUSE.match(right) and not _SUBORDINATE.search(left):
            pieces.append((start, match.start()))
            start = match.end()
    if not pieces:
        return ()
    pieces.append((start, len(stripped.text)))
    # A part of the answer runs from its first to its last character; markers inside it are part of that slice.
    return tuple(
        Part(stripped.origin(Span(start=low, end=high)).shift(span.start), stripped.text[low:high])
        for low, high in pieces
    )


def _is_clause(text: str) -> bool:
    return has_verb(text) and len(text.split()) >= 3 and (len(text.split()) >= 4 or bool(quantities(text)))


def _with_leads(answer: str, drafts: Iterable[Draft]) -> Iterator[Draft]:
    lead, lead_end = "", 0
    for item in drafts:
        if item.skip == "a lead-in":
            lead, lead_end = item.text, item.span.end
            yield item
        elif (
            item.is_item
            and lead
            and not re.search(r"\n\s*\n\s*[^\s\-*+•|\d(>]", answer[lead_end : item.span.start + 1])
        ):
            yield replace(item, lead=lead)
        else:
            lead = "" if not item.is_item else lead
            yield item
