"""A ledger in one file and back, from and to both databases."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from sqlalchemy import select

from grounded.errors import LedgerError, SchemaError
from grounded.ingestion.ledger import Ledger
from grounded.ingestion.ledger.copying import load, snapshot
from grounded.ingestion.ledger.engine import connect, reading
from grounded.ingestion.ledger.schema import metadata
from tests.ingestion.support import Base, listing


def _rows(url: str | Path) -> dict[str, list[tuple[object, ...]]]:
    engine = connect(url, read_only=True)
    try:
        with reading(engine) as connection:
            return {
                table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for table in metadata.sorted_tables
            }
    finally:
        engine.dispose()


def test_every_row_survives_both_ways(base_on: Base, ledger_url: str, postgresql: str, tmp_path: Path) -> None:
    """Superseded versions among them; afterwards the ledger can be written to."""
    base_on.sync(listing({"a": "One\x00two.", "b\x00": "Three."}))
    base_on.sync(listing({"a": "One and a half.", "b\x00": "Three."}))
    file = tmp_path / "snapshot.sqlite"
    snapshot(ledger_url, file)
    before = _rows(ledger_url)
    assert before["versions"]
    assert _rows(file) == before
    for url in (f"{postgresql}?schema=copy_{uuid.uuid4().hex}", str(tmp_path / "copy.sqlite")):
        load(file, url)
        assert _rows(url) == before
        with pytest.raises(LedgerError, match="in use"):
            load(file, url)
        with Ledger.open(url) as ledger:
            assert ledger.totals() == (2, 2)


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.sqlite").write_bytes(b"")
    with pytest.raises((LedgerError, SchemaError)):
        load(tmp_path / "other.sqlite", str(tmp_path / "new.sqlite"))
