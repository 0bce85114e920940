"""Allowed queries on real databases: one SELECT, read-only, within limits, every row with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from grounded import Query
from grounded.errors import SourceError, SourceNotFoundError, UsageError
from grounded_connectors.sql import SqlConnector
from grounded_connectors.sql_queries import check_statement

TABLE = "CREATE TABLE stocked (id INTEGER PRIMARY KEY, colour VARCHAR(20), price NUMERIC(8, 2))"
ROWS = "INSERT INTO stocked VALUES (1, 'red', 3.50), (2, 'blue', 4), (3, 'red', 5), (4, NULL, NULL)"
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "duckdb": "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b",
    "postgresql": "SELECT pg_sleep(60)",
    "mariadb": "SELECT SLEEP(60) FROM stocked",
}


@pytest.fixture(params=["sqlite", "duckdb", "postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Kind and URL of a database with a table."""
    kind = request.param
    if kind == "duckdb":
        pytest.importorskip("duckdb_engine", reason="DuckDB is not installed")
    uri = f"{kind}:///{tmp_path}/shop.db" if kind in ("sqlite", "duckdb") else request.getfixturevalue(kind)
    driver = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}.get(kind, kind)
    engine = sa.create_engine(uri.replace(kind, driver, 1), poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        for statement in ("DROP TABLE IF EXISTS stocked", TABLE, ROWS):
            connection.exec_driver_sql(statement)
    return kind, uri


def query(uri: str, sql: str, **more: Any) -> Query:
    given: dict[str, Any] = {"uri": uri, "sql": sql, "questions": ("How many?",), **more}
    return Query(**given)


def test_rows_are_lines_with_their_places(place: tuple[str, str]) -> None:
    _, uri = place
    asked = query(uri, "SELECT colour, count(*) AS n FROM stocked WHERE id < 4 GROUP BY colour ORDER BY colour;")
    found = SqlConnector(uri).compute("by colour", asked, {})
    assert found is not None
    assert found.text == "colour: blue; n: 1\ncolour: red; n: 2"
    assert [segment.span.slice(found.text) for segment in found.segments] == found.text.splitlines()
    fields = found.segments[1].locator.fields
    assert (fields["table"], fields["row"], fields["statement"]) == ("by colour", 2, asked.sql)
    assert fields["snapshot"]


def test_values_are_bound_and_never_part_of_the_statement(place: tuple[str, str]) -> None:
    _, uri = place
    source = SqlConnector(uri)
    asked = query(
        uri,
        "SELECT count(*) AS n FROM stocked WHERE colour = :colour",
        parameters={"colour": "SELECT DISTINCT colour FROM stocked"},
        questions=("How many {colour}?",),
        text="There are {{ n }}.",
    )
    assert sorted(source.values("q", str(asked.parameters["colour"]), seconds=5)) == ["blue", "red"]
    for value, number in (("red", 2), ("red' OR '1'='1", 0)):
        found = source.compute("q", asked, {"colour": value})
        assert found is not None
        assert found.text == f"There are {number}."
        assert found.segments[0].locator.fields["values"] == (f"colour={value}",)


def test_nothing_is_said_of_no_rows_or_of_no_value(place: tuple[str, str]) -> None:
    _, uri = place
    for sql in ("SELECT id FROM stocked WHERE id > 9", "SELECT sum(price) AS total FROM stocked WHERE id > 9"):
        assert SqlConnector(uri).compute("q", query(uri, sql), {}) is None


def test_limits_of_rows_and_of_time_are_errors(place: tuple[str, str]) -> None:
    kind, uri = place
    with pytest.raises(SourceError, match="more than 3 rows"):
        SqlConnector(uri).compute("q", query(uri, "SELECT id FROM stocked", max_rows=3), {})
    with pytest.raises(SourceError, match="longer than"):
        SqlConnector(uri).compute("q", query(uri, ENDLESS[kind], seconds=0.3), {})
    with pytest.raises(SourceNotFoundError):
        SqlConnector(uri).compute("q", query(uri, "SELECT id FROM no_such_table"), {})


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM stocked",
        "SELECT 1; DELETE FROM stocked",
        "WITH gone AS (DELETE FROM stocked RETURNING id) SELECT * FROM gone",
        "SELECT * INTO other FROM stocked",
        "SELECT id FROM stocked FOR UPDATE",
        "/* SELECT */ DROP TABLE stocked",
        "PRAGMA writable_schema = 1",
        "COPY stocked TO 'file'",
        "",
    ],
)
def test_what_is_not_one_select_is_refused(sql: str) -> None:
    with pytest.raises(UsageError, match="one SELECT"):
        check_statement(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'a; DELETE FROM x' AS text FROM stocked;",
        'SELECT "update", `set` FROM stocked -- delete\n',
        "with n as (select 1) select * from n",
        "SELECT created, updated_at FROM offset_values",
    ],
)
def test_words_in_texts_names_and_comments_are_no_statements(sql: str) -> None:
    check_statement(sql)


def test_the_session_is_read_only_whatever_the_statement_says(place: tuple[str, str]) -> None:
    """The check of the words is the second line of defence; this is the first."""
    kind, uri = place
    source = SqlConnector(uri)
    with pytest.raises(SourceError), source._database.reading("it") as connection:
        connection.exec_driver_sql("DELETE FROM stocked")
    found = source.compute("q", query(uri, "SELECT count(*) AS n FROM stocked"), {})
    assert found is not None
    assert found.text == "n: 4", kind
