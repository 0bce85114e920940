"""Repair: the ledger decides, the store follows."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grounded.errors import LedgerError, StoreError
from grounded.ingestion.ledger import Ledger
from grounded.ingestion.repair import repair
from grounded.records import AllOf, AnyOf, Viewer
from grounded.retrieval.filters import visible_to
from tests.ingestion.support import Base, check_agreement, listing, raw, words

DOCUMENTS = {f"{n:02}.md": f"text {n}\n\nmore of {n}\n\nsame\n\nsame" for n in range(30)}


def test_a_clean_base_is_left_alone(base_on: Base) -> None:
    base_on.sync(listing(DOCUMENTS))
    base_on.embedder.texts.clear()
    assert not base_on.repair().scanned
    assert base_on.embedder.texts == []


def test_missing_points_are_embedded_again_from_the_ledger(base_on: Base) -> None:
    base_on.sync(listing(DOCUMENTS, metadata={"year": 2026}, principals=("hr",)))
    originals = set(base_on.embedder.texts)
    base_on.store.delete(list(base_on.store.ids())[:50])
    base_on.embedder.texts.clear()
    report = base_on.repair()
    assert (report.scanned, report.points_restored, report.points_removed) == (True, 50, 0)
    assert set(base_on.embedder.texts) <= originals
    hr = Viewer(principals=("hr",))
    check_agreement(base_on, DOCUMENTS, viewer=hr)
    condition = AllOf(conditions=(visible_to(hr), AnyOf(key="year", values=(2026,))))
    assert base_on.store.count(condition) == 120
    assert base_on.store.count(visible_to(Viewer())) == 0


def test_a_lost_store_is_rebuilt(base: Base, tmp_path: Path) -> None:
    base.sync(listing(DOCUMENTS, metadata={"year": 2026}))
    base.close()
    shutil.rmtree(tmp_path / "kb" / "shard")
    again = Base(tmp_path / "kb")
    assert again.repair().points_restored == 120
    check_agreement(again, DOCUMENTS)
    assert again.store.count(AnyOf(key="year", values=(2026,))) == 120
    again.close()


def test_a_new_ledger_takes_no_points_away(base: Base, tmp_path: Path) -> None:
    base.sync(listing(DOCUMENTS))
    base.close()
    kept = tmp_path / "kept.sqlite"
    shutil.move(tmp_path / "kb" / "ledger.sqlite", kept)
    again = Base(tmp_path / "kb")
    with pytest.raises(LedgerError, match="never used, but the store holds 120 points"):
        again.repair()
    assert again.store.count() == 120
    again.close()
    with_its_own = Base(tmp_path / "kb", ledger=kept)
    assert not with_its_own.repair().scanned
    check_agreement(with_its_own, DOCUMENTS)
    with_its_own.close()


def test_points_that_are_stale_and_missing_at_once_are_found_by_the_mark(base: Base) -> None:
    """Equal counts hide that one point is missing and another is too many; the mark of a crash does not."""
    base.sync([raw("a.md", "one")])
    stale = list(base.store.ids())
    base.sync([raw("a.md", "two")])
    base.store.delete(list(base.store.ids()))
    point = SimpleNamespace(id=stale[0], dense=base.embedder.embed_query("x"), sparse=words("x"), payload={})
    base.store.upsert([point])  # type: ignore[list-item]
    assert not base.repair().scanned
    base.ledger.mark(dirty=True)
    report = base.repair()
    assert (report.points_restored, report.points_removed) == (1, 1)
    check_agreement(base, {"a.md": "two"})


def test_a_sync_repairs_first_what_a_failed_one_left(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.sync(listing(DOCUMENTS))
    real = base.ledger.commit

    def fail_once(batch: Any) -> None:
        monkeypatch.undo()
        raise StoreError("The ledger's machine went away.")

    monkeypatch.setattr(base.ledger, "commit", fail_once)
    with pytest.raises(StoreError):
        base.sync([raw("new.md", "new")])
    assert base.ledger.commit == real
    assert base.ledger.dirty
    assert base.store.count() == 121
    base.sync([raw("other.md", "other")])
    check_agreement(base, {**DOCUMENTS, "other.md": "other"})


def test_nobody_repairs_while_somebody_else_syncs(base_on: Base, ledger_url: str) -> None:
    """An opening process must not take the points of a batch that another is about to commit."""
    base_on.sync(listing(DOCUMENTS))
    base_on.store.delete(list(base_on.store.ids())[:5])
    reports = []

    def open_and_repair() -> None:
        # Two processes share a ledger in PostgreSQL only; on SQLite two threads share the opened one.
        other = Ledger.open(ledger_url) if ledger_url.startswith("postgresql") else base_on.ledger
        reports.append(repair(other, base_on.store, base_on.embedder, words))
        if other is not base_on.ledger:
            other.close()

    with base_on.ledger.writer():
        thread = threading.Thread(target=open_and_repair)
        thread.start()
        thread.join(20)
    assert [report.scanned for report in reports] == [False]
    assert base_on.repair().points_restored == 5
