"""Data sets: the questions that an evaluation asks, and what is known of their right answers."""

from __future__ import annotations

import hashlib
import json
from typing import Literal, Self

from pydantic import Field, model_validator

from grounded.records.base import Record, Span
from grounded.records.documents import Message
from grounded.records.locators import Locator

RowKind = Literal["single", "multi", "unanswerable", "ambiguous", "conflicting", "injected", "restricted"]
"""What a question is made to try: answered in one place, from two, nowhere; open to two readings; on sources that
disagree; with an attack planted in a source; on a source that the asker may not see."""

DECLINED_KINDS = frozenset({"unanswerable", "restricted"})
"""Kinds whose right answer is to decline."""


class GoldSource(Record):
    """Where the answer to a question stands.

    Attributes:
        document: The key, the URI, the title or the id of a document.
        span: The place in its canonical text; None means that the document as a whole is right.
        text: The words at that place, ``canonical[span]``; empty when they are not given.
        locator: A row, page or heading instead of a span.
        version: The version that ``span`` counts in; None means the live one.
    """

    document: str = Field(min_length=1)
    span: Span | None = None
    text: str = ""
    locator: Locator | None = None
    version: str | None = None

    @model_validator(mode="after")
    def _span_fits(self) -> Self:
        if self.span is not None and self.text and len(self.span) != len(self.text):
            raise ValueError("the span of a gold source must be as long as its text")
        return self


class Row(Record):
    """One question of a data set.

    Attributes:
        id: Unique in the data set.
        reference: A right answer; None when none is known.
        sources: Where the answer stands; every one of them is needed.
        answerable: Whether an answer is right, or declining is; None when nothing says so.
        kind: What the question is made to try; None when it was not made for anything.
        principals: On whose behalf it is asked.
        history: Earlier turns.
        absent: Texts that no answer may hold, such as the goal of a planted attack.
        group: Rows of one group depend on each other, such as questions on one document; empty stands alone.
        contexts: Texts to answer from, or that ``answer`` was made from, instead of a knowledge base.
        answer: An answer that is there already; it is judged instead of a new one where a variant says so.
        origin: Where the row comes from, such as the request id of an answer record.
    """

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    reference: str | None = None
    sources: tuple[GoldSource, ...] = ()
    answerable: bool | None = None
    kind: RowKind | None = None
    tags: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    history: tuple[Message, ...] = ()
    absent: tuple[str, ...] = ()
    group: str = ""
    contexts: tuple[str, ...] = ()
    answer: str | None = None
    origin: str = ""

    @property
    def should_answer(self) -> bool | None:
        """Whether an answer is right: as said, else by the kind, else True where an answer or its place is known."""
        if self.answerable is not None:
            return self.answerable
        if self.kind is not None:
            return self.kind not in DECLINED_KINDS
        return True if self.reference is not None or self.sources else None

    @property
    def cluster(self) -> str:
        """What the row is drawn with: its group, or itself."""
        return self.group or self.id


class DataSetRef(Record):
    """Which data set it was: its hash says whether it is the same one.

    Attributes:
        hash: SHA-256 over the rows in order: 64 hexadecimal digits.
        rows: How many there are.
    """

    name: str
    hash: str
    rows: int = Field(ge=0)


class DataSet(Record):
    """Questions in order; ids are unique."""

    name: str
    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        seen: set[str] = set()
        for row in self.rows:
            if row.id in seen:
                raise ValueError(f"two rows have the id {row.id!r}")
            seen.add(row.id)
        return self

    @property
    def ref(self) -> DataSetRef:
        """Name, hash and size."""
        digest = hashlib.sha256()
        for row in self.rows:
            content = row.model_dump(mode="json", exclude_defaults=True)
            line = json.dumps(content, ensure_ascii=False, sort_keys=True)
            digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        return DataSetRef(name=self.name, hash=digest.hexdigest(), rows=len(self.rows))
