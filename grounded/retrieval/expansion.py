"""What stands around a passage, read with it: its neighbours or its whole section, as the caller may see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from grounded.records import Passage, Span
from grounded.retrieval.neighbours import MERGED_CHARACTERS, SliceText, united

Expand = Literal["none", "neighbours", "section"]
"""How far a passage found is read: itself, one chunk to either side, or the section it stands in."""

Near = Callable[[str, str, int, int], Sequence[Passage]]
"""``near(document_id, version, start, end)``: the chunks that share text with that stretch, in order; visible ones."""

_CONTAINERS = {"slide": "number", "sheet_row": "sheet", "mail_part": "part", "table_row": "table"}


def expanded(passages: Sequence[Passage], expand: Expand, *, near: Near, slice_text: SliceText) -> list[Passage]:
    """The passages with what stands around them, best first; one that lies in a better one is not said again.

    A passage keeps its id and score. It grows by whole chunks, nearest first, to at most ``MERGED_CHARACTERS``; its
    span is that of the text it has then. One that came from no knowledge base stays as it is.

    Args:
        passages: Best first, none sharing text with another.
        expand: ``neighbours`` takes one chunk before and one after; ``section`` all that stand under the same heading
            (headings below it included), on the same slide or sheet, in the same part of a mail.
        near: Chunks by place; what it leaves out is never read.
        slice_text: Canonical text of a document version.
    """
    if expand == "none":
        return list(passages)
    grown: list[Passage] = []
    for place, passage in enumerate(passages):
        if passage.span is None or passage.document_id is None or passage.version is None:
            grown.append(passage)
            continue
        taken = _spans_in(passage, grown)
        if any(_within(passage.span, span) for span in taken):
            continue
        start, end = max(0, passage.span.start - MERGED_CHARACTERS), passage.span.end + MERGED_CHARACTERS
        chunks = near(passage.document_id, passage.version, start, end)
        found = [each for each in passages[place:] if _is_beside(each, passage)]
        group = _grown(passage, _as_units(chunks, found), taken, expand)
        grown.append(united(group, passage, slice_text))
    return grown


def _spans_in(passage: Passage, others: Sequence[Passage]) -> list[Span]:
    """What others have of the passage's document version."""
    return [each.span for each in others if each.span is not None and _is_beside(each, passage)]


def _is_beside(one: Passage, other: Passage) -> bool:
    return one.span is not None and (one.document_id, one.version) == (other.document_id, other.version)


def _as_units(chunks: Sequence[Passage], found: Sequence[Passage]) -> list[Passage]:
    """The chunks in order; those that lie in a passage found are that passage, once."""
    units: dict[int, Passage] = {}
    for chunk in chunks:
        whole = next((each for each in found if _within(chunk.span, each.span)), chunk)
        units[whole.offset] = whole
    return [units[offset] for offset in sorted(units)]


def _grown(passage: Passage, units: Sequence[Passage], taken: Sequence[Span], expand: Expand) -> list[Passage]:
    """The passage with units to its left and right, in order of place."""
    before = [each for each in units if each.offset < passage.offset][::-1]
    after = [each for each in units if each.offset > passage.offset]
    group = [passage]
    if expand == "neighbours":
        before, after = before[:1], after[:1]
    while before or after:
        side = min((each for each in (before, after) if each), key=lambda each: _distance(group, each[0]))
        unit = side.pop(0)
        is_free = unit.span is not None and not any(unit.span.overlaps(span) for span in taken)
        wanted = expand == "neighbours" or _is_of_section(unit, passage)
        if is_free and wanted and _length([*group, unit]) <= MERGED_CHARACTERS:
            group = sorted([*group, unit], key=lambda each: each.offset)
        else:
            side.clear()
    return group


def _is_of_section(unit: Passage, passage: Passage) -> bool:
    path, other = _heading(passage), _heading(unit)
    return other[: len(path)] == path and _container(unit) == _container(passage)


def _heading(passage: Passage) -> tuple[str, ...]:
    """The headings a passage stands under: those of its first place."""
    return next((tuple(each.fields["path"]) for each in passage.locators if each.kind == "heading"), ())


def _container(passage: Passage) -> tuple[str, object] | None:
    kinds = (
        (each.kind, each.fields.get(_CONTAINERS[each.kind])) for each in passage.locators if each.kind in _CONTAINERS
    )
    return next(kinds, None)


def _within(inner: Span | None, outer: Span | None) -> bool:
    return inner is not None and outer is not None and outer.start <= inner.start and inner.end <= outer.end


def _distance(group: Sequence[Passage], unit: Passage) -> int:
    return max(group[0].offset - _end(unit), unit.offset - _end(group[-1]))


def _length(group: Sequence[Passage]) -> int:
    return max(map(_end, group)) - min(each.offset for each in group)


def _end(passage: Passage) -> int:
    return passage.span.end if passage.span else 0
