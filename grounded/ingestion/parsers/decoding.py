"""Bytes to text: byte-order mark, UTF-8, what the document declares, then a careful guess."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    rb"""(?:<meta\b[^>]{0,500}?charset\s*=\s*["']?|<\?xml\b[^>]{0,200}?encoding\s*=\s*["'])\s*([\w.:-]{2,40})""",
    re.IGNORECASE,
)
# Codecs that are no character sets, or whose decoders are slow or surprising on hostile input.
_REFUSED = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"}
# Single-byte Western code pages are told apart badly by statistics, and cp1252 is by far the commonest.
_DISTINCT = re.compile(
    r"gb|big5|hz|shift|cp9(?:32|49|50|36)|euc|johab|cp1251|koi8|iso8859_5|cp866|cp1253|iso8859_7|cp1255|iso8859_8"
    r"|cp1256|iso8859_6|mac_cyrillic|mac_greek|cp874|tis"
)
GUESS_BYTES = 65_536
CONTROL_SHARE = 0.01
"""More control characters than this and the bytes are no text."""

_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text of bytes, without byte-order mark; ``warning`` is empty unless the encoding was a guess."""

    text: str
    encoding: str
    warning: str = ""


def decode(content: bytes, *, declared: str = "") -> Decoded | None:
    """The text of ``content``, or None when the bytes are not text.

    Args:
        content: The bytes.
        declared: The character set that the document or its envelope names; used when it fits.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _marked(content[len(mark) :], encoding)
    wide = _wide(content)
    if wide:
        return _text(content.decode(wide, "replace"), wide, f"no byte-order mark: read as {wide.upper()}")
    name = declared or _declaration(content)
    if name.lower().startswith("iso-2022"):  # seven-bit, so it would pass for UTF-8
        found = _try(content, name)
        if found:
            return found
    try:
        return _text(content.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return _try(content, name) or _guess(content)


def is_binary(text: str) -> bool:
    """Whether a decoded text has so many control characters that it cannot be text."""
    return len(_CONTROL.findall(text)) > CONTROL_SHARE * len(text)


def _text(text: str, encoding: str, warning: str = "") -> Decoded | None:
    return None if is_binary(text) else Decoded(text, encoding, warning)


def _try(content: bytes, name: str) -> Decoded | None:
    if not name or name.lower().replace("_", "-") in _REFUSED:
        return None
    try:
        codec = codecs.lookup(name).name
        return _text(content.decode(codec), codec)
    except (LookupError, ValueError):
        return None


def _declaration(content: bytes) -> str:
    found = _DECLARED.search(content, 0, 4096)
    return found.group(1).decode("ascii", "replace") if found else ""


def _wide(content: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, seen by where the zero bytes of Latin letters fall."""
    head = content[:4096]
    head = head[: len(head) // 4 * 4]
    if len(head) < 4 or head.count(0) < len(head) * 0.3:
        return ""
    zeros = [head[place::4].count(0) * 4 / len(head) for place in range(4)]
    patterns = {
        "utf-32-le": (0, 1, 1, 1),
        "utf-32-be": (1, 1, 1, 0),
        "utf-16-le": (0, 1, 0, 1),
        "utf-16-be": (1, 0, 1, 0),
    }
    for encoding, pattern in patterns.items():
        if all((share > 0.6) if expected else (share < 0.2) for share, expected in zip(zeros, pattern, strict=True)):
            return encoding
    return ""


def _guess(content: bytes) -> Decoded | None:
    from charset_normalizer import from_bytes

    if 0 in content:
        return None
    best = from_bytes(content[:GUESS_BYTES]).best()
    name = best.encoding if best and _DISTINCT.match(best.encoding) else "cp1252"
    for encoding in (name, "cp1252", "latin-1"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return _text(text, encoding, f"not UTF-8 and no encoding declared: read as {encoding}")
    return None


def _marked(content: bytes, encoding: str) -> Decoded | None:
    """Text behind a byte-order mark; a few broken places are replaced, many mean that the mark was an accident."""
    try:
        return _text(content.decode(encoding), encoding)
    except UnicodeDecodeError:
        text = content.decode(encoding, "replace")
    if text.count("\ufffd") > CONTROL_SHARE * len(text):
        return None
    return _text(text, encoding, f"bytes that are not {encoding.upper()} were replaced")
