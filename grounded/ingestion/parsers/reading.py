"""From bytes to canonical text with places: the content decides which parser, risky ones run in a process apart."""

from __future__ import annotations

from pathlib import PurePath

from grounded.errors import EmptyDocumentError
from grounded.ingestion.parsers.archives import check_archive
from grounded.ingestion.parsers.formats import FORMATS, run_parser
from grounded.ingestion.parsers.sniffing import sniff
from grounded.ingestion.parsers.source import Family, Limits, Source
from grounded.ingestion.parsers.worker import parse_isolated
from grounded.records import Parsed, RawDocument


def parse(raw: RawDocument, *, limits: Limits | None = None, family: Family | None = None) -> Parsed:
    """Canonical text of a document, with the places it comes from.

    The content decides which parser reads it; the name only decides between kinds of text, and a name that
    promises something else is a warning. ``text[segment.span]`` comes from ``segment.locator``. Documents within it
    (attachments of a mail, members of an archive) are read too and stand in its text, each under its name.

    Args:
        raw: The document as a connector found it.
        limits: What it may cost; ``Limits()`` by default.
        family: What is left for the documents it lies among, when it lies within another.

    Raises:
        ParseError: It cannot be read; the subclass says why: ``UnsupportedFormatError``,
            ``EncryptedDocumentError``, ``EmptyDocumentError``, ``LimitExceededError``, ``WorkerCrashError``.
        MissingExtraError: Its format needs an extra that is not installed.
    """
    limits = limits or Limits()
    limits.check_input(len(raw.content))
    if not raw.content.strip(b"\x00\t\n\x0c\r \xef\xbb\xbf\xff\xfe"):
        raise EmptyDocumentError("The document is empty.")
    sniffed = sniff(raw.content, raw.name)
    source = Source(raw.content, PurePath(raw.name).name, sniffed.text, limits, family)
    made = FORMATS[sniffed.format]
    if made.zipped and raw.content.startswith(b"PK"):
        check_archive(raw.content, limits)
    parsed = (parse_isolated if made.isolated else run_parser)(made.name, source)
    if not parsed.text.strip():
        raise EmptyDocumentError(f"The {made.title} document holds no text.")
    return parsed.model_copy(
        update={
            "title": parsed.title or source.name,
            "warnings": (*sniffed.warnings, *parsed.warnings),
        }
    )
