"""The one transaction that makes a batch live."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from grounded.ingestion.ledger import journal
from grounded.ingestion.ledger.schema import (
    BLOCK_CHARACTERS,
    documents,
    identities,
    meta,
    occurrences,
    principals,
    sources,
    tenants,
    texts,
    versions,
)
from grounded.ingestion.ledger.values import Attributes, Batch, Write
from grounded.records import Chunk, Locator, Segment

_ROWS = 2000
_PAIRS = 16
"""SQLite looks up every pairing of two lists; of this length they cost less than a statement for each pair."""
_SEGMENTS = TypeAdapter(tuple[Segment, ...])
_T = TypeVar("_T")


def commit(connection: Connection, batch: Batch, now: datetime) -> None:
    """Make every write of a batch live, retire what is gone, move the checkpoint.

    Args:
        connection: A connection in the transaction that takes all of it.
        batch: At most one write per document, and none for a retired one.
        now: The time of the commit.
    """
    changed = [write for write in batch.writes if write.content is not None]
    register(connection, batch.tenant, batch.source, now)
    known = _insert_documents(connection, batch, {write.document_id: write.key for write in batch.writes}, now)
    _rename(connection, batch, now)
    again = [write.document_id for write in changed if write.document_id in known]
    _supersede(connection, [*again, *batch.retired], now)
    ids = _insert_versions(connection, changed, now)
    _insert_occurrences(connection, changed, ids)
    _update_documents(connection, batch, ids, now)
    _replace_principals(connection, batch.writes, known)
    _retire(connection, batch, now)
    journal.settle(connection, batch, now)
    if batch.writes or batch.retired or batch.renames:
        connection.execute(update(meta).values(revision=meta.c.revision + 1))


def slices(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """``items`` in runs of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


def register(connection: Connection, tenant: str, source: str, now: datetime) -> None:
    """Make a tenant and its source known; several workers may do so at once."""
    if connection.execute(select(sources.c.source).filter_by(tenant=tenant, source=source)).first():
        return
    for table, values in (
        (tenants, {"tenant": tenant, "created_at": now}),
        (sources, {"tenant": tenant, "source": source, "created_at": now}),
    ):
        connection.execute(_insert_either(connection, table).values(**values).on_conflict_do_nothing())


def _insert_documents(connection: Connection, batch: Batch, keys: Mapping[str, str], now: datetime) -> set[str]:
    """Those that were there; what is new has no version, no principals and nothing to replace."""
    known: set[str] = set()
    for some in slices(list(keys), _ROWS):
        known.update(connection.execute(select(documents.c.id).where(documents.c.id.in_(some))).scalars())
    rows = [
        {
            "id": document_id,
            "tenant": batch.tenant,
            "source": batch.source,
            "key": key,
            "created_at": now,
            "updated_at": now,
        }
        for document_id, key in keys.items()
        if document_id not in known
    ]
    _insert(connection, documents, rows)
    return known


def _rename(connection: Connection, batch: Batch, now: datetime) -> None:
    place = {"tenant": batch.tenant, "source": batch.source}
    for identity, before, key in batch.renames:
        connection.execute(update(documents).where(documents.c.id == identity).values(key=key, updated_at=now))
        # A new document under the key it had must not get its identity.
        fresh = str(uuid.uuid5(uuid.UUID(identity), f"moved to {key}"))
        for name, owner in ((before, fresh), (key, identity)):
            connection.execute(delete(identities).filter_by(key=name, **place))
            connection.execute(insert(identities).values(key=name, document_id=owner, **place))


def _supersede(connection: Connection, document_ids: Sequence[str], now: datetime) -> None:
    for some in slices(document_ids, _ROWS):
        live = select(documents.c.live_version_id).where(documents.c.id.in_(some))
        connection.execute(
            update(versions)
            .where(versions.c.id.in_(live), versions.c.superseded_at.is_(None))
            .values(superseded_at=now)
        )


def _insert_versions(connection: Connection, changed: Sequence[Write], now: datetime) -> dict[str, int]:
    """Ids of the versions that become live, by document; one that was there before is used again."""
    contents = {write.document_id: write.content for write in changed if write.content is not None}
    rows = (
        {
            "document_id": document_id,
            "version": content.version,
            "characters": len(content.text),
            "segments": _packed(content.segments),
            "committed_at": now,
            "live_since": now,
        }
        for document_id, content in contents.items()
    )
    new: dict[str, int] = {}
    for portion in _portions(rows):
        adding = _insert_either(connection, versions).on_conflict_do_nothing()
        made = connection.execute(adding.returning(versions.c.document_id, versions.c.id), portion)
        new.update((row.document_id, row.id) for row in made)
    _insert(connection, texts, (block for each, at in new.items() for block in _blocks(at, contents[each].text)))
    before = _version_ids(connection, {each: contents[each].version for each in contents if each not in new})
    _revive(connection, list(before.values()), now)
    return new | before


def _packed(segments: tuple[Segment, ...]) -> bytes:
    # Through Python's own JSON: pydantic's refuses lone surrogates, which a heading may hold as text may.
    return zlib.compress(json.dumps(_SEGMENTS.dump_python(segments, mode="json")).encode(), 1)


