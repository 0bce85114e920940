"""Which passages go into a prompt: best first, until the room is full."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from grounded.errors import UsageError
from grounded.prompting.budget import Meter
from grounded.prompting.evidence import Block, block, replacements, unfit
from grounded.prompting.frame import Request
from grounded.prompting.novelty import Novelty
from grounded.records import Dropped, Passage, PromptWarning

CHARACTERS_PER_TOKEN = 4
"""For the size of what is dropped without being counted: English prose under o200k_base."""

LONGEST_TOKEN = 128
"""Bytes of the longest token of the shipped encodings; ``characters / 128`` is a lower bound of a count."""

OVERSIZED_TRIES = 16
"""How many passages larger than the whole room are counted before the search for smaller ones ends."""


ALIKE_TRIES = 256
"""How many near-duplicates are passed over before the search for something new ends."""

_TOO_LARGE = "larger than the whole room for evidence"


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
    even fit alone is passed over. When room is short, passages that say nearly what better ones say give way, and
    come back by rank if room is left. Those after the end are not read at all.

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
    filling = _Filling(candidates, room, request, meter, quarantine)
    filled = filling.fill()
    if filled.short and (redundant := _redundant(filled.kept)):
        filled = _more_diverse(filling, filled, redundant)
    return Selection(tuple(filled.kept.values()), (*dropped, *filled.gone.values()), (*warnings, *filled.warnings))


@dataclass(slots=True)
class _Filled:
    """One attempt: what is kept and what is not, by position; ``short`` when room was the reason."""

    kept: dict[int, Chosen]
    gone: dict[int, Dropped]
    warnings: list[PromptWarning]
    short: bool = False


@dataclass(frozen=True, slots=True)
class _Filling:
    """Fills the room, best first."""

    candidates: Sequence[Passage]
    room: int
    request: Request
    meter: Meter
    quarantine: bool

    def fill(
        self, *, diverse: bool = False, only: Collection[int] | None = None, others: Mapping[int, Dropped] | None = None
    ) -> _Filled:
        """Keep what fits.

        Args:
            diverse: Pass over what says nearly what is kept already.
            only: Positions to consider; all when None.
            others: The account of those that are not considered.
        """
        newer = replacements(self.candidates)
        filled = _Filled({}, {}, [])
        novelty = Novelty() if diverse else None
        used = oversized = alike = 0
        for position, passage in enumerate(self.candidates):
            if only is not None and position not in only:
                filled.gone[position] = (others or {}).get(position) or _estimated(passage, "no room left")
                continue
            if self.room <= 0 or oversized >= OVERSIZED_TRIES or alike >= ALIKE_TRIES:
                self._end(filled, position, others)
                break
            if self.meter.additive and len(passage.text) > LONGEST_TOKEN * self.room:
                oversized += 1
                filled.gone[position] = _estimated(passage, _TOO_LARGE)
                continue
            if novelty and novelty.is_redundant(passage.text):
                alike += 1
                filled.gone[position] = _estimated(passage, "room is short, and better sources say nearly the same")
                continue
            laid_out = _laid_out(passage, len(filled.kept) + 1, newer[position], self.request)
            if self.quarantine and laid_out.warnings and passage.trust == "untrusted":
                filled.gone[position] = _quarantined(passage, laid_out.warnings)
                filled.warnings += laid_out.warnings
                continue
            tokens = self.meter.counter.count(laid_out.text)
            if used + tokens <= self.room:
                used += tokens
                filled.kept[position] = Chosen(passage, laid_out.text, tokens, laid_out.warnings)
                if novelty:
                    novelty.add(passage.text)
            elif tokens > self.room:
                oversized += 1
                filled.gone[position] = Dropped(part="evidence", what=passage.id, tokens=tokens, reason=_TOO_LARGE)
            else:
                filled.short = True
                filled.gone[position] = Dropped(part="evidence", what=passage.id, tokens=tokens, reason="no room left")
                self._end(filled, position + 1, others)
                break
        return filled

    def _end(self, filled: _Filled, position: int, others: Mapping[int, Dropped] | None) -> None:
        """Drop everything from a position on."""
        for at in range(position, len(self.candidates)):
            filled.gone[at] = (others or {}).get(at) or _estimated(self.candidates[at], "no room left")


def _more_diverse(filling: _Filling, filled: _Filled, redundant: Sequence[int]) -> _Filled:
    """The room filled again without what is redundant in it, as far as that lets in something else."""
    diverse = filling.fill(diverse=True)
    if not diverse.kept.keys() - filled.kept.keys():
        return filled
    left = filling.room - sum(chosen.tokens for chosen in diverse.kept.values())
    back = set(diverse.kept)
    for position in redundant:
        if filled.kept[position].tokens <= left:
            back.add(position)
            left -= filled.kept[position].tokens
    found = filling.fill(only=back, others=diverse.gone)
    found.warnings = diverse.warnings
    return found


def _redundant(kept: Mapping[int, Chosen]) -> list[int]:
    """Positions of passages that say nearly what those before them say."""
    novelty = Novelty()
    found = []
    for position, chosen in kept.items():
        if novelty.is_redundant(chosen.passage.text):
            found.append(position)
        else:
            novelty.add(chosen.passage.text)
    return found


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
