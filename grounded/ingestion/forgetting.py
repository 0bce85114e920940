"""What an erasure would take, and what must stay: the plan, before anything is erased."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from grounded.ingestion.ledger import Doomed, Held, Ledger, Upkeep
from grounded.records import (
    Absent,
    AllOf,
    AnswerRecord,
    AnyOf,
    Between,
    Condition,
    ErasedDocument,
    Erasure,
    Not,
    OneOf,
    Scalar,
)

LEGAL_HOLD, RETENTION_CLASS = "legal_hold", "retention_class"
"""Metadata that keep a document from being forgotten: true, and the name of a class that must be kept."""


def planned(
    ledger: Ledger,
    *,
    key: str | None,
    conditions: Sequence[Condition],
    source: str | None,
    tenant: str,
    reason: str,
    bar: bool,
    rewrites: bool,
) -> tuple[Erasure, Doomed]:
    """What would go, as a dry run and as the ledger takes it.

    Args:
        ledger: Where it is.
        key: Key, address or id of a document; None for every document that meets the conditions.
        conditions: Conditions on metadata, all of which must hold.
        source: Only of this source.
        tenant: Whose documents.
        reason: For the receipt.
        bar: Whether they are kept from coming back.
        rewrites: Whether the store can rewrite its files.
    """
    wanted = AllOf(conditions=tuple(conditions))
    found = [
        each
        for each in ledger.upkeep.documents(tenant, source)
        if (not key or key in (each.key, each.uri, each.document_id)) and holds(wanted, each.metadata)
    ]
    held = tuple(each.document_id for each in found if is_held(each))
    doomed, answers_held = _doomed(ledger.upkeep, [each for each in found if not is_held(each)], key, tenant)
    versions = ledger.upkeep.versions([each.document_id for each in doomed.documents])
    documents = tuple(
        ErasedDocument(
            document_id=each.document_id,
            versions=tuple(versions.get(each.document_id, ())),
            chunks=len(ledger.upkeep.chunks([each.document_id])),
        )
        for each in doomed.documents
    )
    plan = Erasure(
        id=uuid.uuid4().hex,
        time=datetime.now(UTC),
        tenant=tenant,
        dry_run=True,
        reason=reason,
        documents=documents,
        dead_letters=len(doomed.letters),
        answers=len(doomed.answers),
        held=held,
        answers_held=answers_held,
        barred=bar,
        notes=_beyond_reach(ledger.name, rewrites=rewrites),
    )
    return plan, doomed


def _doomed(upkeep: Upkeep, documents: Sequence[Held], key: str | None, tenant: str) -> tuple[Doomed, int]:
    """What goes, and how many answer records stay although they were given from it."""
    names = {each.key for each in documents} | ({key} if key else set())
    ids = {each.document_id for each in documents}
    protected = {each.document_id for each in upkeep.documents(tenant) if is_held(each)}
    theirs = [record for record in upkeep.answers() if sources_of(record) & ids]
    held = [record for record in theirs if record.retention or sources_of(record) & protected]
    gone = [record.request_id for record in theirs if record not in held]
    return Doomed(documents, upkeep.letters(tenant, names), gone), len(held)


def holds(condition: Condition, metadata: Mapping[str, Scalar]) -> bool:
    """Whether a condition holds for a document's metadata, as a store would decide it."""
    match condition:
        case AllOf(conditions=inner):
            return all(holds(each, metadata) for each in inner)
        case OneOf(conditions=inner):
            return any(holds(each, metadata) for each in inner)
        case Not(condition=inner):
            return not holds(inner, metadata)
        case Absent(key=key):
            return key not in metadata
        case AnyOf(key=key, values=values):
            return any(metadata.get(key) == each and type(metadata[key]) is type(each) for each in values)
        case Between(key=key, at_least=least, below=below):
            value = metadata.get(key)
            if not isinstance(value, int | float) or isinstance(value, bool):
                return False
            return (least is None or value >= least) and (below is None or value < below)


def is_held(document: Held) -> bool:
    """Whether a document must stay, by its own metadata."""
    return any(document.metadata.get(name) not in (None, False, "") for name in (LEGAL_HOLD, RETENTION_CLASS))


def sources_of(record: AnswerRecord) -> set[str]:
    """Ids of the documents an answer was given from."""
    return {document for _, document, _ in record.passages if document is not None}


def _beyond_reach(ledger: str, *, rewrites: bool) -> tuple[str, ...]:
    notes = []
    if ledger.startswith("postgresql"):
        notes.append("The database server's own log, replicas and backups are its operator's to clear.")
    if not rewrites:
        notes.append("The vector server rewrites its files in its own time; its snapshots are its operator's to clear.")
    return (*notes, "Backups of the knowledge base, exports, and logs of other programs are not reached.")
