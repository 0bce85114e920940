"""The token account: what a prompt may hold, and what is dropped when it does not fit."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Protocol

from grounded.errors import BudgetError, UsageError
from grounded.text.tokens import MARGIN, Encoding, encoding, encoding_for

MESSAGE_TOKENS = 4
"""Tokens around one message: three of structure and its role (OpenAI Cookbook, "How to count tokens with tiktoken")."""

REPLY_TOKENS = 3
"""Tokens that open the model's reply (same source)."""

DEFAULT_WINDOW = 8192
"""Tokens assumed for a model whose window is not known: the smallest in wide use."""

DEFAULT_RESERVE = 1024
"""Tokens kept free for the answer."""

HISTORY_SHARE = 0.25
"""Share of the room that history may take from evidence; it gets whatever evidence leaves besides."""

# After OpenAI's model pages; first match wins.
_WINDOWS: tuple[tuple[str, int], ...] = (
    (r"gpt-?4\.1", 1_047_576),
    (r"gpt-?5", 400_000),
    (r"o1-(mini|preview)", 128_000),
    (r"o[134](-|$)", 200_000),
    (r"gpt-?4o|chatgpt-4o|gpt-?4\.5|gpt-?4-turbo|gpt-?4-(1106|0125)|gpt-oss", 128_000),
    (r"gpt-?4-32k", 32_768),
    (r"gpt-?4(-|$)", 8192),
    (r"gpt-?3\.?5", 16_385),
)
_PREFIXES = re.compile(r"^(?:(?:openai|azure)[:/]|ft:)+")


class TokenCounter(Protocol):
    """Counts the tokens of a text; for models whose encoding does not ship with the package."""

    @property
    def name(self) -> str:
        """What to call it in the account."""
        ...

    def count(self, text: str) -> int:
        """Tokens of ``text``."""
        ...


@dataclass(frozen=True, slots=True)
class Meter:
    """How the tokens of one prompt are counted.

    Attributes:
        exact: Whether the encoding is the model's own; otherwise ``MARGIN`` is added.
        additive: Whether the counts of blocks that begin on a new line add up to the count of the whole. True
            for the shipped encodings: their patterns never let a token span a line feed and the next visible
            character.
    """

    counter: TokenCounter
    exact: bool
    additive: bool

    def margin(self, counted: int) -> int:
        """Tokens added to a count for safety."""
        return 0 if self.exact else math.ceil(counted * MARGIN)

    def room(self, available: int) -> int:
        """The largest count that stays within ``available`` tokens with its margin."""
        return available if self.exact else math.floor(available / (1 + MARGIN))


def meter_for(model: str | None, given: str | TokenCounter | None) -> Meter:
    """Choose how to count.

    Args:
        model: Name of the model; None when it is not known.
        given: An encoding's name or a counter; it is taken to be the model's own.

    Raises:
        UnknownNameError: There is no such encoding.
    """
    if isinstance(given, str):
        return Meter(encoding(given), exact=True, additive=True)
    if given is not None:
        return Meter(given, exact=True, additive=isinstance(given, Encoding))
    found, exact = encoding_for(model or "")
    return Meter(found, exact=exact, additive=True)


def window_of(model: str | None) -> int:
    """Tokens of a model's context window; ``DEFAULT_WINDOW`` when it is not one of OpenAI's."""
    name = _PREFIXES.sub("", (model or "").strip().lower())
    return next((window for pattern, window in _WINDOWS if re.match(pattern, name)), DEFAULT_WINDOW)


def check_limits(window: int, reserve: int) -> int:
    """Tokens a prompt may take.

    Raises:
        UsageError: They are not positive numbers, or nothing is left beside the reserve.
    """
    if window <= 0 or reserve < 0:
        raise UsageError(f"window is {window} and reserve is {reserve}.", fix="Use a window > 0 and a reserve >= 0.")
    if reserve >= window:
        raise UsageError(
            f"A reserve of {reserve} tokens leaves nothing of a window of {window}.", fix="Lower the reserve."
        )
    return window - reserve


def check_required(needed: int, available: int) -> None:
    """Refuse a prompt whose required parts do not fit.

    Raises:
        BudgetError: They do not.
    """
    if needed > available:
        raise BudgetError(
            f"The metaprompt and the question take {needed} tokens; {available} are free beside the reserve.",
            needed=needed,
            limit=available,
            fix="Shorten the question, choose a shorter template, lower the reserve or use a larger window.",
        )
