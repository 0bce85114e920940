"""Databases that change, refuse or go away while they are read: typed, visible, and nothing stored is lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from grounded.errors import SourceAccessError, SourceUnavailableError
from grounded.records import Change
from grounded_connectors.sql import SqlConnector
from tests.ingestion.support import Base

ROWS = 60

Execute = Callable[..., None]


@pytest.fixture
def execute(postgresql: str) -> Execute:
    engine = sa.create_engine(postgresql.replace("postgresql", "postgresql+psycopg", 1), poolclass=sa.pool.NullPool)

    def run(*statements: str) -> None:
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    return run


@pytest.fixture
def table(execute: Execute) -> Iterator[str]:
    name = f"products_{uuid.uuid4().hex[:8]}"
    rows = ", ".join(f"({n}, 'Product {n}', {n})" for n in range(ROWS))
    execute(
        f"CREATE TABLE {name} (id INT PRIMARY KEY, name TEXT, changed INT)",
        f"INSERT INTO {name} VALUES {rows}",
    )
    yield name
    execute(f"DROP TABLE IF EXISTS {name}, {name}_away")


class CutOff:
    """A connector during whose reading something happens."""

    def __init__(self, connector: SqlConnector, after: int, happens: Callable[[], None]) -> None:
        self._connector, self._after, self._happens = connector, after, happens
        self.source, self.scope, self.covers = connector.source, connector.scope, connector.covers

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        for number, change in enumerate(self._connector.changes(checkpoint)):
            if number == self._after:
                self._happens()
            yield change


@pytest.mark.parametrize("cursor", ["", "changed"])
def test_a_session_that_is_ended_in_the_middle_goes_on_next_time(
    postgresql: str, execute: Execute, table: str, base: Base, cursor: str
) -> None:
    """As when the server restarts: every session is gone at once."""
    connector = SqlConnector(postgresql, tables=table, cursor=cursor, batch=5)
    others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    with pytest.raises(SourceUnavailableError):
        base.sync(CutOff(connector, 20, lambda: execute(ended)))
    before = base.ledger.totals()[0]
    assert 0 < before < ROWS
    report = base.sync(connector)
    assert (report.documents_added, report.documents_retired, report.ok) == (ROWS - before, 0, True)
    assert base.ledger.totals()[0] == ROWS


@pytest.mark.parametrize(
    ("trouble", "repaired", "says"),
    [
        ("ALTER TABLE {0} RENAME TO {0}_away", "ALTER TABLE {0}_away RENAME TO {0}", "does not exist"),
        ("ALTER TABLE {0} RENAME COLUMN name TO label", "ALTER TABLE {0} RENAME COLUMN label TO name", "'name'"),
        ("ALTER TABLE {0} RENAME COLUMN changed TO moved", "ALTER TABLE {0} RENAME COLUMN moved TO changed", "changed"),
    ],
)
def test_a_table_that_is_not_what_it_was_retires_nothing(
    postgresql: str, execute: Execute, table: str, base: Base, trouble: str, repaired: str, says: str
) -> None:
    connector = SqlConnector(postgresql, tables=table, cursor="changed", title="name")
    base.sync(connector)
    execute(trouble.format(table))
    report = base.sync(connector)
    assert not report.ok
    (failure,) = report.failures
    assert says in failure.message
    assert report.documents_retired == 0
    assert base.ledger.totals()[0] == ROWS
    execute(repaired.format(table), f"INSERT INTO {table} VALUES ({ROWS}, 'New', {ROWS})")
    report = base.sync(connector)
    assert (report.ok, report.documents_added) == (True, 1)
    assert base.ledger.dead_letters() == ()


def test_an_emptied_table_stops_and_asks(postgresql: str, execute: Execute, table: str, base: Base) -> None:
    connector = SqlConnector(postgresql, tables=table)
    base.sync(connector)
    execute(f"TRUNCATE {table}")
    assert "empty" in base.sync(connector).retirement_refused
    assert base.ledger.totals()[0] == ROWS


def test_a_login_that_expired_is_an_access_error_and_loses_nothing(
    postgresql: str, execute: Execute, table: str, base: Base
) -> None:
    role = f"reader_{uuid.uuid4().hex[:8]}"
    execute(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON {table} TO {role}")
    connector = SqlConnector(postgresql.replace("grounded@", f"{role}:hidden@"), tables=table)
    assert base.sync(connector).documents_added == ROWS
    execute(f"ALTER ROLE {role} NOLOGIN")
    with pytest.raises(SourceAccessError) as caught:
        base.sync(connector)
    assert "hidden" not in str(caught.value)
    assert base.ledger.totals()[0] == ROWS
    execute(f"ALTER ROLE {role} LOGIN")
    assert base.sync(connector).documents_unchanged == ROWS
    execute(f"REVOKE SELECT ON {table} FROM {role}")
    report = base.sync(connector)
    assert [failure.error for failure in report.failures] == ["SourceAccessError"]
    assert base.ledger.totals()[0] == ROWS
    execute(f"DROP ROLE {role}")
