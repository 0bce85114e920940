"""PDF: the text layer in reading order, page by page; pages that are pictures through character recognition."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pypdfium2
import pypdfium2.raw

from grounded.errors import EmptyDocumentError, EncryptedDocumentError, MissingExtraError, ParseError
from grounded.ingestion.parsers import ocr
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.geometry import Rules
from grounded.ingestion.parsers.layout import arrange
from grounded.ingestion.parsers.pages import Page, read_page, read_rules
from grounded.ingestion.parsers.running import find_running
from grounded.ingestion.parsers.source import Limits, Source
from grounded.ingestion.parsers.writing import Outline, PageWriter
from grounded.records import Parsed

OCR_TIME_SHARE = 0.7
"""Character recognition stops when this share of the time for the document is used; a warning names the rest."""

_OUTLINE_ENTRIES = 5_000
_OUTLINE_DEPTH = 9


def parse(source: Source) -> Parsed:
    """The text of every page in reading order, with ``page`` and ``box`` segments and the outline as sections.

    Raises:
        EncryptedDocumentError: It needs a password.
        UnreadableTextError: Its fonts do not say which letters their signs stand for.
        EmptyDocumentError: No page holds text.
        ParseError: It is damaged.
    """
    document = open_pdf(source.content)
    return _Reader(document, source.limits).read()


def open_pdf(content: bytes) -> pypdfium2.PdfDocument:
    """The document in ``content``.

    Raises:
        EncryptedDocumentError: It needs a password.
        ParseError: It is damaged.
    """
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY):
            raise EncryptedDocumentError(
                "The PDF is protected by a password.", fix="Save it without protection."
            ) from error
        raise ParseError(f"The PDF is damaged: {error}", fix="Open and save it with a PDF reader.") from error


class _Reader:
    def __init__(self, document: pypdfium2.PdfDocument, limits: Limits) -> None:
        self._document = document
        self._limits = limits
        self._until = time.monotonic() + OCR_TIME_SHARE * limits.seconds
        self._warnings: list[str] = []
        self._form = _form(document)
        self._recognised: dict[int, float] = {}
        self._pictures: list[int] = []
        self._rubbish: list[int] = []
        self._no_ocr: MissingExtraError | None = None

    def read(self) -> Parsed:
        count = len(self._document)
        pages = [self._page(number) for number in range(1, count + 1)]
        running = find_running(pages)
        writer = PageWriter(TextBuilder(self._limits), pages, _outline(self._document))
        for number, (page, dropped) in enumerate(zip(pages, running.dropped, strict=True), start=1):
            pieces = [piece for piece in page.pieces if piece not in dropped] if dropped else page.pieces
            rules = Rules if number in self._recognised else partial(self._rules, number)
            writer.page(number, arrange(pieces, rules), page)
        if not writer.builder.length:
            raise self._nothing(count)
        if running.lines:
            listed = "; ".join(repr(line[:80]) for line in running.lines[:5])
            self._warnings.append(f"running headers and footers stand once only: {listed}")
        writer.builder.warnings.extend([*self._warnings, *self._missing()])
        title = self._document.get_metadata_value("Title")
        return writer.builder.parsed(title=title, media_type="application/pdf")

    def _page(self, number: int) -> Page:
        try:
            page = self._document[number - 1]
            found = read_page(page, self._form)
        except pypdfium2.PdfiumError as error:
            self._warnings.append(f"page {number} cannot be read: {error}")
            return Page(())
        if found.rubbish or not (found.pieces or found.aside):
            recognised = self._recognise(page, number) if found.rubbish or _has_picture(page) else None
            if recognised is not None:
                return recognised
            (self._rubbish if found.rubbish else self._pictures).append(number)
        return found

    def _recognise(self, page: pypdfium2.PdfPage, number: int) -> Page | None:
        if self._no_ocr is not None or time.monotonic() > self._until:
            return None
        try:
            pieces, confidence = ocr.read_page(page, self._limits)
        except MissingExtraError as error:
            self._no_ocr = error
            return None
        if not pieces:
            return None
        self._recognised[number] = confidence
        return Page(tuple(pieces), height=page.get_height())

    def _rules(self, number: int) -> Rules:
        return read_rules(self._document[number - 1])

    def _nothing(self, count: int) -> ParseError:
        if self._rubbish:
            return ocr.unreadable_text(self._no_ocr)
        if not self._pictures or count == 0:
            return EmptyDocumentError("The PDF has no pages that can be read.", fix="Open and save it again.")
        return EmptyDocumentError(
            "The PDF has no text layer: its pages are pictures or empty.", fix=ocr.advice(self._no_ocr)
        )

    def _missing(self) -> list[str]:
        """What was read another way, and what was not read."""
        made: list[str] = []
        if self._recognised:
            mean = sum(self._recognised.values()) / len(self._recognised)
            numbers = _listed(sorted(self._recognised))
            made.append(f"pages read by character recognition, {mean:.0f}% sure on average: {numbers}")
        late = time.monotonic() > self._until and ocr.is_available()
        reason = f"no time was left for character recognition within {self._limits.seconds:g} seconds" if late else ""
        if self._pictures:
            why = reason or "scanned pages need OCR"
            made.append(f"pages without text ({why}): {_listed(self._pictures)}")
        if self._rubbish:
            why = reason or "their fonts do not say which letters their signs stand for"
            made.append(f"pages whose text would be rubbish ({why}): {_listed(self._rubbish)}")
        return made


def _listed(numbers: Sequence[int]) -> str:
    """Page numbers as people write them: ``1, 4–7``."""
    runs: list[list[int]] = [[numbers[0], numbers[0]]]
    for before, number in pairwise(numbers):
        if number == before + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(first) if first == last else f"{first}–{last}" for first, last in runs[:20]]
    return ", ".join(shown) + (" …" if len(runs) > 20 else "")


def _form(document: pypdfium2.PdfDocument) -> Any:
    """The form environment of a document with a form; None without one."""
    try:
        return document.formenv if document.init_forms() else None
    except (pypdfium2.PdfiumError, Warning):
        return None


def _has_picture(page: pypdfium2.PdfPage) -> bool:
    """Whether anything is drawn on a page at all; nothing is recognised on an empty one."""
    return bool(pypdfium2.raw.FPDFPage_CountObjects(page) > 0)


def _outline(document: pypdfium2.PdfDocument) -> Outline:
    """``(level, title)`` of the outline's entries by page, counted from 1."""
    outline: Outline = {}
    try:
        for count, entry in enumerate(document.get_toc(max_depth=_OUTLINE_DEPTH)):
            target = entry.get_dest()
            index = target.get_index() if target is not None else None
            title = " ".join(entry.get_title().split())
            if count >= _OUTLINE_ENTRIES:
                break
            if title and index is not None and 0 <= index < len(document):
                outline.setdefault(index + 1, []).append((entry.level + 1, title))
    except pypdfium2.PdfiumError:
        return outline
    return outline
