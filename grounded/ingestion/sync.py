"""Bringing a source and a knowledge base to the same state, document by document."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from grounded.errors import GroundedError, LedgerError, SourceError, UsageError
from grounded.ingestion import merging, retirement
from grounded.ingestion.considering import Considering, Named, Parse, Split, key_of, order_of
from grounded.ingestion.drafts import MAX_DOCUMENTS, Draft
from grounded.ingestion.embedding import Sparse
from grounded.ingestion.ledger import Checkpointed, Ledger
from grounded.ingestion.ledger.writes import slices
from grounded.ingestion.merging import Defaults
from grounded.ingestion.payloads import FilterKeys
from grounded.ingestion.repair import repair, repair_source
from grounded.ingestion.tally import Tally
from grounded.protocols import Acknowledging, Connector, Embedder, VectorStore
from grounded.records import (
    DEFAULT_TENANT,
    Change,
    Checkpoint,
    Delete,
    Document,
    IngestReport,
    Keep,
    Listing,
    Offer,
    Rename,
    Scalar,
    Upsert,
)

log = logging.getLogger(__name__)

WINDOW_CHANGES = 64
WINDOW_BYTES = 8_000_000
CHECKPOINT_SECONDS = 1.0
"""A checkpoint is committed at once when the last commit is at least this old."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest has come.

    Attributes:
        done: Documents dealt with, unchanged and failed ones too.
        total: Documents to deal with; None while the source cannot say.
        document: Key of the last one.
        chunks: Chunks embedded so far.
    """

    done: int
    total: int | None
    document: str
    chunks: int


@dataclass(frozen=True, slots=True)
class _Options:
    settings: str
    tenant: str
    defaults: Defaults
    max_retire_share: float
    force_retire: bool
    progress: Callable[[Progress], None] | None
    cancel: Callable[[], bool] | None


class _CancelledError(Exception):
    """``cancel`` returned True."""


def sync(
    connector: Connector,
    *,
    ledger: Ledger,
    store: VectorStore,
    embedder: Embedder,
    parse: Parse,
    split: Split,
    sparse: Sparse,
    settings: str,
    tenant: str = DEFAULT_TENANT,
    metadata: Mapping[str, Scalar] | None = None,
    principals: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    max_retire_share: float = 0.2,
    force_retire: bool = False,
    wait: bool = True,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> IngestReport:
    """Embed what is new or changed, update what is declared, retire what is gone; leave the rest alone.

    Every document becomes live whole or stays as it was, whatever happens meanwhile. A document that cannot
    be read is a failure in the report and a dead letter, keeps its last good version, and stops nothing.

    Args:
        connector: The source. When it has a method ``total``, that is asked once for the total of the progress.
        ledger: Decides what is live.
        store: Keeps the points.
        embedder: The model the knowledge base was built with.
        parse: Bytes to canonical text; raises ``ParseError``.
        split: A document to chunks.
        sparse: Text to a BM25 vector.
        settings: Identifies parsers, splitter and embedder with their versions; another one re-reads everything.
        tenant: Whose documents these are.
        metadata: For documents whose source does not declare the key; wins over what their content declares.
        principals: For documents whose source declares none; wins over what their content declares. Empty says
            that such documents are public unless their content declares some; None says nothing, and a document
            that was restricted stays so. A mapping gives them by pattern of key, the first that matches.
        max_retire_share: Largest share, in [0, 1], of the live documents under the connector's scope that one
            listing may retire, from five documents up.
        force_retire: Retire without that check, an empty listing included.
        wait: Wait while somebody else syncs the source.
        progress: Called after every document and every few hundred chunks.
        cancel: Asked between documents and between portions of chunks; True stops.

    Returns:
        What was done and committed. ``interrupted`` is True after a cancellation or Ctrl-C.

    Raises:
        SourceError: The source as a whole cannot be read; what came before that is committed.
        StoreError: The store failed; what is committed stays.
        LedgerError: The ledger failed; what is committed stays.
        LeaseLostError: Another worker has taken the source over; nothing more was committed.
        SourceBusyError: Somebody else syncs the source, and ``wait`` is False.
        UsageError: An argument is wrong.
    """
    if not 0.0 <= max_retire_share <= 1.0:
        raise UsageError(f"max_retire_share must lie in [0, 1], not {max_retire_share}.")
    if not tenant.strip():
        raise UsageError("The tenant is empty.", fix="Name one, or leave it out.")
    defaults = Defaults.checked(metadata, principals)
    options = _Options(settings, tenant, defaults, max_retire_share, force_retire, progress, cancel)
    source = connector.source
    if ledger.dirty:
        repair(ledger, store, embedder, sparse)
    with ledger.lease(tenant, source, wait=wait) as lease:
        if ledger.is_dirty(tenant, source):
            repair_source(ledger, store, tenant, source)
        return _Run(connector, ledger, store, embedder, sparse, options, parse, split, lease).execute()


class _Run:
    """One sync of one connector."""

    def __init__(
        self,
        connector: Connector,
        ledger: Ledger,
        store: VectorStore,
        embedder: Embedder,
        sparse: Sparse,
        options: _Options,
        parse: Parse,
        split: Split,
        lease: int,
    ) -> None:
        self._connector, self._ledger, self._store = connector, ledger, store
        self._embedder, self._sparse, self._options = embedder, sparse, options
        self._source, self._lease = connector.source, lease
        self._tally = Tally(run_id=str(uuid.uuid4()), source=self._source)
        self._keys = FilterKeys(ledger, store)
        self._considering = Considering(
            ledger=ledger,
            keys=self._keys,
            tally=self._tally,
            parse=parse,
            split=split,
            settings=options.settings,
            tenant=options.tenant,
            defaults=options.defaults,
        )
        self._draft = self._new_draft()
        self._window: dict[str, Named] = {}
        self._named, self._named_twice = retirement.Named(), dict[str, None]()
        self._listing: Listing | None = None
        self._store_is_touched, self._store_is_settled = False, True
        self._committed_at = self._swept_at = time.monotonic()
        self._window_bytes = self._chunks = 0
        count = getattr(connector, "total", None)
        self._total: int | None = count() if options.progress is not None and callable(count) else None

    def execute(self) -> IngestReport:
        """Run to the end, to the interruption, or to the error."""
        run, options = self._tally.run_id, self._options
        self._ledger.begin_run(run, options.tenant, self._source, self._connector.scope)
        try:
            self._retire_expired()
            self._consume()
            self._retire_gone()
        except (KeyboardInterrupt, _CancelledError):
            self._abandon()
            return self._finish(interrupted=True)
        except GroundedError:
            with suppress(LedgerError):
                self._ledger.finish_run(run, "failed", None, clean=self._store_is_settled, lease=self._lease)
            raise
        return self._finish(interrupted=False)

    def _finish(self, *, interrupted: bool) -> IngestReport:
        if self._store_is_touched:
            self._store.flush()
        if self._listing is not None and self._named_twice:
            some = ", ".join(repr(key) for key in list(self._named_twice)[:3])
            self._tally.warn(f"{len(self._named_twice)} keys were named twice; the later one counts: {some}.")
        report = self._tally.report(interrupted=interrupted, more=self._keys.warnings)
        outcome = "interrupted" if interrupted else "ok" if report.ok else "partial"
        self._ledger.finish_run(report.run_id, outcome, report, clean=True, lease=self._lease)
        log.info(
            "synced: %d added, %d updated, %d unchanged, %d retired, %d failed, %d chunks embedded in %.1f s",
            report.documents_added,
            report.documents_updated,
            report.documents_unchanged,
            report.documents_retired,
            len(report.failures),
            report.chunks_embedded,
            report.seconds,
        )
        return report

    def _consume(self) -> None:
        options = self._options
        vouched = merging.fingerprint_of_run(options.settings, options.defaults)
        scope = self._connector.scope
        changes = self._connector.changes(
            self._ledger.checkpoint(options.tenant, self._source, scope, settings=vouched)
        )
        try:
            for change in changes:
                self._take(change, Checkpointed(scope, vouched, {}))
        except SourceError:
            self._catch_up()
            raise
        finally:
            close = getattr(changes, "close", None)
            if close is not None:
                close()
        self._catch_up()

    def _take(self, change: Change, checkpoint: Checkpointed) -> None:
        match change:
            case Listing():
                self._listing = change
            case Checkpoint():
                self._consider_window()
                self._draft.checkpoint = replace(
                    checkpoint, state=change.state, watermark=change.watermark, lag=change.lag
                )
                if change.commit or time.monotonic() - self._committed_at >= CHECKPOINT_SECONDS:
                    self._commit()
                if time.monotonic() - self._swept_at >= CHECKPOINT_SECONDS:
                    self._retire_expired()
                self._stop_if_asked()
            case Keep(last=last, under=under):
                self._catch_up()
                self._retire(self._ledger.beyond(self._options.tenant, self._source, under=under, last=last))
            case Rename():
                self._catch_up()
                self._gather(change)
                self._catch_up()
            case _:
                self._gather(change)

    def _gather(self, change: Named) -> None:
        key = key_of(change)
        earlier = self._window.get(key)
        if earlier is not None:
            replaces = isinstance(earlier, Upsert | Offer) and isinstance(change, Upsert | Offer)
            if replaces and order_of(earlier) <= order_of(change):
                # The later one wins, and the earlier one need not be read.
                del self._window[key]
            else:
                self._consider_window()
        if (
            not isinstance(change, Delete | Rename)
            and not self._named.add(key)
            and len(self._named_twice) < WINDOW_CHANGES
        ):
            self._named_twice[key] = None
        self._window[key] = change
        if isinstance(change, Upsert):
            document = change.document
            self._window_bytes += len(document.text if isinstance(document, Document) else document.content)
        if len(self._window) >= WINDOW_CHANGES or self._window_bytes >= WINDOW_BYTES:
            self._consider_window()

    def _catch_up(self) -> None:
        self._consider_window()
        self._commit()

    def _consider_window(self) -> None:
        window, self._window, self._window_bytes = self._window, {}, 0
        if not window:
            return
        cases = self._considering.cases(window)
        if any(case.document_id in self._draft.touched for case in cases):
            # What the ledger knows of it is about to change.
            self._commit()
            cases = self._considering.cases(window)
        # Let go of one document after the other.
        cases.reverse()
        window.clear()
        while cases:
            case = cases.pop()
            self._considering.consider(case, self._draft)
            self._tally.done += 1
            self._report_progress(case.key)
            if self._draft.is_due:
                self._commit()

    def _commit(self) -> None:
        draft = self._draft
        if draft.is_empty:
            return
        if draft.changes_store:
            if not self._store_is_touched:
                self._ledger.mark_source(self._options.tenant, self._source, dirty=True)
            self._store_is_touched, self._store_is_settled = True, False
        draft.carry_out(
            ledger=self._ledger,
            store=self._store,
            embedder=self._embedder,
            sparse=self._sparse,
            pause=self._pause,
        )
        self._store_is_settled = True
        self._tally.committed(draft)
        self._draft = self._new_draft()
        if draft.checkpoint is not None and isinstance(self._connector, Acknowledging):
            self._connector.committed(draft.checkpoint.state)
        self._committed_at = time.monotonic()

    def _abandon(self) -> None:
        draft, self._draft = self._draft, self._new_draft()
        self._window.clear()
        if not self._store_is_settled:
            draft.settle(self._ledger, self._store)
            self._store_is_settled = True

    def _retire_gone(self) -> None:
        listing = self._listing
        if listing is None:
            return
        if not listing.complete:
            self._tally.warn(f"Nothing was retired, since the listing is incomplete: {listing.reason}")
            return
        options, covers = self._options, self._connector.covers
        covered, gone = self._named.gone(self._ledger.live_keys(options.tenant, self._source), covers)
        # What this run has added says nothing about what was there before.
        before = max(covered - self._tally.added, len(gone))
        is_empty = not self._named
        refused = retirement.refusal(
            gone=len(gone), before=before, is_empty=is_empty, max_share=options.max_retire_share
        )
        if refused and not options.force_retire:
            self._tally.refused = refused
            return
        self._retire(gone)
        for key in list(self._considering.dead):
            if covers(key) and key not in self._named:
                self._draft.cleared.append(key)
        self._commit()

    def _retire_expired(self) -> None:
        self._swept_at = time.monotonic()
        while some := self._ledger.expired(self._options.tenant, self._source):
            self._retire(some)

    def _retire(self, document_ids: Sequence[str]) -> None:
        for some in slices(document_ids, MAX_DOCUMENTS):
            self._stop_if_asked()
            details = self._ledger.details(some)
            for identity in some:
                self._draft.retire(identity, details[identity].chunk_ids)
            self._commit()

    def _pause(self, chunks: int) -> None:
        self._chunks += chunks
        self._report_progress(self._draft.writes[-1].key)

    def _report_progress(self, key: str) -> None:
        options = self._options
        if options.progress is not None and key:
            options.progress(Progress(self._tally.done, self._total, key, self._chunks))
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        options = self._options
        if options.cancel is not None and options.cancel():
            raise _CancelledError

    def _new_draft(self) -> Draft:
        return Draft(self._options.tenant, self._source, self._lease)
