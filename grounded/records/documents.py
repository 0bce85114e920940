"""Documents, chunks and passages: what is stored and what is placed before a model or the verifier."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from grounded.errors import UsageError
from grounded.records.base import Record, Span
from grounded.records.locators import Locator, Segment, place_of

Scalar = str | int | float | bool
Trust = Literal["trusted", "untrusted"]
SourceKind = Literal["document", "user", "tool"]
"""What a passage is: text from a document, what the user said, or what a tool returned."""

DEFAULT_TENANT = "default"
_KINDS = {"user": "said by the user", "tool": "returned by a tool"}
_NAMESPACE = uuid.UUID("8f1a5c1e-52a1-5d0e-9f8b-3b1f6d1c7a10")


def document_id(tenant: str, source: str, key: str) -> str:
    """The identity of a document: a UUID made from where it lives, never from what it says."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps([tenant, source, key], ensure_ascii=False)))


def chunk_id(document: str, embedded_text: str, k: int) -> str:
    """The identity of the ``k``-th chunk of a document with this embedded text: content, never position."""
    digest = hashlib.sha256(embedded_text.encode("utf-8", "surrogatepass")).hexdigest()
    return str(uuid.uuid5(_as_uuid(document), f"{digest}:{k}"))


@lru_cache(maxsize=16)
def _as_uuid(document: str) -> uuid.UUID:
    return uuid.UUID(document)


class RawDocument(Record):
    """Bytes as a connector found them, not parsed yet.

    Attributes:
        key: What names the document within its source; stable over time.
        content: The bytes.
        name: A file name, a hint for the parser only; the content decides.
        uri: Where a person finds it.
        title: Shown to people; empty means that the parser or the name decides.
        media_type: What the source says it is; a hint.
        fingerprint: Changes whenever the content may have changed; empty means the hash of the bytes.
        metadata: Declared values for filters.
        principals: Who may see it; empty means everybody.
        effective_from: First day on which it is in force.
        effective_to: First day on which it is no longer in force.
        supersedes: Key of the document of the same source that this one replaces.
        trust: Whether its text may be treated as the operator's own words.
        event_time: When what it tells happened, by the source's clock.
        expires: From then on it is no longer found; the next sync retires it.
        locators: Places of the whole document in its origin, such as a message or an object's version; every passage
            of it carries them.
    """

    key: str = Field(min_length=1)
    content: bytes = Field(repr=False)
    name: str = ""
    uri: str = ""
    title: str = ""
    media_type: str = ""
    fingerprint: str = ""
    metadata: dict[str, Scalar] = Field(default_factory=dict)
    principals: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None
    supersedes: str | None = None
    trust: Trust = "untrusted"
    event_time: AwareDatetime | None = None
    expires: AwareDatetime | None = None
    locators: tuple[Locator, ...] = ()


class Parsed(Record):
    """What a parser makes of bytes: canonical text and the places it comes from.

    ``metadata``, ``title``, ``principals``, dates and ``supersedes`` are what the content itself declares
    (front matter, document properties); what the source declares wins.
    """

    text: str = Field(repr=False)
    segments: tuple[Segment, ...] = Field(default=(), repr=False)
    title: str = ""
    media_type: str = ""
    metadata: dict[str, Scalar] = Field(default_factory=dict)
    effective_from: date | None = None
    effective_to: date | None = None
    supersedes: str | None = None
    principals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _segments_fit(self) -> Self:
        _check_segments(self.segments, len(self.text))
        return self


class Document(Record):
    """One thing at a source with its canonical text.

    The canonical text is the decoded text with the byte-order mark removed and nothing else changed; for
    formats without a text of their own (PDF, sheets, mail) it is what the parser extracted. Every span in
    the package points into it.
    """

    key: str = Field(min_length=1)
    text: str = Field(repr=False)
    segments: tuple[Segment, ...] = Field(default=(), repr=False)
    title: str = ""
    uri: str = ""
    media_type: str = "text/plain"
    fingerprint: str = ""
    metadata: dict[str, Scalar] = Field(default_factory=dict)
    principals: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None
    supersedes: str | None = None
    trust: Trust = "untrusted"
    event_time: AwareDatetime | None = None
    expires: AwareDatetime | None = None

    @model_validator(mode="after")
    def _segments_fit(self) -> Self:
        _check_segments(self.segments, len(self.text))
        return self

    @property
    def version(self) -> str:
        """``sha256(canonical text, structure)``: 64 hexadecimal digits."""
        structure = [segment.model_dump(mode="json") for segment in self.segments]
        digest = hashlib.sha256(self.text.encode("utf-8", "surrogatepass"))
        digest.update(b"\x00" + json.dumps(structure, sort_keys=True).encode())
        return digest.hexdigest()


class Chunk(Record):
    """A stored slice of one version of a document.

    Attributes:
        id: ``chunk_id(document_id, embedded_text, k)``.
        ordinal: Position among the chunks of the version, from 0.
        span: The slice of canonical text; what may be cited.
        embedded_text: What the embedder and BM25 read: title and heading path, then the slice.
        locators: Places in the origin, in document order.
    """

    id: str
    ordinal: int = Field(ge=0)
    span: Span
    embedded_text: str = Field(repr=False)
    locators: tuple[Locator, ...] = ()


