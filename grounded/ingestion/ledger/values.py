"""What goes into a ledger's transaction, and what comes back about a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from grounded.records import Chunk, Failure, RawDocument, Scalar, Segment, Trust, Upsert

Kept = Upsert | RawDocument
"""What is kept of a dead letter: a change to try again, or what only its connector can make a change of."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is known of a document besides its content, after source, arguments and content were merged."""

    title: str = ""
    uri: str = ""
    media_type: str = ""
    trust: Trust = "untrusted"
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    principals: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None
    supersedes: str | None = None
    event_time: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """A version and its chunks, in order."""

    version: str
    text: str
    segments: tuple[Segment, ...]
    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class Write:
    """One document of a batch.

    Attributes:
        fingerprint: Identifies bytes and settings.
        declared: Identifies what source and arguments declared.
        parsed: What the content itself declared, JSON-compatible.
        content: The version that becomes live; None leaves the live one and writes attributes only.
        order: Place of the change in the source's own order.
    """

    document_id: str
    key: str
    fingerprint: str
    declared: str
    attributes: Attributes
    parsed: Mapping[str, Any]
    content: Content | None
    order: str = ""


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A checkpoint to move: of which scope, made with which settings; watermark and lag as in ``Checkpoint``."""

    scope: str
    settings: str
    state: Mapping[str, Any]
    watermark: datetime | None = None
    lag: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction of a run changes.

    Attributes:
        retired: Ids of documents that are gone.
        orders: By id of a document that is gone, its key and the place of that change in the source's own order; kept
            even when nothing of it is stored, so that an older change which arrives later is known to be older.
        renames: ``(document id, key before, key now)``.
        kept: By key of a failure, what was received of it.
        lease: Number of the source's lease under which this is written; None asks for none.
        failures: Documents that could not be brought in; they become dead letters.
        cleared: Keys whose dead letters are settled.
    """

    tenant: str
    source: str
    writes: Sequence[Write] = ()
    retired: Sequence[str] = ()
    orders: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    renames: Sequence[tuple[str, str, str]] = ()
    kept: Mapping[str, Kept] = field(default_factory=dict)
    lease: int | None = None
    failures: Sequence[Failure] = ()
    cleared: Sequence[str] = ()
    checkpoint: Checkpointed | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a document; ``live`` is False for a retired one."""

    fingerprint: str
    declared: str
    live: bool
    order: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """What a document looked like before: what was merged, what its content declared, live version and chunks."""

    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    parsed: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None
    chunk_ids: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """What a live chunk needs to be stored again."""

    chunk_id: str
    embedded_text: str
    document_id: str
    tenant: str
    source: str
    principals: tuple[str, ...]
    metadata: Mapping[str, Scalar]
