"""Whether a passage holds the gold source of a question."""

from __future__ import annotations

from collections.abc import Sequence

from grounded.records import GoldSource, Locator, Passage
from grounded.text.normalise import normalise

ENOUGH = 0.5
"""Share of a gold span that a passage must hold: a span that chunking cut in two counts for the longer part."""


def is_of(gold: GoldSource, passage: Passage) -> bool:
    """Whether a passage comes from the gold source's document, by id, title, URI or the end of it."""
    names = (passage.document_id, passage.title, passage.uri)
    return gold.document in names or bool(passage.uri and passage.uri.endswith(f"/{gold.document}"))


def holds(gold: GoldSource, passage: Passage) -> bool:
    """Whether a passage holds a gold source: its place when one is given, else anything of its document.

    A span counts in one version; in another version, and in texts without spans, the gold words decide.
    """
    if not is_of(gold, passage):
        return False
    same_version = gold.version is None or passage.version is None or gold.version == passage.version
    if gold.span is not None and passage.span is not None and same_version:
        shared = min(gold.span.end, passage.span.end) - max(gold.span.start, passage.span.start)
        return shared >= ENOUGH * max(len(gold.span), 1)
    if gold.locator is not None:
        return any(_is_at(gold.locator, each) for each in passage.locators)
    if gold.text:
        return normalise(gold.text).text in normalise(passage.text).text
    return gold.span is None or same_version


def first_ranks(golds: Sequence[GoldSource], passages: Sequence[Passage]) -> list[int | None]:
    """For each gold source the rank, from 1, of the first passage that holds it; None when none does."""
    return [next((rank for rank, passage in enumerate(passages, 1) if holds(gold, passage)), None) for gold in golds]


def _is_at(wanted: Locator, locator: Locator) -> bool:
    if wanted.kind != locator.kind:
        return False
    return all(locator.fields.get(name) == value for name, value in wanted.fields.items() if value != "")
