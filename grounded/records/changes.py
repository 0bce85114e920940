"""What a connector yields: upserts, deletions, renames, failures, checkpoints and the end of a listing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from pydantic import AwareDatetime, Field, model_validator

from grounded.records.base import Record
from grounded.records.documents import Document, RawDocument


class Upsert(Record):
    """A document is there, new or changed or the same: the ledger finds out which.

    Attributes:
        order: Place of this change in the source's own order, compared as text (numbers with leading zeros); what is
            older than what is stored of the document is ignored. Empty says that changes come in order.
    """

    document: RawDocument | Document
    order: str = ""


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
    """The source says that a document is gone; ``order`` as in ``Upsert``."""

    key: str
    order: str = ""


class Rename(Record):
    """The source says that a document now has another key; it stays the same document.

    An ``Upsert`` of the new key may follow when anything else of it changed, its title or address included.
    """

    key: str
    to: str = Field(min_length=1)


class Failed(Record):
    """A document is there but could not be read; it is kept as it was and reported.

    Attributes:
        received: What came, when the source cannot be asked for it again: kept for ``retry``. An ``Upsert`` is tried
            again as it is; of a ``RawDocument`` only the connector (``protocols.Remaking``) can make a change.
    """

    key: str
    uri: str = ""
    error: str
    message: str
    fix: str = ""
    received: Upsert | RawDocument | None = Field(default=None, repr=False)


class Keep(Record):
    """Of the documents whose key starts with ``under`` only the ``last`` newest by event time stay."""

    last: int = Field(ge=0)
    under: str = ""


class Checkpoint(Record):
    """Everything yielded so far is accounted for by this state; it moves in the ledger's transaction.

    Attributes:
        watermark: Everything that happened at the source until then has been yielded.
        lag: How many changes are known to wait at the source; None when it cannot say.
        commit: Commit at once; otherwise within about a second of further changes. A source that waits for new
            changes asks for it before it waits.
    """

    state: dict[str, Any] = Field(default_factory=dict)
    watermark: AwareDatetime | None = None
    lag: int | None = Field(default=None, ge=0)
    commit: bool = False


class Listing(Record):
    """The connector has named everything it covers.

    Only a complete, unfailed listing may imply deletions.

    Attributes:
        complete: False when any part of the source could not be listed.
        reason: Why it is incomplete, or why it must not imply deletions.
    """

    complete: bool
    reason: str = ""


Change = Upsert | Offer | Unchanged | Delete | Rename | Failed | Keep | Checkpoint | Listing
