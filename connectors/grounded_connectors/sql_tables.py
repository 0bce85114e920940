"""One pass over one table: the rows whose cursor has moved, or all of them, and the keys that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from grounded.errors import SourceError
from grounded.records import Change, Checkpoint, Delete, Failed, Unchanged
from grounded_connectors.positions import now
from grounded_connectors.rows import RowShape

Row = dict[str, Any]
Statement = Any
"""A ``Select``, which SQLAlchemy 2.0 and 2.1 type differently."""

_NOT_DELETED = (None, 0, "", "0", "false")


@dataclass(frozen=True)
class Reading:
    """How tables are read; see ``SqlConnector``."""

    cursor: str
    lookback: float
    census: bool
    deleted: str
    batch: int

    def check(self, table: str, columns: list[str]) -> None:
        """Refuse a cursor or a mark of deletion that the table does not have.

        Raises:
            SourceError: It has none of that name.
        """
        for name in filter(None, (self.cursor, self.deleted)):
            if name not in columns:
                raise SourceError(f"{table} has no column {name!r}.", fix=f"It has: {', '.join(columns)}.")


class TablePass:
    """Reads one table within one transaction.

    Attributes:
        problems: Why what was named is not all there is; empty when it is.
    """

    def __init__(
        self, connection: sa.Connection, table: sa.FromClause, columns: list[str], shape: RowShape, reading: Reading
    ) -> None:
        self._connection, self._table, self._columns = connection, table, columns
        self._shape, self._reading = shape, reading
        self._snapshot = now()
        self._named: set[str] = set()
        self._last_key = ""
        self.problems: list[str] = []

    def changes(self, position: Any, key: tuple[Any, ...], done: bool) -> Iterator[Change]:
        """Rows, positions, and after a pass that did not read all, the keys of the others.

        Args:
            position: Cursor of the last row that is accounted for; None reads all.
            key: Its key.
            done: Whether that pass came to its end; otherwise this one goes on behind that row.
        """
        reading = self._reading
        if not reading.cursor:
            yield from self._rows(self._all())
            return
        fresh = position is None
        if not fresh:
            yield from self._rows(self._without_cursor(), remember=reading.census)
        last, last_key, counted = position, key, 0
        for row in self._fetched(self._all() if fresh else self._moved(position, key, done)):
            yield from self._change(row, remember=reading.census and not fresh)
            value = row[reading.cursor]
            if value is not None:
                last, last_key = value, tuple(row[name] for name in self._shape.key)
                counted += 1
                if counted % reading.batch == 0:
                    yield Checkpoint(state={"cursor": last, "key": last_key, "done": False})
        if last is not None:
            yield Checkpoint(state={"cursor": last, "key": last_key, "done": True})
        if reading.census and not fresh:
            yield from self._census()

    def _all(self) -> Statement:
        names = [*filter(None, [self._reading.cursor]), *self._shape.key]
        return self._select(*self._columns).order_by(*map(sa.column, names))

    def _without_cursor(self) -> Statement:
        cursor: sa.ColumnClause[Any] = sa.column(self._reading.cursor)
        return self._select(*self._columns).where(cursor.is_(None)).order_by(*map(sa.column, self._shape.key))

    def _moved(self, position: Any, key: tuple[Any, ...], done: bool) -> Statement:
        """From the last cursor on, with its ties: a row may have got the same value after it was read."""
        cursor: sa.ColumnClause[Any] = sa.column(self._reading.cursor)
        keys: list[sa.ColumnClause[Any]] = [sa.column(name) for name in self._shape.key]
        start = self._looked_back(position)
        since = cursor >= start
        if not done and not self._reading.lookback and None not in key:
            since = sa.or_(cursor > start, sa.and_(cursor == start, _beyond(keys, key)))
        return self._select(*self._columns).where(since).order_by(cursor, *keys)

    def _looked_back(self, position: Any) -> Any:
        lookback = self._reading.lookback
        if not lookback:
            return position
        try:
            return position - (
                timedelta(seconds=lookback) if isinstance(position, datetime) else type(position)(lookback)
            )
        except TypeError:
            raise SourceError(
                f"{self._shape.table}: lookback needs a cursor of numbers or times, not {type(position).__name__}."
            ) from None

    def _select(self, *names: str) -> Statement:
        return sa.select(*map(sa.column, names)).select_from(self._table)

    def _fetched(self, statement: Statement) -> Iterator[Row]:
        """Rows one after the other, ``batch`` of them in memory."""
        with self._connection.execute(statement.execution_options(yield_per=self._reading.batch)) as result:
            names = list(result.keys())
            for row in result:
                yield dict(zip(names, row, strict=True))

    def _rows(self, statement: Statement, *, remember: bool = False) -> Iterator[Change]:
        for row in self._fetched(statement):
            yield from self._change(row, remember=remember)

    def _change(self, row: Row, *, remember: bool) -> Iterator[Change]:
        key = self._shape.key_of(row)
        if not key or key == self._last_key:
            yield from self._unusable(key)
            return
        self._last_key = key
        if remember:
            self._named.add(key)
        if self._is_marked(row):
            yield Delete(key=key)
        else:
            yield self._shape.change(row, key=key, snapshot=self._snapshot)

    def _unusable(self, key: str) -> Iterator[Change]:
        """A row without a key, said once; or one whose key another row has."""
        columns = ", ".join(self._shape.key)
        message = f"Several rows of {self._shape.table} have the same {columns}; the first one counts."
        if not key:
            message = f"A row of {self._shape.table} has no value for {columns}; it was left out."
            if message in self.problems:
                return
            self.problems.append(message)
        yield Failed(
            key=key or f"{self._shape.prefix}(no key)",
            uri=self._shape.place,
            error="SourceError",
            message=message,
            fix="Name other columns as key, or leave such rows out with a query.",
        )

    def _is_marked(self, row: Row) -> bool:
        """Whether the source says that the row is deleted."""
        return bool(self._reading.deleted) and row[self._reading.deleted] not in _NOT_DELETED

    def _census(self) -> Iterator[Change]:
        """The keys of all rows; those that this run did not read are as they were."""
        names = [*self._shape.key, *filter(None, [self._reading.deleted])]
        statement = self._select(*names).order_by(*map(sa.column, self._shape.key))
        for row in self._fetched(statement):
            key = self._shape.key_of(row)
            if key and key not in self._named and not self._is_marked(row):
                yield Unchanged(key=key)


def _beyond(columns: list[sa.ColumnClause[Any]], values: tuple[Any, ...]) -> sa.ColumnElement[bool]:
    """``(a, b) > (x, y)`` in words that every database understands."""
    first, value = columns[0], values[0]
    greater: sa.ColumnElement[bool] = first > value
    if len(columns) == 1:
        return greater
    return sa.or_(greater, sa.and_(first == value, _beyond(columns[1:], values[1:])))
