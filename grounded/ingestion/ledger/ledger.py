"""The ledger: what is live, where it stands, who may see it, and how far every source was read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, select

from grounded.errors import LedgerError
from grounded.ingestion.ledger import journal, reads, writes
from grounded.ingestion.ledger.engine import connect, reading, shown, writing
from grounded.ingestion.ledger.leasing import Leases, check, holders, is_newest, opening
from grounded.ingestion.ledger.migrations import prepare
from grounded.ingestion.ledger.reader import Reader
from grounded.ingestion.ledger.schema import runs
from grounded.ingestion.ledger.upkeep import Upkeep
from grounded.ingestion.ledger.values import Batch, Details, Kept, Known, Stored
from grounded.records import (
    AnswerRecord,
    Failure,
    IngestReport,
    KeyKind,
    SourceStatus,
)


class Ledger(Reader):
    """Documents, versions, occurrences and bookkeeping in one database. Thread-safe; one writer at a time.

    Every method raises ``LedgerError`` when the database fails.
    """

    def __init__(self, engine: Engine, *, read_only: bool) -> None:
        super().__init__(engine)
        self._read_only = read_only
        self._leases = Leases(engine)
        self._commits = threading.RLock()
        self.when_closed: Callable[[], None] | None = None
        """Lets go of what keeps other processes away."""

    @classmethod
    def open(cls, url: str | Path, *, read_only: bool = False, create: bool = True) -> Self:
        """Open a ledger; a missing one is created and an older one migrated unless ``read_only``.

        Args:
            url: A path for SQLite (file mode 0600), ``sqlite:///path``, or
                ``postgresql://user@host/database?schema=name``.
            read_only: Refuse every write; works beside a writer.
            create: Make it when it is missing.

        Raises:
            SchemaError: It is no ledger, or a newer release wrote it.
            KnowledgeBaseNotFoundError: ``read_only`` and there is none.
            ConfigurationError: The URL is malformed.
            MissingExtraError: PostgreSQL without its driver.
            LedgerError: The database cannot be reached or read, or is missing and ``create`` is False.
        """
        engine = connect(url, read_only=read_only, create=create)
        begin = reading if read_only else writing
        try:
            with begin(engine) as connection:
                if engine.dialect.name == "postgresql" and not read_only:
                    connection.execute(opening())
                prepare(connection, read_only=read_only, create=create)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, read_only=read_only)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        if self.when_closed is not None:
            self.when_closed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The database for people, without its password."""
        return shown(self._engine)

    @contextmanager
    def writer(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the right to change everything, which one thread of one process has at a time, beside no sync.

        Holding it twice is fine; asking for it under a lease is not.

        Yields:
            True; without ``wait`` False when somebody syncs or holds it.

        Raises:
            LedgerError: The ledger is open read-only.
        """
        self._check_writable()
        with self._leases.exclusive(wait=wait) as held:
            yield held

    @contextmanager
    def lease(self, tenant: str, source: str, *, holder: str = "", wait: bool = True) -> Iterator[int]:
        """Hold the right to sync one source; others may sync other sources meanwhile.

        Args:
            tenant: Whose documents.
            source: Which source.
            holder: Names the worker for people; its host and process id when empty.
            wait: Wait while somebody else holds it.

        Yields:
            The number of the lease, for ``Batch.lease``.

        Raises:
            SourceBusyError: Somebody else holds it, and ``wait`` is False.
            LedgerError: The ledger is open read-only.
        """
        self._check_writable()
        with self._leases.of(tenant, source, holder=holder, wait=wait) as number:
            yield number

    def holds(self, tenant: str, source: str, lease: int | None) -> bool:
        """Whether a lease is still the newest of its source; None always is."""
        with reading(self._engine) as connection:
            return is_newest(connection, tenant, source, lease)

    def _check_writable(self) -> None:
        if self._read_only:
            raise LedgerError("The ledger is open read-only.", fix="Open the knowledge base for writing.")

    @property
    def upkeep(self) -> Upkeep:
        """What erases, prunes and compacts; the caller holds ``writer``."""
        return Upkeep(self._engine)

    def forget_texts(self) -> None:
        """Let go of canonical text kept in memory."""

    # What sync needs -------------------------------------------------------------------------------------------

    def known(self, document_ids: Sequence[str]) -> dict[str, Known]:
        """Fingerprints of those documents that the ledger has ever seen."""
        with reading(self._engine) as connection:
            return reads.known(connection, document_ids)

    def identities(self, tenant: str, source: str, keys: Sequence[str]) -> dict[str, str]:
        """Document id by key, also of documents the ledger has never seen."""
        with reading(self._engine) as connection:
            return reads.identities_of(connection, tenant, source, keys)

    def details(self, document_ids: Sequence[str]) -> dict[str, Details]:
        """What known documents looked like before: metadata, what the content declared, live chunks."""
        with reading(self._engine) as connection:
            return reads.details(connection, document_ids)

    def live_keys(self, tenant: str, source: str) -> Iterator[tuple[str, str]]:
        """``(document id, key)`` of every live document of a source, in order of id; read as it is consumed."""
        with reading(self._engine) as connection:
            yield from reads.live_keys(connection, tenant, source)

    def expired(self, tenant: str, source: str, *, limit: int = 1000) -> list[str]:
        """Up to ``limit`` live documents of a source that have expired."""
        with reading(self._engine) as connection:
            return reads.expired(connection, tenant, source, _now(), limit)

    def beyond(self, tenant: str, source: str, *, under: str, last: int) -> list[str]:
        """Live documents of a source whose key starts with ``under``, without the ``last`` newest by event time."""
        with reading(self._engine) as connection:
            return reads.beyond(connection, tenant, source, under, last)

    def commit(self, batch: Batch) -> None:
        """Everything of a batch in one transaction: versions live, gone documents retired, checkpoint moved.

        Raises:
            LeaseLostError: The source was taken over by somebody else.
        """
        with self._commits, writing(self._engine) as connection:
            check(connection, batch.tenant, batch.source, batch.lease)
            writes.commit(connection, batch, _now())

    def checkpoint(self, tenant: str, source: str, scope: str, *, settings: str | None = None) -> dict[str, Any] | None:
        """The state a scope has reached; None when there is none, or it was reached with other settings."""
        with reading(self._engine) as connection:
            return journal.checkpoint(connection, tenant, source, scope, settings)

    def dead_letters(self, tenant: str | None = None, source: str | None = None) -> tuple[Failure, ...]:
        """Documents that could not be brought in since they last could, oldest first."""
        with reading(self._engine) as connection:
            return journal.failures(connection, tenant, source)

    def kept(self, tenant: str | None = None, source: str | None = None) -> list[tuple[str, str, Kept]]:
        """``(tenant, source, what was kept)`` of the dead letters whose content was, oldest first."""
        with reading(self._engine) as connection:
            return journal.kept(connection, tenant, source)

    def begin_run(self, run_id: str, tenant: str, source: str, scope: str) -> None:
        """Note that a run has begun."""
        with writing(self._engine) as connection:
            journal.begin_run(connection, run_id, tenant, source, scope, _now())

    def finish_run(
        self, run_id: str, outcome: str, report: IngestReport | None, *, clean: bool, lease: int | None = None
    ) -> None:
        """Note how a run ended; ``clean`` says that store and ledger agree on its source."""
        with writing(self._engine) as connection:
            journal.finish_run(connection, run_id, outcome, report, _now(), clean=clean, lease=lease)

    @property
    def unused(self) -> bool:
        """Whether no run ever began in it, so that nothing stored elsewhere can be its own."""
        with reading(self._engine) as connection:
            return connection.execute(select(runs.c.id).limit(1)).first() is None

    # What repair needs -----------------------------------------------------------------------------------------

    @property
    def dirty(self) -> bool:
        """Whether a run or a repair began to write to the store and did not end well, or has not ended yet."""
        with reading(self._engine) as connection:
            return journal.is_dirty(connection)

    def is_dirty(self, tenant: str, source: str) -> bool:
        """Whether a run of this source began to write to the store and did not end well."""
        with reading(self._engine) as connection:
            return journal.is_dirty_at(connection, tenant, source)

    def mark(self, *, dirty: bool) -> None:
        """Set the mark before everything is repaired, clear all marks when store and ledger agree."""
        with writing(self._engine) as connection:
            journal.mark(connection, dirty=dirty)

    def mark_source(self, tenant: str, source: str, *, dirty: bool) -> None:
        """Set the mark of a source before its first write to the store, clear it when both agree."""
        with writing(self._engine) as connection:
            journal.mark_source(connection, tenant, source, dirty=dirty)

    def live_chunks(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """Distinct live chunk ids greater than ``after``, ascending."""
        with reading(self._engine) as connection:
            return reads.live_chunks(connection, after, limit)

    def live_among(self, chunk_ids: Iterable[str]) -> set[str]:
        """Those of the chunks that have a live occurrence."""
        with reading(self._engine) as connection:
            return reads.live_among(connection, chunk_ids)

    def stored(self, chunk_ids: Sequence[str]) -> list[Stored]:
        """What live chunks were embedded from and what their points carry; at most a few hundred at a time."""
        with reading(self._engine) as connection:
            return reads.stored(connection, self._texts, chunk_ids)

    # Numbers and records ---------------------------------------------------------------------------------------

    def totals(self) -> tuple[int, int]:
        """How many live documents and how many distinct live chunks there are."""
        with reading(self._engine) as connection:
            return reads.totals(connection)

    def content_version(self) -> str:
        """A hash of what is live: equal on two days means that nothing has changed."""
        with reading(self._engine) as connection:
            return reads.content_version(connection)

    def sources(self) -> tuple[SourceStatus, ...]:
        """Every source with live documents, dead letters or finished runs."""
        held = holders(self._engine)
        with reading(self._engine) as connection:
            return journal.sources(connection, held)

    def last_success(self) -> datetime | None:
        """When a run last ended without loss, UTC."""
        with reading(self._engine) as connection:
            return journal.last_success(connection)

    def filter_keys(self) -> dict[str, KeyKind]:
        """Declared metadata keys and their kinds, in order of declaration."""
        with reading(self._engine) as connection:
            return journal.kinds(connection)

    def declare(self, keys: Mapping[str, KeyKind]) -> None:
        """Add metadata keys; one that is there keeps its kind."""
        with self._commits, writing(self._engine) as connection:
            journal.declare(connection, keys, _now())

    def record(self, answer: AnswerRecord) -> None:
        """Keep an answer record; one with the same request id is replaced."""
        with writing(self._engine) as connection:
            journal.record(connection, answer)

    def answers(self, *, since: datetime | None = None, limit: int = 100) -> list[AnswerRecord]:
        """Answer records, newest first."""
        with reading(self._engine) as connection:
            return list(journal.answers(connection, since, limit))


def _now() -> datetime:
    return datetime.now(UTC)
