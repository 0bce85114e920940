"""Moving the vectors of a knowledge base to another store, in either direction, without embedding anything again."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from grounded.errors import KnowledgeBaseExistsError, StoreError, UsageError
from grounded.pipeline.opening import EMBEDDED_STORE, check_store, open_ledger, open_store
from grounded.protocols import VectorStore
from grounded.records import SYSTEM_KEYS, MoveReport
from grounded.settings import KnowledgeBaseSettings

if TYPE_CHECKING:
    from grounded.ingestion.ledger import Ledger

log = logging.getLogger(__name__)

Advance = Callable[[int, int], None]
"""``advance(done, total)``: called after every portion."""

PORTION_POINTS = 256
PAGE_IDS = 1000
COMPARED_POINTS = 500
"""Points read back from both stores. When one in a hundred were wrong, 99.3% of moves would be refused."""
MARK = "move.json"


def move(
    path: str | Path,
    to: str,
    *,
    wait: float = 0.0,
    progress: Advance | None = None,
    cancel: Callable[[], bool] | None = None,
) -> MoveReport:
    """Move the vectors of a knowledge base to another store; its ledger stays where it is.

    Everything is copied as it is, then counted and compared; only then ``kb.toml`` names the new store. The old store
    is only read and stays behind. After an interruption the same call goes on from there.

    Args:
        path: The folder of the knowledge base. Other processes must not write to it meanwhile; when one did, nothing
            is switched.
        to: ``qdrant://host:6333/name``, for a cluster ``qdrant://a,b,c/name?shards=6&replicas=2``, or ``edge`` for
            the embedded store.
        wait: Seconds to wait while another process holds it.
        progress: Called after every portion.
        cancel: Asked before every portion; True stops there.

    Raises:
        UsageError: The vectors are there already.
        KnowledgeBaseNotFoundError: There is no knowledge base.
        KnowledgeBaseExistsError: The target holds points that are not from an interrupted move to it.
        EmbedderMismatchError: The target holds vectors of another dimension.
        KnowledgeBaseLockedError: Another process holds it.
        StoreError: A store failed, the copy is not the same, or somebody wrote meanwhile; nothing was switched.
        ConfigurationError: There is no such store.
    """
    started = time.monotonic()
    folder = Path(path).expanduser().absolute()
    settings = KnowledgeBaseSettings.read(folder)
    check_store(to)
    if to == settings.store:
        raise UsageError(f"The vectors of {folder} are in {to} already.", fix="Name another store.")
    with ExitStack() as opened:
        source = opened.enter_context(closing(open_store(folder, settings, wait=wait)))
        ledger = opened.enter_context(open_ledger(folder, settings, create=False, wait=wait))
        opened.enter_context(ledger.writer())
        aim = settings.model_copy(update={"store": to})
        target = opened.enter_context(closing(open_store(folder, aim, wait=wait)))
        mark = _Mark(folder / MARK, to, ledger.revision)
        copied = _Copy(source, target, is_continued=_begun(mark, target))
        finished = copied.run(ledger, progress, cancel or (lambda: False))
        if finished:
            copied.check()
            _check_unchanged(ledger, mark)
            aim.write(folder)
            mark.remove()
        points = target.count()
    log.info("moved %d points from %s to %s", points, settings.store, to)
    return MoveReport(
        source=settings.store,
        target=to,
        points=points,
        written=copied.written,
        found=copied.found,
        removed=copied.removed,
        compared=copied.compared,
        switched=finished,
        interrupted=not finished,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class _Mark:
    """Says that a move has begun: to which store, and which state of the ledger it copies."""

    path: Path
    to: str
    revision: int

    def agrees(self) -> tuple[bool, bool]:
        """Whether an earlier move had the same target, and whether nothing has changed since it began."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
            return found["to"] == self.to, found == {"to": self.to, "revision": self.revision}
        except (OSError, ValueError, KeyError, TypeError):
            return False, False

    def write(self) -> None:
        self.path.write_text(json.dumps({"to": self.to, "revision": self.revision}) + "\n", encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _begun(mark: _Mark, target: VectorStore) -> bool:
    """Whether points that the target holds may be taken as they are; writes the mark.

    Raises:
        KnowledgeBaseExistsError: The target holds somebody else's points.
    """
    is_ours, is_current = mark.agrees()
    # The shard in the knowledge base's own folder is what an earlier move left behind.
    if not is_ours and mark.to != EMBEDDED_STORE and target.count():
        raise KnowledgeBaseExistsError(
            f"{mark.to} holds {target.count()} points already, and no move to it was interrupted.",
            fix="Name another collection, or delete that one.",
        )
    mark.write()
    return is_current


def _check_unchanged(ledger: Ledger, mark: _Mark) -> None:
    if ledger.revision != mark.revision:
        raise StoreError(
            "Another process wrote to the knowledge base during the move; it still uses its old store.",
            fix="Stop the other process and run the same command again.",
        )


@dataclass
class _Copy:
    """Copying from one store to another."""

    source: VectorStore
    target: VectorStore
    is_continued: bool
    written: int = 0
    found: int = 0
    removed: int = 0
    compared: int = 0
    ids: list[str] = field(default_factory=list)

    def run(self, ledger: Ledger, progress: Advance | None, cancel: Callable[[], bool]) -> bool:
        """Copy everything; False when it was cancelled."""
        for key, kind in (*SYSTEM_KEYS.items(), *ledger.filter_keys().items()):
            self.target.declare(key, kind)
        self.ids = sorted(self.source.ids())
        self._remove_others()
        for page in portions(self.ids, PAGE_IDS):
            there = self.target.existing(page) if self.is_continued else set()
            self.found += len(there)
            for portion in portions((each for each in page if each not in there), PORTION_POINTS):
                if cancel():
                    self.target.flush()
                    return False
                self.target.upsert(self.source.points(portion))
                self.written += len(portion)
                if progress is not None:
                    progress(self.found + self.written, len(self.ids))
        self.target.flush()
        return True

    def _remove_others(self) -> None:
        wanted = set(self.ids)
        others = [each for each in self.target.ids() if each not in wanted]
        for page in portions(others, PAGE_IDS):
            self.target.delete(page)
        self.removed = len(others)

    def check(self) -> None:
        """Compare counts, ids and a sample of whole points.

        Raises:
            StoreError: The target is not the same as the source.
        """
        from grounded.retrieval.points import same_points

        counts = self.source.count(), self.target.count()
        sample = random.sample(self.ids, min(COMPARED_POINTS, len(self.ids)))
        same = counts[0] == counts[1] == len(self.ids) and sorted(self.target.ids()) == self.ids
        for portion in portions(sample, PORTION_POINTS) if same else ():
            same = same and same_points(self.source.points(portion), self.target.points(portion))
            self.compared += len(portion)
        if not same:
            raise StoreError(
                f"The copy is not the same as the original ({counts[1]} points of {counts[0]}); nothing was switched.",
                fix="Run the same command again; if it happens again, delete the target and begin anew.",
            )


def portions(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """``items`` in runs of at most ``size``."""
    waiting = iter(items)
    while portion := list(islice(waiting, size)):
        yield portion
