"""What an ingest did, and what a knowledge base holds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from grounded.records.base import Record

Stage = Literal["list", "read", "parse", "split", "embed", "store", "commit"]


class Failure(Record):
    """One document that could not be brought in; what was stored of it before stays.

    Attributes:
        error: The error's class name.
        fix: What to do about it; may be empty.
    """

    key: str
    uri: str = ""
    stage: Stage
    error: str
    message: str
    fix: str = ""


class IngestReport(Record):
    """What one ingest did. ``ok`` is False when anything was lost, skipped or refused (exit code 5).

    Attributes:
        documents_unchanged: Same content and settings; nothing was parsed or embedded.
        documents_updated: New content, or only new metadata or permissions.
        documents_retired: Gone from the source, or deleted by it.
        chunks_embedded: Chunks that went through the embedder.
        chunks_reused: Chunks of changed documents that were already stored.
        retirement_refused: Why deletions implied by the listing were not carried out; empty when they were.
        interrupted: The run was cancelled; everything counted here is committed.
        seconds: Wall time.
    """

    run_id: str
    sources: tuple[str, ...] = ()
    documents_added: int = Field(default=0, ge=0)
    documents_updated: int = Field(default=0, ge=0)
    documents_unchanged: int = Field(default=0, ge=0)
    documents_retired: int = Field(default=0, ge=0)
    chunks_embedded: int = Field(default=0, ge=0)
    chunks_reused: int = Field(default=0, ge=0)
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    retirement_refused: str = ""
    interrupted: bool = False
    started: datetime
    seconds: float = Field(ge=0)

    @property
    def documents(self) -> int:
        """Documents that are live because of this run or were found unchanged."""
        return self.documents_added + self.documents_updated + self.documents_unchanged

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, skipped, refused or interrupted."""
        return not (self.failures or self.retirement_refused or self.interrupted)

    def plus(self, other: IngestReport) -> IngestReport:
        """Both runs as one: counts added, lists joined, the earlier start kept."""
        counts = ("added", "updated", "unchanged", "retired")
        return self.model_copy(
            update={
                "sources": tuple(dict.fromkeys((*self.sources, *other.sources))),
                **{
                    f"documents_{c}": getattr(self, f"documents_{c}") + getattr(other, f"documents_{c}") for c in counts
                },
                "chunks_embedded": self.chunks_embedded + other.chunks_embedded,
                "chunks_reused": self.chunks_reused + other.chunks_reused,
                "failures": (*self.failures, *other.failures),
                "warnings": (*self.warnings, *other.warnings),
                "retirement_refused": " ".join(filter(None, (self.retirement_refused, other.retirement_refused))),
                "interrupted": self.interrupted or other.interrupted,
                "seconds": self.seconds + other.seconds,
            }
        )


class SourceStatus(Record):
    """One source in a knowledge base.

    Attributes:
        chunks: Distinct live chunks.
        last_success: When a run last ended without loss, UTC.
        dead_letters: Documents that could not be brought in since they last could.
        watermark: For a live source: everything that happened there until then is known, UTC.
        lag: How many changes were known to wait at the source at its last checkpoint; None when it does not say.
        held_by: Which worker syncs it at the moment; empty when none does.
    """

    source: str
    tenant: str
    documents: int
    chunks: int = 0
    last_success: datetime | None = None
    dead_letters: int = 0
    watermark: datetime | None = None
    lag: int | None = None
    held_by: str = ""


class Status(Record):
    """What a knowledge base holds.

    Attributes:
        chunks: Distinct live chunks by the ledger.
        points: Points in the vector store, equal to ``chunks`` unless something drifted; None when another
            process holds the store and only the ledger could be read.
        restricted: Whether any live document has principals.
        bytes_on_disk: Size of the folder.
    """

    path: str
    documents: int
    chunks: int
    points: int | None = None
    sources: tuple[SourceStatus, ...] = ()
    embedder: str
    dimension: int
    filterable: dict[str, str] = Field(default_factory=dict)
    restricted: bool = False
    last_success: datetime | None = None
    bytes_on_disk: int = 0

    @property
    def drifted(self) -> bool:
        """Whether ledger and store disagree."""
        return self.points is not None and self.chunks != self.points