class Location(Record):
    """Another document, or another place in one, with the same words as a passage; visible to whoever sees it.

    Attributes:
        span: Place in the canonical text of ``version``.
    """

    document_id: str | None = None
    version: str | None = None
    title: str = ""
    uri: str = ""
    span: Span | None = None
    locators: tuple[Locator, ...] = ()

    def place(self) -> str:
        """A short text for people: title and locators."""
        return place_of(self.title, self.locators)


class Passage(Record):
    """A chunk, or any given text, placed before a model or the verifier.

    Attributes:
        id: The chunk's id, or one made from the text when it was given.
        text: ``canonical[span]`` when the passage comes from a knowledge base.
        span: Place in the canonical text of ``version``; None for given text, whose spans start at 0.
        score: Fused retrieval score, higher is better, comparable within one search only; None when given.
        supersedes: Id of the document that this passage's document replaces.
        kind: Where its words come from; shown beside the title wherever the passage or evidence of it is.
        also: Where else the same words stand, as far as the caller may see: one passage is cited for all of them.
    """

    id: str
    kind: SourceKind = "document"
    document_id: str | None = None
    version: str | None = None
    title: str = ""
    uri: str = ""
    text: str
    span: Span | None = None
    locators: tuple[Locator, ...] = ()
    principals: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None
    supersedes: str | None = None
    trust: Trust = "untrusted"
    score: float | None = None
    also: tuple[Location, ...] = ()

    @model_validator(mode="after")
    def _span_fits(self) -> Self:
        if self.span is not None and len(self.span) != len(self.text):
            raise ValueError("the span of a passage must be as long as its text")
        return self

    @classmethod
    def from_text(cls, text: str, *, title: str = "", uri: str = "", number: int = 1) -> Passage:
        """A passage for text that is in no knowledge base; its spans count from the start of the text."""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        identity = str(uuid.uuid5(_NAMESPACE, json.dumps(["text", number, digest])))
        return cls(id=identity, text=text, title=title or f"Source {number}", uri=uri)

    @property
    def offset(self) -> int:
        """Where the passage starts in its canonical text: code points."""
        return self.span.start if self.span else 0

    def in_force(self, on: date) -> bool:
        """Whether ``on`` lies within the effective dates; open ends count as within."""
        started = self.effective_from is None or self.effective_from <= on
        return started and (self.effective_to is None or on < self.effective_to)

    def place(self) -> str:
        """A short text for people: title, locators, and the kind when it is no document."""
        return labelled(self.kind, place_of(self.title, self.locators))

    def also_in(self) -> str:
        """A short text for people: where else the same words stand; empty when nowhere."""
        places = dict.fromkeys(each.place() or each.uri for each in self.also)
        return f"also in {'; '.join(places)}" if places else ""

    def location(self) -> Location:
        """Where it stands."""
        return Location(**{name: getattr(self, name) for name in Location.model_fields})


def labelled(kind: SourceKind, place: str) -> str:
    """A place with the words for its kind, such as ``Order 17 (returned by a tool)``; documents need none."""
    return f"{place} ({_KINDS[kind]})".lstrip() if kind in _KINDS else place


def as_principals(given: object) -> tuple[str, ...]:
    """Principals as a tuple; None is none.

    Raises:
        UsageError: A single string (which would be read letter by letter), or something that is not text.
    """
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UsageError(f"Principals are a list of names, not {given!r}.", fix=f"Write [{given!r}].")
    names = tuple(given)
    if not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"Principals are non-empty names, not {names!r}.")
    return names


class Viewer(Record):
    """On whose behalf, for which tenant and for which day something is read.

    Attributes:
        principals: The caller's users, groups and roles. A document with principals is visible only to a
            caller who has at least one of them; None of ours is ever implied.
        on: Keep only documents in force on this day; None keeps all and lets the verifier decide.
    """

    tenant: str = DEFAULT_TENANT
    principals: tuple[str, ...] = ()
    on: date | None = None

    def may_see(self, principals: tuple[str, ...]) -> bool:
        """Whether a document with these principals is visible; one without is visible to everybody."""
        return not principals or bool(set(principals) & set(self.principals))


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Freshness(Record):
    """How current the data behind an answer is.

    Attributes:
        last_sync: When the knowledge base last finished an ingest without loss, UTC.
        oldest_passage: When the oldest version among the passages became live, UTC.
        watermark: For passages from live sources: everything that happened at those sources until then is known, UTC;
            the earliest of several. None when no passage comes from a live source.
    """

    last_sync: datetime | None = None
    oldest_passage: datetime | None = None
    watermark: datetime | None = None


def _check_segments(segments: tuple[Segment, ...], length: int) -> None:
    previous = 0
    for segment in segments:
        if segment.span.end > length:
            raise ValueError(f"segment {segment.span} reaches beyond the text of {length} code points")
        if segment.span.start < previous:
            raise ValueError("segments must be sorted by start")
        previous = segment.span.start
