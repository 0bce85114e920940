"""A model's reply without marks and with base64 decoded, where every character knows which part of the reply it was."""

from __future__ import annotations

import base64
import binascii
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from grounded.errors import UsageError
from grounded.records import Span

SHORTEST_RUN = 16
"""Characters of base64 from which on it is told from a long word by what it decodes to; fewer when it is padded."""

_ALPHABET = "A-Za-z0-9+/"
RUN = re.compile(
    rf"(?<![{_ALPHABET}=])(?:[{_ALPHABET}]{{6,}}={{1,2}}(?!=)|[{_ALPHABET}]{{{SHORTEST_RUN},}}(?![{_ALPHABET}=]))"
)
"""What may be base64."""

UNFINISHED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
"""A reply that ends with these may yet turn out to end with base64."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A text made from another by cutting and replacing.

    Attributes:
        text: What came of it.
        starts: Of each code point, where the part of the other text begins that it comes from.
        ends: Where that part ends.
        length: Code points of the other text.
    """

    text: str
    starts: array[int] = field(repr=False)
    ends: array[int] = field(repr=False)
    length: int

    @classmethod
    def of(cls, text: str) -> Traced:
        """A text that is itself."""
        numbers = _numbers(1 << (len(text) + 1).bit_length())
        return cls(text, numbers[: len(text)], numbers[1 : len(text) + 1], len(text))

    def origin(self, start: int, end: int) -> Span:
        """The part of the other text from which ``text[start:end]`` was made.

        Raises:
            UsageError: The span lies outside the text.
        """
        if not 0 <= start <= end <= len(self.text):
            raise UsageError(
                f"[{start}, {end}) is no span of a text of {len(self.text)} code points.", fix="Check the span."
            )
        if start < end:
            return Span(start=self.starts[start], end=self.ends[end - 1])
        place = self.starts[start] if start < len(self.starts) else self.ends[-1] if self.ends else self.length
        return Span(start=place, end=place)

    def sub(self, pattern: re.Pattern[str], make: Callable[[str], str | Traced]) -> Traced:
        """With what a pattern finds replaced; of a plain text every code point comes from all that it replaces."""
        pieces: list[str] = []
        starts, ends = array("L"), array("L")
        at = 0
        for found in pattern.finditer(self.text):
            begin, until = found.span()
            made = make(found[0])
            pieces += (self.text[at:begin], made.text if isinstance(made, Traced) else made)
            starts += self.starts[at:begin]
            ends += self.ends[at:begin]
            if isinstance(made, Traced):
                starts.extend(self.starts[begin + each] for each in made.starts)
                ends.extend(self.ends[begin + each - 1] for each in made.ends)
            else:
                starts.extend([self.starts[begin]] * len(made))
                ends.extend([self.ends[until - 1]] * len(made))
            at = until
        if not at:
            return self
        pieces.append(self.text[at:])
        return Traced("".join(pieces), starts + self.starts[at:], ends + self.ends[at:], self.length)

    def strip(self) -> Traced:
        """Without white space at both ends."""
        begin = len(self.text) - len(self.text.lstrip())
        until = begin + len(self.text.strip())
        return Traced(self.text[begin:until], self.starts[begin:until], self.ends[begin:until], self.length)


def decoded(run: str) -> Traced | None:
    """The text that a run of base64 holds; None when it holds none.

    A model may copy from the middle of encoded text: up to three characters, and at either end the bytes of a broken
    character, are left out when what remains is text.
    """
    padded = run.endswith("=")
    for skipped in range(4):
        body = run[skipped:]
        if (padded and len(body) % 4) or (skipped and len(body) < SHORTEST_RUN):
            continue
        body = body.rstrip("=")
        body = body[: len(body) - (len(body) % 4 == 1)]
        try:
            content = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        except binascii.Error:
            continue
        if found := _text(content, cut=not padded):
            lost, text = found
            starts, ends = base64_places(text, lost)
            last = len(run)
            return Traced(
                text,
                array("L", (place + skipped for place in starts)),
                array("L", (min(place + skipped, last) for place in ends)),
                last,
            )
    return None


def base64_places(text: str, at: int = 0) -> tuple[array[int], array[int]]:
    """Where each code point of a text stands in the base64 of its UTF-8, from byte ``at`` on.

    Three bytes are four characters: the first that holds a bit of a code point, and one past the last.
    """
    starts, ends = array("L"), array("L")
    for character in text:
        code = ord(character)
        after = at + (1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4)
        starts.append(at * 4 // 3)
        ends.append(-(-after * 4 // 3))
        at = after
    return starts, ends


@lru_cache(maxsize=8)
def _numbers(count: int) -> array[int]:
    """The first numbers; while a reply is being written, it is read again with every piece."""
    return array("L", range(count))


def _text(content: bytes, *, cut: bool) -> tuple[int, str] | None:
    """Bytes as text, and how many of a broken character stood before it; None when they are no text.

    Args:
        content: The bytes.
        cut: Whether the last character may be broken as well.
    """
    lost = next((at for at, byte in enumerate(content[:4]) if byte & 0xC0 != 0x80), 0)
    try:
        text = content[lost:].decode("utf-8")
    except UnicodeDecodeError as error:
        if not cut or error.reason != "unexpected end of data":
            return None
        text = content[lost : lost + error.start].decode("utf-8")
    legible = all(character.isprintable() or character in "\n\r\t" for character in text)
    return (lost, text) if legible and text.strip() else None
