"""Making a knowledge base from a backup: everything is checked before anything is written."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grounded.errors import BackupError, KnowledgeBaseExistsError, SchemaError
from grounded.pipeline.backups import BLOCK_BYTES, MANIFEST, PORTION_CHUNKS, Advance, typed
from grounded.pipeline.opening import (
    EMBEDDED_STORE,
    LEDGER_FILE,
    LOCAL_LEDGER,
    check_store,
    ledger_address,
    open_ledger,
    open_store,
)
from grounded.protocols import Point
from grounded.records import BackupManifest, BackupMember, RestoreReport
from grounded.settings import KB_FILE, PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE, KnowledgeBaseSettings

if TYPE_CHECKING:
    from grounded.ingestion.ledger import Ledger
    from grounded.ingestion.payloads import FilterKeys

MANIFEST_BYTES = 64 * 2**20
POINTS_BYTES = 256 * 2**20
"""Largest file of vectors that is read; ours have a few MiB."""


def restore(
    file: str | Path,
    path: str | Path,
    *,
    store: str | None = None,
    ledger: str | None = None,
    progress: Advance | None = None,
) -> RestoreReport:
    """Make a knowledge base from a backup. The whole file is checked before anything is written.

    Args:
        file: What ``backup`` wrote.
        path: The new knowledge base's folder; it must not exist, or be empty.
        store: Where its vectors go: ``qdrant://host:6333/name`` for a new collection, else the embedded store.
        ledger: Where its ledger goes: a new ``postgresql://`` schema, else a file in the folder.
        progress: Called after every portion of vectors.

    Raises:
        BackupError: The file is damaged, is no backup, or cannot be read; nothing was written.
        KnowledgeBaseExistsError: Something is there already, in the folder, the collection or the ledger.
        ConfigurationError: ``store`` or ``ledger`` is impossible.
        SchemaError: A newer release wrote it.
    """
    started = time.monotonic()
    folder = Path(path).expanduser().absolute()
    check_store(store or EMBEDDED_STORE)
    ledger_address(folder, ledger or LOCAL_LEDGER)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KnowledgeBaseExistsError(f"{folder} exists already.", fix="Name an empty or a new folder.")
    with typed(folder), _checked(Path(file).expanduser()) as (archive, manifest):
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            points = _build(archive, manifest, building, store, ledger, progress)
            building.chmod(PRIVATE_FOLDER_MODE)
            if folder.exists():
                folder.rmdir()
            building.rename(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    return RestoreReport(
        path=str(folder),
        created=manifest.created,
        documents=manifest.documents,
        chunks=manifest.chunks,
        points=points,
        missing=manifest.chunks - points,
        seconds=time.monotonic() - started,
    )


@contextmanager
def _checked(file: Path) -> Iterator[tuple[zipfile.ZipFile, BackupManifest]]:
    """The backup, opened, after every byte of it was compared with its manifest."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _manifest(archive)
            named = {MANIFEST, *(member.name for member in manifest.members)}
            if sorted(archive.namelist()) != sorted(named) or not named >= {KB_FILE, LEDGER_FILE}:
                raise _damaged(file, "its files are not those of its manifest")
            for member in manifest.members:
                if member.name not in (KB_FILE, LEDGER_FILE) and member.size > POINTS_BYTES:
                    raise _damaged(file, f"{member.name} is said to have {member.size} bytes")
                if _digest(archive, member) != member.sha256:
                    raise _damaged(file, f"{member.name} is not what was written")
            yield archive, manifest
    except FileNotFoundError as error:
        raise BackupError(f"There is no backup at {file}.", fix="Check the path.") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise _damaged(file, str(error)) from error
    except SchemaError as error:
        raise BackupError(f"{file} is no backup that this release can read: {error.message}", fix=error.fix) from error


def _manifest(archive: zipfile.ZipFile) -> BackupManifest:
    try:
        with archive.open(MANIFEST) as content:
            return BackupManifest.from_json(content.read(MANIFEST_BYTES))
    except KeyError as error:
        raise SchemaError("it holds no manifest.") from error


def _digest(archive: zipfile.ZipFile, member: BackupMember) -> str:
    """The hash of a member, reading no more than it is said to hold."""
    digest, left = hashlib.sha256(), member.size
    with archive.open(member.name) as content:
        while left and (block := content.read(min(BLOCK_BYTES, left))):
            digest.update(block)
            left -= len(block)
        if left or content.read(1):
            return ""
    return digest.hexdigest()


def _build(
    archive: zipfile.ZipFile,
    manifest: BackupManifest,
    folder: Path,
    store: str | None,
    ledger: str | None,
    progress: Advance | None,
) -> int:
    """Everything of a knowledge base in a folder that nobody knows yet; how many vectors were there."""
    from grounded.ingestion.ledger.copying import load
    from grounded.ingestion.payloads import FilterKeys

    _extract(archive, KB_FILE, folder)
    settings = KnowledgeBaseSettings.read(folder).model_copy(
        update={"store": store or EMBEDDED_STORE, "ledger": ledger or LOCAL_LEDGER}
    )
    _extract(archive, LEDGER_FILE, folder)
    with closing(open_store(folder, settings, wait=0.0)) as opened:
        if opened.count():
            raise KnowledgeBaseExistsError(f"{settings.store} holds points already.", fix="Name a new collection.")
        if settings.ledger != LOCAL_LEDGER:
            load(folder / LEDGER_FILE, ledger_address(folder, settings.ledger))
            for place in folder.glob(f"{LEDGER_FILE}*"):
                place.unlink()
        settings.write(folder)
        with open_ledger(folder, settings, create=False) as rows:
            keys = FilterKeys(rows, opened)
            names = [member.name for member in manifest.members if member.name.startswith("points/")]
            for number, name in enumerate(names):
                opened.upsert(_points(archive.read(name), rows, keys))
                if progress is not None:
                    progress(min((number + 1) * PORTION_CHUNKS, manifest.chunks), manifest.chunks)
            opened.flush()
            # What is missing is embedded at the first opening, which looks for it when this says so.
            rows.mark(dirty=True)
            return opened.count()


def _extract(archive: zipfile.ZipFile, name: str, folder: Path) -> None:
    place = folder / name
    place.touch(mode=PRIVATE_FILE_MODE)
    with archive.open(name) as content, place.open("wb") as target:
        shutil.copyfileobj(content, target, BLOCK_BYTES)


def _points(content: bytes, ledger: Ledger, keys: FilterKeys) -> list[Point]:
    """The points of those chunks that are live, with the payload that the ledger gives them."""
    from grounded.retrieval.packing import unpacked

    found = unpacked(content)
    return [
        replace(
            found[stored.chunk_id],
            payload=keys.payload(
                document_id=stored.document_id,
                tenant=stored.tenant,
                source=stored.source,
                principals=stored.principals,
                metadata=stored.metadata,
            ),
        )
        for stored in ledger.stored(list(found))
    ]


def _damaged(file: Path, reason: str) -> BackupError:
    return BackupError(f"The backup {file} is damaged: {reason}.", fix="Use another backup; nothing was written.")
