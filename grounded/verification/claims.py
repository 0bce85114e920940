"""An answer taken apart into sentences, each with its exact place, its markers and what of it is to be checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from grounded.records import Span
from grounded.text.regions import code_spans, inside, thought_spans, visible_spans
from grounded.text.sentences import sentences
from grounded.verification.markers import Marker, markers, strip_markers
from grounded.verification.naming import NO_NAMES, SourceNames
from grounded.verification.parts import Row, clauses, is_rule_row, row_parts, table_rows
from grounded.verification.phrases import has_verb, is_interjection, nothing_to_check

_HEADING_LINE = re.compile(r"[ \t>]*#{1,6}[ \t]")
_BOLD_LINE = re.compile(r"[ \t>]*(\*\*|__)[^*_\n]{1,80}\1:?[ \t]*$")
_LIST_LINE = re.compile(r"[ \t>]*(?:[-*+•]|\(?\d{1,3}[.)])[ \t]+")
_PROSE_IN_CODE = re.compile(r"\s*[A-ZÀ-Þ][^{}()=<>\[\];]*\s\w+\s\w+[^{}()=<>\[\];]*[.!]\s*$")
_ABBREVIATED = re.compile(
    r"(?:\b(?:approx|ca|min|max|incl|excl|resp|est|avg|no|nr|bzw|ggf|inkl|zzgl|env|aprox|núm|no|dept|fig|sec|vol|pp)"
    r"|(?:^|\s)\d{1,2})\.\Z",
    re.IGNORECASE,
)
_UNIT_ENDS = re.compile(r"(?<=\d)\s?[ghlmstCFKLVW](?P<stop>\.)\s+(?=[^\W\d_a-z])")
_GOES_ON = re.compile(r"[a-zß-ÿ0-9$€£(]|(?:Jan|Feb|M[aä]r|Apr|Ma[iy]|Jun|Jul|Aug|Sep|O[ck]t|Nov|De[cz])")
_STATES = re.compile(r"[.!。]\s*(?:\||\Z)")
_MARKS = re.compile(r"\[[^\[\]\n]{1,30}\]|【[^【】\n]{1,60}】|[⁰¹²³⁴-⁹,]+|\([^()\n]{3,60}\)")
_UNDERLINE = re.compile(r"(?:={3,}|-{3,})\s*\Z")


@dataclass(frozen=True, slots=True)
class Part:
    """A checkable part of a sentence.

    Attributes:
        span: Its place in the answer.
        text: Its text for scoring: without markers, and with what it shares with the other parts, which is the
            subject of the clauses or the names of a table's row and column.
    """

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
        parts: The clauses of a compound claim or the cells of a table's row, or none.
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


@dataclass(slots=True)
class _Piece:
    """A sentence on the way to a draft; ``row`` when it is a line of a table."""

    span: Span
    text: str
    row: Row | None
    held: list[Marker]


def draft(answer: str, *, names: SourceNames = NO_NAMES) -> Drafts:
    """Take an answer apart. Reasoning in ``<think>`` tags is no part of it.

    Args:
        answer: The whole answer.
        names: What the sources are called: markers may name them, and a line that only names one is no claim.
    """
    found = markers(answer, names)
    pieces: list[_Piece] = []
    stray: list[Marker] = []
    for region in visible_spans(answer):
        own = [marker for marker in found if region.contains(marker.span)]
        inner, outer = _attach(answer, region, own)
        pieces.extend(inner)
        stray.extend(outer)
    drafts = _classified(answer, pieces, frozenset(names.titles))
    return Drafts(tuple(_with_leads(answer, drafts)), tuple(stray), tuple(thought_spans(answer)))


def _attach(answer: str, region: Span, own: Sequence[Marker]) -> tuple[list[_Piece], list[Marker]]:
    """Sentences of a region with their markers; a marker after the full stop belongs to the sentence before it."""
    stripped = strip_markers(region.slice(answer), [marker.shifted(-region.start) for marker in own])
    pieces = [
        _Piece(stripped.origin(span).shift(region.start), span.slice(stripped.text), row, [])
        for span, row in _recut(stripped.text, _cut_at_units(stripped.text))
    ]
    stray: list[Marker] = []
    place = 0
    for marker in own:
        while place < len(pieces) and pieces[place].span.end <= marker.start:
            place += 1
        target = _owner(answer, pieces, place, marker)
        if target is None:
            stray.append(marker)
            continue
        piece = pieces[target]
        piece.span = Span(start=min(piece.span.start, marker.start), end=max(piece.span.end, marker.end))
        piece.held.append(marker)
    return pieces, stray


def _cut_at_units(text: str) -> Iterator[Span]:
    """Sentences, cut after a unit of one letter, too: "1,200 g. The kettle" is no initial."""
    for span in sentences(text):
        start = span.start
        for match in _UNIT_ENDS.finditer(text, span.start, span.end):
            yield Span(start=start, end=match.end("stop"))
            start = match.end()
        yield Span(start=start, end=span.end)


def _recut(text: str, spans: Iterable[Span]) -> Iterator[tuple[Span, Row | None]]:
    """Sentences with the cuts that are none taken back, and the lines of tables one by one."""
    rows = table_rows(text)
    last: Span | None = None
    place = 0
    for span in spans:
        if last is not None:
            gap = text[last.end : span.start]
            tail = text[max(last.start, last.end - 12) : last.end]
            if "\n" not in gap and _ABBREVIATED.search(tail) and _GOES_ON.match(text, span.start):
                last = Span(start=last.start, end=span.end)
                continue
            yield last, None
        last = span
        while place < len(rows) and rows[place].span.end <= span.start:
            place += 1
        if place < len(rows) and rows[place].span.overlaps(span):
            yield from _lines(text, span, rows[place:])
            last = None
    if last is not None:
        yield last, None


def _lines(text: str, span: Span, rows: Sequence[Row]) -> Iterator[tuple[Span, Row | None]]:
    """A stretch that holds lines of a table: those lines, and what lies between."""
    position = span.start
    for row in rows:
        if row.span.start >= span.end:
            break
        yield from ((each, None) for each in _trimmed(text, position, row.span.start))
        yield from ((each, row) for each in _trimmed(text, max(position, row.span.start), min(row.span.end, span.end)))
        position = row.span.end
    yield from ((each, None) for each in _trimmed(text, position, span.end))


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    if piece.strip():
        yield Span(start=start + len(piece) - len(piece.lstrip()), end=start + len(piece.rstrip()))


def _owner(answer: str, pieces: Sequence[_Piece], place: int, marker: Marker) -> int | None:
    if place < len(pieces) and pieces[place].span.start <= marker.start:
        return place
    before = answer[pieces[place - 1].span.end : marker.start] if place else "\n\n"
    # On the same line, or alone on the next one.
    if not before.strip() and ("\n" not in before or (before.count("\n") == 1 and _ends_line(answer, marker.end))):
        return place - 1
    if place < len(pieces) and not _MARKS.sub("", answer[marker.end : pieces[place].span.start]).strip(" \t"):
        return place
    return None


def _ends_line(text: str, position: int) -> bool:
    end = text.find("\n", position)
    return not _MARKS.sub("", text[position : end if end >= 0 else len(text)]).strip()


def _classified(answer: str, pieces: Sequence[_Piece], titles: frozenset[str]) -> list[Draft]:
    code = [span for span in code_spans(answer) if "\n" in span.slice(answer)]
    drafts: list[Draft] = []
    for number, piece in enumerate(pieces):
        line = _line(answer, piece.span.start)
        following = pieces[number + 1].text if number + 1 < len(pieces) else None
        skip = _skip(piece, line, following, in_code=inside(piece.span.start, code), titles=titles)
        drafts.append(
            Draft(
                piece.span,
                piece.text,
                skip,
                tuple(piece.held),
                () if skip else _parts(answer, piece),
                is_item=bool(_LIST_LINE.match(line)) or piece.row is not None or line.lstrip().startswith("|"),
            )
        )
    return drafts


def _skip(piece: _Piece, line: str, following: str | None, *, in_code: bool, titles: frozenset[str]) -> str:
    if in_code and not _PROSE_IN_CODE.match(piece.text):
        return "code"
    is_head = piece.row is not None and not piece.row.is_content
    if is_rule_row(piece.text) or (is_head and not (_STATES.search(piece.text) and has_verb(piece.text))):
        return "a table header"
    if is_interjection(piece.text) and following is not None:
        return "said by the next sentence"
    heading = bool(_HEADING_LINE.match(line) or _BOLD_LINE.match(line))
    underlined = following is not None and bool(_UNDERLINE.match(following))
    return nothing_to_check(piece.text, heading=heading or underlined, titles=titles)


def _line(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return text[start : end if end >= 0 else len(text)]


def _parts(answer: str, piece: _Piece) -> tuple[Part, ...]:
    """The clauses of a sentence, or the cells of a row."""
    start = piece.span.start
    stripped = strip_markers(piece.span.slice(answer), [marker.shifted(-start) for marker in piece.held])
    found = clauses(stripped.text) if piece.row is None else row_parts(stripped.text, piece.row.header)
    # A part of the answer runs from its first to its last character; markers inside it are part of that slice.
    return tuple(Part(stripped.origin(span).shift(start), text) for span, text in found)


def _with_leads(answer: str, drafts: Iterable[Draft]) -> Iterator[Draft]:
    lead, lead_end = "", 0
    for item in drafts:
        if item.skip == "a lead-in" or item.text.endswith((":", "：")):
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
