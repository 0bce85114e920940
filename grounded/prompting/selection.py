"""Which passages go into a prompt: best first, until the room is full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grounded.errors import UsageError
from grounded.prompting.budget import Meter
from grounded.prompting.evidence import Block, block, replacements, unfit
from grounded.prompting.frame import Request
from grounded.records import Dropped, Passage, PromptWarning

CHARACTERS_PER_TOKEN = 4
"""For the size of what is dropped without being counted: English prose under o200k_base."""

LONGEST_TOKEN = 128
"""Bytes of the longest token of the shipped encodings; ``characters / 128`` is a lower bound of a count."""

OVERSIZED_TRIES = 16
"""How many passages larger than the whole room are counted before the search for smaller ones ends."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A passage that is kept; ``text`` is its block in the user message."""

    passage: Passage
    text: str
    tokens: int
    warnings: tuple[PromptWarning, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is kept, in order (``[n]`` is ``kept[n-1]``), and what is not."""

    kept: tuple[Chosen, ...]
    dropped: tuple[Dropped, ...]
    warnings: tuple[PromptWarning, ...]


def select(
    passages: Sequence[Passage | str],
    room: int,
    *,
    request: Request,
    meter: Meter,
    quarantine: bool = False,
) -> Selection:
    """Keep the best passages that fit into ``room`` tokens.

    The first that does not fit ends it, so that a lower rank never displaces a higher one; one that would not
    even fit alone is passed over. Each kept passage is tokenised once; those after the end are not read at all.

    Args:
        passages: Best first.
        room: Tokens.
        request: What the prompt is made for.
        meter: How tokens are counted.
        quarantine: Leave out untrusted passages in which something was flagged.

    Raises:
        UsageError: Something in the list is no passage.
        TemplateError: The layout fails.
    """
    candidates, dropped, warnings = _candidates(passages)
    newer = replacements(candidates)
    kept: list[Chosen] = []
    used = oversized = 0
    for position, passage in enumerate(candidates):
        reason = "larger than the whole room for evidence"
        if room <= 0 or oversized >= OVERSIZED_TRIES:
            dropped += [_estimated(each, "no room left") for each in candidates[position:]]
            break
        if meter.additive and len(passage.text) > LONGEST_TOKEN * room:
            oversized += 1
            dropped.append(_estimated(passage, reason))
            continue
        laid_out = _laid_out(passage, len(kept) + 1, newer[position], request)
        if quarantine and laid_out.warnings and passage.trust == "untrusted":
            dropped.append(_quarantined(passage, laid_out.warnings))
            warnings += laid_out.warnings
            continue
        tokens = meter.counter.count(laid_out.text)
        if used + tokens <= room:
            used += tokens
            kept.append(Chosen(passage, laid_out.text, tokens, laid_out.warnings))
        elif tokens > room:
            oversized += 1
            dropped.append(Dropped(part="evidence", what=passage.id, tokens=tokens, reason=reason))
        else:
            dropped.append(Dropped(part="evidence", what=passage.id, tokens=tokens, reason="no room left"))
            dropped += [_estimated(each, "no room left") for each in candidates[position + 1 :]]
            break
    return Selection(tuple(kept), tuple(dropped), tuple(warnings))


def _candidates(passages: Sequence[Passage | str]) -> tuple[list[Passage], list[Dropped], list[PromptWarning]]:
    candidates: list[Passage] = []
    dropped: list[Dropped] = []
    warnings: list[PromptWarning] = []
    seen: set[str] = set()
    for number, given in enumerate(passages, 1):
        if not isinstance(given, Passage | str):
            raise UsageError(
                f"Entry {number} of the passages is a {type(given).__name__}.", fix="Give passages or strings."
            )
        passage = Passage.from_text(given, number=number) if isinstance(given, str) else given
        if passage.id in seen:
            dropped.append(Dropped(part="evidence", what=passage.id, tokens=0, reason="given twice"))
            continue
        seen.add(passage.id)
        problem = unfit(passage)
        if problem is None:
            candidates.append(passage)
            continue
        kind, message = problem
        dropped.append(Dropped(part="evidence", what=passage.id, tokens=0, reason=message))
        warnings.append(PromptWarning(kind=kind, message=message, passage_id=passage.id))
    return candidates, dropped, warnings


def _laid_out(passage: Passage, number: int, newer: str | None, request: Request) -> Block:
    return block(
        passage,
        number,
        layout=request.layout,
        values=request.values,
        newer=newer,
        nonce=request.nonce,
        mode=request.modes[passage.trust],
    )


def _quarantined(passage: Passage, found: Sequence[PromptWarning]) -> Dropped:
    kinds = ", ".join(dict.fromkeys(warning.kind for warning in found if warning.kind != "more"))
    return _estimated(passage, f"quarantined: {kinds}")


def _estimated(passage: Passage, reason: str) -> Dropped:
    tokens = len(passage.text) // CHARACTERS_PER_TOKEN
    return Dropped(part="evidence", what=passage.id, tokens=tokens, reason=f"{reason}; size estimated")
