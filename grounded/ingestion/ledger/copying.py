"""The whole of a ledger in one SQLite file, as it was at one moment, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, select, text

from grounded.errors import LedgerError
from grounded.ingestion.ledger.engine import connect, reading, shown, writing
from grounded.ingestion.ledger.migrations import prepare
from grounded.ingestion.ledger.schema import meta, metadata, versions

_ROWS = 1000


def snapshot(ledger: str | Path, target: Path) -> None:
    """Write what a ledger holds, in one committed state, to a new SQLite file (mode 0600); writers are not held up.

    Args:
        ledger: A path or URL as for ``Ledger.open``.
        target: The file; it must not exist.

    Raises:
        LedgerError: The database failed, or the file cannot be written.
        KnowledgeBaseNotFoundError: There is no ledger.
    """
    with _disposing(connect(ledger, read_only=True)) as source:
        if source.dialect.name == "sqlite":
            _vacuum(source, target)
        else:
            with _disposing(connect(target, read_only=False)) as fresh, reading(source) as rows:
                prepare(rows, read_only=True)
                with writing(fresh) as connection:
                    metadata.create_all(connection)
                    _copy(rows, connection)


def load(source: Path, ledger: str | Path) -> None:
    """Fill a new ledger with what ``snapshot`` wrote, all or nothing.

    Raises:
        LedgerError: The ledger holds something already, or the database failed.
        SchemaError: A newer release wrote the snapshot, or it is none.
    """
    with _disposing(connect(source, read_only=False)) as written, _disposing(connect(ledger, read_only=False)) as fresh:
        with writing(written) as connection:
            prepare(connection, read_only=False, create=False)
        with reading(written) as rows, writing(fresh) as connection:
            _check_empty(fresh, connection)
            metadata.create_all(connection)
            _copy(rows, connection)
            if fresh.dialect.name == "postgresql":
                last = connection.execute(select(func.coalesce(func.max(versions.c.id), 1))).scalar_one()
                connection.execute(
                    text("SELECT setval(pg_get_serial_sequence('versions', 'id'), :last)"), {"last": last}
                )


@contextmanager
def _disposing(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def _check_empty(engine: Engine, connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if not engine.dialect.has_table(connection, table.name):
            continue
        if table is not meta and connection.execute(select(table).limit(1)).first():
            raise LedgerError(
                f"The ledger {shown(engine)} is in use; nothing was restored into it.",
                fix="Name another one, for PostgreSQL another schema with ?schema=NAME.",
            )
        connection.execute(table.delete())


def _copy(source: Connection, target: Connection) -> None:
    for table in metadata.sorted_tables:
        rows = source.execution_options(yield_per=_ROWS).execute(select(table))
        for some in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in some])


def _vacuum(engine: Engine, target: Path) -> None:
    target.touch(mode=0o600, exist_ok=False)
    raw = engine.raw_connection()
    try:
        # An empty file is as good as none; made before, it has our mode from the first byte on.
        raw.cursor().execute("VACUUM INTO ?", (str(target),))
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(
            f"The ledger {shown(engine)} cannot be copied: {error}.", fix="Check disk space and permissions."
        ) from error
    finally:
        raw.close()
