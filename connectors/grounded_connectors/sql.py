"""Tables, views and queries of PostgreSQL, MariaDB and MySQL, SQLite, DuckDB and whatever else SQLAlchemy reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import sqlalchemy as sa

from grounded.errors import SourceError, SourceNotFoundError, SourceUnavailableError, UsageError
from grounded.records import Change, Checkpoint, Document, Failed, Listing, Query
from grounded_connectors import sql_queries
from grounded_connectors.positions import packed, unpacked
from grounded_connectors.rows import RowShape
from grounded_connectors.sql_reading import Database
from grounded_connectors.sql_tables import Reading, TablePass

Deletions = Literal["census", "never"]


@dataclass
class _Progress:
    """What a run knows: where each table stands, and what stands in the way of a complete listing."""

    positions: dict[str, Any]
    problems: list[str] = field(default_factory=list)


class SqlConnector:
    """Reads rows as documents; a row is cited by table, key, column and the time of the snapshot.

    Each table is read in one read-only transaction, row by row, with memory that does not grow. Without ``cursor`` a
    run reads every row, and rows that are gone are retired. With it, a run reads the rows whose cursor has moved, and
    then only the keys of all (``deletions="census"``) to notice what is gone.

    Args:
        uri: ``postgresql://user@host/database``, ``mysql://``, ``mariadb://``, ``sqlite:///file``, ``duckdb:///file``,
            ``mssql://``. Passwords: the driver's own ways (``PGPASSWORD``, ``~/.pgpass``), or ``${NAME}``.
        tables: Tables or views, ``schema.table`` or in the default schema; None takes every table with a primary key.
        query: A SELECT to read instead of tables; needs ``key``.
        name: What the query's rows are called in keys and citations.
        key: Columns that name a row; None takes the primary key.
        cursor: A column that grows whenever a row changes: a version, a time of change. A row that commits late with
            an older value is noticed with ``lookback`` only.
        lookback: Read again what lies so far behind the cursor: seconds for times, units for numbers.
        deletions: ``census`` compares the keys each run; ``never`` leaves what is gone.
        deleted: A column that marks a row as deleted when it is set and not 0 or false.
        template: Jinja2 text over the columns of a row; empty renders ``column: value``.
        columns: Columns to render; None takes all.
        title: Column that holds a row's title.
        metadata: Columns to filter by.
        principals: Column with who may see a row.
        link: Where a person finds a row, such as ``https://shop.example/orders/{id}``.
        batch: Rows fetched at a time, from 1 up; also how often a position is noted.
    """

    def __init__(
        self,
        uri: str,
        *,
        tables: Sequence[str] | None = None,
        query: str = "",
        name: str = "query",
        key: Sequence[str] | None = None,
        cursor: str = "",
        lookback: float = 0,
        deletions: Deletions = "census",
        deleted: str = "",
        template: str = "",
        columns: Sequence[str] = (),
        title: str = "",
        metadata: Sequence[str] = (),
        principals: str = "",
        link: str = "",
        batch: int = 1000,
    ) -> None:
        if query and tables:
            raise UsageError("Name tables or a query, not both.")
        if query and not key:
            raise UsageError("A query needs key: the column(s) that name a row.")
        if batch < 1 or lookback < 0:
            raise UsageError("batch counts from 1 and lookback from 0.")
        self._database = Database(uri)
        self._tables = _listed(tables)
        self._query, self._name = query.strip().rstrip(";"), name
        self._key = _listed(key)
        self._reading = Reading(cursor, lookback, deletions == "census", deleted, batch)
        self._shape = RowShape(
            table="",
            key=(),
            template=template,
            columns=_listed(columns),
            title=title,
            metadata=_listed(metadata),
            principals=principals,
            uri=link,
            place=self._database.name,
        )

    @property
    def source(self) -> str:
        """Kind, host and database: ``postgresql://host:5432/shop``."""
        return self._database.name

    @property
    def scope(self) -> str:
        """The source and the tables that were named, or the query's name."""
        named = [self._name] if self._query else sorted(self._tables)
        return " ".join([self.source, *(named or ["(all tables)"])])

    def covers(self, key: str) -> bool:
        """Whether the key is a row of a table that is read; with all tables, any row."""
        named = [self._name] if self._query else self._tables
        return not named or any(key.startswith(RowShape(table=table, key=()).prefix) for table in named)

    def check(self) -> None:
        """Connect, and look for the tables named.

        Raises:
            SourceError: The database cannot be reached, or none of the tables named can be read.
        """
        with self._database.reading(self.source) as connection:
            tables = self._read_tables(connection)
            for table in tables:
                self._columns(connection, table)

    def total(self) -> int | None:
        """How many rows there are; None when only some will be read or counting fails."""
        if self._reading.cursor:
            return None
        try:
            with self._database.reading(self.source) as connection:
                return sum(
                    int(connection.scalar(sa.select(sa.func.count()).select_from(self._from(table))) or 0)
                    for table in self._read_tables(connection)
                )
        except SourceError:
            return None

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Rows as ``Upsert``, unreadable ones as ``Failed``, positions, and the ``Listing`` where keys were compared.

        A table that cannot be read fails alone, and then nothing is retired.

        Raises:
            SourceUnavailableError: The database cannot be reached or went away; what came before stands.
            SourceError: It cannot be read at all.
        """
        progress = _Progress(dict((checkpoint or {}).get("tables", {})))
        with self._database.reading(self.source) as connection:
            tables = self._read_tables(connection)
        for table in tables:
            try:
                yield from self._table(table, progress)
            except SourceUnavailableError:
                raise
            except SourceError as error:
                progress.problems.append(error.message)
                key = RowShape(table=table, key=()).prefix
                yield Failed(key=key, uri=self.source, error=type(error).__name__, message=error.message, fix=error.fix)
        if self._reading.census:
            yield Listing(complete=not progress.problems, reason=" ".join(progress.problems[:5]))

    def compute(self, name: str, query: Query, values: Mapping[str, str]) -> Document | None:
        """The rows of an allowed query, a line each; None without rows.

        Raises:
            UsageError: It is not one SELECT.
            SourceError: It failed, or its rows or its time exceed the limits.
        """
        return sql_queries.run(self._database, name, query, values)

    def values(self, name: str, sql: str, *, seconds: float) -> list[str]:
        """What the first column of a SELECT gives."""
        return sql_queries.values_of(self._database, name, sql, seconds=seconds)

    def _table(self, table: str, progress: _Progress) -> Iterator[Change]:
        with self._database.reading(table) as connection:
            columns, primary = self._columns(connection, table)
            shape = replace(self._shape, table=table, key=self._key or primary)
            shape.check(columns)
            self._reading.check(table, columns)
            made_with = shape.made_with([*columns, self._reading.deleted])
            before = progress.positions.get(table, {})
            if before.get("made_with") != made_with:
                before = {}
            one = TablePass(connection, self._from(table), columns, shape, self._reading)
            for change in one.changes(*_position(before)):
                if isinstance(change, Checkpoint):
                    state = {name: packed(value) for name, value in change.state.items() if name != "key"}
                    state["key"] = [packed(value) for value in change.state["key"]]
                    progress.positions[table] = {"made_with": made_with, **state}
                    yield Checkpoint(state={"tables": dict(progress.positions)})
                else:
                    yield change
            progress.problems.extend(one.problems)

    def _read_tables(self, connection: sa.Connection) -> list[str]:
        """What is read, in order.

        Raises:
            SourceNotFoundError: No tables were named, and there is none with a primary key.
        """
        if self._query or self._tables:
            return [self._name] if self._query else list(self._tables)
        found = self._database.tables(connection)
        keyed = [name for name in found if self._key or self._database.primary_key(connection, name)]
        if not keyed:
            raise SourceNotFoundError(
                f"{self.source} has no table with a primary key in its default schema.",
                fix="Name tables and key.",
            )
        return keyed

    def _columns(self, connection: sa.Connection, table: str) -> tuple[list[str], tuple[str, ...]]:
        """The columns of a table and its primary key."""
        columns = self._database.columns(connection, self._from(table))
        return columns, () if self._query else self._database.primary_key(connection, table)

    def _from(self, table: str) -> sa.FromClause:
        if self._query:
            return sa.text(self._query.replace(":", r"\:")).columns().subquery("q")
        schema, _, name = table.rpartition(".")
        return sa.table(name, schema=schema or None)


def _listed(given: Sequence[str] | None) -> tuple[str, ...]:
    """One name, names with commas between them, or a list of names."""
    if isinstance(given, str):
        given = given.split(",")
    return tuple(name.strip() for name in given or () if name.strip())


def _position(state: Mapping[str, Any]) -> tuple[Any, tuple[Any, ...], bool]:
    """Cursor, key and whether the last pass came to its end."""
    key = tuple(unpacked(value) for value in state.get("key", ()))
    return unpacked(state.get("cursor")), key, bool(state.get("done"))
