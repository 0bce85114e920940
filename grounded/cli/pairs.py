"""``KEY=VALUE`` on the command line; what is written with ``-m`` is found with ``-w``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from grounded.errors import UsageError
from grounded.records import Scalar

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_LARGEST = 2**63 - 1
"""What the ledger and the vector store can hold; a longer number is a text."""


def pairs(given: Sequence[str] | None, option: str) -> dict[str, Scalar]:
    """The values of a repeated option.

    Args:
        given: What was typed, such as ``["product=kettle", "year=2024"]``.
        option: The option's name, for the message.

    Raises:
        UsageError: One of them is no KEY=VALUE.
    """
    return {key: value_of(value) for key, value in (_halves(pair, option) for pair in given or ())}


def several(given: Sequence[str] | None, option: str) -> dict[str, str | list[str]]:
    """The texts of a repeated option, in a list where a key came more than once.

    Raises:
        UsageError: One of them is no KEY=VALUE.
    """
    found: dict[str, list[str]] = {}
    for pair in given or ():
        key, value = _halves(pair, option)
        found.setdefault(key.replace("-", "_"), []).append(value)
    return {key: values if len(values) > 1 else values[0] for key, values in found.items()}


def rules(given: Sequence[str] | None, option: str) -> dict[str, list[str]]:
    """Names by pattern, in order; a pattern may have several, or none when nothing follows the last ``=``.

    Raises:
        UsageError: One of them is no PATTERN=NAME.
    """
    found: dict[str, list[str]] = {}
    for pair in given or ():
        pattern, separator, name = pair.rpartition("=")
        if not separator or not pattern:
            raise UsageError(f"{option} {pair!r} is not PATTERN=NAME.", fix=f"For example: {option} '*/hr/*=hr'")
        found.setdefault(pattern, []).extend([name] if name else [])
    return found


def _halves(pair: str, option: str) -> tuple[str, str]:
    key, separator, value = pair.partition("=")
    if not separator or not key:
        raise UsageError(f"{option} {pair!r} is not KEY=VALUE.", fix=f"For example: {option} year=2024")
    return key, value


def value_of(text: str) -> Scalar:
    """Whole numbers, decimals, ``true`` and ``false`` as such, all else as text; ``"2024"`` in quotes is text too.

    A number with a leading zero is text: it is an article number or a postcode.
    """
    if text in ("true", "false"):
        return text == "true"
    if _WHOLE.fullmatch(text) and abs(int(text)) <= _LARGEST:
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return _unquoted(text)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
