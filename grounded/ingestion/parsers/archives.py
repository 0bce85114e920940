"""Archives and zipped documents: what they are, and whether they are safe to unpack."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib

from grounded.errors import EncryptedDocumentError, LimitExceededError, ParseError
from grounded.ingestion.parsers.source import Limits

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    OSError,
    EOFError,
    ValueError,
)
"""What the archive libraries raise on damage."""
INDEX_BYTES = 1_000_000
"""The member that names the document's type is read up to this size."""

COMPRESSED = {b"\x1f\x8b\x08": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
"""Kinds of compressed files by their first bytes."""

_MAIN_PARTS = {
    "wordprocessingml.document.main": "docx",
    "wordprocessingml.template.main": "docx",
    "word.document.macroEnabled.main": "docx",
    "word.template.macroEnabledTemplate.main": "docx",
    "presentationml.presentation.main": "pptx",
    "presentationml.slideshow.main": "pptx",
    "presentationml.template.main": "pptx",
    "powerpoint.presentation.macroEnabled.main": "pptx",
    "powerpoint.slideshow.macroEnabled.main": "pptx",
    "spreadsheetml.sheet.main": "xlsx",
    "spreadsheetml.template.main": "xlsx",
    "excel.sheet.macroEnabled.main": "xlsx",
    "excel.template.macroEnabled.main": "xlsx",
    "excel.sheet.binary.macroEnabled.main": "xlsx",
}
_MANIFEST = "META-INF/manifest.xml"
"""Where OpenDocument says that its parts are encrypted."""
_MIMETYPES = {
    "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.text-template": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "xlsx",
    "application/vnd.oasis.opendocument.spreadsheet-template": "xlsx",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.presentation-template": "odp",
}


def archive_format(content: bytes) -> str:
    """The format of a zipped document; ``zip`` for an archive of files, empty for a document of an unknown kind.

    Raises:
        ParseError: The archive is damaged.
    """
    with open_archive(content) as archive:
        names = set(archive.namelist())
        if "[Content_Types].xml" in names:
            types = _read(archive, "[Content_Types].xml")
            return next((name for part, name in _MAIN_PARTS.items() if part.encode() in types), "")
        if "mimetype" in names:
            return _MIMETYPES.get(_read(archive, "mimetype").decode("ascii", "replace").strip(), "")
        return "epub" if "META-INF/container.xml" in names else "zip"


def is_tar(content: bytes) -> bool:
    """Whether bytes are a TAR archive."""
    return content[257:262] == b"ustar"


def check_archive(content: bytes, limits: Limits) -> None:
    """Refuse what would unpack to more than the limits allow, by the archive's own directory.

    A directory that lies is stopped by the memory limit of the parsing process.

    Raises:
        LimitExceededError: It would.
        EncryptedDocumentError: A member is encrypted.
        ParseError: The archive is damaged.
    """
    with open_archive(content) as archive:
        members = archive.infolist()
        if _MANIFEST in archive.namelist() and b"encryption-data" in _read(archive, _MANIFEST):
            raise EncryptedDocumentError("The document is protected by a password.", fix="Save it without protection.")
    if len(members) > limits.archive_members:
        raise LimitExceededError(
            f"The document is an archive of {len(members):,} parts; at most {limits.archive_members:,} are read.",
            fix="Raise Limits.archive_members if you trust it.",
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.archive_bytes:
        raise LimitExceededError(
            f"The document unpacks to {unpacked:,} bytes; at most {limits.archive_bytes:,} are read.",
            fix="Raise Limits.archive_bytes if you trust it.",
        )
    if any(member.flag_bits & 0x1 for member in members):
        raise EncryptedDocumentError("Parts of the document are encrypted.", fix="Save it without protection.")


def open_archive(content: bytes) -> zipfile.ZipFile:
    """A ZIP archive.

    Raises:
        ParseError: It is damaged.
    """
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except DAMAGE as error:
        raise ParseError(
            f"The document is a damaged or cut-off archive: {error}.", fix="Copy or save it again."
        ) from error


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        with archive.open(name) as member:
            return member.read(INDEX_BYTES)
    except DAMAGE as error:
        raise ParseError(f"The document's {name!r} cannot be unpacked: {error}.", fix="Save it again.") from error
    except RuntimeError as error:  # what zipfile raises when a password is needed
        raise EncryptedDocumentError("The document is encrypted.", fix="Save it without protection.") from error
