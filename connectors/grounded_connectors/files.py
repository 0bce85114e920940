"""Files: one file, a folder with everything below it, or a glob."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from grounded.errors import LimitExceededError, SourceError, SourceNotFoundError, UsageError
from grounded.records import Change, Failed, Listing, RawDocument, Upsert

SOURCE = "files"
MAX_BYTES = 200_000_000
KNOWLEDGE_BASE_FILE = "kb.toml"

_ALWAYS_SKIPPED = frozenset({"__pycache__", ".git"})
MAGIC = re.compile(r"[*?\[]")
_PIECE = re.compile(r"\*+|\[[!^]?\]?[^\]/]*\]|.", re.DOTALL)

logger = logging.getLogger(__name__)


class FilesConnector:
    """Lists and reads files; every run lists all it covers, so that what is gone can be noticed.

    A document's key is the file's absolute path with forward slashes. Files come sorted by path, one in memory at
    a time. Left out are hidden files and folders, ``__pycache__``, ``.git``, and knowledge bases (folders that
    hold a ``kb.toml``). A symbolic link below the starting point is followed only with ``follow_symlinks``, and
    then no folder is entered twice, so loops end.

    Args:
        pattern_or_path: A file, a folder, or a glob such as ``docs/**/*.md``.
        include_hidden: Read files and folders too whose name starts with a dot.
        max_bytes: Larger files are reported as failed and not read.
        follow_symlinks: Follow links to files and folders, also out of the starting folder.
    """

    def __init__(
        self,
        pattern_or_path: str | os.PathLike[str],
        *,
        include_hidden: bool = False,
        max_bytes: int = MAX_BYTES,
        follow_symlinks: bool = False,
    ) -> None:
        given = os.path.expanduser(os.fspath(pattern_or_path))
        if not given.strip():
            raise UsageError("The path to read is empty.", fix="Name a file, a folder or a glob.")
        try:
            impossible = b"\0" in os.fsencode(given)
        except UnicodeEncodeError:
            impossible = True
        if impossible:
            raise UsageError(f"{given!r} cannot be a path.", fix="Name a file, a folder or a glob.")
        absolute = Path(os.path.abspath(given))
        is_glob = bool(MAGIC.search(given)) and not absolute.exists()
        self._root: Path = absolute
        self._pattern: re.Pattern[str] | None = None
        if is_glob:
            self._root, self._pattern = _split_glob(absolute)
        self._given = absolute
        self._include_hidden = include_hidden
        self._max_bytes = max_bytes
        self._follow = follow_symlinks

    @property
    def source(self) -> str:
        """Always ``files``."""
        return SOURCE

    @property
    def scope(self) -> str:
        """The absolute path or glob."""
        return _key(self._given)

    def covers(self, key: str) -> bool:
        """Whether the file of that key, if it is there, would be listed."""
        root = _key(self._root)
        if key == root:
            return self._pattern is None
        prefix = root if root.endswith("/") else f"{root}/"
        if not key.startswith(prefix):
            return False
        relative = key[len(prefix) :]
        if any(self._is_skipped(part) for part in relative.split("/")):
            return False
        if not self._follow and self._passes_link(relative):
            return False
        return self._pattern is None or bool(self._pattern.match(relative))

    def check(self) -> None:
        """Say at once what is missing.

        Raises:
            SourceNotFoundError: There is nothing at that path.
            SourceError: It is neither a file nor a folder, or it is itself a knowledge base.
        """
        next(self._paths([]), None)

    def total(self) -> int | None:
        """How many files there are to read, for a progress bar; None when that cannot be found out."""
        problems: list[str] = []
        try:
            count = sum(1 for _ in self._paths(problems))
        except SourceError:
            return None
        return None if problems else count

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Every file as an ``Upsert``, unreadable ones as ``Failed``, then the ``Listing``.

        Args:
            checkpoint: Not used: every run lists everything, and the ledger knows what it already holds.

        Raises:
            SourceNotFoundError: There is nothing at that path.
            SourceError: It is neither a file nor a folder, or it is itself a knowledge base.
        """
        problems: list[str] = []
        for path in self._paths(problems):
            change = self._read(path)
            if change is not None:
                yield change
        yield Listing(complete=not problems, reason="; ".join(problems[:5]))

    def _paths(self, problems: list[str]) -> Iterator[Path]:
        """The files in order; folders that cannot be listed are added to ``problems``."""
        try:
            mode = self._root.stat().st_mode
        except FileNotFoundError:
            raise _not_found(self._given) from None
        except OSError as error:
            raise SourceError(f"{self._root} cannot be read: {error.strerror or error}.") from error
        self._refuse_knowledge_base()
        if stat.S_ISREG(mode) and self._pattern is None:
            yield self._root
            return
        if not stat.S_ISDIR(mode):
            raise SourceError(f"{self._root} is neither a file nor a folder.")
        yield from self._walk(problems)

    def _refuse_knowledge_base(self) -> None:
        real = Path(os.path.realpath(self._root))
        for folder in (self._root, *self._root.parents, real, *real.parents):
            if (folder / KNOWLEDGE_BASE_FILE).exists():
                raise SourceError(
                    f"{self._root} is or lies in a knowledge base ({folder}), not in a source.",
                    fix="Ingest the folder your documents are in.",
                )

    def _walk(self, problems: list[str]) -> Iterator[Path]:
        """Depth first, sorted, without recursion; no folder is entered twice."""
        seen: set[tuple[int, int]] = set()
        waiting = [(self._root, True)]
        while waiting:
            path, is_folder = waiting.pop()
            if not is_folder:
                yield path
                continue
            try:
                identity = path.stat()
                if (identity.st_dev, identity.st_ino) in seen:
                    continue
                seen.add((identity.st_dev, identity.st_ino))
                waiting.extend(reversed(self._entries(path)))
            except OSError as error:
                problems.append(f"{_key(path)} cannot be listed: {error.strerror or error}")
                logger.warning("a folder cannot be listed: %s", error.strerror or type(error).__name__)

    def _entries(self, folder: Path) -> list[tuple[Path, bool]]:
        """What to look at in a folder, sorted by name, and whether it is a folder; nothing in a knowledge base."""
        kept: list[tuple[Path, bool]] = []
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda item: item.name):
                if entry.name == KNOWLEDGE_BASE_FILE:
                    return []
                if self._is_skipped(entry.name) or (entry.is_symlink() and not self._follow):
                    continue
                kind, path = _kind(entry), folder / entry.name
                if kind == "folder" or (kind == "file" and self._matches(path)):
                    kept.append((path, kind == "folder"))
        return kept

    def _matches(self, path: Path) -> bool:
        return self._pattern is None or bool(self._pattern.match(path.relative_to(self._root).as_posix()))

    def _passes_link(self, relative: str) -> bool:
        """Whether a link lies on the way: what was read through it by name is not gone when the listing skips it."""
        place = self._root
        for part in relative.split("/"):
            place = place / part
            if place.is_symlink():
                return True
        return False

    def _is_skipped(self, name: str) -> bool:
        return name in _ALWAYS_SKIPPED or (name.startswith(".") and not self._include_hidden)

    def _read(self, path: Path) -> Change | None:
        """One file; None when it vanished since it was listed."""
        try:
            content = _stable_content(path, self._max_bytes)
        except FileNotFoundError:
            return None
        except (LimitExceededError, SourceError) as error:
            return _failed(path, type(error).__name__, error.message, error.fix)
        except OSError as error:
            reason = f"The file cannot be read: {error.strerror or error}."
            return _failed(path, type(error).__name__, reason, "Check its permissions.")
        return Upsert(
            document=RawDocument(
                key=_key(path),
                content=content,
                name=_text(path.name),
                uri=path.as_uri(),
                fingerprint=hashlib.sha256(content).hexdigest(),
            )
        )


