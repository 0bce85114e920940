"""Opening a knowledge base: its settings, its store, its ledger, and what names a source."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from grounded import registry
from grounded.errors import ConfigurationError, KnowledgeBaseExistsError, KnowledgeBaseLockedError, UsageError
from grounded.protocols import Connector, Embedder, VectorStore
from grounded.records import Status
from grounded.settings import KB_FILE, PRIVATE_FOLDER_MODE, KnowledgeBaseSettings

if TYPE_CHECKING:
    from grounded.ingestion.ledger import Ledger

LOCK_POLL_SECONDS = 0.1
SHARD_FOLDER = "shard"
LEDGER_FILE = "ledger.sqlite"

Source = str | Path | Connector | Iterable[Any]


def settings_for(
    folder: Path, *, create: bool, store: str | None, ledger: str | None, embedder: Embedder
) -> KnowledgeBaseSettings:
    """The settings of a knowledge base, made when it is new and ``create`` says so; see ``KnowledgeBase.open``."""
    if folder.exists() and not folder.is_dir():
        raise KnowledgeBaseExistsError(f"{folder} is a file.", fix="Name a folder.")
    if (folder / KB_FILE).exists() or not create:
        return KnowledgeBaseSettings.read(folder)
    if folder.exists() and any(child.name != SHARD_FOLDER for child in folder.iterdir()):
        raise KnowledgeBaseExistsError(
            f"{folder} holds other files and no knowledge base.", fix="Name an empty or a new folder."
        )
    settings = KnowledgeBaseSettings(
        embedder=embedder.identity,
        dimension=embedder.dimension,
        store=store or "edge",
        ledger=ledger or "sqlite",
    )
    folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    settings.write(folder)
    return settings


def open_store(folder: Path, settings: KnowledgeBaseSettings, *, wait: float) -> VectorStore:
    """The store the settings name; waits up to ``wait`` seconds while another process holds it."""
    if settings.store.startswith("qdrant://") or settings.store.startswith("qdrants://"):
        from grounded.retrieval.qdrant import QdrantStore

        return QdrantStore(settings.store, dimension=settings.dimension)
    if settings.store != "edge":
        raise ConfigurationError(
            f"{folder / KB_FILE} names the store {settings.store!r}.", fix="Allowed: edge, or qdrant://host:6333/name."
        )
    from grounded.retrieval.edge import EdgeStore

    deadline = time.monotonic() + wait
    while True:
        try:
            return EdgeStore(folder / SHARD_FOLDER, dimension=settings.dimension, create=True)
        except KnowledgeBaseLockedError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(LOCK_POLL_SECONDS)


def open_ledger(folder: Path, settings: KnowledgeBaseSettings, *, read_only: bool = False) -> Ledger:
    """The ledger the settings name."""
    from grounded.ingestion.ledger import Ledger

    url: str | Path = folder / LEDGER_FILE if settings.ledger == "sqlite" else settings.ledger
    return Ledger.open(url, read_only=read_only)


def as_sources(sources: Sequence[Source]) -> list[Source]:
    """Mappings and documents given one by one belong together in one source."""
    loose = [source for source in sources if isinstance(source, Mapping) or hasattr(source, "key")]
    rest = [source for source in sources if not any(source is each for each in loose)]
    return [*rest, loose] if loose else rest


def connector_for(source: Source) -> Connector:
    """The connector that reads a source.

    Raises:
        UnknownNameError: No plug-in reads such a scheme.
        UsageError: It is no source at all.
    """
    if isinstance(source, Connector):
        return source
    if isinstance(source, str | Path):
        scheme, separator, _ = str(source).partition("://")
        if scheme == "file":
            return _plug_in("files", url2pathname(urlsplit(str(source)).path))
        return _plug_in(scheme if separator else "files", str(source))
    if not isinstance(source, (bytes, Mapping)) and hasattr(source, "__iter__"):
        return _plug_in("records", source)
    raise UsageError(
        f"A {type(source).__name__} cannot be ingested.",
        fix="Give a path, a folder, a glob, a connector, or an iterable of documents or mappings with key and text.",
    )


def _plug_in(name: str, source: Any) -> Connector:
    connector: Connector = registry.load("connectors", name)(source)
    return connector


def status_from(folder: Path, settings: KnowledgeBaseSettings, ledger: Ledger, *, points: int | None) -> Status:
    """What the ledger says, with the size of the folder."""
    return ledger.status(
        path=str(folder),
        points=points,
        embedder=settings.embedder,
        dimension=settings.dimension,
        bytes_on_disk=sum(
            file.stat().st_blocks * 512 if hasattr(file.stat(), "st_blocks") else file.stat().st_size
            for file in folder.rglob("*")
            if file.is_file()
        ),
    )
