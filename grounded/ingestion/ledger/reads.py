"""What readers see: live occurrences, checked against tenant, principals and dates; never anything else."""

from __future__ import annotations

import hashlib
import json
import posixpath
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, Select, and_, bindparam, func, or_, select

from grounded.ingestion.ledger.schema import (
    documents,
    does_expire,
    identities,
    is_live,
    is_restricted,
    occurrences,
    principals,
    versions,
)
from grounded.ingestion.ledger.text import TextCache
from grounded.ingestion.ledger.values import Details, Known, Stored
from grounded.ingestion.ledger.writes import slices
from grounded.records import Locator, Passage, Segment, Span, Viewer, document_id

_PORTION = 500
_ALL = 2**31 - 1  # SQLite takes no offset without a limit
_LOCATORS = TypeAdapter(tuple[Locator, ...])
_SEGMENTS = TypeAdapter(tuple[Segment, ...])

_LIVE: Select[Any] = (
    select(
        occurrences.c.chunk_id,
        occurrences.c.version_id,
        occurrences.c.ordinal,
        occurrences.c.span_start,
        occurrences.c.span_end,
        occurrences.c.locators,
        versions.c.version,
        documents.c.id.label("document_id"),
        documents.c.tenant,
        documents.c.source,
        documents.c.key,
        documents.c.title,
        documents.c.uri,
        documents.c.trust,
        documents.c.restricted,
        documents.c.effective_from,
        documents.c.effective_to,
        documents.c.expires_at,
        documents.c.supersedes,
    )
    .join(versions, versions.c.id == occurrences.c.version_id)
    .join(documents, documents.c.live_version_id == versions.c.id)
)
# Made once: to make these statements anew takes longer than SQLite takes for them.
_LIVE_OF_CHUNKS = _LIVE.where(occurrences.c.chunk_id.in_(bindparam("chunks", expanding=True))).order_by(
    occurrences.c.version_id, occurrences.c.ordinal
)
_VERSION = (
    select(versions.c.id, versions.c.characters)
    .join(documents, documents.c.id == versions.c.document_id)
    .where(documents.c.id == bindparam("document"))
)
_LIVE_VERSION = _VERSION.where(versions.c.id == documents.c.live_version_id)
_NAMED_VERSION = _VERSION.where(versions.c.version == bindparam("version"))
_STORED_SEGMENTS = select(versions.c.segments).where(versions.c.id == bindparam("version_id"))


def passages(
    connection: Connection, cache: TextCache, chunk_ids: Sequence[str], viewer: Viewer
) -> dict[str, list[Passage]]:
    """The live occurrences of chunks that ``viewer`` may see, in order of place; chunks without any are left out."""
    found: dict[str, list[Passage]] = {}
    for some in slices(list(dict.fromkeys(chunk_ids)), _PORTION):
        rows = connection.execute(_LIVE_OF_CHUNKS, {"chunks": some}).all()
        for passage in _as_passages(connection, cache, rows, viewer):
            found.setdefault(passage.id, []).append(passage)
    return {chunk: found[chunk] for chunk in chunk_ids if chunk in found}


def near(connection: Connection, cache: TextCache, place: tuple[str, str, int, int], viewer: Viewer) -> list[Passage]:
    """The passages of ``(document id, version, start, end)`` that share text with it, in order; live ones only."""
    document, version, start, end = place
    query = _LIVE.where(
        documents.c.id == document,
        versions.c.version == version,
        occurrences.c.span_start < end,
        occurrences.c.span_end > start,
    )
    rows = connection.execute(query.order_by(occurrences.c.ordinal)).all()
    return _as_passages(connection, cache, rows, viewer)


class VersionRow(NamedTuple):
    """A version: its number in this ledger, and the length of its text."""

    id: int
    characters: int


def version_of(connection: Connection, document: str, version: str | None) -> VersionRow | None:
    """One version, the live one when none is named."""
    named = {} if version is None else {"version": version}
    row = connection.execute(_NAMED_VERSION if named else _LIVE_VERSION, {"document": document, **named}).first()
    return None if row is None else VersionRow(*row)


