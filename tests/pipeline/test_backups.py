"""Backups: consistent while written to, refused when damaged, never over anything."""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grounded import KnowledgeBase
from grounded.cli.app import _register_commands, app
from grounded.errors import BackupError, KnowledgeBaseExistsError, KnowledgeBaseNotFoundError
from grounded.pipeline.backups import backup
from grounded.pipeline.restoring import restore
from grounded.records import IngestReport
from tests.ingestion.support import HashEmbedder

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    {
        "key": f"{n}",
        "text": f"Rule {n}: the fee is {n * 7} euros.",
        "metadata": {"year": 2000 + n},
        "principals": ["staff"] if n % 2 else [],
    }
    for n in range(40)
]
HOLD_IT = """
import sys
from grounded import KnowledgeBase
from tests.ingestion.support import HashEmbedder
kb = KnowledgeBase.open(sys.argv[1], embedder=HashEmbedder())
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("backups") / "kb"
    with KnowledgeBase.open(place, create=True, embedder=HashEmbedder()) as kb:
        assert kb.ingest(DOCUMENTS).ok
    return place


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    path = folder.parent / "kb.backup"
    report = backup(folder, path)
    assert (report.documents, report.chunks, report.points, report.note) == (40, 40, 40, "")
    return path


def _fee(folder: Path, rule: int) -> str:
    with KnowledgeBase.open(folder, embedder=HashEmbedder()) as kb:
        assert not kb.status().drifted
        assert kb.search(f"fee of rule {rule}", where={"year": 2000 + rule}) == () or rule % 2 == 0
        (found,) = kb.search(f"fee of rule {rule}", where={"year": 2000 + rule}, principals=["staff"])
        return found.text


def test_what_was_backed_up_comes_back(file: Path, tmp_path: Path) -> None:
    report = restore(file, tmp_path / "new" / "kb")
    assert (report.documents, report.points, report.missing) == (40, 40, 0)
    assert "fee is 91 euros" in _fee(tmp_path / "new" / "kb", 13)
    assert [each.name for each in tmp_path.joinpath("new").iterdir()] == ["kb"]
    with KnowledgeBase.open(tmp_path / "new" / "kb", embedder=HashEmbedder()) as kb:
        again = kb.ingest(DOCUMENTS)
        assert (again.documents_unchanged, again.chunks_embedded) == (40, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_nobody_else_can_read_it(file: Path, tmp_path: Path) -> None:
    restore(file, tmp_path / "kb")
    for place in (file, tmp_path / "kb", *(tmp_path / "kb").rglob("*")):
        assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0, place


def test_a_backup_during_an_ingest_is_one_committed_state(tmp_path: Path) -> None:
    """Taken half-way through by the process that writes; restored, it holds whole documents and their vectors."""
    documents = [{"key": f"{n}", "text": f"Rule {n}: the fee is {n * 7} euros."} for n in range(700)]
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as kb:
        kb.ingest(documents[:100])
        taken: list[int] = []

        def snap(_: object) -> None:
            if not taken and kb.status().documents > 100:
                taken.append(kb.backup(tmp_path / "half").documents)

        report: IngestReport = kb.ingest(documents, progress=snap)
        assert report.documents == 700
        assert 100 < taken[0] < 700
    restored = restore(tmp_path / "half", tmp_path / "again")
    assert (restored.documents, restored.points) == (taken[0], taken[0])
    with KnowledgeBase.open(tmp_path / "again", embedder=HashEmbedder()) as again:
        assert again.ingest(documents).documents_unchanged == taken[0]


def test_while_another_process_holds_it_the_vectors_are_left_out_and_made_again(folder: Path, tmp_path: Path) -> None:
    held = Path(shutil.copytree(folder, tmp_path / "kb"))
    command = [sys.executable, "-c", HOLD_IT, str(held)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        report = backup(held, tmp_path / "file")
        holder.kill()
    assert (report.chunks, report.points) == (40, 0)
    assert str(holder.pid) in report.note
    assert restore(tmp_path / "file", tmp_path / "again").missing == 40
    assert "fee is 84 euros" in _fee(tmp_path / "again", 12)


def test_any_flipped_or_missing_byte_is_noticed_and_nothing_is_written(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        headers = [info.header_offset + 30 + len(info.filename) for info in archive.infolist()]
        inside = [at + info.compress_size // 2 for at, info in zip(headers, archive.infolist(), strict=True)]
    places = [*inside, *random.Random(5).sample(range(len(whole)), 20)]
    broken = tmp_path / "broken"
    silent = []
    for place in places:
        broken.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            restore(broken, tmp_path / "kb")
        except BackupError:
            assert not (tmp_path / "kb").exists()
        else:
            # A byte that carries nothing, such as the time in an entry's header: what came out is what went in.
            shutil.rmtree(tmp_path / "kb")
            silent.append(place)
    assert len(silent) < len(places) / 4
    assert not set(inside) & set(silent)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        broken.write_bytes(whole[:length])
        with pytest.raises(BackupError):
            restore(broken, tmp_path / "kb")
    assert os.listdir(tmp_path) == ["broken"]


def test_what_is_no_backup_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="There is no backup"):
        restore(tmp_path / "nowhere", tmp_path / "kb")
    with zipfile.ZipFile(tmp_path / "other", "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(BackupError, match="no manifest"):
        restore(tmp_path / "other", tmp_path / "kb")
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(tmp_path / "more", "w") as forged:
        for name in archive.namelist():
            forged.writestr(name, archive.read(name))
        forged.writestr("../outside", "x")
    with pytest.raises(BackupError, match="its manifest"):
        restore(tmp_path / "more", tmp_path / "kb")
    newer = json.loads(zipfile.ZipFile(file).read("manifest.json")) | {"schema": 2}
    with zipfile.ZipFile(tmp_path / "newer", "w") as forged:
        forged.writestr("manifest.json", json.dumps(newer))
    with pytest.raises(BackupError, match="schema 2"):
        restore(tmp_path / "newer", tmp_path / "kb")
    assert not (tmp_path / "kb").exists()
    assert not (tmp_path.parent / "outside").exists()


def test_nothing_is_written_over(folder: Path, file: Path, tmp_path: Path, qdrant_server: str) -> None:
    with pytest.raises(KnowledgeBaseExistsError):
        backup(folder, file)
    with pytest.raises(KnowledgeBaseExistsError):
        restore(file, folder)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(KnowledgeBaseExistsError):
        restore(file, tmp_path / "full")
    url = f"qdrant://{qdrant_server}/restored-{uuid.uuid4()}"
    assert restore(file, tmp_path / "first", store=url).points == 40
    with pytest.raises(KnowledgeBaseExistsError, match="holds points already"):
        restore(file, tmp_path / "second", store=url)
    assert "fee is 91 euros" in _fee(tmp_path / "first", 13)
    assert sorted(os.listdir(tmp_path)) == ["first", "full"]


def test_a_cancelled_backup_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    assert backup(folder, tmp_path / "file", cancel=lambda: True).interrupted
    assert os.listdir(tmp_path) == []
    with pytest.raises(KnowledgeBaseNotFoundError):
        backup(tmp_path, tmp_path / "file")
    with pytest.raises(BackupError):
        backup(folder, tmp_path / "no such folder" / "file")


def test_the_commands(folder: Path, tmp_path: Path) -> None:
    _register_commands()
    runner = CliRunner()
    written = runner.invoke(app, ["backup", str(tmp_path / "file"), "--kb", str(folder)])
    assert written.exit_code == 0, written.output
    assert runner.invoke(app, ["backup", str(tmp_path / "file"), "--kb", str(folder)]).exit_code == 2
    made = runner.invoke(app, ["restore", str(tmp_path / "file"), "--kb", str(tmp_path / "kb"), "--json"])
    assert json.loads(made.stdout)["points"] == 40
    assert runner.invoke(app, ["restore", str(tmp_path / "file"), "--kb", str(tmp_path / "kb")]).exit_code == 2
