"""Byte-level BPE, as GPT-2 and RoBERTa use it, over a shipped vocabulary."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import tiktoken

from grounded.errors import ModelFileError
from grounded.text.packing import unpack
from grounded.text.words import Words

_WORD = re.compile(r"\S+")
_NEWLINE = re.compile(r"[\n\r]")
_LONGEST_WORD = 1024
"""Longer runs without white space are cut: merging takes time that grows faster than their length."""
_CACHED_WORDS = 50_000
# The splitting pattern is part of the definition of GPT-2's encoding (tiktoken 0.14, MIT).
_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

_Pieces = tuple[tuple[int, int, int], ...]


class BytePair:
    """A tokenizer to which white space is one newline or one space. Thread-safe.

    Indentation would take as many tokens as the code it indents: this vocabulary has one token per space. Otherwise
    the ids are those of the reference implementation. A newline has no span, and a word has the same spans wherever
    it stands, so that a text cut at white space has the spans of its parts; ids may be a few more.

    Args:
        ranks: Every token with its rank in the order of merges, the 256 single bytes first.
        ids: The model's id of every rank.
        first_id: Goes before every text.
        last_id: Goes behind it.
    """

    def __init__(self, ranks: dict[bytes, int], ids: Sequence[int], *, first_id: int, last_id: int) -> None:
        self.first_id, self.last_id = first_id, last_id
        self._ids = ids
        self._core = tiktoken.Encoding("bytepair", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})
        self._lengths = [len(token) for token in ranks]
        self._newline = ids[ranks[b"\n"]]
        self._pieces = lru_cache(_CACHED_WORDS)(self._split)
        self._starts = Words(self._starts_in, _CACHED_WORDS)
        self._first_ids = lru_cache(_CACHED_WORDS)(self._unspaced)
        self._later_ids = lru_cache(_CACHED_WORDS)(self._spaced)

    @classmethod
    def load(cls, folder: Path) -> BytePair:
        """Read ``vocabulary.bin`` (tokens by rank, packed) and ``tokens.json`` (their ids in the model).

        Raises:
            ModelFileError: A file is missing or damaged.
        """
        try:
            described = json.loads((folder / "tokens.json").read_text(encoding="ascii"))
            ranks = unpack((folder / "vocabulary.bin").read_bytes())
            return cls(ranks, described["ids"], first_id=described["first"], last_id=described["last"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelFileError(
                f"The tokenizer files in {folder} are missing or damaged: {error}", fix="Reinstall grounded-rag."
            ) from error

    def ids(self, text: str, limit: int | None = None) -> list[int]:
        """Ids of the tokens of ``text``, without special tokens, at most ``limit`` of them."""
        found: list[int] = []
        reached = 0
        for start, word in _words(text):
            between = text[reached:start]
            is_first = not found or (between != " " and _NEWLINE.search(between) is not None)
            if is_first and found:
                found.append(self._newline)
            found += self._first_ids(word) if is_first else self._later_ids(word)
            reached = start + len(word)
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def spans(self, text: str) -> list[tuple[int, int]]:
        """``(start, end)`` in code points of every token, in order.

        A character whose bytes are several tokens is in the span of the first only: a script that takes so many is
        one the model cannot read, and its text is not to be split the finer for that.
        """
        return [(offset + start, offset + end) for offset, word in _words(text) for start, end in self._spans_in(word)]

    def starts(self, text: str) -> list[int]:
        """Where every token of ``spans`` starts; splitting a text asks for no more and for that most of its time."""
        words = text.split()
        found: list[int] = []
        reached = 0
        for word, starts in zip(words, map(self._starts.__getitem__, words), strict=True):
            # The next place of it is its own: only white space lies before that, and no word has any.
            offset = text.index(word, reached)
            reached = offset + len(word)
            for start in starts:
                found.append(offset + start)
        return found

    def _starts_in(self, word: str) -> tuple[int, ...]:
        return tuple(start for start, _ in self.spans(word))

    def _spans_in(self, word: str) -> Iterator[tuple[int, int]]:
        reached = 0
        for _, start, end in self._pieces(word):
            if end > reached:
                yield max(start, reached), end
                reached = end

    def _unspaced(self, word: str) -> tuple[int, ...]:
        return tuple(self._ids[rank] for rank in self._core.encode_ordinary(word))

    def _spaced(self, word: str) -> tuple[int, ...]:
        return tuple(piece[0] for piece in self._pieces(word))

    def _split(self, word: str) -> _Pieces:
        ranks = self._core.encode_ordinary(" " + word)
        # The character of every byte; the space before the word counts as its first character's.
        owner = [0, *(range(len(word)) if word.isascii() else _owners(word))]
        pieces, reached = [], 0
        for rank in ranks:
            first = owner[min(reached, len(owner) - 1)]
            reached += self._lengths[rank]
            pieces.append((self._ids[rank], first, owner[min(reached, len(owner)) - 1] + 1))
        return tuple(pieces)


def _words(text: str) -> Iterator[tuple[int, str]]:
    for match in _WORD.finditer(text):
        word, start = match.group(), match.start()
        for part in (word,) if len(word) <= _LONGEST_WORD else _parts(word):
            yield start, part
            start += len(part)


def _parts(word: str) -> Iterator[str]:
    return (word[start : start + _LONGEST_WORD] for start in range(0, len(word), _LONGEST_WORD))


def _owners(word: str) -> Iterator[int]:
    return (place for place, letter in enumerate(word) for _ in range(_width(letter)))


def _width(letter: str) -> int:
    """Bytes of a character in UTF-8; a lone surrogate is read as U+FFFD, which has three."""
    return len(letter.encode("utf-8", "surrogatepass"))
