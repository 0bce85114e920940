"""Changing the embedding model: a new index built beside the one in use, and switched to when it is whole."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

from grounded.embedders import embedder as embedder_of
from grounded.errors import KnowledgeBaseExistsError, StoreError, UsageError
from grounded.pipeline.opening import EMBEDDED_STORE, REBUILD_MARK, finish_rebuild, open_ledger, open_store
from grounded.protocols import Embedder
from grounded.records import RebuildReport
from grounded.settings import KnowledgeBaseSettings

if TYPE_CHECKING:
    from grounded.ingestion.ledger import Ledger

log = logging.getLogger(__name__)

Advance = Callable[[int, int], None]
"""``advance(done, total)``: called after every portion."""

PASSES = 3
"""How often what was ingested meanwhile is caught up with before writers are made to wait for the rest."""
_SUFFIX = re.compile(r"--[0-9a-f]{8}$")


def rebuild(
    path: str | Path,
    embedder: object = None,
    *,
    wait: float = 0.0,
    progress: Advance | None = None,
    cancel: Callable[[], bool] | None = None,
) -> RebuildReport:
    """Give a knowledge base another embedding model.

    Every live chunk is embedded again, from the ledger, into an index beside the one in use; when it is whole,
    ``kb.toml`` names it, in one step. Until then the old index is used, also by a process that has the knowledge base
    open. After an interruption or a kill the same call goes on from there. Within a process that has it open use
    ``KnowledgeBase.rebuild``, which never closes it.

    Args:
        path: The folder of the knowledge base.
        embedder: A name such as ``ollama:NAME``, an object, or None for the shipped model.
        wait: Seconds to wait, at the end, for a process that has the embedded store open.
        progress: Called after every portion.
        cancel: Asked before every portion; True stops there.

    Raises:
        UsageError: That is its model already.
        KnowledgeBaseNotFoundError: There is no knowledge base.
        KnowledgeBaseLockedError: Another process has it open; the new index is kept, and the same call switches to it
            later.
        KnowledgeBaseExistsError: The collection that it would make holds somebody else's points.
        GenerationError: The endpoint of the new model refused, or cannot be reached; what was embedded is kept.
        StoreError: A store failed; nothing was switched.
    """
    folder = Path(path).expanduser().absolute()
    settings = KnowledgeBaseSettings.read(folder)
    with open_ledger(folder, settings, create=False) as ledger, Rebuilding(folder, settings, ledger, embedder) as new:
        if new.build(progress, cancel):
            # Whoever opens an embedded store holds it, so nobody is using the old one while it is replaced.
            with closing(open_store(folder, settings, wait=wait)), ledger.writer():
                new.switch()
            finish_rebuild(folder, new.settings)
        return new.report()


class Rebuilding:
    """One rebuild. For one thread; others may search and ingest meanwhile.

    Attributes:
        settings: Those of the knowledge base when it has switched.
        embedder: The new model.
        store: The new index; whoever switches to it keeps it open.
    """

    def __init__(self, folder: Path, settings: KnowledgeBaseSettings, ledger: Ledger, embedder: object) -> None:
        from grounded.ingestion.payloads import FilterKeys

        self._started = time.monotonic()
        self._folder, self._old, self._ledger = folder, settings, ledger
        self.embedder: Embedder = embedder_of(embedder)
        if self.embedder.identity == settings.embedder:
            raise UsageError(f"The embedding model of {folder} is {settings.embedder} already.", fix="Name another.")
        self.settings = _settings_with(settings, self.embedder, embedder if isinstance(embedder, str) else "")
        is_continued = self._begun()
        self.store = open_store(folder, self.settings, wait=0.0)
        self._keeps_store = False
        try:
            if not is_continued and self.store.count():
                raise KnowledgeBaseExistsError(
                    f"{self.settings.store} holds {self.store.count()} points already, and no rebuild was interrupted.",
                    fix="Delete that collection.",
                )
            self._write_mark()
            self._keys = FilterKeys(ledger, self.store)
        except BaseException:
            self.store.close()
            raise
        self._found = self.store.count()
        self._embedded = self._long = 0
        self._switched = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._keeps_store:
            self.store.close()

    def build(self, progress: Advance | None = None, cancel: Callable[[], bool] | None = None) -> bool:
        """Embed what is live and not there yet; False when it was cancelled."""
        from grounded.ingestion.repair import missing, orphans, portions

        for _ in range(PASSES):
            revision = self._ledger.revision
            for page in list(portions(orphans(self._ledger, self.store))):
                self.store.delete(page)
            for portion in portions(missing(self._ledger, self.store)):
                if cancel is not None and cancel():
                    self.store.flush()
                    return False
                self._embed(portion)
                if progress is not None:
                    progress(self.store.count(), self._ledger.totals()[1])
            self.store.flush()
            if self._ledger.revision == revision:
                break
        return True

    def switch(self) -> None:
        """Take in what changed meanwhile, and name the new index in ``kb.toml``; the caller holds ``Ledger.writer``.

        Raises:
            StoreError: The new index does not hold what is live; nothing was switched.
        """
        from grounded.ingestion.reconciling import compare_points
        from grounded.ingestion.repair import portions

        lost, orphaned, wrong = compare_points(self._ledger, self.store)
        for page in portions(orphaned):
            self.store.delete(page)
        for portion in portions(lost):
            self._embed(portion)
        for chunk, payload in wrong.items():
            self.store.set_payload([chunk], payload)
        self.store.flush()
        points, live = self.store.count(), self._ledger.totals()[1]
        if points != live:
            raise StoreError(f"The new index holds {points} points of {live}; the old one stays in use.")
        self.settings.write(self._folder)
        self._switched = True
        log.info("rebuilt %s: %d points of %s", self._folder, points, self.settings.embedder)

    def keep_store(self) -> None:
        """Leave the new index open when this ends: somebody uses it."""
        self._keeps_store = True

    def report(self) -> RebuildReport:
        """What was done so far."""
        return RebuildReport(
            source=self._old.embedder,
            target=self.settings.embedder,
            store=self.settings.store,
            points=self.store.count(),
            embedded=self._embedded,
            found=self._found,
            long=self._long,
            switched=self._switched,
            interrupted=not self._switched,
            seconds=time.monotonic() - self._started,
        )

    def _embed(self, chunks: list[str]) -> None:
        from grounded.ingestion.repair import restore
        from grounded.retrieval.bm25 import document_vector

        texts = restore(chunks, self._ledger, self.store, self.embedder, document_vector, self._keys)
        self._embedded += len(texts)
        self._long += sum(len(self.embedder.token_spans(text)) > self.embedder.max_tokens for text in texts)

    def _mark(self) -> dict[str, str]:
        new, old = self.settings, self._old
        return {"embedder": new.embedder, "store": new.store, "shard": new.shard, "old": old.shard}

    def _begun(self) -> bool:
        """Whether a rebuild with the same aim was interrupted; what one with another aim left in the folder goes."""
        mark = self._folder / REBUILD_MARK
        try:
            before = json.loads(mark.read_text("utf-8"))
        except (OSError, ValueError):
            before = None
        if before == self._mark():
            return True
        # Without its mark nothing says what a folder was built for.
        for folder in self._folder.glob("shard*"):
            if folder.name != self._old.shard and self._old.store == EMBEDDED_STORE:
                shutil.rmtree(folder)
        return False

    def _write_mark(self) -> None:
        (self._folder / REBUILD_MARK).write_text(json.dumps(self._mark()) + "\n", encoding="utf-8")


def _settings_with(old: KnowledgeBaseSettings, embedder: Embedder, model: str) -> KnowledgeBaseSettings:
    """The settings after a switch: another place for every model, so that old and new stand side by side."""
    mark = hashlib.sha256(embedder.identity.encode()).hexdigest()[:8]
    place = {"shard": f"shard-{mark}"}
    if old.store != EMBEDDED_STORE:
        address, question, options = old.store.partition("?")
        place = {"store": f"{_SUFFIX.sub('', address)}--{mark}{question}{options}"}
    changed = {"embedder": embedder.identity, "dimension": embedder.dimension, "model": model}
    return old.model_copy(update={**changed, **place})
