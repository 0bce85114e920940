"""Evidence: passages as numbered, labelled blocks inside the boundary of one request."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from grounded.prompting.layouts import Layout
from grounded.prompting.marking import Mode, label, mark_of, spotlit
from grounded.records import Passage, PromptWarning, places

BINARY_SHARE = 0.1
"""A passage is no text when more than this share of its first 4096 code points are control or private characters."""

NO_SOURCES = "(none)\n"
"""What stands inside the boundary when there are no sources."""

_SAMPLE = 4096
_STRANGE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ue000-\uf8ff\ufffd\uffff]")
_VISIBLE = re.compile(
    "[^\\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_PLACEHOLDER = re.compile(r"Source \d+")
_FORMS: dict[Mode, str] = {"delimit": "", "datamark": "marked", "encode": "base64"}


@dataclass(frozen=True, slots=True)
class Block:
    """One passage as a model sees it; ``text`` ends with a line feed."""

    text: str
    warnings: tuple[PromptWarning, ...]


def opening(nonce: str, modes: Collection[Mode] = ()) -> str:
    """The line before the sources; where some are marked, the mark stands before it."""
    marked = f"The mark between words is: {mark_of(nonce)}\n" if "datamark" in modes else ""
    return f"{marked}<sources-{nonce}>\n"


def closing(nonce: str) -> str:
    """The line after the sources."""
    return f"</sources-{nonce}>"


def unfit(passage: Passage) -> tuple[str, str] | None:
    """Why a passage cannot be shown: a kind and a sentence, or None when it can."""
    if not _VISIBLE.search(passage.text):
        return "empty_passage", "The passage holds no visible text."
    sample = passage.text[:_SAMPLE]
    if len(_STRANGE.findall(sample)) > BINARY_SHARE * len(sample):
        return "binary_passage", "The passage is not text."
    return None


def block(
    passage: Passage,
    number: int,
    *,
    layout: Layout,
    values: Mapping[str, Any],
    newer: str | None,
    nonce: str,
    mode: Mode = "delimit",
) -> Block:
    """Lay out one passage.

    Args:
        passage: Its own text is never changed; what is shown can be traced to it place for place.
        number: The ``n`` of ``[n]``.
        layout: How sources are laid out.
        values: The template's variables.
        newer: Title of the document that replaces the passage's own, which may be empty; None when none does.
        nonce: The boundary code.
        mode: How its text and labels are shown.

    Raises:
        TemplateError: The layout fails.
    """
    shown = spotlit(layout.prepare(passage.text), mode, nonce)
    # Text given without a title was numbered by its place in the input; what counts here is its place in the prompt.
    title = "" if _PLACEHOLDER.fullmatch(passage.title) else passage.title

    def line(text: str) -> str:
        return label(layout.prepare(text), mode, nonce)

    fields = {
        **values,
        "number": number,
        "title": line(title),
        "uri": line(passage.uri),
        "place": line(places(passage.locators)),
        "dates": _dates(passage),
        "note": "; ".join(filter(None, (_standing(newer, line), _FORMS[mode]))),
        "text": shown.text,
    }
    warnings = [
        PromptWarning(kind=each.kind, message=each.message, passage_id=passage.id, span=each.span)
        for each in shown.findings
    ]
    if shown.more:
        message = f"{shown.more} more places like these in this passage."
        warnings.append(PromptWarning(kind="more", message=message, passage_id=passage.id))
    return Block(layout.component.render(fields) + layout.between, tuple(warnings))


def replacements(passages: Sequence[Passage]) -> list[str | None]:
    """For each passage the title of the document among them that replaces its own; None when none does."""
    replaced_by = {each.supersedes: each for each in reversed(passages) if each.supersedes}
    newer = [replaced_by.get(each.document_id or "") for each in passages]
    return [
        None if other is None or other.document_id == each.document_id else other.title
        for each, other in zip(passages, newer, strict=True)
    ]


def _standing(newer: str | None, line: Callable[[str], str]) -> str:
    if newer is None:
        return ""
    return f"superseded by {line(newer)}" if newer else "superseded by another source"


def _dates(passage: Passage) -> str:
    """``from 2025-01-01 to 2025-12-31``, both included; empty when no date is known."""
    parts = []
    if passage.effective_from:
        parts.append(f"from {passage.effective_from.isoformat()}")
    if passage.effective_to:
        # The record names the first day on which it is no longer in force; people read the last day.
        parts.append(f"to {(passage.effective_to - timedelta(days=1)).isoformat()}")
    return " ".join(parts)