def segments_of(connection: Connection, row: VersionRow) -> tuple[Segment, ...]:
    """The segments of a version."""
    stored = connection.execute(_STORED_SEGMENTS, {"version_id": row.id}).scalar_one()
    return _SEGMENTS.validate_python(json.loads(zlib.decompress(stored)))


def known(connection: Connection, document_ids: Sequence[str]) -> dict[str, Known]:
    """Those of the documents that the ledger has ever seen."""
    found: dict[str, Known] = {}
    for some in slices(document_ids, _PORTION):
        query = select(
            documents.c.id,
            documents.c.fingerprint,
            documents.c.declared,
            documents.c.live_version_id,
            documents.c.position,
        ).where(documents.c.id.in_(some))
        for row in connection.execute(query):
            found[row.id] = Known(row.fingerprint, row.declared, row.live_version_id is not None, row.position)
    return found


def details(connection: Connection, document_ids: Sequence[str]) -> dict[str, Details]:
    """What known documents looked like before."""
    found: dict[str, Details] = {}
    for some in slices(document_ids, _PORTION):
        chunks: dict[str, list[str]] = {}
        live = (
            select(documents.c.id, occurrences.c.chunk_id)
            .join(occurrences, occurrences.c.version_id == documents.c.live_version_id)
            .where(documents.c.id.in_(some))
        )
        for document, chunk in connection.execute(live):
            chunks.setdefault(document, []).append(chunk)
        before = (
            select(documents.c.id, documents.c.attributes, documents.c.parsed, versions.c.version)
            .outerjoin(versions, versions.c.id == documents.c.live_version_id)
            .where(documents.c.id.in_(some))
        )
        allowed: dict[str, tuple[str, ...]] = {}
        restricted = select(principals).where(principals.c.document_id.in_(some)).order_by(principals.c.principal)
        for row in connection.execute(restricted):
            allowed[row.document_id] = (*allowed.get(row.document_id, ()), row.principal)
        for row in connection.execute(before):
            distinct = tuple(dict.fromkeys(chunks.get(row.id, ())))
            found[row.id] = Details(row.attributes, row.parsed, row.version, distinct, allowed.get(row.id, ()))
    return found


def identities_of(connection: Connection, tenant: str, source: str, keys: Sequence[str]) -> dict[str, str]:
    """Identity by key: that of the key itself, unless documents of the source were renamed."""
    found = {key: document_id(tenant, source, key) for key in keys}
    place = {"tenant": tenant, "source": source}
    if connection.execute(select(identities.c.key).filter_by(**place).limit(1)).first():
        for some in slices(keys, _PORTION):
            query = select(identities.c.key, identities.c.document_id).filter_by(**place)
            found.update(
                (row.key, row.document_id) for row in connection.execute(query.where(identities.c.key.in_(some)))
            )
    return found


def live_keys(connection: Connection, tenant: str, source: str) -> Iterator[tuple[str, str]]:
    """``(document id, key)`` of every live document of a source, in order of id."""
    query = select(documents.c.id, documents.c.key).filter_by(tenant=tenant, source=source).where(is_live)
    found = connection.execution_options(yield_per=1000).execute(query.order_by(documents.c.id))
    return ((row.id, row.key) for row in found)


def expired(connection: Connection, tenant: str, source: str, now: datetime, limit: int) -> list[str]:
    """Up to ``limit`` live documents of a source that have expired."""
    # Joined to nothing, so that SQLite takes the index of what expires and does not go through all that is live.
    of_source = and_(documents.c.tenant.concat("") == tenant, documents.c.source.concat("") == source)
    query = select(documents.c.id).where(does_expire, documents.c.expires_at <= now, of_source)
    return list(connection.execute(query.limit(limit)).scalars())


