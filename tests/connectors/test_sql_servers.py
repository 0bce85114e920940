"""The SQL connector on real PostgreSQL, MariaDB and DuckDB, and on SQL Server where there is one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from grounded.errors import SourceAccessError, SourceError, SourceNotFoundError, SourceUnavailableError
from grounded.records import Change, Checkpoint, Document, Failed, Listing, Unchanged, Upsert
from grounded_connectors.sql import SqlConnector
from grounded_connectors.sql_reading import Database

COLUMNS = "id INTEGER PRIMARY KEY, name VARCHAR(40), price NUMERIC(8, 2), changed TIMESTAMP"


def texts(changes: list[Change]) -> dict[str, str]:
    return {
        c.document.key: c.document.text for c in changes if isinstance(c, Upsert) and isinstance(c.document, Document)
    }


class Server:
    """A database of one kind with a table of our own."""

    def __init__(self, uri: str, writing: str) -> None:
        self.uri, self.table = uri, f"products_{uuid.uuid4().hex[:8]}"
        self._engine = sa.create_engine(writing, poolclass=sa.pool.NullPool)

    def run(self, statement: str) -> None:
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement.replace("TABLE_NAME", self.table))


@pytest.fixture(params=["postgresql", "mariadb", "duckdb", "mssql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "duckdb":
        pytest.importorskip("duckdb_engine", reason="DuckDB is not installed")
        uri = f"duckdb:///{tmp_path}/shop.duckdb"
        made = Server(uri, uri)
    elif request.param == "mssql":
        # No package carries a server. GROUNDED_MSSQL is a URL such as mssql://user@host/database?driver=ODBC+Driver+18...
        uri = os.environ.get("GROUNDED_MSSQL", "")
        if not uri:
            pytest.skip("needs a SQL Server: name one with GROUNDED_MSSQL")
        made = Server(uri, uri.replace("mssql", "mssql+pyodbc", 1))
    else:
        uri = request.getfixturevalue(request.param)
        driver = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}[request.param]
        made = Server(uri, uri.replace(request.param, driver, 1))
    columns = COLUMNS.replace("TIMESTAMP", "DATETIME2(0)") if request.param == "mssql" else COLUMNS
    made.run(f"CREATE TABLE TABLE_NAME ({columns})")
    made.run("INSERT INTO TABLE_NAME VALUES (1, 'Kettle', 49.90, '2026-01-01 08:00:00'), (2, 'Mug', 7, '2026-01-02')")
    yield made
    made.run("DROP TABLE IF EXISTS TABLE_NAME")


def test_rows_moves_and_deletions(server: Server) -> None:
    def read(state: dict[str, Any] | None = None, **options: Any) -> list[Change]:
        return list(SqlConnector(server.uri, tables=server.table, cursor="changed", **options).changes(state))

    first = read()
    assert texts(first) == {
        f"{server.table}/1": "id: 1; name: Kettle; price: 49.90; changed: 2026-01-01 08:00:00",
        f"{server.table}/2": "id: 2; name: Mug; price: 7.00; changed: 2026-01-02 00:00:00",
    }
    assert first[-1] == Listing(complete=True)
    state = Checkpoint.from_json(next(c for c in reversed(first) if isinstance(c, Checkpoint)).to_json()).state
    server.run("INSERT INTO TABLE_NAME VALUES (3, 'Lid', 2, '2026-01-03')")
    server.run("DELETE FROM TABLE_NAME WHERE id = 1")
    second = read(state)
    assert sorted(texts(second)) == [f"{server.table}/2", f"{server.table}/3"]
    assert [change.key for change in second if isinstance(change, Unchanged)] == []
    assert sorted(texts(read(state, lookback=86_400 * 2))) == [f"{server.table}/2", f"{server.table}/3"]
    assert SqlConnector(server.uri, tables=server.table).total() == 2
    query = SqlConnector(server.uri, query=f"SELECT id, name FROM {server.table} WHERE price < 5", key="id", name="q")
    assert texts(list(query.changes())) == {"q/3": "id: 3; name: Lid"}


def test_a_missing_table_is_typed_and_nothing_is_written(server: Server) -> None:
    with pytest.raises(SourceNotFoundError):
        SqlConnector(server.uri, tables="no_such_table").check()
    changes = list(SqlConnector(server.uri, tables=["no_such_table", server.table]).changes())
    assert isinstance(changes[0], Failed)
    assert changes[0].error == "SourceNotFoundError"
    assert len(texts(changes)) == 2
    with pytest.raises(SourceError), Database(server.uri).reading("it") as connection:
        connection.exec_driver_sql(f"DELETE FROM {server.table}")
    assert len(texts(list(SqlConnector(server.uri, tables=server.table).changes()))) == 2


def test_one_table_without_permission_fails_alone(postgresql: str) -> None:
    role = f"reader_{uuid.uuid4().hex[:8]}"
    admin = Server(postgresql, postgresql.replace("postgresql", "postgresql+psycopg", 1))
    admin.run("CREATE TABLE TABLE_NAME (id INT PRIMARY KEY); INSERT INTO TABLE_NAME VALUES (1)")
    admin.run(f"CREATE TABLE secret_{role} (id INT PRIMARY KEY)")
    admin.run(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON TABLE_NAME TO {role}")
    uri = postgresql.replace("grounded@", f"{role}:not-shown@")
    connector = SqlConnector(uri, tables=[f"secret_{role}", admin.table])
    assert connector.source == postgresql.replace("grounded@", "")
    changes = list(connector.changes())
    assert isinstance(changes[0], Failed)
    assert changes[0].error == SourceAccessError.__name__
    assert texts(changes) == {f"{admin.table}/1": "id: 1"}
    assert isinstance(changes[-1], Listing)
    assert not changes[-1].complete


def test_an_unreachable_server_is_typed_and_shows_no_password() -> None:
    connector = SqlConnector("postgresql://me:not-shown@127.0.0.1:1/shop", tables="t")
    with pytest.raises(SourceUnavailableError) as caught:
        list(connector.changes())
    assert "not-shown" not in str(caught.value) + connector.source + connector.scope
