"""What a parser is given: limits, and one document's bytes with what is already known of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from grounded.errors import LimitExceededError


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost; going beyond any of them is a ``LimitExceededError``.

    Attributes:
        input_bytes: Size of the document as it comes.
        output_characters: Length of the canonical text, code points.
        seconds: Wall time of one document in the parsing process.
        memory_bytes: Data memory of the parsing process, where the platform can limit it (Linux, partly macOS).
        archive_bytes: Unpacked size of a zipped document (DOCX, PPTX, XLSX, EPUB, ODT), all members together; of
            all documents within a document, however deep, together.
        archive_members: Members of a zipped document; documents within a document, however deep.
        depth: Nesting of JSON values and of XML elements.
        nesting: Documents within documents within documents: attachments of mails, members of archives.
        family_seconds: Wall time of all documents within a document together.
        ocr_languages: Tesseract's names of the languages of pictures and scanned pages, joined by ``+``.
    """

    input_bytes: int = 200_000_000
    output_characters: int = 50_000_000
    seconds: float = 60.0
    memory_bytes: int = 2_000_000_000
    archive_bytes: int = 1_000_000_000
    archive_members: int = 50_000
    depth: int = 200
    nesting: int = 4
    family_seconds: float = 600.0
    ocr_languages: str = "eng"

    def check_input(self, size: int) -> None:
        """Refuse a document of ``size`` bytes that is too large.

        Raises:
            LimitExceededError: It is.
        """
        if size > self.input_bytes:
            raise LimitExceededError(
                f"The document has {size:,} bytes; at most {self.input_bytes:,} are read.",
                fix="Split the document, or raise Limits.input_bytes.",
            )

    def check_output(self, length: int) -> None:
        """Refuse a text of ``length`` code points that is too long.

        Raises:
            LimitExceededError: It is.
        """
        if length > self.output_characters:
            raise LimitExceededError(
                f"The document holds more than {self.output_characters:,} characters of text.",
                fix="Split the document, or raise Limits.output_characters.",
            )


class Family:
    """What all documents within one document may cost together, shared by everything below it.

    Once anything is spent, it stays spent: a bomb deep inside ends the reading of the whole document.

    Attributes:
        trail: The names of the documents that are being read, from the outside in.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = self._members = 0
        self.trail: list[str] = []
        self._until = time.monotonic() + limits.family_seconds

    def enter(self, name: str) -> None:
        """Begin one more document.

        Raises:
            LimitExceededError: That is one too many, or the time is up.
        """
        self._members += 1
        self.check()
        self.trail.append(name)

    def leave(self) -> None:
        """End the document that was begun last."""
        self.trail.pop()

    def unpack(self, content: bytes) -> None:
        """Count the bytes of the document that was begun last.

        Raises:
            LimitExceededError: That is too much.
        """
        self._bytes += len(content)
        self.check()

    def check(self) -> None:
        """Refuse to go on when anything is spent.

        Raises:
            LimitExceededError: It is.
        """
        limits = self._limits
        if self._bytes > limits.archive_bytes:
            allowed, name = f"{limits.archive_bytes:,} bytes are unpacked", "archive_bytes"
        elif self._members > limits.archive_members:
            allowed, name = f"{limits.archive_members:,} documents are read", "archive_members"
        elif time.monotonic() >= self._until:
            allowed, name = f"{limits.family_seconds:g} seconds are spent", "family_seconds"
        else:
            return
        raise LimitExceededError(
            f"The documents within it are too much: at most {allowed} for all of them together.",
            fix=f"Unpack it and ingest the files inside, or raise Limits.{name} if you trust it.",
        )


@dataclass(frozen=True, slots=True)
class Source:
    """One document on its way into a parser.

    Attributes:
        content: The bytes.
        name: The file name, for titles and sheet names; may be empty.
        text: The decoded text when the content is text; None for binary formats.
        limits: What it may cost.
        family: What is left for the documents it lies among, when it lies within another.
    """

    content: bytes = field(repr=False)
    name: str = ""
    text: str | None = field(default=None, repr=False)
    limits: Limits = Limits()
    family: Family | None = field(default=None, repr=False)


def words(text: str) -> frozenset[str]:
    """The words of a string as a set; for the word lists in this package."""
    return frozenset(text.split())
