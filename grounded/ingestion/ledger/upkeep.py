"""Erasing, pruning and compacting a ledger: what a sync never does by itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from grounded.errors import LedgerError
from grounded.ingestion.ledger.engine import reading, translated, writing
from grounded.ingestion.ledger.schema import (
    answer_records,
    checkpoints,
    dead_letters,
    documents,
    forgotten,
    identities,
    is_live,
    meta,
    metadata,
    occurrences,
    runs,
    versions,
)
from grounded.ingestion.ledger.writes import slices
from grounded.records import AnswerRecord, Scalar, document_id

_PORTION = 500


@dataclass(frozen=True, slots=True)
class Held:
    """A document as the ledger holds it, live or not."""

    document_id: str
    tenant: str
    source: str
    key: str
    uri: str
    metadata: Mapping[str, Scalar]
    is_live: bool


@dataclass(frozen=True, slots=True)
class Doomed:
    """What an erasure takes.

    Attributes:
        documents: Documents with every version of them.
        letters: ``(tenant, source, key)`` of dead letters.
        answers: Request ids of answer records.
    """

    documents: Sequence[Held] = ()
    letters: Sequence[tuple[str, str, str]] = ()
    answers: Sequence[str] = ()


class Upkeep:
    """What keeps a ledger small and forgetful. The caller holds ``Ledger.writer``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def documents(self, tenant: str, source: str | None = None) -> Iterator[Held]:
        """Every document that was ever brought in and not erased, in order of id; read as it is consumed."""
        query = select(documents).filter_by(tenant=tenant).order_by(documents.c.id)
        if source is not None:
            query = query.filter_by(source=source)
        with reading(self._engine) as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                alive = row.live_version_id is not None
                yield Held(row.id, row.tenant, row.source, row.key, row.uri, row.attributes, alive)

    def letters(self, tenant: str, keys: Collection[str]) -> list[tuple[str, str, str]]:
        """``(tenant, source, key)`` of the dead letters of a tenant that bear one of these keys."""
        query = select(dead_letters.c.tenant, dead_letters.c.source, dead_letters.c.key).filter_by(tenant=tenant)
        with reading(self._engine) as connection:
            return [(row.tenant, row.source, row.key) for row in connection.execute(query) if row.key in keys]

    def answers(self) -> Iterator[AnswerRecord]:
        """Every answer record, read as it is consumed."""
        with reading(self._engine) as connection:
            for record in (
                connection.execution_options(yield_per=100).execute(select(answer_records.c.record)).scalars()
            ):
                yield AnswerRecord.from_dict(record)

    def versions(self, document_ids: Sequence[str]) -> dict[str, list[str]]:
        """The versions of each document, oldest first."""
        found: dict[str, list[str]] = {}
        with reading(self._engine) as connection:
            for some in slices(document_ids, _PORTION):
                query = select(versions.c.document_id, versions.c.version).where(versions.c.document_id.in_(some))
                for row in connection.execute(query.order_by(versions.c.id)):
                    found.setdefault(row.document_id, []).append(row.version)
        return found

    def chunks(self, document_ids: Sequence[str]) -> list[str]:
        """Distinct chunk ids of every version of these documents."""
        found: dict[str, None] = {}
        with reading(self._engine) as connection:
            for some in slices(document_ids, _PORTION):
                theirs = select(versions.c.id).where(versions.c.document_id.in_(some))
                query = select(occurrences.c.chunk_id).where(occurrences.c.version_id.in_(theirs))
                found.update(dict.fromkeys(connection.execute(query).scalars()))
        return list(found)

    def erase(self, doomed: Doomed, *, bar: bool) -> None:
        """Delete documents, dead letters and answer records, and whatever else names them; one transaction.

        Args:
            doomed: What goes.
            bar: Do not let the documents come back with the next sync.
        """
        ids = [each.document_id for each in doomed.documents]
        names = {each.key for each in doomed.documents} | {each.uri for each in doomed.documents if each.uri}
        names |= {key for _, _, key in doomed.letters}
        now = datetime.now(UTC)
        with writing(self._engine) as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            for some in slices(ids, _PORTION):
                connection.execute(delete(documents).where(documents.c.id.in_(some)))
                connection.execute(delete(identities).where(identities.c.document_id.in_(some)))
            for tenant, source, key in doomed.letters:
                connection.execute(delete(dead_letters).filter_by(tenant=tenant, source=source, key=key))
            for some in slices(list(doomed.answers), _PORTION):
                connection.execute(delete(answer_records).where(answer_records.c.request_id.in_(some)))
            _scrub_runs(connection, names)
            _scrub_checkpoints(connection, names)
            if bar:
                # By its key too: a renamed document has another identity than its key.
                barred = {*ids, *(document_id(each.tenant, each.source, each.key) for each in doomed.documents)}
                there = set(connection.execute(select(forgotten.c.document_id)).scalars())
                rows = [{"document_id": each, "forgotten_at": now} for each in sorted(barred - there)]
                if rows:
                    connection.execute(insert(forgotten), rows)
            connection.execute(update(meta).values(revision=meta.c.revision + 1))

    def forgotten(self) -> set[str]:
        """Ids of documents that were erased and must not come back."""
        with reading(self._engine) as connection:
            return set(connection.execute(select(forgotten.c.document_id)).scalars())

    def readmit(self, document_ids: Iterable[str]) -> int:
        """Let documents that were forgotten come back; how many of these were barred."""
        with writing(self._engine) as connection:
            wanted = list(document_ids)
            return connection.execute(delete(forgotten).where(forgotten.c.document_id.in_(wanted))).rowcount

    def prune(self, before: datetime) -> tuple[int, int, int]:
        """Delete versions superseded or retired before then, documents without any left, and ends of older runs.

        Returns:
            How many versions, documents and runs.
        """
        live = select(documents.c.live_version_id).where(is_live)
        old = versions.c.superseded_at < before
        empty = documents.c.id.not_in(select(versions.c.document_id))
        last = select(func.max(runs.c.finished_at)).where(runs.c.outcome == "ok")
        newest = last.group_by(runs.c.tenant, runs.c.source)
        with writing(self._engine) as connection:
            gone = connection.execute(delete(versions).where(old, versions.c.id.not_in(live))).rowcount
            retired = documents.c.retired_at < before
            none_left = connection.execute(delete(documents).where(retired, ~is_live, empty)).rowcount
            ended = connection.execute(
                delete(runs).where(runs.c.finished_at < before, runs.c.finished_at.not_in(newest))
            ).rowcount
        return gone, none_left, ended

    def compact(self) -> None:
        """Rewrite the database without the room that deleted rows have left, and empty its log.

        Raises:
            LedgerError: Somebody reads it all the time; nothing is lost.
        """
        if self._engine.dialect.name == "postgresql":
            with (
                translated(self._engine),
                self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
            ):
                for table in metadata.sorted_tables:
                    connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table.name}")
            return
        with translated(self._engine), closing(self._engine.raw_connection()) as raw:
            cursor = raw.cursor()
            # In memory, where other temporary things are, a large ledger would not fit.
            cursor.execute("PRAGMA temp_store = FILE")
            cursor.execute("PRAGMA secure_delete = ON")
            cursor.execute("VACUUM")
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            cursor.execute("PRAGMA temp_store = MEMORY")
            cursor.close()
        if busy:
            raise LedgerError(
                "The ledger's log could not be emptied, since somebody reads it.", fix="Run: grounded compact"
            )


def _scrub_runs(connection: Connection, names: Collection[str]) -> None:
    """Reports of earlier runs name documents in failures and warnings."""
    query = select(runs.c.id, runs.c.report).where(runs.c.report.is_not(None))
    for row in connection.execute(query).all():
        if row.report is None or not _mentions(row.report, names):
            continue
        kept = {
            **row.report,
            "failures": [each for each in row.report.get("failures", ()) if not _mentions(each, names)],
            "warnings": [each for each in row.report.get("warnings", ()) if not _mentions(each, names)],
        }
        clean = None if _mentions(kept, names) else kept
        connection.execute(update(runs).filter_by(id=row.id).values(report=clean))


def _scrub_checkpoints(connection: Connection, names: Collection[str]) -> None:
    """A state that names a document is dropped: its source is read from the beginning once more."""
    for row in connection.execute(select(checkpoints)).all():
        if _mentions(row.state, names):
            place = {"tenant": row.tenant, "source": row.source, "scope": row.scope}
            connection.execute(delete(checkpoints).filter_by(**place))


def _mentions(value: Any, names: Collection[str]) -> bool:
    text = json.dumps(value, ensure_ascii=False)
    return any(json.dumps(name, ensure_ascii=False)[1:-1] in text for name in names)
