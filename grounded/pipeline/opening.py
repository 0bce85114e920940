"""Opening a knowledge base: its settings, its store and its ledger."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from grounded.errors import (
    ConfigurationError,
    EmbedderMismatchError,
    GroundedError,
    KnowledgeBaseError,
    KnowledgeBaseExistsError,
    KnowledgeBaseLockedError,
)
from grounded.protocols import Embedder, VectorStore
from grounded.records import Status
from grounded.settings import KB_FILE, PRIVATE_FOLDER_MODE, KnowledgeBaseSettings

if TYPE_CHECKING:
    from grounded.ingestion.ledger import Ledger

T = TypeVar("T")

LOCK_POLL_SECONDS = 0.1
SHARD_FOLDER = "shard"
REBUILD_MARK = "rebuild.json"
"""Says which index is being built beside the one in use, and which one it replaces."""
LEDGER_FILE = "ledger.sqlite"
EMBEDDED_STORE = "edge"
LOCAL_LEDGER = "sqlite"

_SERVER_SCHEMES = ("qdrant://", "qdrants://")
_LEDGER_ENDINGS = (".sqlite", ".sqlite3", ".db")
_LEDGER_FIX = "Allowed: sqlite, a path that ends in .sqlite, or postgresql://user@host/database."
_SECRETS = frozenset({"password", "sslpassword"})
_LEFTOVERS = frozenset(
    {SHARD_FOLDER, f".{KB_FILE}.new", *(f"{LEDGER_FILE}{ending}" for ending in ("", "-wal", "-shm", ".lock"))}
)
"""What an interrupted creation may have left; none of it counts as a knowledge base."""


class Parts(NamedTuple):
    """What an open knowledge base consists of."""

    settings: KnowledgeBaseSettings
    store: VectorStore
    ledger: Ledger


def model_of(folder: Path) -> str | None:
    """What the embedding model of a knowledge base is named by; None when it is not, or there is none yet."""
    return KnowledgeBaseSettings.read(folder).model or None if (folder / KB_FILE).exists() else None


def open_parts(
    folder: Path,
    *,
    create: bool,
    store: str | None,
    ledger: str | None,
    embedder: Embedder,
    model: str = "",
    wait: float,
) -> Parts:
    """Settings, store and ledger of a knowledge base, made when it is new and ``create`` says so.

    Everything is checked before anything is written, and ``kb.toml`` is written last: a creation that fails leaves
    nothing in the file system that was not there. See ``KnowledgeBase.open`` for the arguments.

    Raises:
        KnowledgeBaseError: Of the kinds that ``KnowledgeBase.open`` names; also when the folder cannot be written.
        ConfigurationError: ``store`` or ``ledger`` is impossible, holds a password, or differs from ``kb.toml``.
        EmbedderMismatchError: It was made with another embedding model.
    """
    with _typed(folder):
        settings, is_new = _settings_for(
            folder, create=create, store=store, ledger=ledger, embedder=embedder, model=model
        )
        if settings.embedder != embedder.identity or settings.dimension != embedder.dimension:
            raise EmbedderMismatchError(
                f"{folder} was made with the embedding model {settings.embedder!r}; this is {embedder.identity!r}.",
                fix="Open it with the model it was made with, or change it with: grounded rebuild --embedder NAME",
            )
        if is_new:
            with _leaving_nothing(folder):
                folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
                parts = _opened(folder, settings, wait=wait, is_new=True)
        else:
            parts = _opened(folder, settings, wait=wait, is_new=False)
    if is_new and parts.settings is not settings:
        # Somebody else made it while we waited; what was asked for must agree with that.
        parts.store.close()
        parts.ledger.close()
        return open_parts(folder, create=False, store=store, ledger=ledger, embedder=embedder, model=model, wait=wait)
    return parts


def _settings_for(
    folder: Path, *, create: bool, store: str | None, ledger: str | None, embedder: Embedder, model: str
) -> tuple[KnowledgeBaseSettings, bool]:
    """The settings, and whether the knowledge base is new; nothing is written."""
    if folder.exists() and not folder.is_dir():
        raise KnowledgeBaseExistsError(f"{folder} is a file.", fix="Name a folder.")
    check_store(store or EMBEDDED_STORE)
    address = ledger_address(folder, ledger or LOCAL_LEDGER)
    if (folder / KB_FILE).exists() or not create:
        settings = KnowledgeBaseSettings.read(folder)
        _check_given(folder, "store", store, settings.store, same=store == settings.store)
        same = address == ledger_address(folder, settings.ledger, is_given=False)
        _check_given(folder, "ledger", ledger, settings.ledger, same=same)
        return settings, False
    if folder.exists() and any(child.name not in _LEFTOVERS for child in folder.iterdir()):
        raise KnowledgeBaseExistsError(
            f"{folder} holds other files and no knowledge base.", fix="Name an empty or a new folder."
        )
    settings = KnowledgeBaseSettings(
        embedder=embedder.identity,
        dimension=embedder.dimension,
        model=model,
        store=store or EMBEDDED_STORE,
        ledger=ledger or LOCAL_LEDGER,
    )
    return settings, True


def _check_given(folder: Path, name: str, given: str | None, kept: str, *, same: bool) -> None:
    if given is not None and not same:
        raise ConfigurationError(
            f"{folder} was made with {name}={kept!r}; it cannot be opened with {name}={given!r}.",
            fix=f"Leave {name} out, or make a new knowledge base.",
        )


def check_store(store: str) -> None:
    """Refuse a store that is none.

    Raises:
        ConfigurationError: It is neither the embedded one nor the address of a Qdrant collection.
    """
    if store != EMBEDDED_STORE and not store.startswith(_SERVER_SCHEMES):
        raise ConfigurationError(
            f"There is no store {store!r}.", fix=f"Allowed: {EMBEDDED_STORE}, or qdrant://host:6333/name."
        )


def ledger_address(folder: Path, ledger: str, *, is_given: bool = True) -> str | Path:
    """Where a ledger is: the path of a SQLite file, relative ones from the folder, or a PostgreSQL URL.

    Args:
        folder: The knowledge base's.
        ledger: ``sqlite``, a path that ends in .sqlite, .sqlite3 or .db, or a URL.
        is_given: It comes from a caller, not from ``kb.toml``, and must not hold a password.

    Raises:
        ConfigurationError: It is none of these, or holds a password that would be written to ``kb.toml``.
    """
    from grounded.ingestion.ledger.engine import parsed_url

    if ledger == LOCAL_LEDGER:
        return folder / LEDGER_FILE
    if "://" not in ledger:
        if not ledger.endswith(_LEDGER_ENDINGS):
            raise ConfigurationError(f"There is no ledger {ledger!r}.", fix=_LEDGER_FIX)
        return folder / ledger
    url = parsed_url(ledger)
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return folder / url.database
    if kind != "postgresql":
        raise ConfigurationError(f"The ledger cannot live in {kind!r}.", fix=_LEDGER_FIX)
    if is_given and (url.password is not None or _SECRETS & set(url.query)):
        raise ConfigurationError(
            "The ledger's URL holds a password, which would be written to kb.toml in clear.",
            fix="Leave it out; set PGPASSWORD, or name a file with PGPASSFILE or ?passfile=PATH.",
        )
    return ledger


def _opened(folder: Path, settings: KnowledgeBaseSettings, *, wait: float, is_new: bool) -> Parts:
    store = open_store(folder, settings, wait=wait)
    ledger: Ledger | None = None
    try:
        if is_new and (folder / KB_FILE).exists():
            is_new, settings = False, KnowledgeBaseSettings.read(folder)
        # A ledger that is missing beside vectors is lost, not new: an empty one would have them all removed.
        ledger = open_ledger(folder, settings, create=is_new or store.count() == 0, wait=wait)
        if is_new:
            _check_new(folder, settings, store, ledger)
            settings.write(folder)
        finish_rebuild(folder, settings)
    except BaseException:
        if ledger is not None:
            ledger.close()
        store.close()
        raise
    return Parts(settings, store, ledger)


def finish_rebuild(folder: Path, settings: KnowledgeBaseSettings) -> None:
    """Remove the index that a rebuild has replaced, when it has; a collection on a server stays where it is."""
    mark = folder / REBUILD_MARK
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        begun = json.loads(mark.read_text("utf-8"))
        if (begun["embedder"], begun["store"], begun["shard"]) == (settings.embedder, settings.store, settings.shard):
            old = folder / Path(begun["old"]).name
            if settings.store == EMBEDDED_STORE and old.name != settings.shard:
                shutil.rmtree(old, ignore_errors=True)
            mark.unlink()


def _check_new(folder: Path, settings: KnowledgeBaseSettings, store: VectorStore, ledger: Ledger) -> None:
    from grounded.ingestion.repair import check_belonging

    if settings.ledger == LOCAL_LEDGER and not ledger.unused:
        raise KnowledgeBaseExistsError(
            f"{folder} holds a ledger that was used, and no {KB_FILE}.",
            fix=f"Restore {KB_FILE}, or name an empty or a new folder.",
        )
    check_belonging(ledger, store)


@contextmanager
def _typed(folder: Path) -> Iterator[None]:
    try:
        yield
    except GroundedError:
        raise
    except OSError as error:
        raise KnowledgeBaseError(
            f"The knowledge base {folder} cannot be opened: {error.strerror or error}.",
            fix="Check the path, its permissions and its disk: a knowledge base must be writable, also for reading.",
        ) from error


@contextmanager
def _leaving_nothing(folder: Path) -> Iterator[None]:
    """After a failure remove what was not there before, unless somebody else is making it."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    before = {child.name for child in folder.iterdir()} if folder.exists() else set()
    try:
        yield
    except KnowledgeBaseLockedError:
        raise
    except BaseException:
        for name in sorted(_LEFTOVERS - before):
            with suppress(FileNotFoundError, NotADirectoryError):
                _remove(folder / name)
        with suppress(OSError):
            for place in missing:
                place.rmdir()
        raise


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink()


