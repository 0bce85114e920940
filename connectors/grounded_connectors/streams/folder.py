"""Watched folders: files read as they are written, changed and removed."""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from grounded.errors import MissingExtraError, SourceError, SourceUnavailableError, UsageError
from grounded.records import Change, Checkpoint, Delete, Listing
from grounded_connectors.files import FilesConnector

FULL_SECONDS = 3600.0
"""The whole folder is listed again after so long: an operating system may forget to tell."""
SETTLE_MILLISECONDS = 100
MANY = 1_000
"""Of more changes at once the whole folder is listed."""


class FolderConnector:
    """``watch://docs`` or ``watch:///srv/docs``: the files of a folder, as ``docs`` would read them, and live.

    Documents are the same as those of the folder read as files: both may be used in turn.

    Args:
        uri: The folder; relative to the working directory when it does not start with a slash.
        options: Those of ``FilesConnector``.

    Raises:
        UsageError: It is no folder.
        MissingExtraError: Without the package ``watchfiles``.
    """

    def __init__(self, uri: str, **options: Any) -> None:
        if importlib.util.find_spec("watchfiles") is None:
            raise MissingExtraError("Watching folders", package="watchfiles", extra="watch")
        given = unquote(uri.partition("://")[2])
        self._root = Path(os.path.abspath(os.path.expanduser(given)))
        if not given or not self._root.is_dir():
            raise UsageError(f"There is no folder {given!r} to watch.", fix="Write watch://docs or watch:///srv/docs.")
        self._options = options
        self._all = FilesConnector(self._root, **options)
        self._is_following = False
        self._listed_at: float | None = None
        self._changed: set[str] = set()
        self._watch: Iterator[set[tuple[Any, str]]] | None = None
        self._stop = threading.Event()
        self.lag: int | None = None
        self.watermark: datetime | None = None

    @property
    def source(self) -> str:
        """The same as for files."""
        return self._all.source

    @property
    def scope(self) -> str:
        """The folder's absolute path."""
        return self._all.scope

    def covers(self, key: str) -> bool:
        """Whether the file of that key lies in the folder and would be listed."""
        return self._all.covers(key)

    def total(self) -> int | None:
        """How many files there are; None when only changes are read."""
        return self._all.total() if self._listed_at is None else None

    def check(self) -> None:
        """Say at once what is missing."""
        next(iter(self._all.changes(None)), None)

    def follow(self) -> None:
        """From now on a call of ``changes`` after the first reads what has changed since."""
        self._is_following = True

    def wait(self, seconds: float) -> bool:
        """Whether something has changed, after up to ``seconds``.

        Raises:
            SourceError: The folder is gone.
        """
        if self._listed_at is None or self._changed or time.monotonic() - self._listed_at > FULL_SECONDS:
            return True
        until = time.monotonic() + seconds
        while not self._changed and time.monotonic() < until:
            self._look()
        return bool(self._changed)

    def close(self) -> None:
        """Stop watching; the next run lists everything again."""
        self._stop.set()
        self._watch, self._listed_at = None, None
        self._changed.clear()

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Every file, and later those that have changed.

        Args:
            checkpoint: Not used: the first run lists everything, and the ledger knows what it already holds.

        Raises:
            SourceError: The folder cannot be read.
        """
        if not self._is_following:
            yield from self._all.changes(checkpoint)
            return
        is_due = self._listed_at is None or time.monotonic() - self._listed_at > FULL_SECONDS
        changed, self._changed = self._changed, set()
        now = datetime.now(UTC)
        if is_due or len(changed) > MANY or any(self._is_folder(path) for path in changed):
            self._begin()
            yield from self._all.changes(checkpoint)
            self._listed_at = time.monotonic()
            self.lag, self.watermark = 0, now
            return
        for path in sorted(changed):
            yield from self._one(Path(path))
        self.lag, self.watermark = 0, now
        yield Checkpoint(watermark=now, lag=0, commit=bool(changed))

    def _begin(self) -> None:
        """Watch before listing, so that nothing falls in between."""
        if self._watch is not None:
            return
        import watchfiles

        self._stop = threading.Event()
        self._watch = watchfiles.watch(
            self._root,
            watch_filter=None,
            debounce=SETTLE_MILLISECONDS,
            step=SETTLE_MILLISECONDS // 2,
            rust_timeout=SETTLE_MILLISECONDS,
            yield_on_timeout=True,
            stop_event=self._stop,
            raise_interrupt=True,
        )
        next(self._watch)  # from here on it watches

    def _look(self) -> None:
        assert self._watch is not None, "changes comes first"
        try:
            self._changed |= {path for _, path in next(self._watch)}
        except (StopIteration, OSError) as error:
            self.close()
            raise SourceUnavailableError(f"{self._root} cannot be watched any more: {error}.") from error

    def _one(self, path: Path) -> Iterator[Change]:
        key = path.as_posix()
        if not self._all.covers(key):
            return
        if not path.exists():
            yield Delete(key=key)
            return
        try:
            for change in FilesConnector(path, **self._options).changes(None):
                if not isinstance(change, Listing):
                    yield change
        except SourceError:
            yield Delete(key=key)  # it went while it was looked at

    def _is_folder(self, path: str) -> bool:
        """A folder that came may hold files nobody told of; one that went has no name for those it held."""
        if not self._all.covers(path):
            return False
        place = Path(path)
        return place.is_dir() or (not place.exists() and not place.suffix)