def _kind(entry: os.DirEntry[str]) -> str:
    """``folder``, ``file``, or empty for pipes, devices and links that lead nowhere."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else ""
    except OSError:  # a link that leads to itself
        return ""


def _stable_content(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file that did not change while they were read; tried twice.

    Raises:
        LimitExceededError: It is too large.
        SourceError: It changed both times.
        OSError: It cannot be read.
    """
    for _ in range(2):
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            if before.st_size > max_bytes:
                raise LimitExceededError(
                    f"The file has {before.st_size:,} bytes; at most {max_bytes:,} are read.",
                    fix="Split it, or raise max_bytes.",
                )
            content = file.read(max_bytes + 1)
            after = os.fstat(file.fileno())
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if same and len(content) == before.st_size:
            return content
    raise SourceError("The file changes while it is read.", fix="Ingest again when it is finished.")


def _failed(path: Path, error: str, message: str, fix: str) -> Failed:
    return Failed(key=_key(path), uri=path.as_uri(), error=error, message=message, fix=fix)


def _key(path: Path) -> str:
    return _text(path.as_posix())


def _text(name: str) -> str:
    """A name as text that can be stored: bytes that are no UTF-8 are written as escapes."""
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # lone surrogates that stand for no bytes
        return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _split_glob(absolute: Path) -> tuple[Path, re.Pattern[str]]:
    """The folder that a glob starts from, and the pattern for paths relative to it."""
    parts = absolute.parts
    at = next(index for index, part in enumerate(parts) if MAGIC.search(part))
    return Path(*parts[:at]), glob_pattern(parts[at:])


def glob_pattern(parts: tuple[str, ...]) -> re.Pattern[str]:
    """``**`` stands for any number of folders, ``*``, ``?`` and ``[…]`` never cross a slash."""
    written: list[str] = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            written.append(".+" if last else "(?:[^/]+/)*")
        else:
            written.append("".join(map(_glob_piece, _PIECE.findall(part))) + ("" if last else "/"))
    return re.compile("".join(written) + r"\Z", re.DOTALL)


def _glob_piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if len(piece) > 1:
        negated, inner = ("^/", piece[2:-1]) if piece[1] in "!^" else ("", piece[1:-1])
        return f"[{negated}{inner.replace(chr(92), chr(92) * 2).replace('[', chr(92) + '[')}]"
    return re.escape(piece)


def _not_found(path: Path) -> SourceNotFoundError:
    """The error for a path that is not there, naming what is."""
    parent = next((folder for folder in path.parents if folder.is_dir()), Path(path.anchor))
    try:
        there = sorted(entry.name for entry in os.scandir(parent) if not entry.name.startswith("."))
    except OSError:
        there = []
    missing = path.relative_to(parent).parts[0] if path != parent else path.name
    close = get_close_matches(missing, there, n=3, cutoff=0.5) or there[:5]
    listing = ", ".join(close) if close else "nothing"
    return SourceNotFoundError(
        f"There is no {path}.", fix=f"{parent} holds: {_text(listing)}{' …' if len(there) > len(close) else ''}"
    )
