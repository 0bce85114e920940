"""One process at a time: a portable lock on a folder, naming its holder."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
import weakref
from pathlib import Path

from grounded.errors import KnowledgeBaseLockedError, StoreError

_FAR = 2**30
"""Windows locks are mandatory: locking a byte far beyond the content leaves the holder's id readable."""

_HELD = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
"""What the systems answer when somebody else holds a lock; anything else is a failure."""

_READ_TRIES = 5
_READ_PAUSE_SECONDS = 0.02

if sys.platform == "win32":  # Written to the documented behaviour; not run on Windows here.
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


class FileLock:
    """An exclusive lock held from construction to ``release``; the operating system drops it with the process.

    The file stays behind, because removing it would let two processes lock two files of one name.

    Args:
        path: The file; made when it is not there.
        instead: How several processes can share what it stands for, for the message.

    Raises:
        KnowledgeBaseLockedError: Somebody holds it, this process included; ``pid`` names the holder.
        StoreError: The file cannot be opened or written.
    """

    def __init__(self, path: Path, *, instead: str = "keep the vectors in a Qdrant server to share them") -> None:
        self._path = path
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            _lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise (_held(path, instead) if error.errno in _HELD else _unusable(path, error)) from error
        self._descriptor = descriptor
        self._pid = os.getpid()
        # A holder that is forgotten without a release must not lock the folder for the rest of the process.
        self._close = weakref.finalize(self, os.close, descriptor)
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except OSError as error:
            self.release()
            raise _unusable(path, error) from error

    def release(self) -> None:
        """Let go; releasing twice changes nothing."""
        if not self._close.alive:
            return
        # A forked child shares the lock: unlocking there would take it from the parent.
        if self._pid == os.getpid():
            with contextlib.suppress(OSError):
                # An empty file means "nobody": the next holder is never mistaken for this one.
                os.ftruncate(self._descriptor, 0)
                _unlock(self._descriptor)
        self._close()


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be locked: {error.strerror or error}.",
        fix="A knowledge base must be writable, also for reading: check permissions, disk, mount.",
    )


def _held(path: Path, instead: str) -> KnowledgeBaseLockedError:
    pid = _holder(path)
    who = f"process {pid}" if pid is not None else "another process"
    if pid == os.getpid():
        who = f"this process ({pid})"
    return KnowledgeBaseLockedError(
        f"{path.parent} is held by {who}.",
        pid=pid,
        fix=f"Close it there, wait for it to end, or {instead}.",
    )


def _holder(path: Path) -> int | None:
    """The process id in the lock file; a holder that has just locked may not have written it yet."""
    for _ in range(_READ_TRIES):
        with contextlib.suppress(OSError, ValueError):
            return int(path.read_text(encoding="ascii"))
        time.sleep(_READ_PAUSE_SECONDS)
    return None
