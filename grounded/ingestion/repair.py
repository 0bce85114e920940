"""Making the vector store agree with the ledger again after a crash, a restored backup or a lost folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from grounded.errors import LedgerError
from grounded.ingestion.embedding import EMBED_CHUNKS, Sparse, store_points
from grounded.ingestion.ledger import Ledger
from grounded.ingestion.payloads import SOURCE, TENANT, FilterKeys, writable
from grounded.protocols import Embedder, VectorStore

log = logging.getLogger(__name__)

PAGE_IDS = 1000


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did.

    Attributes:
        scanned: False when ledger and store agreed at a glance and nothing was compared one by one.
        points_restored: Live chunks whose points were missing; embedded again from the ledger's text.
        points_removed: Points without a live occurrence.
        seconds: Wall time.
    """

    scanned: bool = False
    points_restored: int = 0
    points_removed: int = 0
    seconds: float = 0.0


def repair(ledger: Ledger, store: VectorStore, embedder: Embedder, sparse: Sparse) -> RepairReport:
    """Give every live chunk its point, and no other point a place.

    Fast when the last run ended well and both count the same, and when somebody else is syncing at the moment
    (then nothing is done). What payloads say of a point that is there is
    not compared: a run that was cut off while it changed them repeats that.

    Args:
        ledger: What is live; it decides.
        store: What is brought in line.
        embedder: The model the knowledge base was built with.
        sparse: Makes BM25 vectors.

    Raises:
        StoreError: The store failed; run it again.
        LedgerError: The ledger failed, is open read-only, or is new while the store is full; nothing was removed.
    """
    started = time.monotonic()
    keys = FilterKeys(ledger, store)
    with ledger.writer(wait=False) as held:
        # Whoever syncs right now has put things in order before, and leaves them in order.
        if not held or (not ledger.dirty and store.count() == ledger.totals()[1]):
            return RepairReport(seconds=time.monotonic() - started)
        check_belonging(ledger, store)
        removed, restored = bring_in_line(ledger, store, embedder, sparse, keys)
    log.info("repaired the store: %d points restored, %d removed", restored, removed)
    return RepairReport(True, restored, removed, time.monotonic() - started)


def repair_source(ledger: Ledger, store: VectorStore, tenant: str, source: str) -> int:
    """Remove what a dead worker left half done of one source; its points for others stay, whoever writes them now.

    Nothing can be missing then: points are deleted only after the transaction that makes them obsolete.

    Args:
        ledger: What is live.
        store: What is brought in line.
        tenant: Whose documents; the caller holds the lease of its source.
        source: Which source.

    Returns:
        How many points were removed.
    """
    removed = 0
    for page in list(portions(orphans(ledger, store), PAGE_IDS)):
        theirs = [
            point.id
            for point in store.points(page)
            if (point.payload.get(TENANT), point.payload.get(SOURCE)) == (writable(tenant), writable(source))
        ]
        store.delete(theirs)
        removed += len(theirs)
    store.flush()
    ledger.mark_source(tenant, source, dirty=False)
    log.info("took over %s: %d points removed", source, removed)
    return removed


def check_belonging(ledger: Ledger, store: VectorStore) -> None:
    """Refuse a ledger in which nothing ever ran beside a store that holds points: they are another ledger's.

    Raises:
        LedgerError: They do not belong together.
    """
    points = store.count() if ledger.unused else 0
    if points:
        raise LedgerError(
            f"The ledger {ledger.name} is empty and was never used, but the store holds {points} points.",
            fix="Restore the ledger they belong to, or name another store; "
            "to begin anew, delete the knowledge base and its vectors and ingest the sources again.",
        )


def bring_in_line(
    ledger: Ledger, store: VectorStore, embedder: Embedder, sparse: Sparse, keys: FilterKeys
) -> tuple[int, int]:
    """Compare one by one and repair, whatever the marks say; the caller holds ``Ledger.writer``.

    Returns:
        How many points were removed and restored.
    """
    ledger.mark(dirty=True)
    # Removing first keeps the store from growing beyond what it must hold.
    removed = _remove(ledger, store)
    restored = sum(
        len(restore(portion, ledger, store, embedder, sparse, keys)) for portion in portions(missing(ledger, store))
    )
    store.flush()
    ledger.mark(dirty=False)
    return removed, restored


def _remove(ledger: Ledger, store: VectorStore) -> int:
    # Collected first: a store need not list well while it is deleted from.
    useless = list(orphans(ledger, store))
    for page in portions(useless, PAGE_IDS):
        store.delete(page)
    return len(useless)


def orphans(ledger: Ledger, store: VectorStore) -> Iterator[str]:
    """Points without a live occurrence."""
    for page in portions(store.ids(), PAGE_IDS):
        yield from sorted(set(page) - ledger.live_among(page))


def missing(ledger: Ledger, store: VectorStore) -> Iterator[str]:
    """Live chunks without a point."""
    after = ""
    while page := ledger.live_chunks(after=after, limit=PAGE_IDS):
        there = store.existing(page)
        yield from (chunk_id for chunk_id in page if chunk_id not in there)
        after = page[-1]


def restore(
    chunks: list[str], ledger: Ledger, store: VectorStore, embedder: Embedder, sparse: Sparse, keys: FilterKeys
) -> list[str]:
    """Give chunks their points, from the ledger's text; at most a few hundred at a time.

    Returns:
        The texts that were embedded; a chunk that is no longer live has none.
    """
    stored = ledger.stored(chunks)
    payloads = [
        keys.payload(
            document_id=each.document_id,
            tenant=each.tenant,
            source=each.source,
            principals=each.principals,
            metadata=each.metadata,
        )
        for each in stored
    ]
    texts = {each.chunk_id: each.embedded_text for each in stored}
    if texts:
        store_points(texts, payloads, embedder=embedder, sparse=sparse, store=store)
    return list(texts.values())


def portions(items: Iterable[str], size: int = EMBED_CHUNKS) -> Iterator[list[str]]:
    """``items`` in runs of at most ``size``."""
    waiting = iter(items)
    while portion := list(islice(waiting, size)):
        yield portion
