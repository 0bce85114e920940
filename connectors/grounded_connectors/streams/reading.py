"""From a reader of one system to a connector: micro-batches, checkpoints, lag and watermark."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from grounded.errors import SourceError, UsageError
from grounded.records import Change, Checkpoint, Keep, RawDocument
from grounded_connectors.streams.mapping import Mapper, StreamChange, newest
from grounded_connectors.streams.messages import Gap, Message
from grounded_connectors.streams.options import Address, StreamOptions

BATCH_BYTES = 16_000_000
"""Payload bytes after which a micro-batch is full."""

START_FIRST, START_NEW = "first", "new"
IDLE_SECONDS = 1.0
RUN_SECONDS = 2.0
"""A source that is followed goes on for so long in one run while messages come: what a run costs besides its batches,
leases, marks and a second flush, is paid once."""
GATHER_SECONDS = 0.1
"""What has come so long after a micro-batch was read is the next one; larger ones cost less per message."""

Positions = dict[str, Any]


class Reader(Protocol):
    """Reads one stream of one system. Not thread-safe.

    Every method may raise ``SourceError``; one that is ``Retryable`` means that trying again later may help. A reader
    that raised is closed and opened again.
    """

    def open(self, positions: Positions) -> Sequence[Gap]:
        """Connect, and go on after ``positions``; empty ones are the start.

        Returns:
            What was lost between the positions and the first message there is.
        """
        ...

    def read(self, limit: int, wait: float) -> Sequence[Message | Gap]:
        """The next messages, at most ``limit``: what is there, or after up to ``wait`` seconds the first that come."""
        ...

    def positions(self) -> Positions:
        """After what was read so far, JSON-compatible; also where nothing was read yet."""
        ...

    def settle(self, positions: Positions) -> None:
        """Everything up to ``positions`` is stored: what the system wants acknowledged may be."""
        ...

    def lag(self) -> int | None:
        """How many messages wait at the source; None when it cannot say."""
        ...

    def mark(self) -> None:
        """Note where the stream ends now."""
        ...

    def is_past_mark(self) -> bool:
        """Whether everything up to the mark was read."""
        ...

    def close(self) -> None:
        """Disconnect; closing twice does nothing."""
        ...


def start_of(address: Address) -> str:
    """Where a stream without a checkpoint starts: its first message, or only new ones.

    Raises:
        UsageError: It is neither.
    """
    start = address.take("start", START_FIRST)
    if start not in (START_FIRST, START_NEW):
        raise UsageError(f"A stream starts at {START_FIRST!r} or {START_NEW!r}, not at {start!r}.")
    return start


class StreamConnector:
    """A connector over a stream that goes on after its checkpoint.

    One call of ``changes`` reads what the stream holds when it is called. After ``follow`` a call reads micro-batches
    as long as messages come, for about two seconds at most, and keeps the connection; ``wait`` says when there is
    something to read.

    Nothing is acknowledged before it is stored. A run that failed half-way leaves the reader ahead of the checkpoint;
    the next call is given the one that the ledger holds, notices, and goes back.

    Args:
        reader: Of the system.
        options: How messages become documents.
        source: The name of the source; no credentials.
        scope: Which part of it.

    Attributes:
        source: The address without credentials, or the name given.
        scope: The topic, stream or channel.
        clock: Tells the time.
        lag: How many messages waited when it was last read; None when the system cannot say.
        watermark: Everything that happened until then has been read; None before the first reading.
    """

    def __init__(self, reader: Reader, options: StreamOptions, *, source: str, scope: str) -> None:
        self._reader = reader
        self._options = options
        self.source = source
        self.scope = scope
        self._mapper = Mapper(options, base=source, clock=lambda: self.clock())
        self._digest = hashlib.sha256(json.dumps(options.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
        self._ahead: list[Message | Gap] = []
        self._yielded: Positions | None = None
        self._is_following = False
        self._times: dict[tuple[str, int | None], datetime | None] = {}
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.lag: int | None = None
        self.watermark: datetime | None = None

    def covers(self, key: str) -> bool:
        """Always true: the source is this one stream."""
        return True

    def follow(self) -> None:
        """From now on a call of ``changes`` reads for two seconds at most and leaves the connection open."""
        self._is_following = True

    def wait(self, seconds: float) -> bool:
        """Whether there is something to read, after up to ``seconds``; before the first run, at once.

        Raises:
            SourceError: The source cannot be reached any more.
        """
        if self._yielded is None or self._ahead:
            return True
        try:
            self._ahead = list(self._reader.read(self._options.batch, seconds))
        except BaseException:
            self.close()
            raise
        return bool(self._ahead)

    def committed(self, state: Mapping[str, Any]) -> None:
        """Everything up to a checkpoint is stored: what the system wants acknowledged is."""
        if self._yielded is not None:
            self._reader.settle(state["positions"])

    def made_again(self, received: RawDocument) -> StreamChange:
        """What a message that was kept as a dead letter means with the options of now."""
        return self._mapper.again(received)

    def close(self) -> None:
        """Disconnect; a later run connects again."""
        self._yielded = None
        self._ahead = []
        self._reader.close()

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Changes in the order of the stream, with a checkpoint after every micro-batch.

        Args:
            checkpoint: Where the ledger stands; None starts where the options say. One that was made with other
                options is not used: the stream is read again.

        Raises:
            SourceError: The stream cannot be read.
        """
        completed = False
        try:
            yield from self._batches(self._positions_of(checkpoint))
            completed = True
        finally:
            if not (self._is_following and completed):
                self.close()

    def _batches(self, positions: Positions) -> Iterator[Change]:
        if self._yielded is None or self._yielded != positions:
            self._reader.close()
            self._ahead = list(self._reader.open(positions))
            self._times = {}
        if not self._is_following:
            self._reader.mark()
        until = time.monotonic() + RUN_SECONDS
        while True:
            since = time.monotonic()
            items, self._ahead = self._ahead, []
            if not any(isinstance(item, Message) for item in items) and self._may_have_more():
                wait = 0.0 if self._is_following else IDLE_SECONDS
                items += self._reader.read(self._options.batch, wait)
            self._yielded = self._reader.positions()
            yield from self._changes(items)
            is_last = not self._is_following and self._reader.is_past_mark()
            yield self._checkpoint(items)
            if is_last or (self._is_following and not self._goes_on(len(items), since, until)):
                return

    def _goes_on(self, count: int, since: float, until: float) -> bool:
        """Whether this run has another micro-batch, after one of ``count`` messages that came by ``since``."""
        now = time.monotonic()
        if not count or now >= until:
            return False
        is_full = count >= self._options.batch
        if not is_full:
            # While the last one was stored the next one gathered.
            time.sleep(max(0.0, since + GATHER_SECONDS - now))
        try:
            self._ahead = list(self._reader.read(self._options.batch, GATHER_SECONDS if is_full else 0.0))
        except SourceError:
            return False  # what this run has stored is counted; the next one meets the fault itself
        return bool(self._ahead)

    def _may_have_more(self) -> bool:
        return self._is_following or not self._reader.is_past_mark()

    def _changes(self, items: Sequence[Message | Gap]) -> Iterator[Change]:
        for item in items:
            if isinstance(item, Gap):
                yield self._mapper.gap(item)
                continue
            place = (item.topic, item.partition)
            self._times[place] = newest((self._times.get(place), item.time), self.clock())
            yield self._mapper.change(item)
        if items and self._options.last is not None:
            yield Keep(last=self._options.last)

    def _checkpoint(self, items: Sequence[Message | Gap]) -> Checkpoint:
        self.lag = lag = self._reader.lag()
        times = [time for time in self._times.values() if time is not None]
        # With nothing left to read everything until now is known; before that, what the slowest partition has reached.
        self.watermark = watermark = self.clock() if lag == 0 else min(times, default=None)
        state = {"positions": self._yielded, "options": self._digest}
        return Checkpoint(state=state, watermark=watermark, lag=lag, commit=bool(items))

    def _positions_of(self, checkpoint: Mapping[str, Any] | None) -> Positions:
        if checkpoint is None or checkpoint.get("options") != self._digest:
            return {}
        return dict(checkpoint.get("positions") or {})
