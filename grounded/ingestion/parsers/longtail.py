"""EPUB, RTF, ODT and MSG through ``unstructured``: only ever imported by the parsing process.

``unstructured`` reports home when it is imported and downloads a language model when it first meets text.
Both are switched off here before the import: the two switches its vendor documents, and three functions of
ours in place of the model's, which only tell titles from sentences.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from lxml import etree

from grounded.errors import EncryptedDocumentError, MissingExtraError, ParseError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.html import read_html
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

_MEDIA_TYPES = {
    "epub": "application/epub+zip",
    "rtf": "application/rtf",
    "odt": "application/vnd.oasis.opendocument.text",
    "msg": "application/vnd.ms-outlook",
}
_SENTENCE_BREAK = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"(\[])")
_WORD = re.compile(r"\w+|[^\w\s]")
_VERB = re.compile(
    r"(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|will|would|shall|should|may|might|must"
    r"|\w+(?:ed|ing|ize|ise|ify))$",
    re.IGNORECASE,
)


def parse_epub(source: Source) -> Parsed:
    """An EPUB book."""
    return _parse(source, "epub")


def parse_rtf(source: Source) -> Parsed:
    """A rich-text file."""
    return _parse(source, "rtf")


def parse_odt(source: Source) -> Parsed:
    """An OpenDocument text."""
    return _parse(source, "odt")


def parse_msg(source: Source) -> Parsed:
    """An Outlook message."""
    return _parse(source, "msg")


def _parse(source: Source, kind: str) -> Parsed:
    partition = _partitioner(kind)
    # A language given means that none is guessed, which is slow and not the same on every run.
    elements = partition(file=io.BytesIO(source.content), languages=[""])
    builder = TextBuilder(source.limits)
    title = _add_mail_headers(builder, elements) if kind == "msg" else ""
    reader = _Elements(builder, source)
    for element in elements:
        reader.add(element)
    reader.end()
    return builder.parsed(title=title or reader.title, media_type=_MEDIA_TYPES[kind])


def _partitioner(kind: str) -> Callable[..., list[Any]]:
    """The partition function, with the network and the language model switched off."""
    os.environ.update(DO_NOT_TRACK="1", SCARF_NO_ANALYTICS="1", UNSTRUCTURED_DISABLE_NOTICE="1")
    try:
        text_type = import_module("unstructured.partition.text_type")
    except ImportError as error:
        raise MissingExtraError(
            f"Reading {kind.upper()} files", package="unstructured", extra="unstructured"
        ) from error
    vars(text_type).update(sent_tokenize=_sentences, word_tokenize=_WORD.findall, pos_tag=_tags)
    try:
        partition: Callable[..., list[Any]] = getattr(
            import_module(f"unstructured.partition.{kind}"), f"partition_{kind}"
        )
    except ImportError as error:
        package = error.name or f"unstructured[{kind}]"
        raise MissingExtraError(f"Reading {kind.upper()} files", package=package, extra="unstructured") from error
    return partition


def _sentences(text: str) -> list[str]:
    return _SENTENCE_BREAK.split(text)


def _tags(text: str) -> list[tuple[str, str]]:
    return [(word, "VB" if _VERB.match(word) else "NN") for word in _WORD.findall(text)]


class _Elements:
    """Joins elements to a text of our own; theirs carry no offsets."""

    def __init__(self, builder: TextBuilder, source: Source) -> None:
        self.title = ""
        self._builder = builder
        self._source = source
        self._tables = 0
        self._body_start: int | None = None
        self._is_mail = builder.length > 0

    def add(self, element: Any) -> None:
        """Append one element."""
        text = (element.text or "").replace("\r\n", "\n").strip()
        if not text or element.category in ("PageBreak", "Header", "Footer"):
            return
        html = getattr(element.metadata, "text_as_html", None)
        self._builder.separate(1 if element.category == "ListItem" else 2)
        if self._body_start is None:
            self._body_start = self._builder.length
        if element.category == "Table" and html:
            self._table(html, text)
            return
        if element.category == "Title":
            self.title = self.title or " ".join(text.split())
            self._builder.open_section((element.metadata.category_depth or 0) + 1, text)
        self._builder.add(f"- {text}" if element.category == "ListItem" else text)

    def end(self) -> None:
        """Finish: the body of a mail is a part of its own."""
        if self._is_mail and self._body_start is not None:
            self._builder.mark((self._body_start, self._builder.length), "mail_part", part="body")

    def _table(self, html: str, text: str) -> None:
        self._tables += 1
        try:
            parsed = read_html(html, self._source.limits)
        except (etree.LxmlError, ParseError):
            self._builder.add(text)
            return
        base, _ = self._builder.add(parsed.text.rstrip("\n"))
        for segment in parsed.segments:
            if segment.locator.kind == "table_row":
                place = (base + segment.span.start, base + segment.span.end)
                self._builder.mark(place, "table_row", table=self._tables, row=segment.locator.fields["row"])


def _add_mail_headers(builder: TextBuilder, elements: list[Any]) -> str:
    """The message's headers as text, from the first element's metadata; returns the subject."""
    if not elements:
        raise EncryptedDocumentError(
            "The message holds no text that can be read; it is encrypted or empty.", fix="Save it as text or HTML."
        )
    metadata = elements[0].metadata
    subject = " ".join((metadata.subject or "").split())
    lines = [
        ("Subject", subject),
        ("From", ", ".join(metadata.sent_from or [])),
        ("To", ", ".join(metadata.sent_to or [])),
        ("Date", str(metadata.last_modified or "")),
    ]
    text = "\n".join(f"{name}: {value}" for name, value in lines if value)
    builder.mark(builder.add(text), "mail_part", part="headers")
    return subject
