"""Watched folders: the same documents as files, live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grounded.errors import UsageError
from grounded.records import Delete, Listing, Upsert

pytest.importorskip("watchfiles", reason="watchfiles is not installed")

from grounded_connectors.files import FilesConnector
from grounded_connectors.streams.folder import FolderConnector


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[FolderConnector]:
    (tmp_path / "a.md").write_text("Alpha")
    (tmp_path / "b.md").write_text("Beta")
    made = FolderConnector(f"watch://{tmp_path}")
    made.follow()
    yield made
    made.close()


def changed(watched: FolderConnector) -> list[object]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if watched.wait(0.5):
            return [change for change in watched.changes(None) if isinstance(change, Upsert | Delete | Listing)]
    raise AssertionError("nothing was noticed")


def test_the_first_run_is_that_of_files(watched: FolderConnector, tmp_path: Path) -> None:
    files = FilesConnector(tmp_path)
    assert list(watched.changes(None)) == list(files.changes(None))
    assert (watched.source, watched.scope) == (files.source, files.scope)


def test_changes_are_noticed_one_by_one(watched: FolderConnector, tmp_path: Path) -> None:
    list(watched.changes(None))
    (tmp_path / "c.md").write_text("Gamma")
    (new,) = changed(watched)
    assert isinstance(new, Upsert)
    assert new.document.key == (tmp_path / "c.md").as_posix()
    (tmp_path / "a.md").unlink()
    assert changed(watched) == [Delete(key=(tmp_path / "a.md").as_posix())]
    assert watched.lag == 0
    assert watched.watermark is not None


def test_hidden_files_are_left_alone(watched: FolderConnector, tmp_path: Path) -> None:
    list(watched.changes(None))
    (tmp_path / ".hidden").write_text("x")
    assert not watched.wait(1.0) or list(watched.changes(None))[:-1] == []


def test_a_folder_that_comes_is_listed(watched: FolderConnector, tmp_path: Path) -> None:
    list(watched.changes(None))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "d.md").write_text("Delta")
    found = changed(watched)
    assert any(isinstance(each, Listing) for each in found)
    assert len(found) == 4


def test_what_is_no_folder(tmp_path: Path) -> None:
    for uri in ("watch://", f"watch://{tmp_path}/none"):
        with pytest.raises(UsageError):
            FolderConnector(uri)