def _version_ids(connection: Connection, wanted: Mapping[str, str]) -> dict[str, int]:
    """Ids of the versions that are there, by document."""
    found = {}
    for some in slices(list(wanted), _PAIRS):
        rows = connection.execute(
            select(versions.c.document_id, versions.c.version, versions.c.id).where(
                versions.c.document_id.in_(some), versions.c.version.in_([wanted[each] for each in some])
            )
        )
        found.update({row.document_id: row.id for row in rows if wanted[row.document_id] == row.version})
    return found


def _revive(connection: Connection, version_ids: Sequence[int], now: datetime) -> None:
    if not version_ids:
        return
    live = select(documents.c.live_version_id).where(documents.c.live_version_id.in_(version_ids))
    connection.execute(
        update(versions).where(versions.c.id.in_(version_ids), versions.c.id.not_in(live)).values(live_since=now)
    )
    connection.execute(update(versions).where(versions.c.id.in_(version_ids)).values(superseded_at=None))
    # Other settings cut the same text into other chunks.
    connection.execute(delete(occurrences).where(occurrences.c.version_id.in_(version_ids)))


def _blocks(version_id: int, text: str) -> Iterator[dict[str, Any]]:
    for number, start in enumerate(range(0, len(text), BLOCK_CHARACTERS)):
        content = text[start : start + BLOCK_CHARACTERS].encode("utf-8", "surrogatepass")
        yield {"version_id": version_id, "block": number, "content": content}


def _insert_occurrences(connection: Connection, changed: Sequence[Write], ids: Mapping[str, int]) -> None:
    _insert(
        connection,
        occurrences,
        (
            _occurrence(ids[write.document_id], write.content.text, chunk)
            for write in changed
            if write.content is not None
            for chunk in write.content.chunks
        ),
    )


def _occurrence(version_id: int, text: str, chunk: Chunk) -> dict[str, Any]:
    span = chunk.span
    cut = text[span.start : span.end]
    whole = chunk.embedded_text
    ends_with_cut = whole.endswith(cut)
    return {
        "version_id": version_id,
        "ordinal": chunk.ordinal,
        "chunk_id": chunk.id,
        "span_start": span.start,
        "span_end": span.end,
        "locators": [_locator(locator) for locator in chunk.locators],
        "heading": whole[: len(whole) - len(cut)] if ends_with_cut else "",
        "embedded": None if ends_with_cut else whole,
    }


def _locator(locator: Locator) -> dict[str, Any]:
    return {"kind": locator.kind, **locator.fields}


def _update_documents(connection: Connection, batch: Batch, ids: Mapping[str, int], now: datetime) -> None:
    rows = [_document(write, now) for write in batch.writes]
    with_content = [
        row | {"live_version_id": ids[write.document_id], "chunks": len({chunk.id for chunk in write.content.chunks})}
        for row, write in zip(rows, batch.writes, strict=True)
        if write.content is not None
    ]
    without = [row for row, write in zip(rows, batch.writes, strict=True) if write.content is None]
    by_id = update(documents).where(documents.c.id == bindparam("document"))
    for some in (with_content, without):
        if some:
            connection.execute(by_id, some)


def _document(write: Write, now: datetime) -> dict[str, Any]:
    about: Attributes = write.attributes
    return {
        "document": write.document_id,
        "title": about.title,
        "uri": about.uri,
        "media_type": about.media_type,
        "trust": about.trust,
        "fingerprint": write.fingerprint,
        "declared": write.declared,
        "parsed": write.parsed,
        "attributes": dict(about.metadata),
        "restricted": bool(about.principals),
        "effective_from": about.effective_from,
        "effective_to": about.effective_to,
        "supersedes": about.supersedes,
        "position": write.order,
        "event_time": about.event_time,
        "expires_at": about.expires,
        "updated_at": now,
        "retired_at": None,
    }


def _replace_principals(connection: Connection, writes: Sequence[Write], known: Collection[str]) -> None:
    for some in slices([write.document_id for write in writes if write.document_id in known], _ROWS):
        connection.execute(delete(principals).where(principals.c.document_id.in_(some)))
    rows = [
        {"document_id": write.document_id, "principal": principal}
        for write in writes
        for principal in dict.fromkeys(write.attributes.principals)
    ]
    _insert(connection, principals, rows)


def _retire(connection: Connection, batch: Batch, now: datetime) -> None:
    if batch.orders:
        _insert_documents(connection, batch, {each: key for each, (key, _) in batch.orders.items()}, now)
        connection.execute(
            update(documents).where(documents.c.id == bindparam("document")),
            [{"document": each, "position": order} for each, (_, order) in batch.orders.items()],
        )
    for some in slices(batch.retired, _ROWS):
        connection.execute(
            update(documents)
            .where(documents.c.id.in_(some), documents.c.live_version_id.is_not(None))
            .values(live_version_id=None, chunks=0, retired_at=now, updated_at=now)
        )


def _insert_either(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insertion that may meet what is there already."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _insert(connection: Connection, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    for portion in _portions(rows):
        connection.execute(insert(table), portion)


def _portions(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows in bounded portions: a document of any length needs no second copy of its rows in memory."""
    waiting = iter(rows)
    while portion := list(islice(waiting, _ROWS)):
        yield portion
