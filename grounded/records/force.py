"""Which passages are in force on a day: effective dates, and one document replacing another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from grounded.records.documents import Passage


def out_of_force(passages: Sequence[Passage], on: date) -> Mapping[int, str]:
    """Why passages do not count on a day, by index; those in force are absent.

    A passage is out of force when the day lies outside its effective dates, or when it is superseded.
    """
    found: dict[int, str] = {}
    for number, passage in enumerate(passages):
        if passage.effective_to is not None and passage.effective_to <= on:
            found[number] = f"no longer in force since {passage.effective_to.isoformat()}"
        elif passage.effective_from is not None and passage.effective_from > on:
            found[number] = f"not in force before {passage.effective_from.isoformat()}"
    for number, heir in superseded(passages, on).items():
        found[number] = f"superseded by {heir.title or heir.uri or heir.id}"
    return found


def superseded(passages: Sequence[Passage], on: date) -> dict[int, Passage]:
    """The passages that another one here replaces, by index, each with its heir.

    The heir must be within its own effective dates. Two documents that each claim to replace the other cancel out.
    """
    heirs = {passage.supersedes: passage for passage in passages if passage.supersedes and passage.in_force(on)}
    found: dict[int, Passage] = {}
    for number, passage in enumerate(passages):
        heir = heirs.get(passage.document_id or passage.id) or heirs.get(passage.id)
        if heir is not None and not _is_same(heir, passage) and not _is_heir_of(passage, heir):
            found[number] = heir
    return found


def _is_same(one: Passage, other: Passage) -> bool:
    return one.id == other.id or (one.document_id is not None and one.document_id == other.document_id)


def _is_heir_of(one: Passage, other: Passage) -> bool:
    return one.supersedes is not None and one.supersedes in (other.document_id, other.id)
