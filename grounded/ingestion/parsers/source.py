"""What a parser is given: limits, and one document's bytes with what is already known of them."""

from __future__ import annotations

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
        archive_bytes: Unpacked size of a zipped document (DOCX, PPTX, XLSX, EPUB, ODT), all members together.
        archive_members: Members of a zipped document.
        depth: Nesting of JSON values.
        nesting: Documents within documents: attachments of mails, members of archives.
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


@dataclass(frozen=True, slots=True)
class Source:
    """One document on its way into a parser.

    Attributes:
        content: The bytes.
        name: The file name, for titles and sheet names; may be empty.
        text: The decoded text when the content is text; None for binary formats.
        limits: What it may cost.
    """

    content: bytes = field(repr=False)
    name: str = ""
    text: str | None = field(default=None, repr=False)
    limits: Limits = Limits()


def words(text: str) -> frozenset[str]:
    """The words of a string as a set; for the word lists in this package."""
    return frozenset(text.split())
