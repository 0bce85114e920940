"""The parts of a document that no chunk may straddle: sections, slides, parts of a mail, sheets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from grounded.records import Document, Segment

TINY_TOKENS = 30
"""A section of fewer tokens says too little alone: it joins its tiny siblings or the section it introduces."""

_SEPARATE = frozenset({"slide", "mail_part", "member", "front_matter"})

Weigh = Callable[[int, int], int]
"""The weight of ``text[start:end]`` in tokens."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of text that is split by itself.

    Attributes:
        start: First code point.
        end: One past the last code point.
        path: Headings above it, outermost first.
        place: Equal for sections of one slide, mail part or sheet; only those may be joined.
        main: Where the text begins that ``path`` speaks of; after ``start`` when headings above are included.
        parts: The sections it was joined from; empty when it is one.
    """

    start: int
    end: int
    path: tuple[str, ...]
    place: int
    main: int
    parts: tuple[tuple[int, int], ...] = ()


def sections_of(document: Document, weigh: Weigh, *, tiny: int = TINY_TOKENS) -> list[Section]:
    """Sections in order; together they hold all text but white space and front matter.

    Args:
        document: What to divide.
        weigh: Counts tokens.
        tiny: Sections lighter than this are joined.
    """
    plain = list(_plain(document))
    return list(_join_siblings(_join_to_introduced(plain, weigh, tiny), weigh, tiny))


def _plain(document: Document) -> Iterator[Section]:
    text = document.text
    headings = [segment for segment in document.segments if segment.locator.kind == "heading"]
    separate = sorted(set(_separate_borders(document.segments)))
    skipped = [s.span for s in document.segments if s.locator.kind == "front_matter"]
    ends = {edge for segment in headings for edge in (segment.span.start, segment.span.end)}
    borders = sorted({0, len(text), *separate, *ends})
    stack: list[Segment] = []
    upcoming = iter([*headings, None])
    following = next(upcoming)
    for start, end in pairwise(borders):
        while following is not None and following.span.start <= start:
            stack.append(following)
            following = next(upcoming)
        stack = [segment for segment in stack if segment.span.end > start]
        skip = any(span.start <= start and end <= span.end for span in skipped)
        if not skip and not text[start:end].isspace():
            path = tuple(stack[-1].locator.fields["path"]) if stack else ()
            yield Section(start, end, path, bisect_right(separate, start), start)


def _separate_borders(segments: Sequence[Segment]) -> Iterator[int]:
    sheet: object = None
    for segment in segments:
        if segment.locator.kind in _SEPARATE:
            yield segment.span.start
            yield segment.span.end
        elif segment.locator.kind == "sheet_row" and segment.locator.fields["sheet"] != sheet:
            sheet = segment.locator.fields["sheet"]
            yield segment.span.start


def _join_to_introduced(sections: Sequence[Section], weigh: Weigh, tiny: int) -> list[Section]:
    """Put a tiny section, mostly a bare heading, in front of the larger section right below it."""
    joined: list[Section] = []
    for section in reversed(sections):
        below = joined[-1] if joined else None
        if (
            below
            and weigh(section.start, section.end) < tiny <= weigh(below.start, below.end)
            and section.place == below.place
            and len(section.path) < len(below.path)
            and section.path == below.path[: len(section.path)]
        ):
            joined[-1] = replace(below, start=section.start)
        else:
            joined.append(section)
    return joined[::-1]


def _join_siblings(sections: Sequence[Section], weigh: Weigh, tiny: int) -> Iterator[Section]:
    """Join neighbouring tiny sections that have the same parent, and the parent if it is tiny itself."""
    run: list[Section] = []
    parent: tuple[str, ...] = ()
    for section in sections:
        small = weigh(section.start, section.end) < tiny
        if run and small and section.place == run[0].place and section.path and section.path[:-1] == parent:
            run.append(section)
            continue
        # A tiny section may turn out to be the parent of those that follow.
        if len(run) == 1 and small and section.place == run[0].place and section.path[:-1] == run[0].path:
            parent = run[0].path
            run.append(section)
            continue
        yield from _joined(run, parent)
        run = [section] if small else []
        parent = section.path[:-1]
        if not small:
            yield section
    yield from _joined(run, parent)


def _joined(run: Sequence[Section], parent: tuple[str, ...]) -> Iterator[Section]:
    if len(run) < 2:
        yield from run
        return
    parts = tuple((section.start, section.end) for section in run)
    yield Section(run[0].start, run[-1].end, parent, run[0].place, run[0].start, parts)