def open_store(folder: Path, settings: KnowledgeBaseSettings, *, wait: float) -> VectorStore:
    """The store the settings name; waits up to ``wait`` seconds while another process holds it."""
    check_store(settings.store)
    if settings.store != EMBEDDED_STORE:
        from grounded.retrieval.qdrant import QdrantStore

        return QdrantStore(settings.store, dimension=settings.dimension)
    from grounded.retrieval.edge import EdgeStore

    return _patiently(lambda: EdgeStore(folder / settings.shard, dimension=settings.dimension, create=True), wait)


def _ledger_held(address: str | Path, settings: KnowledgeBaseSettings, *, wait: float) -> Callable[[], None] | None:
    """What lets go of the ledger's lock; None where it needs none.

    SQLite would let processes take turns, but leases, and what a reader has cached, are each process's own.
    """
    if isinstance(address, str) or (settings.store == EMBEDDED_STORE and settings.ledger == LOCAL_LEDGER):
        return None
    from grounded.retrieval.locking import FileLock

    file = address.with_name(f"{address.name}.lock")
    instead = "keep the ledger in PostgreSQL to share it"
    return _patiently(lambda: FileLock(file, instead=instead), wait).release


def _patiently(opening: Callable[[], T], wait: float) -> T:
    """Try again for up to ``wait`` seconds while another process holds it."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return opening()
        except KnowledgeBaseLockedError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(LOCK_POLL_SECONDS)


def open_ledger(
    folder: Path, settings: KnowledgeBaseSettings, *, read_only: bool = False, create: bool = True, wait: float = 0.0
) -> Ledger:
    """The ledger the settings name; a missing one is made only with ``create``.

    To write to a SQLite ledger that no embedded store guards, it is kept from other processes until it is closed; waits
    up to ``wait`` seconds while one of them has it.
    """
    from grounded.ingestion.ledger import Ledger

    address = ledger_address(folder, settings.ledger, is_given=False)
    release = None if read_only else _ledger_held(address, settings, wait=wait)
    try:
        ledger = Ledger.open(address, read_only=read_only, create=create)
    except BaseException:
        if release is not None:
            release()
        raise
    ledger.when_closed = release
    return ledger


def status_from(folder: Path, settings: KnowledgeBaseSettings, ledger: Ledger, *, points: int | None) -> Status:
    """What the ledger says, with the size of the folder."""
    documents, chunks = ledger.totals()
    return Status(
        path=str(folder),
        documents=documents,
        chunks=chunks,
        points=points,
        sources=ledger.sources(),
        embedder=settings.embedder,
        dimension=settings.dimension,
        filterable=dict(ledger.filter_keys()),
        restricted=ledger.restricted(),
        last_success=ledger.last_success(),
        bytes_on_disk=size_on_disk(folder),
    )


def size_on_disk(folder: Path) -> int:
    """What the files of a folder take, in bytes; reserved room that was never written counts nothing."""
    return sum(
        file.stat().st_blocks * 512 if hasattr(file.stat(), "st_blocks") else file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file()
    )
