"""A micro-batch of a sync: gathered document by document, then carried out in the one safe order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grounded.ingestion.embedding import EMBED_CHUNKS, Sparse, store_points
from grounded.ingestion.ledger import Batch, Checkpointed, Kept, Ledger, Write
from grounded.protocols import Embedder, VectorStore
from grounded.records import Chunk, Failure

MAX_DOCUMENTS = 256
MAX_NEW_CHUNKS = 256
MAX_CHARACTERS = 8_000_000
MAX_PAYLOAD_IDS = 1000


@dataclass(slots=True)
class Draft:
    """What the next transaction will change; at most one entry per document.

    Attributes:
        touched: Documents written or retired.
        new: Chunks to embed, each with its payload.
        payloads: Points that stay and whose payload changes, by payload as JSON.
        obsolete: Points that no version needs once this is committed.
    """

    tenant: str
    source: str
    lease: int | None = None
    touched: set[str] = field(default_factory=set)
    writes: list[Write] = field(default_factory=list)
    new: list[tuple[Chunk, Mapping[str, Any]]] = field(default_factory=list)
    payloads: dict[str, list[str]] = field(default_factory=dict)
    obsolete: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    orders: dict[str, tuple[str, str]] = field(default_factory=dict)
    renames: list[tuple[str, str, str]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)
    cleared: list[str] = field(default_factory=list)
    checkpoint: Checkpointed | None = None
    characters: int = 0
    added: int = 0
    updated: int = 0
    reused: int = 0

    @property
    def is_due(self) -> bool:
        """Whether it is large enough to be carried out."""
        entries = len(self.touched) + len(self.failures) + len(self.cleared)
        return entries >= MAX_DOCUMENTS or len(self.new) >= MAX_NEW_CHUNKS or self.characters >= MAX_CHARACTERS

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.touched or self.failures or self.cleared or self.checkpoint)

    @property
    def changes_store(self) -> bool:
        """Whether carrying it out writes to the store."""
        return bool(self.new or self.payloads or self.obsolete)

    @property
    def point_ids(self) -> list[str]:
        """Every point that may come or go with it."""
        return [*(chunk.id for chunk, _ in self.new), *self.obsolete]

    def write(
        self,
        write: Write,
        *,
        before: Sequence[str],
        payload: Mapping[str, Any],
        changed: Mapping[str, Any] | None,
    ) -> None:
        """Add a document that is new or has changed.

        Args:
            write: What the ledger will say.
            before: Chunks of the version that is live now.
            payload: What new points of the document carry.
            changed: What the payload of points that stay changes to; None leaves it.
        """
        self.touched.add(write.document_id)
        self.writes.append(write)
        there = set(before)
        kept = there
        if write.content is not None:
            needed = {chunk.id: chunk for chunk in write.content.chunks}
            kept = there & needed.keys()
            self.new.extend((chunk, payload) for chunk_id, chunk in needed.items() if chunk_id not in there)
            self.obsolete.extend(chunk_id for chunk_id in before if chunk_id not in needed)
            self.reused += len(kept)
            self.characters += len(write.content.text)
        if changed is not None and kept:
            self.payloads.setdefault(json.dumps(changed, sort_keys=True), []).extend(sorted(kept))

    def retire(self, document_id: str, chunks: Sequence[str]) -> None:
        """Add a document that is gone, with the chunks of its live version."""
        self.touched.add(document_id)
        self.retired.append(document_id)
        self.obsolete.extend(chunks)

    def bury(self, document_id: str, key: str, order: str) -> None:
        """Note at which place of the source's order a document was deleted, whether it was there or not."""
        self.touched.add(document_id)
        self.orders[document_id] = (key, order)

    def settle_failure(self, key: str) -> None:
        """Add that a key no longer fails, nor did earlier in this draft as far as the ledger is told."""
        self.failures = [failure for failure in self.failures if failure.key != key]
        self.kept.pop(key, None)
        self.cleared.append(key)

    def rename(self, document_id: str, before: str, now: str) -> None:
        """Add a document that has another key."""
        self.touched.add(document_id)
        self.renames.append((document_id, before, now))

    def carry_out(
        self,
        *,
        ledger: Ledger,
        store: VectorStore,
        embedder: Embedder,
        sparse: Sparse,
        pause: Callable[[int], None],
    ) -> None:
        """Points first, and safely on disk; then the ledger's transaction; what nobody needs any more last.

        Whatever interrupts this leaves the documents either as they were or as they shall be; points without
        a live occurrence are invisible and ``settle`` removes them.

        Args:
            ledger: Takes the transaction.
            store: Takes the points.
            embedder: Embeds the new chunks.
            sparse: Makes their BM25 vectors.
            pause: Called with the number of chunks embedded, after every few hundred; may raise to stop.
        """
        for some in _slices(self.new, EMBED_CHUNKS):
            texts = {chunk.id: chunk.embedded_text for chunk, _ in some}
            store_points(texts, [payload for _, payload in some], embedder=embedder, sparse=sparse, store=store)
            pause(len(some))
        for payload, ids in self.payloads.items():
            for portion in _slices(ids, MAX_PAYLOAD_IDS):
                store.set_payload(portion, json.loads(payload))
        if self.new or self.payloads:
            store.flush()
        ledger.commit(self._batch())
        # Whoever has taken over meanwhile may need these points again.
        if self.obsolete and ledger.holds(self.tenant, self.source, self.lease):
            store.delete(self.obsolete)

    def settle(self, ledger: Ledger, store: VectorStore) -> None:
        """After an interruption: remove the points that the ledger, as it is now, has no use for."""
        ids = self.point_ids
        live = ledger.live_among(ids)
        store.delete([chunk_id for chunk_id in ids if chunk_id not in live])

    def _batch(self) -> Batch:
        return Batch(
            tenant=self.tenant,
            source=self.source,
            writes=self.writes,
            retired=self.retired,
            orders=self.orders,
            renames=self.renames,
            kept=self.kept,
            failures=self.failures,
            cleared=self.cleared,
            lease=self.lease,
            checkpoint=self.checkpoint,
        )


def _slices(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
