"""BERT's uncased WordPiece tokenizer in pure Python, with code-point offsets into the original text.

It gives what the ``tokenizers`` package gives with ``BertNormalizer``, ``BertPreTokenizer`` and ``WordPiece``
(a test holds the two against each other), without its thirteen dependencies. What each code point becomes is
read from a table made once from that package, not from ``unicodedata``, so that a text has the same tokens
under every Python release.

One difference is meant: ``[SEP]`` and the like in a text are ordinary characters, never special tokens.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from grounded.errors import ModelFileError

MAX_WORD_CHARACTERS = 100
"""A longer word is one unknown token, as in BERT."""

_CACHED_WORDS = 50_000
_CACHED_WORD_CHARACTERS = 40
_CONTINUATION = "##"
_HANGUL = range(0xAC00, 0xD7A4)

_Pieces = tuple[tuple[int, int, int], ...]
"""``(id, start, end)`` of each piece, relative to the word."""


class WordPiece:
    """Splits text into the pieces of a vocabulary. Thread-safe.

    Attributes:
        vocabulary: Piece to id.
        unknown_id: Id of a word that the vocabulary cannot spell.
        first_id: Id of the token before every text, ``[CLS]``.
        last_id: Id of the token after every text, ``[SEP]``.
    """

    def __init__(self, vocabulary: Mapping[str, int], characters: CharacterTable) -> None:
        self.vocabulary = dict(vocabulary)
        self.unknown_id = self.vocabulary["[UNK]"]
        self.first_id = self.vocabulary["[CLS]"]
        self.last_id = self.vocabulary["[SEP]"]
        self._longest = max(map(len, self.vocabulary))
        self._characters = characters
        self._words = characters.words
        self._cache: dict[str, _Pieces] = {}

    @classmethod
    def load(cls, folder: Path) -> WordPiece:
        """Read ``vocab.txt`` (one piece per line, the id is the line) and ``characters.json``.

        Raises:
            ModelFileError: A file is missing or is not what it should be.
        """
        try:
            pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
            characters = CharacterTable.from_json((folder / "characters.json").read_text(encoding="utf-8"))
            return cls({piece: index for index, piece in enumerate(pieces) if piece}, characters)
        except (OSError, ValueError, KeyError) as error:
            raise ModelFileError(
                f"The tokenizer files in {folder} are missing or damaged: {error}",
                fix="Reinstall grounded-rag.",
            ) from error

    def ids(self, text: str, limit: int | None = None) -> list[int]:
        """Ids of the pieces of ``text``, without special tokens, at most ``limit`` of them."""
        found: list[int] = []
        for match in self._words.finditer(text):
            found.extend([piece[0] for piece in self._pieces(match.group())])
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def spans(self, text: str) -> list[tuple[int, int]]:
        """``(start, end)`` in code points of every piece, in order.

        Pieces of one composed character (a Hangul syllable) share its span.
        """
        found: list[tuple[int, int]] = []
        for match in self._words.finditer(text):
            offset = match.start()
            for _, start, end in self._pieces(match.group()):
                found.append((offset + start, offset + end))
        return found

    def _pieces(self, word: str) -> _Pieces:
        known = self._cache.get(word)
        if known is not None:
            return known
        pieces = self._split(word)
        if len(word) <= _CACHED_WORD_CHARACTERS:
            if len(self._cache) >= _CACHED_WORDS:
                # Starting over costs less than keeping an order of use, and natural text refills it at once.
                self._cache = {}
            self._cache[word] = pieces
        return pieces

    def _split(self, word: str) -> _Pieces:
        normal = word.translate(self._characters.changes)
        if normal in self.vocabulary and len(normal) == len(word):
            return ((self.vocabulary[normal], 0, len(word)),)
        if not normal:
            return ()
        origin = [(i, i + 1) for i, char in enumerate(word) for _ in char.translate(self._characters.changes)]
        found: list[tuple[int, int, int]] = []
        start = 0
        while start < len(normal) and len(normal) <= MAX_WORD_CHARACTERS:
            identity, end = self._longest_piece(normal, start)
            if identity is None:
                break
            found.append((identity, origin[start][0], origin[end - 1][1]))
            start = end
        if start < len(normal):
            return ((self.unknown_id, origin[0][0], origin[-1][1]),)
        return tuple(found)

    def _longest_piece(self, word: str, start: int) -> tuple[int | None, int]:
        prefix = _CONTINUATION if start else ""
        for end in range(min(len(word), start + self._longest), start, -1):
            identity = self.vocabulary.get(prefix + word[start:end])
            if identity is not None:
                return identity, end
        return None, start


class CharacterTable:
    """What each code point does: ends a word, is a word by itself, vanishes or becomes others.

    Attributes:
        changes: For ``str.translate``: lower case without accents; characters that vanish map to nothing.
    """

    def __init__(
        self,
        *,
        space: Iterable[Sequence[int]],
        isolated: Iterable[Sequence[int]],
        removed: Iterable[Sequence[int]],
        changed: Mapping[str, str],
    ) -> None:
        self._space = tuple((first, last) for first, last in space)
        self._isolated = tuple((first, last) for first, last in isolated)
        self.changes = _Changes(removed, changed)

    @classmethod
    def from_json(cls, text: str) -> CharacterTable:
        """Read the table; ranges are inclusive.

        Raises:
            ValueError: The text is not such a table.
        """
        data = json.loads(text)
        try:
            return cls(
                space=data["space"],
                isolated=data["isolated"],
                removed=data["removed"],
                changed=data["changed"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a character table: {error!r}") from error

    @cached_property
    def words(self) -> re.Pattern[str]:
        """Matches one word: a character that stands alone, or a run of all that neither do nor end words."""
        alone = _character_class(self._isolated)
        return re.compile(f"[{alone}]|[^{alone}{_character_class(self._space)}]+")


class _Changes(dict[int, str]):
    """A translation table; code points that stay as they are come from ``__missing__``."""

    def __init__(self, removed: Iterable[Sequence[int]], changed: Mapping[str, str]) -> None:
        self._removed = tuple((first, last) for first, last in removed)
        super().__init__({ord(char): text for char, text in changed.items()})

    def __missing__(self, code: int) -> str:
        if any(first <= code <= last for first, last in self._removed):
            text = ""
        elif code in _HANGUL:
            # The decomposition of Hangul is arithmetic and fixed, so it need not be in the table.
            text = unicodedata.normalize("NFD", chr(code))
        else:
            text = chr(code)
        self[code] = text
        return text


def _character_class(ranges: Iterable[tuple[int, int]]) -> str:
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
