"""The ledger's bookkeeping: checkpoints, dead letters, runs, filter keys and answer records."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from grounded.ingestion.ledger.schema import (
    answer_records,
    checkpoints,
    dead_letters,
    documents,
    filter_keys,
    meta,
    runs,
)
from grounded.ingestion.ledger.schema import sources as places
from grounded.ingestion.ledger.values import Batch, Checkpointed, Kept
from grounded.records import AnswerRecord, Document, Failure, IngestReport, KeyKind, RawDocument, SourceStatus, Upsert

RUNS_KEPT = 200
"""Finished runs of one source that are remembered."""
_KINDS = select(filter_keys.c.key, filter_keys.c.kind).order_by(filter_keys.c.declared_at, filter_keys.c.key)


def settle(connection: Connection, batch: Batch, now: datetime) -> None:
    """Write the failures of a batch, clear what succeeded, move the checkpoint."""
    place = {"tenant": batch.tenant, "source": batch.source}
    failed = {failure.key: failure for failure in batch.failures}
    before = select(dead_letters.c.key, dead_letters.c.document).filter_by(**place)
    kept = {row.key: row.document for row in connection.execute(before.where(dead_letters.c.key.in_(list(failed))))}
    for key in {*batch.cleared, *failed}:
        connection.execute(delete(dead_letters).filter_by(key=key, **place))
    if failed:
        rows = [
            {
                **place,
                **failure.model_dump(include={"key", "uri", "stage", "error", "message", "fix"}),
                "failed_at": now,
                "document": _kept(batch.kept.get(failure.key)) or kept.get(failure.key),
            }
            for failure in failed.values()
        ]
        connection.execute(insert(dead_letters), rows)
    if batch.checkpoint is not None:
        _move(connection, place, batch.checkpoint, now)


def _move(connection: Connection, place: Mapping[str, str], checkpoint: Checkpointed, now: datetime) -> None:
    where = {**place, "scope": checkpoint.scope}
    connection.execute(delete(checkpoints).filter_by(**where))
    values = {
        "settings": checkpoint.settings,
        "state": dict(checkpoint.state),
        "moved_at": now,
        "watermark": checkpoint.watermark,
        "lag": checkpoint.lag,
    }
    connection.execute(insert(checkpoints).values(**where, **values))


def _kept(received: Kept | None) -> bytes | None:
    document = received.document if isinstance(received, Upsert) else received
    if document is None or isinstance(document, Document):
        return None
    content = {"content": document.content.hex(), "order": received.order if isinstance(received, Upsert) else None}
    content |= document.model_dump(mode="json", exclude={"content"})
    return zlib.compress(json.dumps(content).encode(), 1)


def kept(connection: Connection, tenant: str | None, source: str | None) -> list[tuple[str, str, Kept]]:
    """``(tenant, source, what was kept)`` of every dead letter of which something was, oldest first."""
    query = select(dead_letters).where(dead_letters.c.document.is_not(None))
    given = {name: value for name, value in (("tenant", tenant), ("source", source)) if value is not None}
    found = connection.execute(query.filter_by(**given).order_by(dead_letters.c.failed_at, dead_letters.c.key))
    return [(row.tenant, row.source, _opened(row.document)) for row in found]


def _opened(stored: bytes) -> Kept:
    content = json.loads(zlib.decompress(stored))
    order = content.pop("order")
    document = RawDocument.model_validate({**content, "content": bytes.fromhex(content["content"])})
    return document if order is None else Upsert(document=document, order=order)


def watermark(connection: Connection, document_ids: Sequence[str]) -> datetime | None:
    """The earliest watermark of the sources of these documents; None when none of them has one."""
    theirs = (
        select(documents.c.tenant, documents.c.source).where(documents.c.id.in_(document_ids)).distinct().subquery()
    )
    query = select(func.min(checkpoints.c.watermark)).join(
        theirs, and_(checkpoints.c.tenant == theirs.c.tenant, checkpoints.c.source == theirs.c.source)
    )
    return cast("datetime | None", connection.execute(query).scalar())


def checkpoint(
    connection: Connection, tenant: str, source: str, scope: str, settings: str | None
) -> dict[str, Any] | None:
    """The state a scope has reached, or None; also None when it was reached with other settings."""
    query = select(checkpoints.c.state).filter_by(tenant=tenant, source=source, scope=scope)
    if settings is not None:
        query = query.filter_by(settings=settings)
    return cast("dict[str, Any] | None", connection.execute(query).scalar_one_or_none())


def failures(connection: Connection, tenant: str | None, source: str | None) -> tuple[Failure, ...]:
    """Dead letters, oldest first."""
    query = select(dead_letters).order_by(dead_letters.c.failed_at, dead_letters.c.key)
    given = {name: value for name, value in (("tenant", tenant), ("source", source)) if value is not None}
    fields = Failure.model_fields
    found = connection.execute(query.filter_by(**given)).mappings()
    return tuple(Failure(**{name: row[name] for name in fields}) for row in found)


def begin_run(connection: Connection, run_id: str, tenant: str, source: str, scope: str, now: datetime) -> None:
    """Note that a run has begun; whatever else still claims to run here has died."""
    place = {"tenant": tenant, "source": source}
    stale = update(runs).filter_by(outcome="running", **place)
    connection.execute(stale.values(outcome="crashed", finished_at=now))
    values = {"id": run_id, "scope": scope, "started_at": now, "outcome": "running", **place}
    connection.execute(insert(runs).values(**values))
    _forget_old_runs(connection, place)


def _forget_old_runs(connection: Connection, place: Mapping[str, str]) -> None:
    """A live source makes several runs a second; the newest are kept, and the last that went well."""
    newest = select(runs).filter_by(**place).order_by(runs.c.finished_at.desc()).limit(1)
    oldest_kept = newest.where(runs.c.finished_at.is_not(None)).offset(RUNS_KEPT - 1)
    last_good = newest.with_only_columns(runs.c.id).filter_by(outcome="ok")
    connection.execute(
        delete(runs)
        .filter_by(**place)
        .where(
            runs.c.finished_at < oldest_kept.with_only_columns(runs.c.finished_at).scalar_subquery(),
            runs.c.id != func.coalesce(last_good.scalar_subquery(), ""),
        )
    )


def finish_run(
    connection: Connection,
    run_id: str,
    outcome: str,
    report: IngestReport | None,
    now: datetime,
    *,
    clean: bool,
    lease: int | None,
) -> None:
    """Note how a run ended; ``clean`` clears the mark of its source, unless its lease was taken over."""
    content = None if report is None else report.to_dict()
    values = {"outcome": outcome, "finished_at": now, "report": content}
    connection.execute(update(runs).filter_by(id=run_id).values(**values))
    if clean:
        theirs = select(runs.c.id).where(
            runs.c.id == run_id, runs.c.tenant == places.c.tenant, runs.c.source == places.c.source
        )
        mine = update(places).where(theirs.exists())
        connection.execute((mine if lease is None else mine.filter_by(lease=lease)).values(dirty=False))


def is_dirty(connection: Connection) -> bool:
    """Whether any mark is set that the store may differ from the ledger."""
    marked = select(places.c.source).where(places.c.dirty.is_(True)).limit(1)
    return bool(connection.execute(select(meta.c.dirty)).scalar_one()) or connection.execute(marked).first() is not None


def is_dirty_at(connection: Connection, tenant: str, source: str) -> bool:
    """Whether the mark of a source is set."""
    return bool(connection.execute(select(places.c.dirty).filter_by(tenant=tenant, source=source)).scalar())


def mark(connection: Connection, *, dirty: bool) -> None:
    """Set the mark that the store may differ from the ledger; clearing it clears those of all sources."""
    connection.execute(update(meta).values(dirty=dirty))
    if not dirty:
        connection.execute(update(places).values(dirty=False))


def mark_source(connection: Connection, tenant: str, source: str, *, dirty: bool) -> None:
    """Set or clear the mark of one source."""
    connection.execute(update(places).filter_by(tenant=tenant, source=source).values(dirty=dirty))


def kinds(connection: Connection) -> dict[str, KeyKind]:
    """Declared metadata keys and their kinds, in order of declaration."""
    return {row.key: cast("KeyKind", row.kind) for row in connection.execute(_KINDS)}


def declare(connection: Connection, new: Mapping[str, KeyKind], now: datetime) -> None:
    """Add keys; one that is there keeps its kind."""
    known = kinds(connection)
    rows = [{"key": key, "kind": kind, "declared_at": now} for key, kind in new.items() if key not in known]
    if rows:
        connection.execute(insert(filter_keys), rows)


def sources(connection: Connection, held: Mapping[tuple[str, str], str]) -> tuple[SourceStatus, ...]:
    """Every source with live documents, dead letters or finished runs, sorted; ``held`` says who syncs which."""
    keys = ("tenant", "source")
    live = documents.c.live_version_id.is_not(None)
    counted = _per_source(connection, select(*_place(documents), func.count()).where(live).group_by(*keys))
    chunks = _per_source(
        connection, select(*_place(documents), func.sum(documents.c.chunks)).where(live).group_by(*keys)
    )
    until = _per_source(connection, select(*_place(checkpoints), func.min(checkpoints.c.watermark)).group_by(*keys))
    waiting = _per_source(connection, select(*_place(checkpoints), func.sum(checkpoints.c.lag)).group_by(*keys))
    dead = _per_source(connection, select(*_place(dead_letters), func.count()).group_by(*keys))
    good = runs.c.outcome == "ok"
    last = _per_source(connection, select(*_place(runs), func.max(runs.c.finished_at)).where(good).group_by(*keys))
    ran = _per_source(connection, select(*_place(runs), func.count()).group_by(*keys))
    return tuple(
        SourceStatus(
            source=source,
            tenant=tenant,
            documents=counted.get((tenant, source), 0),
            chunks=chunks.get((tenant, source), 0),
            last_success=last.get((tenant, source)),
            dead_letters=dead.get((tenant, source), 0),
            watermark=until.get((tenant, source)),
            lag=waiting.get((tenant, source)),
            held_by=held.get((tenant, source), ""),
        )
        for tenant, source in sorted({*counted, *dead, *ran})
    )


def last_success(connection: Connection) -> datetime | None:
    """When a run last ended without loss."""
    query = select(func.max(runs.c.finished_at)).where(runs.c.outcome == "ok")
    return cast("datetime | None", connection.execute(query).scalar())


def record(connection: Connection, answer: AnswerRecord) -> None:
    """Keep an answer record; one with the same request id is replaced."""
    connection.execute(delete(answer_records).filter_by(request_id=answer.request_id))
    values = {"request_id": answer.request_id, "recorded_at": answer.time, "record": answer.to_dict()}
    connection.execute(insert(answer_records).values(**values))


def answers(connection: Connection, since: datetime | None, limit: int) -> Iterable[AnswerRecord]:
    """Answer records, newest first."""
    query = select(answer_records.c.record).order_by(answer_records.c.recorded_at.desc()).limit(limit)
    if since is not None:
        query = query.where(and_(answer_records.c.recorded_at >= since))
    return [AnswerRecord.from_dict(row) for row in connection.execute(query).scalars()]


def _place(table: Any) -> tuple[Any, Any]:
    return table.c.tenant, table.c.source


def _per_source(connection: Connection, query: Any) -> dict[tuple[str, str], Any]:
    return {(tenant, source): value for tenant, source, value in connection.execute(query)}
