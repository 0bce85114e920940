"""Documents within a document: read like any other, and placed in its text under their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

from grounded.errors import EmptyDocumentError, LimitExceededError, MissingExtraError, ParseError
from grounded.ingestion.parsers.building import HEADING_CHARACTERS, TextBuilder, real_title, scrub
from grounded.ingestion.parsers.reading import parse
from grounded.ingestion.parsers.source import Family, Limits, Source
from grounded.records import Parsed, RawDocument

SHOWN = 20
"""So many documents that were not read are named one by one; the others are counted."""


class Children:
    """Reads the documents within one document; one that cannot be read is a warning, and the others go on.

    Attributes:
        limits: What each of them may cost.
        family: What all of them together may cost.
    """

    def __init__(self, builder: TextBuilder, source: Source) -> None:
        self.family = source.family or Family(source.limits)
        self.limits = replace(source.limits, nesting=source.limits.nesting - 1)
        self._builder = builder
        self._read = 0
        self._unread: list[tuple[str, ParseError | MissingExtraError]] = []
        self._warnings: list[str] = []

    def add(self, label: str, content: Callable[[], bytes], *, name: str = "") -> None:
        """Read one document and append its text.

        Args:
            label: What it is called within the document.
            content: Its bytes; called once, and may raise a ``ParseError``.
            name: A file name as a hint for the parser; the label by default.

        Raises:
            LimitExceededError: All documents within the document together are too much.
        """

        def read() -> Parsed:
            data = content()
            self.family.unpack(data)
            return parse(RawDocument(key="child", content=data, name=name), limits=self._left(), family=self.family)

        name = name or PurePath(label).name
        self.add_parsed(label, read, name=name)

    def add_parsed(self, label: str, read: Callable[[], Parsed], *, name: str = "") -> None:
        """Append the text of one document that ``read`` reads; see ``add``."""
        label = " ".join(scrub(label).split())[:HEADING_CHARACTERS] or "unnamed"
        if self.limits.nesting < 0:
            self._refuse(label, LimitExceededError("it is nested too deeply", fix="Raise Limits.nesting."))
            return
        self.family.enter(label)
        try:
            parsed = read()
            if parsed.principals:
                raise ParseError(
                    "It says itself who may see it, which cannot be kept within another document.",
                    fix="Ingest it by itself.",
                )
        except (ParseError, MissingExtraError) as error:
            self._refuse(label, error)
            self.family.check()
            return
        finally:
            self.family.leave()
        self._read += 1
        self._warnings.extend(f"{label}: {warning}" for warning in parsed.warnings)
        if parsed.effective_from or parsed.effective_to or parsed.supersedes:
            self._warnings.append(f"{label}: its dates of validity are not kept; ingest it by itself to keep them")
        heading = _heading(label, name, parsed)
        self._builder.separate()
        start = self._builder.length
        self._builder.line(heading)
        self._builder.add("\n")
        self._builder.insert(parsed.model_copy(update={"warnings": ()}), member=label, heading=heading)
        place = (start, self._builder.length)
        self._builder.mark(place, "member", path=(label,))
        self._builder.mark(place, "heading", path=(heading,))

    def end(self) -> None:
        """Say what was not read, and what is to be known of what was."""
        for label, error in self._unread[:SHOWN]:
            self._builder.warnings.append(f"{label} was not read: {error.message} {error.fix}".rstrip())
        if len(self._unread) > SHOWN:
            self._builder.warnings.append(f"{len(self._unread) - SHOWN} more documents in it were not read")
        self._builder.warnings.extend(self._warnings[:SHOWN])

    def parsed(self, media_type: str) -> Parsed:
        """The record of a document that is nothing but these; refused when none of them could be read.

        Raises:
            ParseError: With the reason of its members when it is the same for all, else an ``EmptyDocumentError``.
        """
        self._require()
        self.end()
        return self._builder.parsed(media_type=media_type)

    def _require(self) -> None:
        if self._read:
            return
        if not self._unread:
            raise EmptyDocumentError("There is no document in it.")
        label, first = self._unread[0]
        kinds = {type(error) for _, error in self._unread}
        made = type(first) if len(kinds) == 1 and isinstance(first, ParseError) else EmptyDocumentError
        others = f", nor {len(self._unread) - 1} others" if len(self._unread) > 1 else ""
        raise made(f"Nothing in it can be read: not {label} ({first.message}){others}.", fix=first.fix)

    def _refuse(self, label: str, error: ParseError | MissingExtraError) -> None:
        self._unread.append((label, error))

    def _left(self) -> Limits:
        return replace(self.limits, output_characters=max(0, self.limits.output_characters - self._builder.length))


class _Seeking(Family):
    """Keeps the bytes of one document while all are read."""

    def __init__(self, limits: Limits, path: tuple[str, ...]) -> None:
        super().__init__(limits)
        self.found = b""
        self._path = list(path)

    def unpack(self, content: bytes) -> None:
        super().unpack(content)
        if self.trail == self._path:
            self.found = content


def open_member(raw: RawDocument, path: tuple[str, ...]) -> bytes:
    """The bytes of a document within a document; empty when it has none of its own, as a message in a message.

    Args:
        raw: The outermost document.
        path: What its ``member`` locator says.

    Raises:
        ParseError: The outermost document cannot be read.
    """
    limits = Limits()
    family = _Seeking(limits, path)
    parse(raw, limits=limits, family=family)
    return family.found


def _heading(label: str, name: str, parsed: Parsed) -> str:
    """The label, with the title unless that is only the name or a heading that comes anyway."""
    title = real_title(parsed.title)
    said = {segment.locator.fields["path"][0] for segment in parsed.segments if segment.locator.kind == "heading"}
    return label if title in ("", label, name, PurePath(label).name, *said) else f"{label}: {title}"
