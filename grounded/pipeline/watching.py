"""Following sources: live ones as they change, the others on a schedule, until stopped."""

from __future__ import annotations

import datetime as days
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, Self, runtime_checkable

from pydantic import Field

from grounded.errors import ConfigurationError, GroundedError, MissingExtraError, UsageError
from grounded.pipeline.connecting import Source, as_sources, connector
from grounded.protocols import Connector
from grounded.records import Change, IngestReport
from grounded.records.base import Record

log = logging.getLogger(__name__)

EVERY_SECONDS = 900.0
"""How often a source that is not live is read unless it says otherwise."""
HEARTBEAT_SECONDS = 10.0
"""A live source at which nothing happens is asked so often, so that the watermark and expiry go on."""
LOOK_SECONDS = 0.5
"""How long a wait for something new takes at most before a stop is looked for."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 60.0
FAILURES_KEPT = 20

_HOPELESS = (UsageError, ConfigurationError, MissingExtraError)
"""Errors that trying again does not mend."""


@runtime_checkable
class LiveConnector(Connector, Protocol):
    """A connector that can tell when there is something to read."""

    def follow(self) -> None:
        """From now on a call of ``changes`` reads what comes, for seconds at most, and stays connected."""
        ...

    def wait(self, seconds: float) -> bool:
        """Whether there is something to read, after up to ``seconds``; True when it is not connected.

        Raises:
            SourceError: The source cannot be reached any more.
        """
        ...

    def close(self) -> None:
        """Disconnect; the next call of ``changes`` connects again."""
        ...

    @property
    def lag(self) -> int | None:
        """How many changes waited at the source when it was last read; None when it cannot say."""
        ...

    @property
    def watermark(self) -> datetime | None:
        """Everything that happened at the source until then has been read; None before the first reading."""
        ...


class Polled:
    """A live connector that is to be read on a schedule: whatever it holds at the time.

    Args:
        connector: Any.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    @property
    def source(self) -> str:
        """Of the connector."""
        return self._connector.source

    @property
    def scope(self) -> str:
        """Of the connector."""
        return self._connector.scope

    def covers(self, key: str) -> bool:
        """As the connector."""
        return self._connector.covers(key)

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        """As the connector."""
        return self._connector.changes(checkpoint)

    def committed(self, state: Mapping[str, Any]) -> None:
        """Passed on to a connector that acknowledges."""
        committed = getattr(self._connector, "committed", None)
        if committed is not None:
            committed(state)


@dataclass(frozen=True, slots=True)
class Watched:
    """One source to follow.

    Attributes:
        connector: Reads it.
        name: What it is called in messages.
        every: Seconds between the ends and beginnings of two readings, of a source that is not live.
        at: Time of day, local, at which it is read once a day instead.
        arguments: Those of ``ingest``: tenant, metadata, principals.
    """

    connector: Connector
    name: str = ""
    every: float = EVERY_SECONDS
    at: days.time | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def live(self) -> LiveConnector | None:
        """The connector, when it is a live one."""
        return self.connector if isinstance(self.connector, LiveConnector) else None


def watch(
    knowledge_base: Ingesting,
    *sources: Source,
    every: float = EVERY_SECONDS,
    notify: Callable[[SourceState], None] | None = None,
    **arguments: Any,
) -> Watch:
    """Follow sources while the knowledge base is used: live ones as they change, the others every so often.

    Questions may be asked meanwhile, in other threads of this process too.

    Args:
        knowledge_base: An open one; close it after the watch.
        sources: As for ``KnowledgeBase.ingest``; ``watch://docs`` follows a folder, ``docs`` reads it every so often.
        every: Seconds between two readings of a source that is not live.
        notify: Called with the state of a source whenever it has changed, from its thread.
        arguments: ``tenant``, ``metadata``, ``principals`` and ``max_retire_share`` as for ``KnowledgeBase.ingest``.

    Returns:
        A watch to start: ``with watch(kb, "nats://localhost/ORDERS") as live: …``.

    Raises:
        UsageError: Nothing was given, or something that is no source.
    """
    watched = [Watched(connector(each), every=every, arguments=arguments) for each in as_sources(sources)]
    return Watch(knowledge_base.ingest, watched, notify=notify)


class Ingesting(Protocol):
    """What a watch needs of a knowledge base."""

    @property
    def ingest(self) -> Callable[..., IngestReport]:
        """As ``KnowledgeBase.ingest``."""
        ...


