"""Canonical text put together piece by piece, with the places it comes from."""

from __future__ import annotations

import re
from typing import Any

from grounded.errors import LimitExceededError, ParseError
from grounded.ingestion.parsers.source import Limits
from grounded.records import Locator, Parsed, Segment, Span

HEADING_CHARACTERS = 300
"""A heading path keeps this many characters of each title."""

_NO_TITLE = re.compile(
    r"^(?:untitled(?: document)?|document\d*|word document|powerpoint.presentation|microsoft \w+ - .*"
    r"|.*\.(?:docx?|xlsx?|pptx?|indd|tex|dvi|pdf|rtf))$",
    re.IGNORECASE,
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def scrub(text: str) -> str:
    """Replace what no database stores (NUL, lone surrogates) by U+FFFD; the length stays the same."""
    return _UNSTORABLE.sub("\ufffd", text)


def real_title(title: str) -> str:
    """A title on one line; empty when it is only what some program writes when nobody gave one."""
    title = " ".join(scrub(title).replace("\ufffd", " ").split())[:HEADING_CHARACTERS]
    return "" if _NO_TITLE.match(title) else title


class TextBuilder:
    """Collects text and segments; ``parsed`` makes the record.

    Attributes:
        length: Code points so far.
        tail: The last four of them.
        warnings: What the reader of the ingest report should know of.
    """

    def __init__(self, limits: Limits) -> None:
        self.length = 0
        self.warnings: list[str] = []
        self._limits = limits
        self._parts: list[str] = []
        self.tail = ""
        self._segments: list[tuple[int, int, str, dict[str, Any]]] = []
        self._sections: list[tuple[int, str, int]] = []

    def add(self, text: str) -> tuple[int, int]:
        """Append text.

        Returns:
            Where it lies: ``(start, end)`` in code points.

        Raises:
            LimitExceededError: The text gets longer than the limit allows.
        """
        start = self.length
        if text:
            self._parts.append(text)
            self.length += len(text)
            self.tail = (self.tail + text[-4:])[-4:]
            self._limits.check_output(self.length)
        return start, self.length

    def line(self, text: str) -> tuple[int, int]:
        """Append a line; the place returned leaves the line break out."""
        start, end = self.add(text)
        self.add("\n")
        return start, end

    def separate(self, newlines: int = 2) -> None:
        """End the line, or with 2 leave a blank line, unless the text already does or has not begun."""
        if self.length:
            have = len(self.tail) - len(self.tail.rstrip("\n"))
            self.add("\n" * max(0, newlines - have))

    def mark(self, place: tuple[int, int], kind: str, **fields: Any) -> None:
        """Say where in its origin a stretch of text lies; an empty stretch is left out."""
        if place[0] < place[1]:
            self._segments.append((*place, kind, fields))

    def open_section(self, level: int, title: str) -> None:
        """Begin a section here; sections of the same or a deeper level end here."""
        self.close_sections(level)
        title = " ".join(title.split())[:HEADING_CHARACTERS]
        if title:
            self._sections.append((level, title, self.length))

    def close_sections(self, level: int = 0) -> None:
        """End all sections of this level or deeper here."""
        while self._sections and self._sections[-1][0] >= level:
            path = tuple(title for _, title, _ in self._sections)
            _, _, start = self._sections.pop()
            self.mark((start, self.length), "heading", path=path)

    def insert(self, other: Parsed, **above: str) -> tuple[int, int]:
        """Append another document's text with its segments.

        Args:
            other: What was read of it.
            above: By kind of place (``heading``, ``member``), what its paths get in front.
        """
        base = self.length
        place = self.add(other.text)
        for segment in other.segments:
            start, end = segment.span.start + base, segment.span.end + base
            kind, fields = segment.locator.kind, segment.locator.fields
            if kind in above:
                fields["path"] = (above[kind], *fields["path"])
            self._segments.append((start, end, kind, fields))
        self.warnings.extend(other.warnings)
        return place

    def parsed(self, **fields: Any) -> Parsed:
        """The record: text scrubbed, sections ended, segments sorted by start and then longest first."""
        self.close_sections()
        fields["title"] = real_title(fields.get("title", ""))
        ordered = sorted(self._segments, key=lambda item: (item[0], -item[1], item[2] != "heading"))
        return Parsed(
            text=scrub("".join(self._parts)),
            segments=tuple(_segment(*item) for item in ordered),
            warnings=tuple(self.warnings),
            **fields,
        )


def _segment(start: int, end: int, kind: str, fields: dict[str, Any]) -> Segment:
    clean = {name: _clean(value) for name, value in fields.items()}
    return Segment(span=Span(start=start, end=end), locator=Locator(kind=kind, **clean))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, tuple):
        return tuple(scrub(item) for item in value)
    return value


def damaged(what: str, error: Exception) -> ParseError:
    """The error for a document that its library refuses; ``what`` names the kind of document."""
    detail = " ".join(str(error).split())[:200]
    return ParseError(f"The {what} is damaged: {detail or type(error).__name__}.", fix="Open and save it again.")


def too_deep() -> LimitExceededError:
    """The error for content that is nested too deeply."""
    return LimitExceededError("The content is nested too deeply.", fix="Flatten it, or raise Limits.depth.")
