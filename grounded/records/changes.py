"""What a connector yields: upserts, deletions, failures, checkpoints and the end of a listing."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from grounded.records.base import Record
from grounded.records.documents import Document, RawDocument


class Upsert(Record):
    """A document is there, new or changed or the same: the ledger finds out which."""

    document: RawDocument | Document


class Unchanged(Record):
    """A document is there and the source knows that it has not changed; it was not read."""

    key: str


class Delete(Record):
    """The source says that a document is gone."""

    key: str


class Failed(Record):
    """A document is there but could not be read; it is kept as it was and reported."""

    key: str
    uri: str = ""
    error: str
    message: str
    fix: str = ""


class Checkpoint(Record):
    """Everything yielded so far is accounted for by this state; it moves in the ledger's transaction."""

    state: dict[str, Any] = Field(default_factory=dict)


class Listing(Record):
    """The connector has named everything it covers.

    Only a complete, unfailed listing may imply deletions.

    Attributes:
        complete: False when any part of the source could not be listed.
        reason: Why it is incomplete, or why it must not imply deletions.
    """

    complete: bool
    reason: str = ""


Change = Upsert | Unchanged | Delete | Failed | Checkpoint | Listing
