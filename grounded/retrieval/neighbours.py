"""Passages that follow each other in one document version, read as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from grounded.records import Location, Locator, Passage, Span

SliceText = Callable[[str, str, int, int], str]
"""``slice_text(document_id, version, start, end)``: code points ``[start, end)`` of the canonical text."""

GAP_CHARACTERS = 80
"""Text that may lie between neighbours: white space, a rule, a heading."""
MERGED_CHARACTERS = 4000
"""Longest merged passage; a longer one would crowd other evidence out of a prompt."""


class Group(NamedTuple):
    """Passages that follow each other in one document version, in order of place, and the best of them."""

    members: Sequence[Passage]
    best: Passage


def grouped(passages: Sequence[Passage]) -> list[Group]:
    """The passages with neighbours of one document version together, each group where its best member was.

    Args:
        passages: Best first.
    """
    place = {id(passage): number for number, passage in enumerate(passages)}
    groups: list[list[Passage]] = []
    for passage in sorted(passages, key=_reading_order):
        if groups and _follows(groups[-1], passage):
            groups[-1].append(passage)
        else:
            groups.append([passage])
    found = [Group(group, min(group, key=lambda member: place[id(member)])) for group in groups]
    return sorted(found, key=lambda group: place[id(group.best)])


def united(group: Sequence[Passage], best: Passage, slice_text: SliceText) -> Passage:
    """One passage of neighbours, in order of place.

    It keeps the id and score of the best of them; its text is the canonical text of the united span, its locators are
    those of all members in document order, without repetition.

    Args:
        group: Passages of one document version.
        best: One of them.
        slice_text: Canonical text of a document version.
    """
    first = group[0]
    if len(group) == 1 or first.span is None or first.document_id is None or first.version is None:
        return best
    span = Span(start=first.span.start, end=_end(group))
    text = slice_text(first.document_id, first.version, span.start, span.end)
    locators: tuple[Locator, ...] = tuple(dict.fromkeys(each for member in group for each in member.locators))
    # Built, not copied: the length of the text is checked against the span.
    return Passage(**{**dict(best), "span": span, "text": text, "locators": locators, "also": _elsewhere(group)})


def _reading_order(passage: Passage) -> tuple[str, str, int, int]:
    end = passage.span.end if passage.span else 0
    return (passage.document_id or "", passage.version or "", passage.offset, end)


def _follows(group: Sequence[Passage], passage: Passage) -> bool:
    first = group[0]
    if first.span is None or passage.span is None or first.document_id is None or first.version is None:
        return False
    if (first.document_id, first.version) != (passage.document_id, passage.version):
        return False
    reached = _end(group)
    near = passage.span.start - reached <= GAP_CHARACTERS
    return near and max(reached, passage.span.end) - first.span.start <= MERGED_CHARACTERS


def _end(group: Sequence[Passage]) -> int:
    return max(member.span.end for member in group if member.span)


def _elsewhere(group: Sequence[Passage]) -> tuple[Location, ...]:
    """Document versions in which the words of every member stand, each from the first of these places to the last."""
    found: dict[tuple[str | None, str | None], list[Location]] = {}
    for member in group:
        for version in {(each.document_id, each.version): each for each in member.also}.values():
            found.setdefault((version.document_id, version.version), []).append(version)
    whole = [places for places in found.values() if len(places) == len(group)]
    return tuple(_spread(places) for places in whole)


def _spread(places: Sequence[Location]) -> Location:
    spans = [place.span for place in places if place.span is not None]
    span = Span(start=min(each.start for each in spans), end=max(each.end for each in spans)) if spans else None
    locators = tuple(dict.fromkeys(each for place in places for each in place.locators))
    return places[0].model_copy(update={"span": span, "locators": locators})
