"""Ledgers for the tests: SQLite in a file, and a PostgreSQL server of our own on the loopback interface."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ingestion.support import Base
from tests.servers import postgresql as postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    server: str = request.getfixturevalue("postgresql")
    return f"{server}?schema=test_{uuid.uuid4().hex}"


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    opened = Base(tmp_path / "kb")
    yield opened
    opened.close()


@pytest.fixture
def base_on(ledger_url: str, tmp_path: Path) -> Iterator[Base]:
    """A knowledge base on either ledger."""
    opened = Base(tmp_path / "kb", ledger=ledger_url)
    yield opened
    opened.close()
