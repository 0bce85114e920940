"""RTF through ``unstructured``: only ever imported by the parsing process.

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

from grounded.errors import MissingExtraError, ParseError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.html import read_html
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

_SENTENCE_BREAK = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"(\[])")
_WORD = re.compile(r"\w+|[^\w\s]")
_VERB = re.compile(
    r"(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|will|would|shall|should|may|might|must"
    r"|\w+(?:ed|ing|ize|ise|ify))$",
    re.IGNORECASE,
)


def parse_rtf(source: Source) -> Parsed:
    """A rich-text file.

    Raises:
        MissingExtraError: The extra ``unstructured`` is not installed.
    """
    # A language given means that none is guessed, which is slow and not the same on every run.
    elements = partitioner("rtf")(file=io.BytesIO(source.content), languages=[""])
    builder = TextBuilder(source.limits)
    reader = _Elements(builder, source)
    for element in elements:
        reader.add(element)
    return builder.parsed(title=reader.title, media_type="application/rtf")


def partitioner(kind: str) -> Callable[..., list[Any]]:
    """The partition function of a format, with the network and the language model switched off."""
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

    def add(self, element: Any) -> None:
        """Append one element."""
        text = (element.text or "").replace("\r\n", "\n").strip()
        if not text or element.category in ("PageBreak", "Header", "Footer"):
            return
        html = getattr(element.metadata, "text_as_html", None)
        self._builder.separate(1 if element.category == "ListItem" else 2)
        if element.category == "Table" and html:
            self._table(html, text)
            return
        if element.category == "Title":
            self.title = self.title or " ".join(text.split())
            self._builder.open_section((element.metadata.category_depth or 0) + 1, text)
        self._builder.add(f"- {text}" if element.category == "ListItem" else text)

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
