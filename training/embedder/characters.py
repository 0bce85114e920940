"""Makes the character table of the tokenizer by asking the reference implementation about every code point."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import normalizers, pre_tokenizers

_SURROGATES = range(0xD800, 0xE000)
_HANGUL = range(0xAC00, 0xD7A4)


def character_table() -> str:
    """The table as ASCII JSON: inclusive ranges ``space``, ``isolated``, ``removed`` and the map ``changed``.

    Each code point is put between two letters: what the reference makes of the three says what it does.
    Surrogates, which the reference cannot be given, vanish like other characters without meaning; Hangul
    syllables follow a rule and are left out of ``changed``.
    """
    normalise = normalizers.BertNormalizer().normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    ranges: dict[str, list[list[int]]] = {"space": [], "isolated": [], "removed": []}
    changed: dict[str, str] = {}
    for code in range(0x110000):
        if code in _SURROGATES:
            _extend(ranges["removed"], code)
            continue
        char = chr(code)
        words = [word for word, _ in split(normalise(f"a{char}a"))]
        middle = _middle(words)
        if words == ["a", "a"]:
            _extend(ranges["space"], code)
        elif not middle:
            _extend(ranges["removed"], code)
        elif len(words) == 3:
            _extend(ranges["isolated"], code)
        if middle and middle != char and code not in _HANGUL:
            changed[char] = middle
    table: dict[str, Any] = {**ranges, "changed": changed}
    return json.dumps(table, separators=(",", ":"), sort_keys=True) + "\n"


def _middle(words: list[str]) -> str:
    joined = "".join(words)
    if len(words) > 3 or joined[0] != "a" or joined[-1] != "a":
        raise ValueError(f"the reference splits a single character in an unforeseen way: {words!r}")
    return joined[1:-1]


def _extend(ranges: list[list[int]], code: int) -> None:
    if ranges and ranges[-1][1] == code - 1:
        ranges[-1][1] = code
    else:
        ranges.append([code, code])
