"""The token account: what a prompt may hold, and what is dropped when it does not fit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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


@dataclass(frozen=True, slots=True)
class Overhead:
    """Tokens around texts.

    Attributes:
        base: Around the system message and the last user message, with those that open the reply.
        user: Around any other message of a user.
        assistant: Around a message of the assistant.
    """

    base: int
    user: int
    assistant: int

    def of(self, role: str) -> int:
        """Tokens around an earlier message."""
        return self.assistant if role == "assistant" else self.user


OPENAI_OVERHEAD = Overhead(2 * MESSAGE_TOKENS + REPLY_TOKENS, MESSAGE_TOKENS, MESSAGE_TOKENS)

UNKNOWN_OVERHEAD = Overhead(24, 8, 8)
"""A bound where the model's own is not known; SmolLM2's chat template, measured on a server, needs 14, 5 and 6."""

TOOL_TOKENS = 16
"""Tokens around the schema of one tool."""

TOOLS_TOKENS = 160
"""Tokens allowed for the words with which a chat template explains how tools are called."""

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
    """Counts the tokens of a text; for models whose encoding does not ship with the package.

    A counter may also have ``overhead``, an ``Overhead``. Without it, or when it is None, ``UNKNOWN_OVERHEAD`` is
    counted and the account is not exact.
    """

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
        exact: Whether texts and what stands around messages are counted as the model does.
        share: Share added to a count because the encoding may not be the model's own.
        additive: Whether the counts of blocks that begin on a new line add up to the count of the whole. True
            for the shipped encodings: their patterns never let a token span a line feed and the next visible
            character.
    """

    counter: TokenCounter
    exact: bool
    additive: bool
    share: float = 0.0
    overhead: Overhead = OPENAI_OVERHEAD

    def margin(self, counted: int) -> int:
        """Tokens added to a count for safety."""
        return math.ceil(counted * self.share)

    def room(self, available: int) -> int:
        """The largest count that stays within ``available`` tokens with its margin."""
        return math.floor(available / (1 + self.share)) if self.share else available


def meter_for(model: str | None, given: str | TokenCounter | None) -> Meter:
    """Choose how to count.

    Args:
        model: Name of the model; None when it is not known.
        given: An encoding's name, the path of a ``tokenizer.json``, the address of a llama.cpp server, or a counter;
            it is taken to be the model's own.

    Raises:
        UnknownNameError: There is no such encoding.
        GroundedError: The tokenizer cannot be used.
    """
    if isinstance(given, str):
        given = _counter_at(given) or encoding(given)
    if isinstance(given, Encoding):
        return Meter(given, exact=True, additive=True)
    if given is not None:
        overhead: Overhead | None = getattr(given, "overhead", None)
        return Meter(given, exact=overhead is not None, additive=False, overhead=overhead or UNKNOWN_OVERHEAD)
    found, exact = encoding_for(model or "")
    return Meter(found, exact=exact, additive=True, share=0.0 if exact else MARGIN)


def _counter_at(place: str) -> TokenCounter | None:
    if not place.endswith(".json") and "://" not in place:
        return None
    from grounded.prompting.counting import counter_at  # most prompts are counted without

    return counter_at(place)


def count_tools(tools: Sequence[Mapping[str, Any]], meter: Meter) -> int:
    """Tokens of function schemas that are sent along with a prompt: a bound, 0 without any.

    How providers show schemas to a model is not published; indented JSON, as chat templates of open models write it, is
    longer than the forms that are known.

    Raises:
        UsageError: They are no list of JSON objects.
    """
    if isinstance(tools, str | bytes | Mapping) or not all(isinstance(each, Mapping) for each in tools):
        raise UsageError("tools must be a list of function schemas.", fix='Pass [{"type": "function", …}, …].')
    try:
        texts = [json.dumps(each, ensure_ascii=False, indent=4) for each in tools]
    except (TypeError, ValueError) as error:
        raise UsageError(f"A tool is no JSON: {error}.", fix="Pass the schemas as they are sent.") from error
    return sum(meter.counter.count(text) + TOOL_TOKENS for text in texts) + TOOLS_TOKENS * bool(texts)


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
            f"Metaprompt, question and tools take {needed} tokens; {available} are free beside the reserve.",
            needed=needed,
            limit=available,
            fix="Shorten the question, choose a shorter template, lower the reserve or use a larger window.",
        )
