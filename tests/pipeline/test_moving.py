"""Vectors moved between the embedded store and a real server, stopped half-way, refused, and gone on with."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grounded import KnowledgeBase
from grounded.cli.app import _register_commands, app
from grounded.errors import ConfigurationError, KnowledgeBaseExistsError, StoreError, UsageError
from grounded.pipeline.moving import MARK, move
from grounded.retrieval.edge import EdgeStore
from grounded.retrieval.points import same_points
from grounded.retrieval.qdrant import QdrantStore
from grounded.settings import KnowledgeBaseSettings
from grounded.testing.points import KEYS, make_points
from tests.ingestion.support import DIMENSION, HashEmbedder

DOCUMENTS = 600


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moving") / "kb"
    documents = [
        {
            "key": f"{n}",
            "text": f"Article {n} costs {n * 3} euros.",
            "metadata": {"year": 2000 + n % 20},
            "principals": ["staff"] if n % 2 else [],
        }
        for n in range(DOCUMENTS)
    ]
    with KnowledgeBase.open(folder, create=True, embedder=HashEmbedder()) as kb:
        assert kb.ingest(documents).ok
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "kb"))


@pytest.fixture
def url(qdrant_server: str) -> str:
    return f"qdrant://{qdrant_server}/moved-{uuid.uuid4()}"


def _answers(folder: Path) -> list[tuple[str, float]]:
    """Texts in order; the engines' scores differ in the ninth digit."""
    with KnowledgeBase.open(folder, embedder=HashEmbedder()) as kb:
        assert not kb.status().drifted
        found = kb.search("What does article 421 cost?", k=5, principals=["staff"], where={"year": {"gte": 2001}})
        return [(passage.text, round(passage.score or 0.0, 6)) for passage in found]


def test_there_and_back_nothing_is_embedded_and_nothing_changes(folder: Path, url: str) -> None:
    before = _answers(folder)
    steps: list[tuple[int, int]] = []
    there = move(folder, url, progress=lambda done, total: steps.append((done, total)))
    assert (there.switched, there.written, there.found, there.compared) == (True, DOCUMENTS, 0, 500)
    assert steps[-1] == (DOCUMENTS, DOCUMENTS)
    assert KnowledgeBaseSettings.read(folder).store == url
    assert not (folder / MARK).exists()
    assert _answers(folder) == before
    with KnowledgeBase.open(folder, embedder=HashEmbedder()) as kb:
        kb.ingest([{"key": "new", "text": "Article 9999 costs 7 euros."}])
    # The shard that stayed behind is behind: it is brought in line, not trusted.
    back = move(folder, "edge")
    assert (back.switched, back.points) == (True, DOCUMENTS + 1)
    assert _answers(folder) == before


def test_a_move_that_was_stopped_goes_on_and_the_old_store_is_used_until_then(folder: Path, url: str) -> None:
    asked = iter((False, True))
    stopped = move(folder, url, cancel=lambda: next(asked))
    assert (stopped.interrupted, stopped.switched, stopped.points) == (True, False, 256)
    assert KnowledgeBaseSettings.read(folder).store == "edge"
    rest = move(folder, url)
    assert (rest.switched, rest.found, rest.written, rest.points) == (True, 256, DOCUMENTS - 256, DOCUMENTS)


def test_what_changed_after_a_stop_is_copied_anew(folder: Path, url: str) -> None:
    asked = iter((False, True))
    move(folder, url, cancel=lambda: next(asked))
    with KnowledgeBase.open(folder, embedder=HashEmbedder()) as kb:
        kb.ingest(
            [{"key": f"{n}", "text": f"Article {n} costs {n * 3} euros.", "principals": ["boss"]} for n in range(9)]
        )
    done = move(folder, url)
    assert (done.switched, done.found, done.written) == (True, 0, done.points)
    with KnowledgeBase.open(folder, embedder=HashEmbedder()) as kb:
        for principals, sees in (["boss"], True), (["nobody"], False):
            found = kb.search("Article 4 costs 12 euros.", principals=principals, k=20)
            assert ("Article 4 costs 12 euros." in {passage.text for passage in found}) is sees


def test_a_target_that_is_in_use_is_left_alone(folder: Path, url: str) -> None:
    theirs = make_points(3, DIMENSION, seed=70)
    with QdrantStore(url, dimension=DIMENSION) as store:
        for key, kind in KEYS.items():
            store.declare(key, kind)
        store.upsert(theirs)
        with pytest.raises(KnowledgeBaseExistsError, match="holds 3 points already"):
            move(folder, url)
        assert same_points(store.points([point.id for point in theirs]), theirs)
    assert KnowledgeBaseSettings.read(folder).store == "edge"


def test_a_copy_that_differs_is_not_switched_to(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target loses a point between writing and comparing: a real server, emptied behind our back."""
    flush = QdrantStore.flush

    def lose(store: QdrantStore) -> None:
        flush(store)
        store.delete([next(store.ids())])

    monkeypatch.setattr(QdrantStore, "flush", lose)
    with pytest.raises(StoreError, match="not the same"):
        move(folder, url)
    assert KnowledgeBaseSettings.read(folder).store == "edge"
    monkeypatch.undo()
    assert move(folder, url).switched


@pytest.mark.parametrize(("to", "error"), [("edge", UsageError), ("milvus://x/y", ConfigurationError)])
def test_where_nothing_can_be_moved(folder: Path, to: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        move(folder, to)


def test_the_command(folder: Path, url: str) -> None:
    _register_commands()
    done = CliRunner().invoke(app, ["move", "--to", url, "--kb", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["points"], report["switched"]) == (DOCUMENTS, True)
    with EdgeStore(folder / "shard", dimension=DIMENSION, create=False) as old:
        assert old.count() == DOCUMENTS