class SourceState(Record):
    """How one source that is followed is doing.

    Attributes:
        live: It is followed as it changes; otherwise it is read on a schedule.
        state: ``starting``, ``reading``, ``waiting`` for something new or the next time, ``failing`` and trying again,
            or ``stopped``.
        batches: Readings that were committed.
        documents_failed: Documents that became dead letters.
        failures: The latest of them, a sentence each.
        error: Why it is failing; empty when it is not.
        lag: How many changes waited at a live source when it was last read; None when it cannot say.
        watermark: Everything that happened at a live source until then is known, UTC.
        last_batch: When something was last committed, UTC.
        next_reading: When it is read or tried next, UTC.
    """

    name: str
    source: str
    live: bool
    state: Literal["starting", "reading", "waiting", "failing", "stopped"] = "starting"
    batches: int = Field(default=0, ge=0)
    documents_added: int = Field(default=0, ge=0)
    documents_updated: int = Field(default=0, ge=0)
    documents_retired: int = Field(default=0, ge=0)
    documents_failed: int = Field(default=0, ge=0)
    failures: tuple[str, ...] = ()
    error: str = ""
    lag: int | None = None
    watermark: datetime | None = None
    last_batch: datetime | None = None
    next_reading: datetime | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was lost or skipped, and it is not failing."""
        return not (self.documents_failed or self.error)


class Watch:
    """Follows sources in threads of its own, one each, from ``start`` to ``stop``; use it in a ``with`` block.

    A source that cannot be reached is tried again after a second, then after twice as long, at most after a minute; the
    others go on meanwhile. What was read and not stored when something failed is read again from the checkpoint.

    Args:
        ingest: ``KnowledgeBase.ingest``.
        sources: What to follow.
        notify: Called with the state of a source whenever it has changed, from its thread.
    """

    def __init__(
        self,
        ingest: Callable[..., IngestReport],
        sources: Sequence[Watched],
        *,
        notify: Callable[[SourceState], None] | None = None,
    ) -> None:
        if not sources:
            raise UsageError("Nothing to watch was given.", fix="Give at least one source.")
        self._ingest = ingest
        self._sources = [replace(each, name=each.name or each.connector.source) for each in sources]
        self._notify = notify
        self._states = [
            SourceState(name=each.name, source=each.connector.source, live=each.live is not None)
            for each in self._sources
        ]
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._running: list[Future[None]] = []

    def start(self) -> None:
        """Begin; starting twice does nothing."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(len(self._sources), thread_name_prefix="grounded-watch")
            self._running = [self._pool.submit(self._follow, number) for number in range(len(self._sources))]

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until every source has stopped, at most ``seconds``; whether they have.

        Raises:
            Exception: What no part of it expected, from a source's thread; the others are stopped.
        """
        done, waiting = wait(self._running, seconds, return_when=FIRST_EXCEPTION)
        for each in done:
            if each.exception() is not None:
                self.stop()
            each.result()
        return not waiting

    def stop(self, *, hurry: bool = False) -> None:
        """Ask all to stop: live ones after the reading at hand, which takes seconds, others at the next batch border.

        Args:
            hurry: Do not finish that reading either; what is not stored of it is read again next time.
        """
        if hurry:
            self._hurry.set()
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait until all have."""
        self.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    @property
    def states(self) -> tuple[SourceState, ...]:
        """How every source is doing, in the order given."""
        return tuple(self._states)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _follow(self, number: int) -> None:
        watched = self._sources[number]
        live, pause = watched.live, FIRST_RETRY_SECONDS
        if live is not None:
            live.follow()
        try:
            while not self._stop.is_set():
                try:
                    if live is not None:
                        self._read_live(number, watched, live)
                    else:
                        self._read_on_schedule(number, watched)
                    pause = FIRST_RETRY_SECONDS
                except GroundedError as error:
                    if not self._failed(number, error, pause):
                        return
                    self._stop.wait(pause)
                    pause = min(2 * pause, LAST_RETRY_SECONDS)
        finally:
            if live is not None:
                live.close()
            self._say(number, state="stopped", next_reading=None)

    def _read_live(self, number: int, watched: Watched, live: LiveConnector) -> None:
        self._read(number, watched, cancel=self._hurry.is_set)
        until = time.monotonic() + HEARTBEAT_SECONDS
        while not self._stop.is_set() and time.monotonic() < until and not live.wait(LOOK_SECONDS):
            pass

    def _read_on_schedule(self, number: int, watched: Watched) -> None:
        if watched.at is None:
            self._read(number, watched, cancel=self._stop.is_set)
        next_reading = _next(watched, datetime.now().astimezone())
        self._say(number, state="waiting", next_reading=next_reading.astimezone(UTC))
        stopped = self._stop.wait((next_reading - datetime.now().astimezone()).total_seconds())
        if watched.at is not None and not stopped:
            self._read(number, watched, cancel=self._stop.is_set)

    def _read(self, number: int, watched: Watched, *, cancel: Callable[[], bool]) -> None:
        before = self._states[number]
        if not before.live:
            self._say(number, state="reading", next_reading=None)
        report = self._ingest(watched.connector, cancel=cancel, **watched.arguments)
        failures = [f"{each.key}: {each.message} {each.fix}".strip() for each in report.failures[-FAILURES_KEPT:]]
        if report.retirement_refused:
            failures.append(report.retirement_refused)
        changed = bool(report.documents_added or report.documents_updated or report.documents_retired)
        if before.state == "waiting" and not changed and not failures and not before.error:
            self._states[number] = before.model_copy(update=self._progress(watched))
            return
        self._say(
            number,
            state="waiting",
            error="",
            batches=before.batches + 1,
            documents_added=before.documents_added + report.documents_added,
            documents_updated=before.documents_updated + report.documents_updated,
            documents_retired=before.documents_retired + report.documents_retired,
            documents_failed=before.documents_failed + len(report.failures),
            failures=(*before.failures, *failures)[-FAILURES_KEPT:],
            last_batch=datetime.now(UTC),
            **self._progress(watched),
        )

    def _progress(self, watched: Watched) -> dict[str, Any]:
        live = watched.live
        return {} if live is None else {"lag": live.lag, "watermark": live.watermark}

    def _failed(self, number: int, error: GroundedError, pause: float) -> bool:
        """Note that a source fails; whether it is worth trying again."""
        watched = self._sources[number]
        log.warning("%s: %s", watched.name, error)
        if watched.live is not None:
            watched.live.close()
        if isinstance(error, _HOPELESS):
            self._say(number, error=str(error))
            return False
        self._say(number, state="failing", error=str(error), next_reading=datetime.now(UTC) + timedelta(seconds=pause))
        return True

    def _say(self, number: int, **changed: Any) -> None:
        self._states[number] = state = self._states[number].model_copy(update=changed)
        if self._notify is not None:
            self._notify(state)


def _next(watched: Watched, now: datetime) -> datetime:
    """When a source that is not live is read next."""
    if watched.at is None:
        return now + timedelta(seconds=watched.every)
    today = now.replace(hour=watched.at.hour, minute=watched.at.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)
