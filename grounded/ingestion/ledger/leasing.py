"""Who may write: one worker per source, many sources side by side, and nobody while all is being repaired."""

from __future__ import annotations

import os
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from grounded.errors import LeaseLostError, LedgerError, SourceBusyError
from grounded.ingestion.ledger.engine import alone, reading, writing
from grounded.ingestion.ledger.schema import sources
from grounded.ingestion.ledger.writes import register

# Any constants do, as long as every release uses the same ones; the second number is the schema's or the source's.
WRITER_LOCK, OPENING_LOCK, SOURCE_LOCK, OWN_LOCK = 0x67726E64, 0x67726E65, 0x67726E66, 0x67726E67
_KEEPALIVE = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
"""Seconds, seconds and tries: a server frees the locks of a machine that fell silent after about 25 seconds."""


class Leases:
    """The right to write to one ledger. Thread-safe.

    In PostgreSQL a lease is a lock of the session, freed by the server when the worker or its connection dies, and a
    number that grows with every taking: a worker that lost its connection and lives on commits nothing more. In SQLite,
    which one process writes, threads exclude each other.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_shared = engine.dialect.name == "postgresql"
        self._turn = threading.Condition(threading.RLock())
        self._leases: set[tuple[str, str]] = set()
        self._owner, self._depth = 0, 0

    @contextmanager
    def exclusive(self, *, wait: bool) -> Iterator[bool]:
        """Nobody else may write; holding it twice is fine, asking for it under a lease is not.

        Yields:
            True; False without ``wait`` when somebody writes.
        """
        me = threading.get_ident()
        with self._turn:
            if not wait and (self._leases or self._owner not in (0, me)):
                yield False
                return
            self._turn.wait_for(lambda: not self._leases and self._owner in (0, me))
            self._owner, self._depth = me, self._depth + 1
        try:
            if self._depth > 1 or not self._is_shared:
                yield True
            else:
                with self._advisory("", WRITER_LOCK, schema_of(), wait=wait) as (_, held):
                    yield held
        finally:
            with self._turn:
                self._depth -= 1
                self._owner = me if self._depth else 0
                self._turn.notify_all()

    @contextmanager
    def of(self, tenant: str, source: str, *, holder: str, wait: bool) -> Iterator[int]:
        """The lease of one source: its number, which commits must carry.

        Raises:
            SourceBusyError: Somebody else syncs it, and ``wait`` is False.
        """
        with self._sharing((tenant, source), wait=wait):
            if not self._is_shared:
                with self._taken(tenant, source, holder) as number:
                    yield number
                return
            place = str(lock_number(self._engine, tenant, source))
            # Whoever holds everything already need not share it.
            everything = OWN_LOCK if self._owner == threading.get_ident() else WRITER_LOCK
            with (
                self._advisory("_shared", everything, schema_of(), wait=wait) as (connection, free),
                self._advisory("", SOURCE_LOCK, place, wait=wait, on=connection) as (_, held),
            ):
                if not (free and held):
                    raise busy(tenant, source)
                with self._taken(tenant, source, holder) as number:
                    yield number

    @contextmanager
    def _sharing(self, place: tuple[str, str], *, wait: bool) -> Iterator[None]:
        """Threads of this process: one per source, none beside an exclusive one."""
        me = threading.get_ident()
        with self._turn:
            taken = place in self._leases or self._owner not in (0, me)
            if taken and not wait:
                raise busy(*place)
            self._turn.wait_for(lambda: place not in self._leases and self._owner in (0, me))
            self._leases.add(place)
        try:
            yield
        finally:
            with self._turn:
                self._leases.discard(place)
                self._turn.notify_all()

    @contextmanager
    def _taken(self, tenant: str, source: str, holder: str) -> Iterator[int]:
        place = {"tenant": tenant, "source": source}
        with writing(self._engine) as connection:
            register(connection, tenant, source, datetime.now(UTC))
            values = {"lease": sources.c.lease + 1, "holder": holder or worker(), "leased_at": datetime.now(UTC)}
            connection.execute(update(sources).filter_by(**place).values(**values))
            number = int(connection.execute(select(sources.c.lease).filter_by(**place)).scalar_one())
        try:
            yield number
        finally:
            with suppress(LedgerError), writing(self._engine) as connection:
                connection.execute(update(sources).filter_by(lease=number, **place).values(holder=""))

    @contextmanager
    def _advisory(
        self, kind: str, number: int, second: str, *, wait: bool, on: Connection | None = None
    ) -> Iterator[tuple[Connection, bool]]:
        """A lock of a session of its own, which the server frees when we die."""
        if on is None:
            with alone(self._engine) as connection:
                for name, value in _KEEPALIVE.items():
                    connection.execute(text(f"SET {name} = {value}"))
                with self._advisory(kind, number, second, wait=wait, on=connection) as found:
                    yield found
            return
        function = f"{'pg_advisory_lock' if wait else 'pg_try_advisory_lock'}{kind}"
        held = on.execute(_call(function, number, second)).scalar() is not False
        try:
            yield on, held
        finally:
            if held:
                try:
                    on.execute(_call(f"pg_advisory_unlock{kind}", number, second))
                except SQLAlchemyError:
                    # The session is lost, and its locks with it.
                    on.invalidate()


def check(connection: Connection, tenant: str, source: str, lease: int | None) -> None:
    """Refuse to commit under a lease that somebody else has taken over.

    Raises:
        LeaseLostError: It is not the newest lease of the source.
    """
    if lease is None:
        return
    query = select(sources.c.lease, sources.c.holder).filter_by(tenant=tenant, source=source).with_for_update()
    row = connection.execute(query).first()
    if row is None or row.lease != lease:
        by = f" by {row.holder}" if row is not None and row.holder else ""
        raise LeaseLostError(
            f"The source {source!r} was taken over{by} while this worker could not be reached.",
            fix="Nothing of it is lost or done twice; run it again if nobody else syncs this source.",
        )


def is_newest(connection: Connection, tenant: str, source: str, lease: int | None) -> bool:
    """Whether nobody has taken a source over since; None is no lease and never taken over."""
    query = select(sources.c.lease).filter_by(tenant=tenant, source=source)
    return lease is None or connection.execute(query).scalar() == lease


def holders(engine: Engine) -> dict[tuple[str, str], str]:
    """Who holds a lease at this moment, by tenant and source; a dead worker holds none."""
    with reading(engine) as connection:
        query = select(sources.c.tenant, sources.c.source, sources.c.holder).where(sources.c.holder != "")
        named = {(row.tenant, row.source): row.holder for row in connection.execute(query)}
        if engine.dialect.name != "postgresql":
            return {place: holder for place, holder in named.items() if _is_alive(holder)}
        locks = text("SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :number")
        held = set(connection.execute(locks, {"number": SOURCE_LOCK}).scalars())
        return {place: holder for place, holder in named.items() if lock_number(engine, *place) % 2**32 in held}


def worker() -> str:
    """What names this process among the workers: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def busy(tenant: str, source: str) -> SourceBusyError:
    """The error for a source that somebody else syncs."""
    return SourceBusyError(
        f"The source {source!r} of tenant {tenant!r} is being synced by somebody else.",
        fix="Wait for it, or sync another source.",
    )


def lock_number(engine: Engine, tenant: str, source: str) -> int:
    """The number of a source's lock: 32 bits with a sign, as PostgreSQL takes them."""
    schema = engine.get_execution_options().get("grounded_schema", "")
    number = zlib.crc32(f"{schema}\x00{tenant}\x00{source}".encode("utf-8", "surrogatepass"))
    return number - 2**32 if number >= 2**31 else number


def schema_of() -> str:
    """SQL for the number of the ledger's schema."""
    return "hashtext(current_schema())"


def opening() -> Any:
    """The statement that makes openings of one ledger follow each other."""
    return _call("pg_advisory_xact_lock", OPENING_LOCK, schema_of())


def _call(function: str, number: int, second: str) -> Any:
    return text(f"SELECT {function}({number}, {second})")


def _is_alive(holder: str) -> bool:
    host, _, process = holder.rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
