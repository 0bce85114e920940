"""Archives (ZIP, TAR, gzip, bzip2, xz): every file inside is a document of its own within the document."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePath, PurePosixPath
from typing import IO, Protocol

from grounded.errors import EncryptedDocumentError, LimitExceededError, ParseError
from grounded.ingestion.parsers.archives import COMPRESSED, DAMAGE, is_tar, open_archive
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.children import Children
from grounded.ingestion.parsers.source import Limits, Source
from grounded.records import Parsed

_STEP = 1 << 16
_LZMA_MEMORY = 200_000_000
# What systems put into archives beside what people do.
_LITTER = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".git"})


def parse_zip(source: Source) -> Parsed:
    """The files of a ZIP archive, each a ``member``.

    Raises:
        ParseError: It is damaged, or nothing in it can be read.
        LimitExceededError: What is in it is too much.
    """
    children = Children(TextBuilder(source.limits), source)
    with open_archive(source.content) as archive:
        for info in archive.infolist():
            if not info.is_dir() and _is_wanted(info.filename):
                children.add(info.filename, partial(_unzipped, archive, info, children))
    return children.parsed("application/zip")


def parse_tar(source: Source) -> Parsed:
    """The files of a TAR archive, each a ``member``; links and devices are left out.

    Raises:
        ParseError: It is damaged, or nothing in it can be read.
        LimitExceededError: What is in it is too much.
    """
    builder = TextBuilder(source.limits)
    children = Children(builder, source)
    _add_tar(builder, children, source.content)
    return children.parsed("application/x-tar")


def parse_compressed(source: Source) -> Parsed:
    """A compressed file: the document in it, or the files of the TAR archive in it.

    Raises:
        ParseError: It is damaged, or nothing in it can be read.
        LimitExceededError: What is in it is too much.
    """
    builder = TextBuilder(source.limits)
    children = Children(builder, source)
    kind = next(name for mark, name in COMPRESSED.items() if source.content.startswith(mark))
    content = _decompressed(source.content, kind, source.limits)
    if is_tar(content):
        children.family.unpack(content)
        _add_tar(builder, children, content)
    else:
        name = PurePath(source.name)
        children.add(name.stem if name.suffix.lower() in (".gz", ".bz2", ".xz") else f"{kind} content", lambda: content)
    return children.parsed(f"application/{kind}")


def _is_wanted(name: str) -> bool:
    return not _LITTER & set(PurePosixPath(name.replace("\\", "/")).parts)


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, children: Children) -> bytes:
    if info.flag_bits & 0x1:
        raise EncryptedDocumentError("It is encrypted.", fix="Save it without protection.")
    with _reading(), archive.open(info) as member:
        return _bounded(member, children)


def _add_tar(builder: TextBuilder, children: Children, content: bytes) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for info in archive:
                if info.isreg() and _is_wanted(info.name):
                    children.add(info.name, partial(_untarred, archive, info, children))
    except (tarfile.TarError, *DAMAGE) as error:
        if isinstance(error, ParseError):
            raise
        builder.warnings.append(f"the archive is damaged or cut off: {error}")


def _untarred(archive: tarfile.TarFile, info: tarfile.TarInfo, children: Children) -> bytes:
    with _reading():
        member = archive.extractfile(info)
        if member is None:
            return b""
        with member:
            content = _bounded(member, children)
    if len(content) < info.size:
        raise ParseError("It is cut off.", fix="Copy the archive again.")
    return content


@contextmanager
def _reading() -> Iterator[None]:
    """What the archive libraries raise on damage becomes a ``ParseError``."""
    try:
        yield
    except ParseError:
        raise
    except (tarfile.TarError, *DAMAGE) as error:
        raise ParseError(f"It cannot be unpacked: {error}.", fix="Copy or save the archive again.") from error
    except RuntimeError as error:  # what zipfile raises when a password is needed
        raise EncryptedDocumentError("It is encrypted.", fix="Save it without protection.") from error


def _bounded(member: IO[bytes], children: Children) -> bytes:
    most = children.limits.input_bytes
    content = member.read(most + 1)
    if len(content) > most:
        children.family.unpack(content)
    children.limits.check_input(len(content))
    return content


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gunzip:
    """zlib's decompressor with the interface of the other two."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(0, max_length))


_MAKERS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": _Gunzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": partial(lzma.LZMADecompressor, memlimit=_LZMA_MEMORY),
}


def _decompressed(content: bytes, kind: str, limits: Limits) -> bytes:
    """The whole content, unpacked step by step so that a bomb is stopped at the limit.

    A file may hold several streams one after another; what follows the last is padding.
    """
    made: list[bytes] = []
    mark = next(mark for mark, name in COMPRESSED.items() if name == kind)
    size = at = 0
    try:
        for _ in range(limits.archive_members):
            worker = _MAKERS[kind]()
            while not worker.eof:
                piece = content[at : at + _STEP] if worker.needs_input else b""
                if worker.needs_input and not piece:
                    raise EOFError("it is cut off")
                at += len(piece)
                made.append(worker.decompress(piece, 16 * _STEP))
                size += len(made[-1])
                if size > limits.input_bytes:
                    raise _too_large(limits)
            at -= len(worker.unused_data)
            if not content.startswith(mark, at):
                return b"".join(made)
    except (*DAMAGE, MemoryError) as error:
        if isinstance(error, ParseError):
            raise
        raise ParseError(f"The {kind} file is damaged: {error}.", fix="Copy or save it again.") from error
    raise _too_large(limits)


def _too_large(limits: Limits) -> LimitExceededError:
    return LimitExceededError(
        f"It unpacks to more than {limits.input_bytes:,} bytes, or from too many streams.",
        fix="Unpack it and ingest the files inside, or raise Limits.input_bytes if you trust it.",
    )
