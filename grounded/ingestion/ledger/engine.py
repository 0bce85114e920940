"""Connections to the ledger's database: SQLite in a file of its own, or a schema in PostgreSQL."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from grounded.errors import ConfigurationError, KnowledgeBaseNotFoundError, LedgerError, MissingExtraError

BUSY_TIMEOUT_SECONDS = 30.0
_DEFAULT_SCHEMA = "grounded"
_WRITES = "grounded_writes"


def connect(url: str | Path, *, read_only: bool, create: bool = True) -> Engine:
    """An engine for a SQLite path or an SQLAlchemy URL; the SQLite file is created (mode 0600) when missing.

    Args:
        url: A path, ``sqlite:///path`` or ``postgresql://user@host/database?schema=name`` (``grounded``
            when no schema is named).
        read_only: Open without the right to write.
        create: Make a missing SQLite file or PostgreSQL schema.

    Raises:
        ConfigurationError: The URL is malformed or names a database of another kind.
        KnowledgeBaseNotFoundError: ``read_only`` and there is no file.
        LedgerError: The file cannot be created, or is missing and ``create`` is False.
        MissingExtraError: PostgreSQL without its driver.
    """
    parsed = parsed_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(Path(parsed.database or ""), read_only=read_only, create=create)
        case "postgresql":
            return _postgresql(parsed, read_only=read_only, create=create)
        case other:
            raise ConfigurationError(f"The ledger cannot live in {other!r}.", fix="Use a path or postgresql://…")


def shown(engine: Engine) -> str:
    """The engine's URL for people, without its password."""
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the ledger from first to last.

    Raises:
        LedgerError: The database failed.
    """
    with translated(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: everything or nothing.

    In PostgreSQL, where several workers commit at once, each statement sees what is committed by then: rows that two of
    them change are changed one after the other instead of failing.

    Raises:
        LedgerError: The database failed; nothing of the transaction was kept.
    """
    with translated(engine), engine.execution_options(**{_WRITES: True}).connect() as connection:
        if engine.dialect.name == "postgresql":
            # Of the connection, not of the engine: of two levels that engines set, the outer one's wins.
            connection.execution_options(isolation_level="READ COMMITTED")
        with connection.begin():
            yield connection


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """A connection without a transaction, for locks that last longer than one.

    Raises:
        LedgerError: The database failed.
    """
    with translated(engine), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """The database's errors as ours."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise LedgerError(
            f"The ledger {shown(engine)} failed: {cause}.",
            fix="Check disk space, permissions and the database; nothing stored before is lost.",
        ) from error


def parsed_url(url: str | Path) -> URL:
    """A path or URL as SQLAlchemy's.

    Raises:
        ConfigurationError: The URL is malformed.
    """
    text = str(url)
    if isinstance(url, Path) or "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        return make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError("The ledger's URL is malformed.", fix="Use a path or postgresql://…") from error


def _sqlite(path: Path, *, read_only: bool, create: bool) -> Engine:
    if not path.name or str(path) == ":memory:":
        raise ConfigurationError("A SQLite ledger needs a file.", fix="Name one, such as ./kb/ledger.sqlite.")
    if read_only:
        if not path.is_file():
            raise KnowledgeBaseNotFoundError(f"There is no ledger at {path}.", fix="Ingest something first.")
    else:
        _create_private(path, create=create)
    mode = _read_only_mode(path) if read_only else "mode=rw"

    def open_connection() -> sqlite3.Connection:
        uri = f"file:{quote(str(path.absolute()))}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False)
        # The driver must not open transactions of its own: it would leave table changes outside of them.
        connection.isolation_level = None
        return connection

    engine = create_engine(URL.create("sqlite", database=str(path)), creator=open_connection)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        # FULL: a committed version must survive power loss, since its predecessor's points are deleted next.
        for pragma in ("foreign_keys=ON", "synchronous=FULL", "temp_store=MEMORY", "cache_size=-16000"):
            connection.execute(f"PRAGMA {pragma}")
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its lock at once: a reader that turns writer half-way fails when another was faster.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _create_private(path: Path, *, create: bool) -> None:
    if not create and not path.exists():
        raise LedgerError(
            f"There is no ledger at {path}, but the vectors of this knowledge base are there.",
            fix="Restore the file from a backup; or delete the knowledge base and ingest the sources again.",
        )
    try:
        # SQLite gives its side files the mode of the main file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600))
    except OSError as error:
        raise LedgerError(f"The ledger {path} cannot be opened: {error.strerror}.", fix="Check the folder.") from error


def _read_only_mode(path: Path) -> str:
    """SQLite's read-only mode needs to create side files; where nobody can, the file cannot change either."""
    log = path.with_name(path.name + "-wal")
    if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
        return "mode=ro"
    return "mode=ro&immutable=1"


def _postgresql(url: URL, *, read_only: bool, create: bool) -> Engine:
    query = dict(url.query)
    schema = query.pop("schema", _DEFAULT_SCHEMA)
    if not isinstance(schema, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", schema):
        raise ConfigurationError(f"{schema!r} is not a PostgreSQL schema name.", fix="Use letters, digits and _.")
    try:
        engine = create_engine(url.set(drivername="postgresql+psycopg", query=query), pool_pre_ping=True)
    except ImportError as error:
        raise MissingExtraError("A ledger in PostgreSQL", package="psycopg", extra="postgresql") from error

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        connection.autocommit = True
        if read_only:
            connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        elif create and not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone():
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        connection.execute(f'SET search_path TO "{schema}"')
        connection.autocommit = False

    return engine.execution_options(isolation_level="REPEATABLE READ", grounded_schema=schema)
