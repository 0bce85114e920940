"""PDF: the text layer, page by page."""

from __future__ import annotations

import re

import pypdfium2
import pypdfium2.raw

from grounded.errors import EmptyDocumentError, EncryptedDocumentError, ParseError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

# pdfium writes U+0002 (or U+FFFE) for the hyphen that breaks a word at the end of a line.
_BROKEN_WORD = re.compile("[\x02\ufffe]\n?")
_SENTENCE_END = re.compile(r"[.!?:;。！？…”\")\]]\s*$")


def parse(source: Source) -> Parsed:
    """The text of every page, with ``page`` segments.

    Raises:
        EncryptedDocumentError: It needs a password.
        EmptyDocumentError: No page has a text layer.
        ParseError: It is damaged.
    """
    try:
        document = pypdfium2.PdfDocument(source.content)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY):
            raise EncryptedDocumentError(
                "The PDF is protected by a password.", fix="Save it without protection."
            ) from error
        raise ParseError(f"The PDF is damaged: {error}", fix="Open and save it with a PDF reader.") from error
    builder = TextBuilder(source.limits)
    empty = [number for number in range(1, len(document) + 1) if not _add_page(builder, document, number)]
    if len(empty) == len(document):
        raise EmptyDocumentError(
            "The PDF has no text layer: its pages are pictures.", fix="Run optical character recognition (OCR) on it."
        )
    if empty:
        listed = ", ".join(map(str, empty[:20])) + (" …" if len(empty) > 20 else "")
        builder.warnings.append(f"pages without text (scanned pages need OCR): {listed}")
    return builder.parsed(title=document.get_metadata_value("Title"), media_type="application/pdf")


def _add_page(builder: TextBuilder, document: pypdfium2.PdfDocument, number: int) -> bool:
    """Append one page; False when it has no text or cannot be read."""
    try:
        page = document[number - 1]
        text = _tidy(page.get_textpage().get_text_range())
    except pypdfium2.PdfiumError as error:
        builder.warnings.append(f"page {number} cannot be read: {error}")
        return False
    if not text:
        return False
    # A sentence may run on over the page; a blank line would cut it in two.
    runs_on = text[:1].islower() and not _SENTENCE_END.search(builder.tail)
    builder.separate(1 if runs_on else 2)
    builder.mark(builder.add(text), "page", number=number)
    return True


def _tidy(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _BROKEN_WORD.sub("", text)
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
