"""Keeping a knowledge base true, small and forgetful: reconcile, retry, forget, prune, compact."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grounded.errors import UsageError
from grounded.models.remembering import RememberingEmbedder
from grounded.pipeline.connecting import FILES, Declared, Source, answered_for, as_sources, declared, file_again
from grounded.pipeline.indexes import Current, Index
from grounded.pipeline.opening import finish_rebuild, open_ledger, size_on_disk, status_from
from grounded.protocols import Connector, Remaking, VectorStore
from grounded.records import (
    DEFAULT_TENANT,
    AnswerRecord,
    Change,
    Erasure,
    IngestReport,
    Pruning,
    RebuildReport,
    Reconciliation,
    Status,
    Upsert,
    Viewer,
    as_principals,
    conditions_from,
    document_id,
)
from grounded.settings import KnowledgeBaseSettings
from grounded.twins import twin

if TYPE_CHECKING:
    from grounded.ingestion.ledger import Doomed, Ledger

RECEIPTS = "receipts"
"""The folder of a knowledge base that keeps what ``forget`` has done."""


class Keeping:
    """What an opened knowledge base does to stay true, small and forgetful; ``KnowledgeBase`` is one."""

    path: Path
    _current: Current
    _ledger: Ledger
    _store: VectorStore
    _embedder: RememberingEmbedder

    def _check_open(self) -> None:
        raise NotImplementedError

    def _sync(self, each: Connector, **options: Any) -> IngestReport:
        raise NotImplementedError

    @classmethod
    def status_of(cls, path: str | Path) -> Status:
        """What the knowledge base at ``path`` holds, read from its ledger also while another process holds it.

        ``points`` is None, since the store is not opened.

        Raises:
            KnowledgeBaseNotFoundError: There is none.
        """
        folder = Path(path).expanduser().absolute()
        settings = KnowledgeBaseSettings.read(folder)
        with open_ledger(folder, settings, read_only=True) as ledger:
            return status_from(folder, settings, ledger, points=None)

    def status(self) -> Status:
        """What it holds, and whether ledger and store agree."""
        self._check_open()
        with self._current.reading() as index:
            return status_from(self.path, index.settings, self._ledger, points=index.store.count())

    def answers(
        self, *, limit: int = 100, tenant: str | None = None, principals: Sequence[str] | None = None
    ) -> list[AnswerRecord]:
        """The answer records kept, newest first; empty unless ``ask`` was told to ``record``.

        Args:
            limit: How many at most.
            tenant: Of this tenant only.
            principals: On whose behalf: only answers from documents that these may all see now, and no answer of which
                a document is gone. None is the operator's view, which shows every record.
        """
        self._check_open()
        if tenant is None and principals is None:
            return self._ledger.answers(limit=limit)
        from grounded.ingestion.forgetting import sources_of

        viewer = Viewer(tenant=tenant or DEFAULT_TENANT, principals=as_principals(principals))
        found: list[AnswerRecord] = []
        for record in self._ledger.answers(limit=sys.maxsize):
            theirs = sorted(sources_of(record))
            may_see = principals is None or len(self._ledger.visible(theirs, viewer)) == len(theirs)
            if record.tenant == viewer.tenant and may_see and len(found) < limit:
                found.append(record)
        return found

    def reconcile(
        self,
        *sources: Source | Declared,
        tenant: str = DEFAULT_TENANT,
        repair: bool = False,
        alike: float | None = None,
        **options: Any,
    ) -> Reconciliation:
        """Compare sources, ledger and store, document by document and point by point; nothing is changed by that.

        Args:
            sources: What to compare with the ledger, as for ``ingest``; without any, ledger and store alone.
            tenant: Whose documents.
            repair: Put right what differs: points from the ledger, documents by a sync from the beginning.
            alike: Also find documents of the tenant that have at least this share of their runs of four words in common
                with another one, in (0, 1]; 0.8 is a good beginning. Texts of less than twenty words are left out.
            options: Those of ``ingest`` that were given when the sources were ingested; for the repair all of them. A
                ``Declared`` source brings its own.

        Returns:
            What differed. ``agrees`` is False when anything did, also after a repair: compare again to be sure.

        Raises:
            SourceError: A source as a whole cannot be read.
        """
        from grounded.ingestion import similar
        from grounded.ingestion.merging import Defaults
        from grounded.ingestion.reconciling import FromTheStart, compare_source

        self._check_open()
        started = time.monotonic()
        read = [declared(source, {"tenant": tenant, **options}) for source in as_sources(sources)]
        differences = tuple(
            compare_source(
                each.connector,
                self._ledger,
                tenant=each.arguments["tenant"],
                settings=self._pipeline_settings(),
                defaults=Defaults.checked(each.arguments.get("metadata"), each.arguments.get("principals")),
            )
            for each in read
        )
        if repair:
            for each in read:
                self._sync(FromTheStart(each.connector), **each.arguments)
        found = self._compared_points(repair=repair)
        groups = () if alike is None else tuple(similar.alike(self._ledger, tenant, share=alike))
        seconds = time.monotonic() - started
        return found.model_copy(
            update={"sources": differences, "repaired": repair, "alike": groups, "seconds": seconds}
        )

    def retry(self, *sources: Source | Declared, tenant: str = DEFAULT_TENANT, **options: Any) -> IngestReport:
        """Try again what could not be brought in: kept messages, files, and dead letters of the sources given.

        Args:
            sources: Where else dead letters came from, as for ``ingest``; files and kept documents need not be named,
                but what is named with its own arguments is brought in with them. A stream makes documents of the
                messages that were kept, with the options it is given now.
            tenant: Whose documents.
            options: Those of ``ingest``. A ``Declared`` source brings its own.

        Returns:
            What was brought in. What still fails is in ``failures``; what nobody could be asked for, in ``warnings``.
        """
        from grounded.ingestion.reconciling import Only, Received, settled

        self._check_open()
        given = [declared(source, {"tenant": tenant, **options}) for source in as_sources(sources)]
        read: list[Declared] = []
        left: list[str] = []
        for whose in dict.fromkeys((tenant, *(each.arguments["tenant"] for each in given))):
            theirs = [each for each in given if each.arguments["tenant"] == whose]
            otherwise = {**options, "tenant": whose}
            remaking = {each.connector.source: each.connector for each in theirs}
            kept: dict[str, list[Change]] = {}
            there: set[tuple[str, str]] = set()
            for _, source, what in self._ledger.kept(whose):
                maker = remaking.get(source)
                if isinstance(what, Upsert):
                    kept.setdefault(source, []).append(what)
                    there.add((source, what.document.key))
                elif isinstance(maker, Remaking):
                    kept.setdefault(source, []).extend(settled(what, maker.made_again(what)))
                    there.add((source, what.key))
            for source, changes in kept.items():
                known = next((each.arguments for each in theirs if each.connector.source == source), otherwise)
                read.append(Declared(Received(source, changes), known))
            dead = {each.source: self._dead(whose, each.source, there) for each in self._ledger.sources()}
            for each in theirs:
                taken, dead[each.connector.source] = answered_for(each, theirs, dead.get(each.connector.source, ()))
                if taken:
                    read.append(Declared(Only(each.connector, taken), each.arguments))
            read += [Declared(each, otherwise) for key in dead.pop(FILES, ()) for each in file_again(key)]
            left += [f"{len(keys)} of {source}: name it to read it again." for source, keys in dead.items() if keys]
        reports = [self._sync(each.connector, **each.arguments) for each in read]
        report = reduce(IngestReport.plus, reports, _nothing_done())
        return report.model_copy(update={"warnings": (*report.warnings, *left)})

    def forget(
        self,
        key: str | None = None,
        *,
        where: Mapping[str, object] | None = None,
        source: str | None = None,
        tenant: str = DEFAULT_TENANT,
        reason: str = "",
        dry_run: bool = True,
        bar: bool = True,
    ) -> Erasure:
        """Erase documents with every version, their chunks, dead letters, and the answers that were given from them.

        Afterwards store and ledger are rewritten, so that no file of the knowledge base holds a byte of them, and a
        receipt of hashes is kept in ``receipts/``. Documents with the metadata ``legal_hold`` or ``retention_class``
        stay, and so do answer records with ``retention`` or from such a document.

        Args:
            key: Key, address or id of a document.
            where: Or conditions on metadata, as for ``search``; both given must both hold.
            source: Only of this source.
            tenant: Whose documents.
            reason: Kept in the receipt.
            dry_run: Say what would go, and erase nothing.
            bar: Keep the documents from coming back with the next sync; ``readmit`` lets them.

        Raises:
            UsageError: Neither key nor conditions are given.
            LedgerError: The erasure is done, but its traces could not be removed from the file: run ``compact``.
        """
        from grounded.ingestion.forgetting import planned

        self._check_open()
        if not key and not where:
            raise UsageError("Nothing says what to forget.", fix="Give a key, an address, an id, or conditions.")
        plan, doomed = planned(
            self._ledger,
            key=key,
            conditions=conditions_from(where),
            source=source,
            tenant=tenant,
            reason=reason,
            bar=bar,
            rewrites=hasattr(self._store, "compact"),
        )
        return plan if dry_run else self._erased(plan, doomed)

    def readmit(self, key: str, *, source: str | None = None, tenant: str = DEFAULT_TENANT) -> int:
        """Let a forgotten document be ingested again.

        Args:
            key: Its key or its id, as the receipt gives it.
            source: Its source; every known one when it is not named.
            tenant: Whose it was.

        Returns:
            How many documents may come back.
        """
        self._check_open()
        sources = [source] if source else [each.source for each in self._ledger.sources()]
        return self._ledger.upkeep.readmit([key, *(document_id(tenant, each, key) for each in sources)])

    def prune(self, *, keep: timedelta, compact: bool = True) -> Pruning:
        """Delete superseded and retired versions once they are old; citations of them no longer resolve then.

        Args:
            keep: How long a version is kept after another one has taken its place.
            compact: Rewrite the files afterwards.
        """
        self._check_open()
        before = size_on_disk(self.path)
        with self._ledger.writer():
            versions, documents, runs = self._ledger.upkeep.prune(datetime.now(UTC) - keep)
            self._ledger.forget_texts()
            if compact:
                self._compact()
        after = size_on_disk(self.path)
        return Pruning(versions=versions, documents=documents, runs=runs, bytes_before=before, bytes_after=after)

    def compact(self) -> Pruning:
        """Rewrite store and ledger without the room that deleted things have left."""
        self._check_open()
        before = size_on_disk(self.path)
        with self._ledger.writer():
            self._compact()
        return Pruning(bytes_before=before, bytes_after=size_on_disk(self.path))

    def rebuild(
        self,
        embedder: object = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> RebuildReport:
        """Change the embedding model while it is searched and ingested into; see ``grounded.rebuild``.

        Searches use the old index until the new one is whole, and are not held up; ingests wait for the last moment,
        in which what changed meanwhile is caught up with. Other processes that share its server must open it again.

        Args:
            embedder: A name such as ``ollama:NAME``, an object, or None for the shipped model.
            progress: ``progress(done, total)``, called after every portion.
            cancel: Asked before every portion; True stops there, and the same call goes on later.
        """
        from grounded.pipeline.rebuilding import Rebuilding

        self._check_open()
        settings = self._current.index.settings
        with Rebuilding(self.path, settings, self._ledger, embedder) as new:
            if new.build(progress, cancel):
                with self._ledger.writer():
                    new.switch()
                    new.keep_store()
                    self._current.take_up(Index(new.settings, new.store, new.embedder))
                finish_rebuild(self.path, new.settings)
            return new.report()

    arebuild = twin(rebuild)
    astatus, aanswers, areconcile, aretry = twin(status), twin(answers), twin(reconcile), twin(retry)
    aforget, areadmit, aprune, acompact = twin(forget), twin(readmit), twin(prune), twin(compact)
    astatus_of = classmethod(twin(status_of.__func__))  # type: ignore[attr-defined]

    def _compared_points(self, *, repair: bool) -> Reconciliation:
        from grounded.ingestion.payloads import FilterKeys
        from grounded.ingestion.reconciling import compare_points
        from grounded.ingestion.repair import bring_in_line
        from grounded.retrieval.bm25 import document_vector

        ledger, store = self._ledger, self._store
        with ledger.writer():
            missing, orphaned, wrong = compare_points(ledger, store)
            points = store.count()
            if repair and (missing or orphaned):
                bring_in_line(ledger, store, self._embedder, document_vector, FilterKeys(ledger, store))
            if repair:
                for chunk, payload in wrong.items():
                    store.set_payload([chunk], payload)
                store.flush()
        documents, chunks = ledger.totals()
        return Reconciliation(
            documents=documents,
            chunks=chunks,
            points=points,
            points_missing=len(missing),
            points_orphaned=len(orphaned),
            payloads_wrong=len(wrong),
            dead_letters=len(ledger.dead_letters()),
        )

    def _pipeline_settings(self) -> str:
        from grounded.ingestion.parsers import PARSERS_VERSION
        from grounded.ingestion.splitting import SPLITTER_VERSION

        return f"{PARSERS_VERSION}/{SPLITTER_VERSION}/{self._embedder.splitting}"

    def _dead(self, tenant: str, source: str, kept: set[tuple[str, str]]) -> tuple[str, ...]:
        keys = (failure.key for failure in self._ledger.dead_letters(tenant, source))
        return tuple(key for key in keys if (source, key) not in kept)

    def _erased(self, plan: Erasure, doomed: Doomed) -> Erasure:
        done = plan.model_copy(update={"dry_run": False})
        upkeep = self._ledger.upkeep
        with self._ledger.writer():
            # Points first: a crash in between leaves documents that are live, and repaired, and can be forgotten again.
            self._ledger.mark(dirty=True)
            self._store.delete(upkeep.chunks([each.document_id for each in doomed.documents]))
            self._store.flush()
            upkeep.erase(doomed, bar=plan.barred)
            self._ledger.forget_texts()
            self._ledger.mark(dirty=False)
            self._compact()
        return self._kept_receipt(done.sealed())

    def _kept_receipt(self, receipt: Erasure) -> Erasure:
        folder = self.path / RECEIPTS
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / f"{receipt.time:%Y%m%dT%H%M%SZ}-{receipt.id[:8]}.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(receipt.to_dict(), indent=2) + "\n", encoding="utf-8")
        return receipt

    def _compact(self) -> None:
        self._ledger.upkeep.compact()
        rewrite: Callable[[], None] | None = getattr(self._store, "compact", None)
        if rewrite is not None:
            rewrite()


def _nothing_done() -> IngestReport:
    return IngestReport(run_id=str(uuid.uuid4()), started=datetime.now(UTC), seconds=0.0)
