"""The formats that are read, and the one place where a parser is called."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from grounded.errors import LimitExceededError, ParseError
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed


@dataclass(frozen=True, slots=True)
class Format:
    """A format that can be read.

    Attributes:
        name: Short name, such as ``pdf``.
        title: For people.
        extensions: Usual file extensions, without the dot; the content decides, not they.
        isolated: Read in the parsing process, because its libraries can crash, hang or eat memory.
        extra: The extra of ``grounded-rag`` it needs; empty for the base.
        entry: ``module:function`` of the parser within this package.
    """

    name: str
    title: str
    extensions: tuple[str, ...]
    entry: str
    isolated: bool = False
    zipped: bool = False
    extra: str = ""


FORMATS: dict[str, Format] = {
    made.name: made
    for made in (
        Format("txt", "Plain text", ("txt", "text", "log"), "plain:parse"),
        Format("md", "Markdown", ("md", "markdown"), "markdown:parse"),
        Format("html", "HTML", ("html", "htm", "xhtml"), "html:parse"),
        Format("csv", "CSV and TSV", ("csv", "tsv"), "delimited:parse"),
        Format("json", "JSON", ("json",), "jsonlike:parse"),
        Format("jsonl", "JSON lines", ("jsonl", "ndjson"), "jsonlike:parse_lines"),
        Format("xml", "XML", ("xml",), "markup:parse"),
        Format("eml", "E-mail", ("eml",), "mail:parse"),
        Format("mbox", "Mailbox", ("mbox",), "mail:parse_mailbox"),
        Format("msg", "Outlook message", ("msg",), "outlook:parse"),
        Format("zip", "ZIP archive", ("zip",), "bundles:parse_zip"),
        Format("tar", "TAR archive", ("tar",), "bundles:parse_tar"),
        Format("compressed", "Compressed", ("gz", "tgz", "bz2", "xz"), "bundles:parse_compressed"),
        Format("pdf", "PDF", ("pdf",), "pdf:parse", isolated=True),
        Format("docx", "Word", ("docx", "docm"), "word:parse", isolated=True, zipped=True),
        Format("pptx", "PowerPoint", ("pptx", "pptm"), "slides:parse", isolated=True, zipped=True),
        Format("xlsx", "Workbook", ("xlsx", "xlsm", "xlsb", "xls", "ods"), "sheets:parse", isolated=True, zipped=True),
        Format("doc", "Word 97-2003", ("doc",), "oldword:parse", isolated=True),
        Format("ppt", "PowerPoint 97-2003", ("ppt",), "oldslides:parse", isolated=True),
        Format("odt", "OpenDocument text", ("odt",), "opendocument:parse_text", isolated=True, zipped=True),
        Format("odp", "OpenDocument slides", ("odp",), "opendocument:parse_slides", isolated=True, zipped=True),
        Format("epub", "EPUB", ("epub",), "books:parse", isolated=True, zipped=True),
        Format("rtf", "RTF", ("rtf",), "longtail:parse_rtf", isolated=True, extra="unstructured"),
        Format(
            "image",
            "Picture",
            ("png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "webp"),
            "images:parse",
            isolated=True,
            extra="ocr",
        ),
    )
}

# What parsing libraries raise on documents that are not what they should be. Anything else is a fault of ours
# (or ends the parsing process) and is not hidden.
_DAMAGE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    OSError,
    EOFError,
    SyntaxError,  # lxml's XMLSyntaxError is one
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


def run_parser(name: str, source: Source) -> Parsed:
    """Parse a document of a known format in this process.

    Raises:
        ParseError: It cannot be read; the subclass says why.
        MissingExtraError: The format needs an extra.
    """
    made = FORMATS[name]
    module, _, function = made.entry.partition(":")
    parser: Callable[[Source], Parsed] = getattr(import_module(f"{__package__}.{module}"), function)
    try:
        return parser(source)
    except MemoryError as error:
        raise LimitExceededError(
            f"Reading this {made.title} document needs more than {source.limits.memory_bytes:,} bytes of memory.",
            fix="Split it, or raise Limits.memory_bytes.",
        ) from error
    except RecursionError as error:
        raise LimitExceededError(f"The {made.title} document is nested too deeply.", fix="Flatten it.") from error
    except _DAMAGE as error:
        if isinstance(error, (ParseError, ImportError)):
            raise
        raise ParseError(
            f"The {made.title} document is damaged: {_short(error)}.", fix="Open and save it again."
        ) from error


def _short(error: Exception) -> str:
    """One line on a library's error; only its head, since some quote half the document."""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
