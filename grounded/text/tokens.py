"""Token counts without a network: the two encodings of OpenAI's models, shipped with the package.

Text is always counted as ordinary text (tiktoken's ``encode_ordinary``): ``<|endoftext|>`` inside a document is
seven or so tokens like any other text, neither an error nor a control token.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Literal

import tiktoken

from grounded.errors import ModelFileError, UnknownNameError
from grounded.text.packing import unpack

EncodingName = Literal["o200k_base", "cl100k_base"]

MARGIN = 0.25
"""Share added to a count when the model's own tokenizer is not known.

On English prose the tokenizers of current open models need 0-20 % more tokens than o200k_base. Text in scripts
that a small vocabulary covers badly can need more than this margin; pass the model's own encoding then.
"""

BLOCK_CHARACTERS = 262_144
"""Long text is counted in blocks of about this many code points, so that memory stays flat."""

LONGEST_BLANK = 100_000
"""Runs of white space longer than this go round the splitting pattern, which overflows its stack at a million."""

# The splitting patterns and special tokens are part of the definition of the encodings (tiktoken 0.14, MIT).
_PATTERNS: dict[str, str] = {
    "cl100k_base": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    "o200k_base": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
_SPECIAL: dict[str, dict[str, int]] = {
    "cl100k_base": {
        "<|endoftext|>": 100257,
        "<|fim_prefix|>": 100258,
        "<|fim_middle|>": 100259,
        "<|fim_suffix|>": 100260,
        "<|endofprompt|>": 100276,
    },
    "o200k_base": {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
}

# First match wins. After OpenAI's model pages and tiktoken's own table.
_FAMILIES: tuple[tuple[str, EncodingName], ...] = (
    (r"gpt-?4o|chatgpt-4o|gpt-?4\.[15]|gpt-?5|gpt-oss|o[1-9]\d*(-|$)", "o200k_base"),
    (r"gpt-?4|gpt-?3\.?5|text-embedding-(ada-002|3)", "cl100k_base"),
)
_PREFIXES = re.compile(r"^(?:(?:openai|azure)[:/]|ft:)+")
_SEAM = re.compile(r"\n(?=[^\s/])")
# White space as the splitting patterns see it (Python's \s also holds four control characters), without newlines.
_LONG_BLANK = r"[^\S\r\n\x1c-\x1f]{%d,}"


class Encoding:
    """One encoding. Thread-safe.

    Attributes:
        name: ``o200k_base`` or ``cl100k_base``.
        longest_token: Bytes of the longest token, so that ``bytes / longest_token`` is a lower bound of a count.
    """

    def __init__(self, core: tiktoken.Encoding, *, longest_blank: int = LONGEST_BLANK) -> None:
        self.name = core.name
        self.longest_token = 128
        self._core = core
        self._longest_blank = longest_blank
        self._blank = re.compile(_LONG_BLANK % longest_blank)

    def __repr__(self) -> str:
        return f"Encoding({self.name!r})"

    def encode(self, text: str) -> list[int]:
        """Tokens of ``text`` read as ordinary text; a lone surrogate counts as U+FFFD."""
        if len(text) < self._longest_blank:
            return self._core.encode_ordinary(text)
        return [token for block in _blocks(text) for token in self._encode_block(block)]

    def count(self, text: str) -> int:
        """How many tokens ``encode`` gives, in flat memory for long text."""
        if len(text) < self._longest_blank:
            return len(self._core.encode_ordinary(text))
        return sum(len(self._encode_block(block)) for block in _blocks(text))

    def decode(self, tokens: list[int]) -> str:
        """The text of tokens; bytes that are no UTF-8 become U+FFFD."""
        return self._core.decode(tokens)

    def _encode_block(self, text: str) -> list[int]:
        """Encode text, leading each over-long blank run past the pattern, cut just as the pattern would cut it.

        A run that no newline follows is one piece but for its last character, which may join the next word.
        """
        tokens: list[int] = []
        start = 0
        for run in self._blank.finditer(text):
            begin, end = run.span()
            last = end if end == len(text) else end - 1
            if text[end : end + 1] in ("\r", "\n") or begin == last:
                continue
            tokens += self._core.encode_ordinary(text[start:begin])
            tokens += self._core._encode_single_piece(text[begin:last])
            start = last
        return tokens + self._core.encode_ordinary(text[start:])


def encoding(name: str) -> Encoding:
    """A shipped encoding; loaded on first use (about 0.2 s for o200k_base), then shared.

    Raises:
        UnknownNameError: There is no such encoding in the package.
        ModelFileError: The package's data file is missing or damaged.
    """
    if name not in _PATTERNS:
        raise UnknownNameError("encoding", name, tuple(_PATTERNS))
    with _LOCK:
        return _load(name)


def encoding_for(model: str) -> tuple[Encoding, bool]:
    """The encoding of a model and whether it is the model's own.

    A model that is not one of OpenAI's gets o200k_base and False: add ``MARGIN`` to its counts. A provider
    prefix (``openai:``, ``azure:``, ``openai/``) and ``ft:`` are ignored.
    """
    name = _PREFIXES.sub("", model.strip().lower())
    for pattern, family in _FAMILIES:
        if re.match(pattern, name):
            return encoding(family), True
    return encoding("o200k_base"), False


_LOCK = threading.Lock()


@cache
def _load(name: str) -> Encoding:
    file = resources.files("grounded.text").joinpath("data", f"{name}.bin")
    try:
        ranks = unpack(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelFileError(
            f"The token data {name!r} of the package cannot be read: {error}", fix="Reinstall grounded-rag."
        ) from error
    core = tiktoken.Encoding(name, pat_str=_PATTERNS[name], mergeable_ranks=ranks, special_tokens=_SPECIAL[name])
    return Encoding(core)


def _blocks(text: str) -> Iterator[str]:
    """Cut long text where no token can lie across: behind a newline and before a character that is no blank.

    ``/`` is left out as well because o200k_base takes it together with newlines.
    """
    start = 0
    while len(text) - start > BLOCK_CHARACTERS:
        seam = _SEAM.search(text, start + BLOCK_CHARACTERS)
        if seam is None:
            break
        yield text[start : seam.end()]
        start = seam.end()
    yield text[start:]
