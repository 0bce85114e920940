"""What a connector yields: upserts, deletions, failures, checkpoints and the end of a listing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from pydantic import Field, model_validator

from grounded.records.base import Record
from grounded.records.documents import Document, RawDocument


class Upsert(Record):
    """A document is there, new or changed or the same: the ledger finds out which."""

    document: RawDocument | Document


class Offer(Record):
    """A document is there, and its content is fetched only if the ledger holds another fingerprint or none.

    For sources that tell cheaply that something changed (an entity tag, a modification time) and dearly what.

    Attributes:
        document: Everything but the content, which is empty; ``fingerprint`` is required.
        read: Fetches the document whole; ``Failed`` when it cannot be read, None when it vanished meanwhile.
    """

    document: RawDocument
    read: Callable[[], Upsert | Failed | None] = Field(exclude=True, repr=False)

    @model_validator(mode="after")
    def _tells_changes(self) -> Self:
        if not self.document.fingerprint:
            raise ValueError("an offer needs a fingerprint, otherwise nobody can tell whether it changed")
        return self


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


Change = Upsert | Offer | Unchanged | Delete | Failed | Checkpoint | Listing
