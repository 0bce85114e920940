"""Where a source speaks for or against a claim, and the markers by which an answer says so itself."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from grounded.records.base import Record, Span
from grounded.records.documents import SourceKind, labelled
from grounded.records.locators import Locator, place_of

CitationStatus = Literal["correct", "wrong_source", "dangling", "redundant", "unchecked"]


class Evidence(Record):
    """The exact place in a source that speaks for or against a claim; ``text == canonical[span]``.

    Attributes:
        span: Place in the canonical text of ``version``, or in the given text of the passage.
        score: Raw strength in [0, 1], higher is stronger; not a probability.
        kind: The kind of its passage: a document, the user's own words, or a tool's result.
    """

    passage_id: str
    kind: SourceKind = "document"
    document_id: str | None = None
    version: str | None = None
    title: str = ""
    uri: str = ""
    span: Span
    text: str
    locators: tuple[Locator, ...] = ()
    relation: Literal["supports", "contradicts"]
    score: float = Field(ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _span_fits(self) -> Self:
        if len(self.span) != len(self.text):
            raise ValueError("the span of evidence must be as long as its text")
        return self

    def place(self) -> str:
        """A short text for people: title, locators, and the kind when it is no document."""
        return labelled(self.kind, place_of(self.title, self.locators))


class Citation(Record):
    """A marker the answer carries, bound to a passage and judged.

    Attributes:
        marker: As written, such as ``[2]``.
        span: Place of the marker in the answer.
        number: The ``n`` of ``[n]``; for a name, such as a title, the number of the passage it stands for. None when a
            name points nowhere.
        passage_id: Id of the passage cited, ``passages[n-1].id``; None when the marker points nowhere. A name that
            several passages share stands for the one of them that supports the claim, when one does.
        status: ``correct`` (the passage supports the claim), ``wrong_source`` (it does not), ``dangling``
            (no such passage), ``redundant`` (the same passage is cited twice for one claim), ``unchecked``
            (the claim could not be checked, or there is none).
        evidence: What in the cited passage supports the claim.
        better: For a wrong source, the ids of the passages that do support the claim, best first; empty when none does.
    """

    marker: str
    span: Span
    number: int | None = None
    passage_id: str | None = None
    title: str = ""
    uri: str = ""
    status: CitationStatus = "unchecked"
    evidence: tuple[Evidence, ...] = ()
    better: tuple[str, ...] = ()
