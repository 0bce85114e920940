"""Bringing an older ledger up to date, one numbered step after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, Table, insert, inspect, select, update
from sqlalchemy.schema import CreateColumn

from grounded.errors import LedgerError, SchemaError
from grounded.ingestion.ledger.schema import (
    SCHEMA_NUMBER,
    checkpoints,
    dead_letters,
    documents,
    forgotten,
    identities,
    meta,
    metadata,
    sources,
)

Migration = Callable[[Connection], None]


def _streams_and_leases(connection: Connection) -> None:
    """Order, event time and expiry of documents; watermarks; leases; kept messages; identities; what was forgotten."""
    for table, names in (
        (documents, ("position", "event_time", "expires_at")),
        (checkpoints, ("watermark", "lag")),
        (dead_letters, ("document",)),
        (sources, ("dirty", "holder", "lease", "leased_at")),
    ):
        _add_columns(connection, table, names)
    metadata.create_all(connection, tables=[identities, forgotten])
    next(each for each in documents.indexes if each.name == "documents_expiring").create(connection)


MIGRATIONS: Mapping[int, Migration] = {2: _streams_and_leases}
"""Number → what turns a ledger of the number before into one of this number. Number 1 is the first release's."""

_ELSEWHERE = "Choose another path, or for PostgreSQL another schema with ?schema=NAME."


def prepare(
    connection: Connection,
    *,
    read_only: bool,
    create: bool = True,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    newest: int = SCHEMA_NUMBER,
) -> None:
    """Create the tables of a new ledger or migrate an older one, inside the caller's transaction.

    Args:
        connection: A connection in a transaction.
        read_only: Refuse instead of writing.
        create: Make the tables when there are none.
        migrations: The steps.
        newest: The number this release writes.

    Raises:
        SchemaError: It is no ledger, it was written by a newer release, or it needs a migration and is
            opened read-only.
        LedgerError: There are no tables and ``create`` is False.
    """
    found = set(inspect(connection).get_table_names())
    if not found and not read_only and not create:
        raise missing()
    if "meta" not in found:
        _create(connection, found, read_only=read_only, newest=newest)
        return
    number = _number(connection)
    if number > newest:
        raise SchemaError(
            f"This ledger has schema {number}; this release reads up to {newest}.",
            fix="Upgrade grounded-rag to the release that wrote it.",
        )
    if number < newest and read_only:
        raise SchemaError(
            f"This ledger has schema {number} and must be migrated to {newest}, but is opened read-only.",
            fix="Open the knowledge base once for writing, for example with: grounded ingest",
        )
    for step in range(number + 1, newest + 1):
        migrations[step](connection)
        connection.execute(update(meta).values(schema_number=step))


def _add_columns(connection: Connection, table: Table, names: Sequence[str]) -> None:
    for name in names:
        column = str(CreateColumn(table.c[name]).compile(dialect=connection.dialect))
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column}")


def missing() -> LedgerError:
    """The error for a ledger that should be there and is not."""
    return LedgerError(
        "The ledger of this knowledge base is missing or empty, but its vectors are there.",
        fix="Restore the ledger from a backup or correct 'ledger' in kb.toml; "
        "or delete the knowledge base and ingest the sources again.",
    )


def _number(connection: Connection) -> int:
    columns = {column["name"] for column in inspect(connection).get_columns("meta")}
    if "schema_number" in columns:
        number = connection.execute(select(meta.c.schema_number)).scalar_one_or_none()
        if number is not None:
            return int(number)
    raise SchemaError("This database has a table 'meta' that is not a ledger's.", fix=_ELSEWHERE)


def _create(connection: Connection, found: set[str], *, read_only: bool, newest: int) -> None:
    if found or read_only:
        raise SchemaError(f"This database is not a ledger; it holds {len(found)} other tables.", fix=_ELSEWHERE)
    metadata.create_all(connection)
    connection.execute(
        insert(meta).values(id=1, schema_number=newest, dirty=False, revision=0, created_at=datetime.now(UTC))
    )
