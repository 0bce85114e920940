"""One allowed SELECT: read-only, within limits of rows and time, its rows as text with their places."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from grounded.errors import SourceError, UsageError
from grounded.records import Document, Locator, Segment, Span
from grounded.records.queries import Query
from grounded_connectors.positions import now
from grounded_connectors.rows import RowShape
from grounded_connectors.sql_reading import Database

MAX_VALUES = 10_000
"""A parameter may have so many values at most."""

_NO_CODE = re.compile(
    r"'(?:[^']|'')*'"  # text
    r'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]'  # names
    r"|\$(\w*)\$.*?\$\1\$"  # PostgreSQL's text
    r"|--[^\n]*|/\*.*?\*/",
    re.DOTALL,
)
_WRITES = re.compile(
    r"\b(?:insert|update|delete|merge|replace\s+into|into|create|alter|drop|truncate|grant|revoke|call|exec|execute|copy"
    r"|attach|detach|pragma|set|lock|vacuum|install|load)\b",
    re.IGNORECASE,
)


def check_statement(sql: str) -> None:
    """Refuse what is not one SELECT. A second line of defence: the session is read-only as well.

    Raises:
        UsageError: It is several statements, or one that does more than read.
    """
    bare = _NO_CODE.sub(" x ", sql).strip().rstrip(";").strip()
    word = _WRITES.search(bare)
    if ";" in bare or word or not re.match(r"(?:select|with|values)\b", bare, re.IGNORECASE):
        what = f"the word {word.group().upper()}" if word else "several statements" if ";" in bare else "no SELECT"
        raise UsageError(
            f"A query must be one SELECT; this has {what}.", fix="Put a column of such a name into double quotes."
        )


def run(database: Database, name: str, query: Query, values: Mapping[str, str]) -> Document | None:
    """The rows as a document, a line each; None without rows.

    Raises:
        UsageError: It is not one SELECT.
        SourceError: It failed, or its rows or its time exceed the limits.
    """
    columns, rows = _rows(database, name, query.sql, values, limit=query.max_rows, seconds=query.seconds)
    shape = RowShape(table=name, key=(), template=query.text)
    place: dict[str, Any] = {"table": name, "snapshot": now(), "statement": query.sql}
    if values:
        place["values"] = tuple(f"{parameter}={value}" for parameter, value in values.items())
    text, segments = "", []
    for number, row in enumerate(rows, start=1):
        line, _ = shape.rendered(dict(zip(columns, row, strict=True)))
        line = " ".join(line.split())
        text += "\n" if text else ""
        span = Span(start=len(text), end=len(text) + len(line))
        segments.append(Segment(span=span, locator=Locator(kind="table_row", row=number, **place)))
        text += line
    if not text.strip():
        return None
    return Document(key=f"query/{name}", text=text, segments=tuple(segments), title=name, uri=database.name)


def values_of(database: Database, name: str, sql: str, *, seconds: float) -> list[str]:
    """What the first column of a SELECT gives: the values that a parameter may have."""
    _, rows = _rows(database, name, sql, {}, limit=MAX_VALUES, seconds=seconds)
    return [str(row[0]) for row in rows if row[0] is not None]


def _rows(
    database: Database, name: str, sql: str, values: Mapping[str, str], *, limit: int, seconds: float
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    check_statement(sql)
    what = f"The query {name!r}"
    with database.reading(what) as connection, _within(connection, database.kind, seconds, what):
        result = connection.execute(sa.text(sql.strip().rstrip(";")), dict(values))
        rows = result.fetchmany(limit + 1)
        columns = list(result.keys())
    if len(rows) > limit:
        raise SourceError(f"{what} gives more than {limit} rows.", fix="Aggregate further, or raise max_rows.")
    return columns, rows


@contextmanager
def _within(connection: sa.Connection, kind: str, seconds: float, what: str) -> Iterator[None]:
    """Ends a statement that takes too long, by the server's own limit or by interrupting it."""
    late = threading.Event()
    timer: threading.Timer | None = None
    if kind == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, round(seconds * 1000))}")
    elif getattr(connection.dialect, "is_mariadb", False):
        connection.exec_driver_sql(f"SET SESSION max_statement_time = {seconds}")
    elif kind == "mysql":
        connection.exec_driver_sql(f"SET SESSION max_execution_time = {max(1, round(seconds * 1000))}")
    else:
        driver = connection.connection.dbapi_connection
        interrupt = getattr(driver, "interrupt", None) or getattr(driver, "cancel", None)

        def stop() -> None:
            late.set()
            if interrupt is not None:
                interrupt()

        timer = threading.Timer(seconds, stop)
        timer.start()
    try:
        yield
    except Exception as error:
        code = str(getattr(getattr(error, "orig", None), "sqlstate", "")) or str(error)
        if late.is_set() or "57014" in code or "(1969," in str(error) or "(3024," in str(error):
            raise SourceError(
                f"{what} took longer than {seconds:g} seconds.", fix="Give it more, or an index."
            ) from error
        raise
    finally:
        if timer is not None:
            timer.cancel()
