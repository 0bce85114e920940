"""The tables of the ledger. A change here needs a migration in ``migrations.py`` and a higher ``SCHEMA_NUMBER``."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    and_,
    false,
)

SCHEMA_NUMBER = 2
"""Number of the newest migration; a ledger with a higher one is refused."""

BLOCK_CHARACTERS = 16_384
"""Code points of canonical text per row of ``texts``: a passage reads one or two rows, however long the document."""

_MARK = "\x1a"
# PostgreSQL stores no NUL and neither database stores lone surrogates, which file names can hold.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class AnyText(TypeDecorator[str]):
    """Any Python string; one that no database would take is written as ASCII-only JSON behind a mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what cannot be stored as it is."""
        if value is None or not (value.startswith(_MARK) or _UNSTORABLE.search(value)):
            return value
        return _MARK + json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """The string as it was given."""
        if value is None or not value.startswith(_MARK):
            return value
        return str(json.loads(value[1:]))


class JsonText(TypeDecorator[Any]):
    """JSON values as ASCII text, the same in both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """JSON with ASCII only, which holds every string of ours."""
        return json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value as it was given, tuples as lists."""
        return None if value is None else json.loads(value)


class Utc(TypeDecorator[datetime]):
    """A point in time, stored in UTC without a zone, read with one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """With its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()
_Id = String(36)

meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_number", Integer, nullable=False),
    # True while a repair of the whole store is under way: a crash leaves it set.
    Column("dirty", Boolean, nullable=False),
    # Counts transactions that changed what is live.
    Column("revision", Integer, nullable=False),
    Column("created_at", Utc, nullable=False),
)

tenants = Table(
    "tenants",
    metadata,
    Column("tenant", AnyText, primary_key=True),
    Column("created_at", Utc, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("tenant", AnyText, ForeignKey("tenants.tenant"), primary_key=True),
    Column("source", AnyText, primary_key=True),
    Column("created_at", Utc, nullable=False),
    # True from before the first write to the store until a run of the source has ended well.
    Column("dirty", Boolean, nullable=False, server_default=false()),
    # Who syncs it; every taking of the lease has a higher number, and only the highest may commit.
    Column("holder", AnyText, nullable=False, server_default=""),
    Column("lease", Integer, nullable=False, server_default="0"),
    Column("leased_at", Utc),
)

documents = Table(
    "documents",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("tenant", AnyText, nullable=False),
    Column("source", AnyText, nullable=False),
    Column("key", AnyText, nullable=False),
    Column("title", AnyText, nullable=False, default=""),
    Column("uri", AnyText, nullable=False, default=""),
    Column("media_type", AnyText, nullable=False, default=""),
    Column("trust", Text, nullable=False, default="untrusted"),
    # What the content and the settings were; what the source declared; what the content itself declared.
    Column("fingerprint", Text, nullable=False, default=""),
    Column("declared", Text, nullable=False, default=""),
    Column("parsed", JsonText, nullable=False, default=dict),
    Column("attributes", JsonText, nullable=False, default=dict),
    Column("restricted", Boolean, nullable=False, default=False),
    Column("effective_from", Date),
    Column("effective_to", Date),
    Column("supersedes", AnyText),
    # Place of the last change in the source's own order; when it happened; from when on it is not found any more.
    Column("position", AnyText, nullable=False, server_default=""),
    Column("event_time", Utc),
    Column("expires_at", Utc),
    # None: retired. No foreign key, since versions already refer to documents.
    Column("live_version_id", Integer),
    # Distinct chunks of the live version; 0 when retired.
    Column("chunks", Integer, nullable=False, default=0),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("retired_at", Utc),
)
is_live = documents.c.live_version_id.is_not(None)
is_restricted = and_(documents.c.restricted.is_(True), is_live)
Index(
    "documents_live",
    documents.c.tenant,
    documents.c.source,
    documents.c.id,
    documents.c.chunks,
    sqlite_where=is_live,
    postgresql_where=is_live,
)
Index("documents_restricted", documents.c.id, sqlite_where=is_restricted, postgresql_where=is_restricted)
Index("documents_by_version", documents.c.live_version_id)
does_expire = and_(documents.c.expires_at.is_not(None), is_live)
Index("documents_expiring", documents.c.expires_at, sqlite_where=does_expire, postgresql_where=does_expire)

# Documents whose key has changed, and keys that were theirs: what is not here has the identity of its key.
identities = Table(
    "identities",
    metadata,
    Column("tenant", AnyText, primary_key=True),
    Column("source", AnyText, primary_key=True),
    Column("key", AnyText, primary_key=True),
    Column("document_id", _Id, nullable=False),
)

# Documents that were erased and must not come back; their ids are hashes.
forgotten = Table(
    "forgotten",
    metadata,
    Column("document_id", _Id, primary_key=True),
    Column("forgotten_at", Utc, nullable=False),
)

principals = Table(
    "principals",
    metadata,
    Column("document_id", _Id, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("principal", AnyText, primary_key=True),
    sqlite_with_rowid=False,
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("document_id", _Id, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("version", String(64), nullable=False),
    Column("characters", Integer, nullable=False),
    # zlib-compressed JSON of the segments.
    Column("segments", LargeBinary, nullable=False),
    Column("committed_at", Utc, nullable=False),
    Column("live_since", Utc, nullable=False),
    Column("superseded_at", Utc),
    # An id is never used twice: readers cache text by it.
    sqlite_autoincrement=True,
)
Index("versions_of_document", versions.c.document_id, versions.c.version, unique=True)

texts = Table(
    "texts",
    metadata,
    Column("version_id", Integer, ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True),
    Column("block", Integer, primary_key=True, autoincrement=False),
    # UTF-8 that lets lone surrogates pass.
    Column("content", LargeBinary, nullable=False),
)

occurrences = Table(
    "occurrences",
    metadata,
    Column("version_id", Integer, ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("chunk_id", _Id, nullable=False),
    Column("span_start", Integer, nullable=False),
    Column("span_end", Integer, nullable=False),
    Column("locators", JsonText, nullable=False),
    # What was embedded is ``heading`` and then the slice, unless ``embedded`` holds the whole of it.
    Column("heading", AnyText, nullable=False),
    Column("embedded", AnyText),
    sqlite_with_rowid=False,
)
Index("occurrences_of_chunk", occurrences.c.chunk_id)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("tenant", AnyText, primary_key=True),
    Column("source", AnyText, primary_key=True),
    Column("scope", AnyText, primary_key=True),
    # A checkpoint made with other settings vouches for nothing.
    Column("settings", Text, nullable=False),
    Column("state", JsonText, nullable=False),
    Column("moved_at", Utc, nullable=False),
    # Until when everything at the source is accounted for, and how many changes were known to wait.
    Column("watermark", Utc),
    Column("lag", Integer),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("tenant", AnyText, primary_key=True),
    Column("source", AnyText, primary_key=True),
    Column("key", AnyText, primary_key=True),
    Column("uri", AnyText, nullable=False),
    Column("stage", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("message", AnyText, nullable=False),
    Column("fix", AnyText, nullable=False),
    Column("failed_at", Utc, nullable=False),
    # What a source that cannot be asked again has sent: zlib-compressed JSON.
    Column("document", LargeBinary),
)

runs = Table(
    "runs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("tenant", AnyText, nullable=False),
    Column("source", AnyText, nullable=False),
    Column("scope", AnyText, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("finished_at", Utc),
    # running, ok, partial, interrupted, failed, crashed
    Column("outcome", Text, nullable=False),
    Column("report", JsonText),
)
Index("runs_of_source", runs.c.tenant, runs.c.source, runs.c.outcome, runs.c.finished_at)

filter_keys = Table(
    "filter_keys",
    metadata,
    Column("key", AnyText, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("declared_at", Utc, nullable=False),
)

answer_records = Table(
    "answer_records",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("recorded_at", Utc, nullable=False),
    Column("record", JsonText, nullable=False),
)
Index("answer_records_by_time", answer_records.c.recorded_at)
