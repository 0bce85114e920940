"""Opening and creating a knowledge base: what goes wrong is typed, and destroys or leaves behind nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grounded import KnowledgeBase
from grounded.errors import (
    ConfigurationError,
    GroundedError,
    KnowledgeBaseError,
    KnowledgeBaseExistsError,
    LedgerError,
    StoreError,
)
from grounded.protocols import Embedder
from grounded.settings import KnowledgeBaseSettings
from tests.ingestion.support import HashEmbedder

TWO = [{"key": "bees", "text": "Bees make honey."}, {"key": "ants", "text": "Ants live in colonies."}]
EMBEDDER: Embedder = HashEmbedder()


def opened(path: Path, **options: object) -> KnowledgeBase:
    return KnowledgeBase.open(path, embedder=EMBEDDER, **options)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with opened(tmp_path / "kb", create=True) as knowledge_base:
        knowledge_base.ingest(TWO)
    return tmp_path / "kb"


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def lose_ledger(folder: Path) -> None:
    for file in folder.glob("ledger.sqlite*"):
        file.unlink()


def test_a_lost_ledger_costs_no_vectors(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "ledger.sqlite", tmp_path / "backup")
    lose_ledger(folder)
    for create in (False, True):
        with pytest.raises(LedgerError, match="backup"):
            opened(folder, create=create)
        assert not (folder / "ledger.sqlite").exists()
    shutil.copy(tmp_path / "backup", folder / "ledger.sqlite")
    with opened(folder) as again:
        assert again.status().points == 2


def test_an_empty_file_is_no_ledger(folder: Path) -> None:
    lose_ledger(folder)
    (folder / "ledger.sqlite").touch()
    with pytest.raises(LedgerError, match="missing or empty"):
        opened(folder)


def test_a_ledger_that_was_never_used_costs_no_vectors(folder: Path, tmp_path: Path) -> None:
    opened(tmp_path / "other", create=True).close()
    lose_ledger(folder)
    shutil.copy(tmp_path / "other" / "ledger.sqlite", folder / "ledger.sqlite")
    with pytest.raises(LedgerError, match=r"never used.* 2 points"):
        opened(folder)


def test_with_an_empty_store_a_missing_ledger_is_made_again(tmp_path: Path) -> None:
    opened(tmp_path / "kb", create=True).close()
    lose_ledger(tmp_path / "kb")
    with opened(tmp_path / "kb") as again:
        assert again.status().documents == 0


@pytest.mark.parametrize("ledger", ["mine.sqlite", "sqlite:///mine.sqlite"])
def test_a_relative_ledger_is_relative_to_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    with opened(tmp_path / "kb", create=True, ledger=ledger) as knowledge_base:
        knowledge_base.ingest(TWO)
    assert (tmp_path / "kb" / "mine.sqlite").is_file()
    monkeypatch.chdir(tmp_path)
    with opened(tmp_path / "kb") as again:
        assert again.status().points == 2
    assert everything(tmp_path) == {"kb"} | {f"kb/{each}" for each in everything(tmp_path / "kb")}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u:s3cret@localhost/db",
        "postgresql://localhost/db?password=s3cret",
        "postgresql://u:@localhost/db",
    ],
)
def test_a_password_is_refused_before_anything_is_written(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="PGPASSWORD") as caught:
        opened(tmp_path / "kb", create=True, ledger=url)
    assert "s3cret" not in str(caught.value)
    assert everything(tmp_path) == set()


@pytest.mark.parametrize(
    "options",
    [
        {"store": "weaviate://x"},
        {"store": "qdrant://"},
        {"store": "qdrant://127.0.0.1:1/name"},
        {"ledger": "nonsense"},
        {"ledger": "mysql://host/db"},
        {"ledger": "sqlite://"},
        {"ledger": "postgresql://127.0.0.1:1/db?connect_timeout=2"},
        {"ledger": "missing/folder.sqlite"},
    ],
)
@pytest.mark.parametrize("place", ["kb", "new/kb", "."])
def test_a_failed_creation_leaves_nothing(tmp_path: Path, options: dict[str, str], place: str) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(GroundedError):
        opened(tmp_path / "here" / place, create=True, **options)
    assert everything(tmp_path) == {"here"}
    opened(tmp_path / "here" / place, create=True).close()


def test_what_an_interrupted_creation_left_is_used(tmp_path: Path) -> None:
    opened(tmp_path / "kb", create=True).close()
    (tmp_path / "kb" / "kb.toml").unlink()
    with opened(tmp_path / "kb", create=True) as knowledge_base:
        knowledge_base.ingest(TWO)
    settings = KnowledgeBaseSettings.read(tmp_path / "kb")
    (tmp_path / "kb" / "kb.toml").unlink()
    shutil.copy(tmp_path / "kb" / "ledger.sqlite", tmp_path / "backup")
    with pytest.raises(KnowledgeBaseExistsError, match=r"kb\.toml"):
        opened(tmp_path / "kb", create=True)
    lose_ledger(tmp_path / "kb")
    with pytest.raises(LedgerError, match="2 points"):
        opened(tmp_path / "kb", create=True)
    assert not (tmp_path / "kb" / "ledger.sqlite").exists()
    settings.write(tmp_path / "kb")
    shutil.copy(tmp_path / "backup", tmp_path / "kb" / "ledger.sqlite")
    with opened(tmp_path / "kb") as again:
        assert again.status().points == 2


def test_other_addresses_than_those_it_was_made_with_are_refused(folder: Path) -> None:
    for options in ({"store": "qdrant://127.0.0.1:6333/name"}, {"ledger": "mine.sqlite"}):
        for create in (False, True):
            with pytest.raises(ConfigurationError, match="was made with"):
                opened(folder, create=create, **options)
    for options in ({"store": "edge"}, {"ledger": "sqlite"}, {"ledger": str(folder / "ledger.sqlite")}):
        opened(folder, create=True, **options).close()
    assert not (folder / "mine.sqlite").exists()


@pytest.mark.parametrize("place", ["file/kb", "file/deep/kb", "x" * 300])
def test_a_place_where_nothing_can_be_made_is_typed(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(KnowledgeBaseError, match="writable"):
        opened(tmp_path / place, create=True)


@pytest.mark.parametrize("broken", ["shard", "shard/lock", "kb.toml"])
def test_parts_that_cannot_be_opened_are_typed(folder: Path, broken: str) -> None:
    place = folder / broken
    if place.is_dir():
        shutil.rmtree(place)
        place.write_text("x")
    else:
        place.unlink()
        place.mkdir()
    with pytest.raises((KnowledgeBaseError, StoreError)) as caught:
        opened(folder)
    assert caught.value.fix


def test_a_list_of_paths_is_several_sources(folder: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"{name} is here.")
    with opened(folder) as knowledge_base:
        report = knowledge_base.ingest([tmp_path / "a.txt", str(tmp_path / "b.txt")])
        assert (report.documents_added, report.failures) == (2, ())
