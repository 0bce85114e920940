"""What keeping a knowledge base true and small has found and done."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Self

from pydantic import Field

from grounded.records.base import Record


class SourceDifference(Record):
    """How one source differs from the ledger.

    Attributes:
        missing: Keys at the source of which nothing is live.
        changed: Keys whose content or declaration at the source is another one.
        gone: Live keys that a complete listing does not name.
        unreadable: Keys that the source could not read.
        unlisted: Why nothing can be said of what is gone; empty when the listing was complete.
    """

    source: str
    tenant: str
    same: int = Field(default=0, ge=0)
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unlisted: str = ""

    @property
    def agrees(self) -> bool:
        """Whether everything at the source is live as it is there, and nothing else."""
        return not (self.missing or self.changed or self.gone or self.unreadable or self.unlisted)


class AlikeDocument(Record):
    """One of several documents that say nearly the same.

    Attributes:
        share: Largest share of its runs of words that it has in common with another one of them, in (0, 1].
    """

    source: str
    key: str
    document_id: str
    share: float = Field(gt=0.0, le=1.0)


class Alike(Record):
    """Live documents that say nearly the same, in the order of their ids."""

    documents: tuple[AlikeDocument, ...] = Field(min_length=2)


class Reconciliation(Record):
    """Source, ledger and store compared, document by document and point by point.

    Attributes:
        documents: Live documents by the ledger.
        chunks: Distinct live chunks by the ledger.
        points: Points in the store.
        points_missing: Live chunks without a point.
        points_orphaned: Points without a live chunk.
        payloads_wrong: Points whose tenant, source, principals or metadata are not the ledger's.
        dead_letters: Documents that could not be brought in since they last could.
        alike: Groups of documents that say nearly the same, when that was asked for; no difference.
        repaired: Whether the differences found were put right; compare again to be sure.
    """

    documents: int = Field(ge=0)
    chunks: int = Field(ge=0)
    points: int = Field(ge=0)
    points_missing: int = Field(default=0, ge=0)
    points_orphaned: int = Field(default=0, ge=0)
    payloads_wrong: int = Field(default=0, ge=0)
    sources: tuple[SourceDifference, ...] = ()
    dead_letters: int = Field(default=0, ge=0)
    alike: tuple[Alike, ...] = ()
    repaired: bool = False
    seconds: float = Field(default=0.0, ge=0)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs and nothing waits as a dead letter."""
        points = self.points_missing or self.points_orphaned or self.payloads_wrong
        return not points and not self.dead_letters and all(each.agrees for each in self.sources)


class ErasedDocument(Record):
    """One document of an erasure, by hashes alone: its id is one of where it lived, a version one of its text."""

    document_id: str
    versions: tuple[str, ...] = ()
    chunks: int = Field(default=0, ge=0)


class Erasure(Record):
    """What ``forget`` erases or has erased; kept as a receipt that says nothing of what it was.

    Attributes:
        dry_run: Nothing was erased yet.
        reason: Why, in the words of whoever asked for it.
        dead_letters: How many dead letters go with it.
        answers: How many answer records go with it.
        held: Ids of documents that match and stay, under legal hold or a retention class.
        answers_held: How many answer records stay for the same reason.
        barred: Whether the documents are kept from coming back with the next sync.
        notes: What is beyond this erasure's reach, such as a server's own logs.
        digest: SHA-256 of everything else in it.
    """

    id: str
    time: datetime
    tenant: str
    dry_run: bool
    reason: str = ""
    documents: tuple[ErasedDocument, ...] = ()
    dead_letters: int = Field(default=0, ge=0)
    answers: int = Field(default=0, ge=0)
    held: tuple[str, ...] = ()
    answers_held: int = Field(default=0, ge=0)
    barred: bool = True
    notes: tuple[str, ...] = ()
    digest: str = ""

    @property
    def chunks(self) -> int:
        """How many chunks of all versions."""
        return sum(each.chunks for each in self.documents)

    def sealed(self) -> Self:
        """The same with its digest."""
        content = json.dumps(self.model_dump(mode="json", exclude={"digest"}), sort_keys=True, ensure_ascii=False)
        return self.model_copy(update={"digest": hashlib.sha256(content.encode()).hexdigest()})

    @property
    def is_intact(self) -> bool:
        """Whether nothing was changed since it was sealed."""
        return self.digest == self.sealed().digest


class Pruning(Record):
    """What ``prune`` and ``compact`` took away.

    Attributes:
        versions: Superseded versions whose text is gone; citations of them no longer resolve.
        documents: Retired documents of which no version is left.
        runs: Entries of earlier runs.
        bytes_before: Size of the folder, in bytes.
        bytes_after: The same when it was done.
    """

    versions: int = Field(default=0, ge=0)
    documents: int = Field(default=0, ge=0)
    runs: int = Field(default=0, ge=0)
    bytes_before: int = Field(default=0, ge=0)
    bytes_after: int = Field(default=0, ge=0)