def beyond(connection: Connection, tenant: str, source: str, under: str, last: int) -> list[str]:
    """Live documents whose key starts with ``under``, without the ``last`` newest of them."""
    query = select(documents.c.id).filter_by(tenant=tenant, source=source).where(is_live)
    if under:
        query = query.where(documents.c.key.startswith(under, autoescape=True))
    undated = documents.c.event_time.is_(None)
    newest = query.order_by(undated, documents.c.event_time.desc(), documents.c.live_version_id.desc())
    return list(connection.execute(newest.limit(_ALL).offset(last)).scalars())


def live_chunks(connection: Connection, after: str, limit: int) -> list[str]:
    """Up to ``limit`` distinct live chunk ids greater than ``after``, ascending."""
    query = (
        select(occurrences.c.chunk_id)
        .join(documents, documents.c.live_version_id == occurrences.c.version_id)
        .where(occurrences.c.chunk_id > after)
        .order_by(occurrences.c.chunk_id)
        .distinct()
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def live_among(connection: Connection, chunk_ids: Iterable[str]) -> set[str]:
    """Those of the chunks that have a live occurrence."""
    found: set[str] = set()
    for some in slices(list(chunk_ids), _PORTION):
        query = (
            select(occurrences.c.chunk_id)
            .join(documents, documents.c.live_version_id == occurrences.c.version_id)
            .where(occurrences.c.chunk_id.in_(some))
        )
        found.update(connection.execute(query).scalars())
    return found


def stored(connection: Connection, cache: TextCache, chunk_ids: Sequence[str]) -> list[Stored]:
    """What live chunks were embedded from, and what their points carry."""
    query = _LIVE.add_columns(occurrences.c.heading, occurrences.c.embedded, documents.c.attributes)
    rows = {row.chunk_id: row for row in connection.execute(query.where(occurrences.c.chunk_id.in_(chunk_ids)))}
    cuts = cache.read(connection, [(row.version_id, row.span_start, row.span_end) for row in rows.values()])
    allowed = _principals(connection, rows.values())
    return [
        Stored(
            chunk_id=row.chunk_id,
            embedded_text=row.heading + cut if row.embedded is None else row.embedded,
            document_id=row.document_id,
            tenant=row.tenant,
            source=row.source,
            principals=allowed.get(row.document_id, ()),
            metadata=row.attributes,
        )
        for row, cut in zip(rows.values(), cuts, strict=True)
    ]


def totals(connection: Connection) -> tuple[int, int]:
    """How many live documents and distinct live chunks there are."""
    query = select(func.count(), func.coalesce(func.sum(documents.c.chunks), 0)).where(is_live)
    row = connection.execute(query).one()
    return int(row[0]), int(row[1])


def content_version(connection: Connection) -> str:
    """SHA-256 over the live documents, with their versions, dates, chunks and who may see them."""
    digest = hashlib.sha256()
    dates = (documents.c.effective_from, documents.c.effective_to, documents.c.supersedes)
    query = select(documents.c.id, versions.c.version, documents.c.chunks, documents.c.trust, *dates)
    live = query.join(versions, versions.c.id == documents.c.live_version_id).where(is_live)
    permitted = select(principals).join(documents, documents.c.id == principals.c.document_id).where(is_live)
    for rows in (
        connection.execute(live.order_by(documents.c.id)),
        connection.execute(permitted.order_by(principals.c.document_id, principals.c.principal)),
    ):
        for row in rows:
            digest.update(json.dumps([str(value) for value in row]).encode() + b"\n")
    return digest.hexdigest()


def any_restricted(connection: Connection) -> bool:
    """Whether any live document has principals."""
    return connection.execute(select(documents.c.id).where(is_restricted).limit(1)).first() is not None


def live_since(connection: Connection, document_ids: Sequence[str]) -> dict[str, datetime]:
    """When the live version of each document became live."""
    found: dict[str, datetime] = {}
    for some in slices(document_ids, _PORTION):
        query = select(documents.c.id, versions.c.live_since).join(
            versions, versions.c.id == documents.c.live_version_id
        )
        found.update((row.id, row.live_since) for row in connection.execute(query.where(documents.c.id.in_(some))))
    return found


def visible(connection: Connection, document_ids: Sequence[str], viewer: Viewer) -> set[str]:
    """Those of the documents that are live and that ``viewer`` may see."""
    found: set[str] = set()
    for some in slices(document_ids, _PORTION):
        permitted = ~documents.c.restricted
        if viewer.principals:
            theirs = select(principals.c.document_id).where(principals.c.principal.in_(viewer.principals))
            permitted = or_(permitted, documents.c.id.in_(theirs))
        query = select(documents.c.id).where(
            documents.c.id.in_(some),
            documents.c.tenant == viewer.tenant,
            is_live,
            permitted,
            _in_force(viewer),
            or_(documents.c.expires_at.is_(None), documents.c.expires_at > datetime.now(UTC)),
        )
        found.update(connection.execute(query).scalars())
    return found


def _in_force(viewer: Viewer) -> Any:
    if viewer.on is None:
        return and_(True)
    begun = or_(documents.c.effective_from.is_(None), documents.c.effective_from <= viewer.on)
    return and_(begun, or_(documents.c.effective_to.is_(None), documents.c.effective_to > viewer.on))


def _as_passages(connection: Connection, cache: TextCache, rows: Sequence[Row[Any]], viewer: Viewer) -> list[Passage]:
    # The tenant is compared here: as a condition it makes SQLite read every document of the tenant.
    theirs = [row for row in rows if row.tenant == viewer.tenant]
    allowed = _principals(connection, theirs)
    now = datetime.now(UTC)
    # A restricted document whose principals cannot be found is nobody's, not everybody's.
    seen = [
        row
        for row in theirs
        if (not row.restricted or set(allowed.get(row.document_id, ())) & set(viewer.principals))
        and (row.expires_at is None or row.expires_at > now)
    ]
    cuts = cache.read(connection, [(row.version_id, row.span_start, row.span_end) for row in seen])
    replaced = _superseded(connection, seen)
    found = [
        Passage(
            id=row.chunk_id,
            document_id=row.document_id,
            version=row.version,
            title=row.title,
            uri=row.uri,
            text=cut,
            span=Span(start=row.span_start, end=row.span_end),
            locators=_LOCATORS.validate_python(row.locators),
            principals=allowed.get(row.document_id, ()),
            effective_from=row.effective_from,
            effective_to=row.effective_to,
            supersedes=replaced.get(row.document_id),
            trust=row.trust,
        )
        for row, cut in zip(seen, cuts, strict=True)
    ]
    return found if viewer.on is None else [passage for passage in found if passage.in_force(viewer.on)]


def _principals(connection: Connection, rows: Iterable[Row[Any]]) -> Mapping[str, tuple[str, ...]]:
    restricted = list({row.document_id for row in rows if row.restricted})
    found: dict[str, tuple[str, ...]] = {}
    if restricted:
        query = select(principals).where(principals.c.document_id.in_(restricted)).order_by(principals.c.principal)
        for row in connection.execute(query):
            found[row.document_id] = (*found.get(row.document_id, ()), row.principal)
    return found


def _named(key: str, supersedes: str) -> tuple[str, ...]:
    folder = posixpath.dirname(key)
    if posixpath.dirname(supersedes) == folder:
        return (supersedes,)
    return supersedes, posixpath.normpath(posixpath.join(folder, supersedes))


def _superseded(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, str]:
    """By document, the id of the one it replaces: named by its key, or by its name beside the document's own."""
    candidates: dict[str, list[str]] = {}
    for row in rows:
        if row.supersedes:
            named = [document_id(row.tenant, row.source, key) for key in _named(row.key, row.supersedes)]
            candidates[row.document_id] = [each for each in named if each != row.document_id]
    if not candidates:
        return {}
    wanted = [candidate for some in candidates.values() for candidate in some]
    there = set(connection.execute(select(documents.c.id).where(documents.c.id.in_(wanted))).scalars())
    return {
        document: next((candidate for candidate in some if candidate in there), some[0])
        for document, some in candidates.items()
        if some
    }
