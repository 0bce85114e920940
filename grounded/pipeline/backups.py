"""A knowledge base in one file, and back: consistent while it is written to, checked by hash, never overwriting.

A backup is a ZIP file: ``kb.toml``, the ledger in one committed state, the vectors of its live chunks, and a manifest
with the SHA-256 of each. What a chunk says, where it stands and who may see it comes from the ledger alone; its id is
made from its content, so its vector may be read before or after that moment. Vectors that are missing are made again.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from grounded.errors import (
    BackupError,
    GroundedError,
    KnowledgeBaseExistsError,
    KnowledgeBaseLockedError,
)
from grounded.pipeline.opening import (
    EMBEDDED_STORE,
    LEDGER_FILE,
    LOCAL_LEDGER,
    ledger_address,
    open_store,
)
from grounded.protocols import VectorStore
from grounded.records import BackupManifest, BackupMember, BackupReport
from grounded.settings import KB_FILE, PRIVATE_FILE_MODE, KnowledgeBaseSettings

if TYPE_CHECKING:
    from grounded.ingestion.ledger import Ledger

log = logging.getLogger(__name__)

Advance = Callable[[int, int], None]
"""``advance(done, total)``: called after every portion of chunks."""

MANIFEST = "manifest.json"
PORTION_CHUNKS = 512
BLOCK_BYTES = 2**20


def backup(
    path: str | Path,
    file: str | Path,
    *,
    wait: float = 0.0,
    progress: Advance | None = None,
    cancel: Callable[[], bool] | None = None,
) -> BackupReport:
    """Write a knowledge base into one new file, also while somebody else has it open.

    While another process holds an embedded store its vectors cannot be read; the backup is complete all the same, and
    restoring it embeds the chunks again. ``KnowledgeBase.backup`` in the process that holds it takes them along.

    Args:
        path: The folder of the knowledge base.
        file: Where to write; nothing may be there. Made with mode 0600: it holds all texts and who may see them.
        wait: Seconds to wait while another process holds the store.
        progress: Called after every portion of chunks.
        cancel: Asked before every portion; True stops and leaves no file.

    Raises:
        KnowledgeBaseNotFoundError: There is no knowledge base.
        KnowledgeBaseExistsError: There is such a file already.
        LedgerError: The ledger failed.
        StoreError: The store failed.
        BackupError: The file cannot be written.
    """
    folder = Path(path).expanduser().absolute()
    settings = KnowledgeBaseSettings.read(folder)
    try:
        store = open_store(folder, settings, wait=wait)
    except KnowledgeBaseLockedError as held:
        note = f"{held.message} Its vectors were left out; restoring embeds the chunks again."
        return write_backup(folder, settings, None, file, note=note, progress=progress, cancel=cancel)
    with closing(store):
        return write_backup(folder, settings, store, file, progress=progress, cancel=cancel)


def write_backup(
    folder: Path,
    settings: KnowledgeBaseSettings,
    store: VectorStore | None,
    file: str | Path,
    *,
    note: str = "",
    progress: Advance | None = None,
    cancel: Callable[[], bool] | None = None,
) -> BackupReport:
    """``backup`` of a knowledge base whose store is open; without one the vectors are left out."""
    started = time.monotonic()
    target = Path(file).expanduser().absolute()
    if target.exists():
        raise KnowledgeBaseExistsError(f"{target} exists already.", fix="Name a new file.")
    with typed(target), tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as place:
        part = Path(place) / "backup"
        manifest = _write(part, Path(place), folder, settings, store, progress, cancel or (lambda: False))
        if manifest is not None:
            with part.open("rb") as written:
                os.fsync(written.fileno())
            # A link, unlike a rename, never replaces a file that came into being meanwhile.
            _publish(part, target)
    return BackupReport(
        path=str(target),
        documents=manifest.documents if manifest else 0,
        chunks=manifest.chunks if manifest else 0,
        points=manifest.points if manifest else 0,
        size=target.stat().st_size if manifest else 0,
        note=note if manifest and manifest.points < manifest.chunks else "",
        interrupted=manifest is None,
        seconds=time.monotonic() - started,
    )


def _write(
    part: Path,
    place: Path,
    folder: Path,
    settings: KnowledgeBaseSettings,
    store: VectorStore | None,
    progress: Advance | None,
    cancel: Callable[[], bool],
) -> BackupManifest | None:
    from grounded import __version__
    from grounded.ingestion.ledger import Ledger
    from grounded.ingestion.ledger.copying import snapshot
    from grounded.retrieval.packing import packed as vectors

    created, points = datetime.now(UTC), 0
    snapshot(ledger_address(folder, settings.ledger, is_given=False), place / LEDGER_FILE)
    part.touch(mode=PRIVATE_FILE_MODE)
    with Ledger.open(place / LEDGER_FILE, read_only=True) as ledger, zipfile.ZipFile(part, "w") as archive:
        documents, chunks = ledger.totals()
        members = []
        settings.model_copy(update={"store": EMBEDDED_STORE, "ledger": LOCAL_LEDGER}).write(place)
        for number, portion in enumerate(_live(ledger) if store is not None else ()):
            if cancel():
                return None
            assert store is not None
            found = store.points(portion)
            members.append(_add(archive, f"points/{number:06}.npz", io.BytesIO(vectors(found, settings.dimension))))
            points += len(found)
            if progress is not None:
                progress(min((number + 1) * PORTION_CHUNKS, chunks), chunks)
    # The ledger goes last but one: it is closed by now, and its side files are gone.
    with zipfile.ZipFile(part, "a") as archive:
        for name in (LEDGER_FILE, KB_FILE):
            with (place / name).open("rb") as content:
                members.append(_add(archive, name, content, packed=True))
        manifest = BackupManifest(
            created=created,
            release=__version__,
            embedder=settings.embedder,
            dimension=settings.dimension,
            documents=documents,
            chunks=chunks,
            points=points,
            members=tuple(members),
        )
        archive.writestr(MANIFEST, manifest.to_json())
    return manifest


def _live(ledger: Ledger) -> Iterator[list[str]]:
    after = ""
    while page := ledger.live_chunks(after=after, limit=PORTION_CHUNKS):
        yield page
        after = page[-1]


def _add(archive: zipfile.ZipFile, name: str, content: IO[bytes], *, packed: bool = False) -> BackupMember:
    digest, size = hashlib.sha256(), 0
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with archive.open(info, "w", force_zip64=True) as member:
        while block := content.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            member.write(block)
    return BackupMember(name=name, size=size, sha256=digest.hexdigest())


def _publish(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError as error:
        raise KnowledgeBaseExistsError(f"{target} exists already.", fix="Name a new file.") from error
    except OSError:  # a file system without links
        part.rename(target)


@contextmanager
def typed(place: Path) -> Iterator[None]:
    """Turn failures of the file system into ours."""
    try:
        yield
    except GroundedError:  # some of ours are such failures too
        raise
    except OSError as error:
        raise BackupError(
            f"{error.filename or place} cannot be read or written: {error.strerror or error}.",
            fix="Check the path, its permissions and its disk.",
        ) from error
