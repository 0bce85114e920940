"""Connecting to a database read-only, and its errors as ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError

from grounded.credentials import redact
from grounded.errors import (
    MissingExtraError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnavailableError,
    UsageError,
)

_DRIVERS = {
    "postgresql": ("postgresql+psycopg", "psycopg", "postgresql"),
    "mysql": ("mysql+pymysql", "PyMySQL", "mysql"),
    "mariadb": ("mariadb+pymysql", "PyMySQL", "mysql"),
    "mssql": ("mssql+pyodbc", "pyodbc", "mssql"),
    "duckdb": ("duckdb", "duckdb-engine", "duckdb"),
    "sqlite": ("sqlite", "", ""),
}
"""Driver, package and extra of each kind of database."""

_DUCKDB_KEY = sa.text(
    "SELECT constraint_column_names FROM duckdb_constraints() "
    "WHERE table_name = :name AND schema_name = :schema AND constraint_type = 'PRIMARY KEY'"
)
_FORBIDDEN = {"42501", "28P01", "28000", "1044", "1045", "1142", "1143", "1698", "1820", "1862", "4151"}
_REFUSED = ("permission denied", "authentication failed", "not permitted to log in")
"""What is said when a connection is refused, where the driver gives no code."""
_MISSING = {"42P01", "3D000", "1049", "1146"}
MESSAGE_CHARACTERS = 300


class Database:
    """One database, opened for reading only; a connection lasts as long as the reading of one table."""

    def __init__(self, uri: str) -> None:
        try:
            self._url = sa.make_url(uri)
        except SQLAlchemyError as error:
            raise UsageError(
                "This is no database URL.", fix="Write, for example, postgresql://host/database."
            ) from error
        self.kind = self._url.get_backend_name()
        driver, self._package, self._extra = _DRIVERS.get(self.kind, (self._url.drivername, self.kind, self.kind))
        if "+" not in self._url.drivername:
            self._url = self._url.set(drivername=driver)
        self._engine: sa.Engine | None = None

    @property
    def name(self) -> str:
        """``postgresql://host:5432/shop``: kind, host and database, and nothing that could be secret."""
        url = self._url
        if self.kind in ("sqlite", "duckdb"):
            return f"{self.kind}:///{Path(os.path.abspath(url.database or '')).as_posix().lstrip('/')}"
        port = f":{url.port}" if url.port else ""
        return f"{self.kind}://{url.host or 'localhost'}{port}/{url.database or ''}"

    @contextmanager
    def reading(self, what: str) -> Iterator[sa.Connection]:
        """A connection in one read-only transaction, whose reads all see the same state where the database can.

        Args:
            what: What is read, for messages.

        Raises:
            SourceError: The database cannot be reached, refuses, or fails; the subclass says which.
        """
        try:
            with self._opened().connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise typed(error, what) from error
        except sqlite3.Error as error:
            raise SourceError(f"{what} cannot be read: {error}.") from error

    def tables(self, connection: sa.Connection) -> list[str]:
        """The tables of the default schema, sorted."""
        if self.kind == "duckdb":
            return sorted(connection.scalars(sa.text("SELECT table_name FROM duckdb_tables() WHERE NOT internal")))
        return sorted(sa.inspect(connection).get_table_names())

    def columns(self, connection: sa.Connection, table: sa.FromClause) -> list[str]:
        """The columns of a table, view or query; fails where reading it would."""
        with connection.execute(sa.select(sa.text("*")).select_from(table).where(sa.false())) as result:
            return list(result.keys())

    def primary_key(self, connection: sa.Connection, table: str) -> tuple[str, ...]:
        """The columns of a table's primary key; none for a view."""
        schema, _, name = table.rpartition(".")
        if self.kind == "duckdb":
            found = connection.scalar(_DUCKDB_KEY, {"name": name, "schema": schema or "main"})
            return tuple(found or ())
        try:
            return tuple(sa.inspect(connection).get_pk_constraint(name, schema or None)["constrained_columns"])
        except (NoSuchTableError, KeyError):  # a view, where a dialect makes an error of that
            return ()

    def _opened(self) -> sa.Engine:
        if self._engine is None:
            try:
                self._engine = self._made()
            except (ImportError, NoSuchModuleError) as error:
                raise MissingExtraError(
                    f"Reading from {self.kind}", package=self._package or self.kind, extra=self._extra or self.kind
                ) from error
        return self._engine

    def _made(self) -> sa.Engine:
        options: dict[str, Any] = {"poolclass": sa.pool.NullPool}
        path = Path(os.path.abspath(self._url.database or ""))
        if self.kind in ("sqlite", "duckdb") and not path.is_file():
            raise SourceNotFoundError(f"There is no database {path}.", fix="Check the path: three slashes, then it.")
        if self.kind == "sqlite":
            return _sqlite(path, options)
        if self.kind == "duckdb":
            return sa.create_engine(self._url, connect_args={"read_only": True}, **options)
        if self.kind == "postgresql":
            made = sa.create_engine(self._url, **options)
            return made.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        made = sa.create_engine(self._url, **options)
        if self.kind in ("mysql", "mariadb"):
            sa.event.listen(made, "connect", _mysql_read_only)
            return made.execution_options(isolation_level="REPEATABLE READ")
        return made


def _sqlite(path: Path, options: dict[str, Any]) -> sa.Engine:
    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        # A row with broken text fails alone, not the whole query.
        made.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return made

    made = sa.create_engine("sqlite://", creator=connect, **options)
    sa.event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return made


def _mysql_read_only(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")


def typed(error: SQLAlchemyError, what: str) -> SourceError:
    """A database's error as ours, without statement, parameters and credentials."""
    if isinstance(error, NoSuchTableError):
        return SourceNotFoundError(f"There is no table {error}.", fix="Check its name and schema.")
    if not isinstance(error, DBAPIError) or error.orig is None:
        return SourceError(f"{what} cannot be read: {_said(error)}")
    codes = {str(getattr(error.orig, "sqlstate", "")), str((error.orig.args or ("",))[0])}
    said = _said(error.orig)
    if codes & _FORBIDDEN or any(words in said.lower() for words in _REFUSED):
        return SourceAccessError(
            f"{what} may not be read: {said}", fix="Grant SELECT to this user, or use another one."
        )
    if codes & _MISSING or "no such table" in said or "does not exist" in said:
        return SourceNotFoundError(f"{what} is not there: {said}", fix="Check its name and schema.")
    unreachable = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) and "syntax" not in said.lower()
    if error.connection_invalidated or unreachable:
        return SourceUnavailableError(f"{what} cannot be read: {said}", fix="Run it again when the database answers.")
    return SourceError(f"{what} cannot be read: {said}")


def _said(error: BaseException) -> str:
    arguments = [str(each) for each in error.args if isinstance(each, str)] or [str(error)]
    first = (arguments[-1].strip() or type(error).__name__).splitlines()[0]
    return redact(first)[:MESSAGE_CHARACTERS].rstrip(".") + "."
