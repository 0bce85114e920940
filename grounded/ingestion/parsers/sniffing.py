"""What a document is, by its content; its name only decides between kinds of text."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePath

from grounded.errors import EncryptedDocumentError, ParseError, UnsupportedFormatError
from grounded.ingestion.parsers.archives import COMPRESSED, archive_format, is_tar
from grounded.ingestion.parsers.compound import MAGIC, read_compound
from grounded.ingestion.parsers.decoding import decode
from grounded.ingestion.parsers.delimited import DELIMITERS, sniff_delimiter
from grounded.ingestion.parsers.frontmatter import read_front_matter
from grounded.ingestion.parsers.jsonlike import NotJsonError, load
from grounded.ingestion.parsers.source import words

EXTENSIONS = {
    **dict.fromkeys(("txt", "text", "log"), "txt"),
    **dict.fromkeys(("md", "markdown", "mdx", "mkd"), "md"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(("csv", "tsv", "tab"), "csv"),
    "json": "json",
    **dict.fromkeys(("jsonl", "ndjson"), "jsonl"),
    **dict.fromkeys(("xml", "xsd", "xsl", "rss", "atom", "rdf", "kml", "gpx"), "xml"),
    "eml": "eml",
    **dict.fromkeys(("mbox", "mbx"), "mbox"),
    "msg": "msg",
    **dict.fromkeys(("doc", "dot"), "doc"),
    **dict.fromkeys(("ppt", "pps"), "ppt"),
    "zip": "zip",
    "tar": "tar",
    **dict.fromkeys(("gz", "tgz", "bz2", "tbz2", "xz", "txz"), "compressed"),
    "pdf": "pdf",
    **dict.fromkeys(("docx", "docm", "dotx", "dotm"), "docx"),
    **dict.fromkeys(("pptx", "pptm", "ppsx", "potx"), "pptx"),
    **dict.fromkeys(("xlsx", "xlsm", "xltx", "xlsb", "xls", "ods", "ots"), "xlsx"),
    "epub": "epub",
    "rtf": "rtf",
    **dict.fromkeys(("odt", "ott"), "odt"),
    **dict.fromkeys(("odp", "otp"), "odp"),
    **dict.fromkeys(("png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "webp"), "image"),
}
"""Format by file extension, without the dot."""

ENVELOPE = re.compile(rb"(?:\A|(?<=\n))From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n(?=[A-Za-z][A-Za-z0-9-]*:|>From )")
"""The line above each message of a mailbox: who sent it and when."""

_OLE2_STREAMS = (
    ("EncryptedPackage", "encrypted"),
    ("__properties_version1.0", "msg"),
    ("WordDocument", "doc"),
    ("PowerPoint Document", "ppt"),
    ("Workbook", "xlsx"),
    ("Book", "xlsx"),
)
_PICTURE = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|II\*\x00|MM\x00\*|GIF8[79]a|RIFF....WEBP|BM....\x00\x00\x00\x00", re.DOTALL
)
_ZIPPED = frozenset({"docx", "pptx", "xlsx", "odt", "odp", "epub"})
# Atomic and possessive, so that a row of comments cannot be cut up in ever new ways.
_HTML = re.compile(r"(?>\s|<!--.*?-->|<\?xml.*?\?>)*+<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_HTML_PART = re.compile(r"\s*<(?:div|p|table|h[1-6]|ul|ol|span|section|article|title|meta|style|main)\b[^>]*>", re.I)
_ALIKE = ({"json", "jsonl"}, {"eml", "mbox"}, {"html", "xml"})
_XML = re.compile(r"\s*<\?xml\s")
_HEADER_LINE = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):(?:[ \t].*)?$")
_MAIL_HEADERS = words(
    "from to cc subject date received return-path message-id mime-version content-type delivered-to reply-to"
)
_MARKDOWN = re.compile(r"^(?:#{2,6} \S|```|[-*] \[[ x]\] |\|[^|\n]*\|.*\|$|\[[^\]]+\]: )", re.M)
_HEAD_CHARACTERS = 8_192


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What content is.

    Attributes:
        format: A key of ``formats.FORMATS``.
        text: The decoded text when the content is text.
        warnings: A guessed encoding, a name that says something else.
    """

    format: str
    text: str | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()


def sniff(content: bytes, name: str = "") -> Sniffed:
    """Find out what content is.

    Raises:
        UnsupportedFormatError: Nothing here reads it.
        EncryptedDocumentError: It is an encrypted Office document.
        ParseError: It is a damaged archive.
    """
    binary = _binary_format(content, name)
    if binary:
        return Sniffed(binary, warnings=_name_warning(binary, name))
    decoded = decode(content)
    if decoded is None:
        raise _unsupported(content, name)
    made = _text_format(decoded.text, extension_format(name), PurePath(name).suffix)
    warnings = [decoded.warning] if decoded.warning else []
    return Sniffed(made, decoded.text, (*warnings, *_name_warning(made, name)))


@lru_cache(maxsize=16)
def extension_format(name: str) -> str:
    """The format that a name promises; empty when it promises none of ours."""
    return EXTENSIONS.get(PurePath(name).suffix.lower().lstrip("."), "")


def _binary_format(content: bytes, name: str) -> str:
    start = content[:1024].lstrip(b"\x00\t\n\x0c\r \xef\xbb\xbf")
    if start.startswith(b"%PDF-") or (extension_format(name) == "pdf" and b"%PDF-" in content[:1024]):
        return "pdf"
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_format(content, name)
    if content.startswith(tuple(COMPRESSED)):
        return "compressed"
    if is_tar(content):
        return "tar"
    if ENVELOPE.match(content) and extension_format(name) != "eml":
        return "mbox"
    if content.startswith(MAGIC):
        return _ole2_format(content)
    if _PICTURE.match(content):
        return "image"
    return "rtf" if start.startswith(b"{\\rtf") else ""


def _zip_format(content: bytes, name: str) -> str:
    found = archive_format(content)
    if not found:
        raise UnsupportedFormatError("This is a zipped document of an unknown kind.", fix="Save it as PDF or DOCX.")
    promised = extension_format(name)
    if found == "zip" and promised in _ZIPPED:
        raise ParseError(
            f"The name ends in {PurePath(name).suffix}, but what makes such a document is missing inside.",
            fix="Open and save it again.",
        )
    return found


def _ole2_format(content: bytes) -> str:
    found = next((kind for stream, kind in _OLE2_STREAMS if stream in _ole2_names(content)), "")
    if found == "encrypted":
        raise EncryptedDocumentError("The document is protected by a password.", fix="Save it without protection.")
    if not found:
        raise UnsupportedFormatError("This is an OLE2 container of an unknown kind.")
    return found


def _ole2_names(content: bytes) -> Collection[str]:
    """What lies directly in a compound file; of one that is cut off, what is named anywhere in it."""
    try:
        root = read_compound(content)
    except ParseError:
        named = [stream for stream, _ in _OLE2_STREAMS if stream.encode("utf-16-le") in content]
        if not named:
            raise
        return named
    return {*root.streams, *root.storages}


def _text_format(text: str, promised: str, suffix: str) -> str:
    """The kind of text; ``promised`` by the name decides where the content allows several."""
    head = text[:_HEAD_CHARACTERS]
    if _HTML.match(head):
        return "html"
    if _is_mail(head, promised):
        return "eml"
    if promised == "html" and re.search(r"<[a-zA-Z][^<>]*>", head):
        return "html"
    if promised in ("md", "txt"):
        return promised
    if _XML.match(head) or (promised == "xml" and head.lstrip()[:1] == "<"):
        return "xml"
    if promised == "csv" and (sniff_delimiter(text, loose=True) or not re.search(f"[{DELIMITERS}]", text)):
        return "csv"
    structured = _json_format(text)
    if structured:
        return structured
    # Source code, configuration and the like: what looks like headings there are comments.
    return "txt" if suffix else _unnamed_format(text, head)


def _unnamed_format(text: str, head: str) -> str:
    """The kind of text under a name that promises nothing."""
    if _HTML_PART.match(head):
        return "html"
    if read_front_matter_safely(text) or len(_MARKDOWN.findall(head)) >= 2:
        return "md"
    return "csv" if sniff_delimiter(text) else "txt"


def read_front_matter_safely(text: str) -> bool:
    """Whether text starts with front matter; one that cannot be read counts, so that its parser refuses it."""
    from grounded.errors import ParseError

    try:
        front = read_front_matter(text)
    except ParseError:
        return True
    return front is not None and front.end > 0


def _is_mail(head: str, promised: str) -> bool:
    """Whether text starts with a block of mail headers."""
    lines = head.lstrip().splitlines()
    if lines and lines[0].startswith("From ") and promised == "eml":
        lines = lines[1:]
    seen: set[str] = set()
    for line in lines:
        if not line.strip():
            break
        if line[0] in " \t" and seen:
            continue  # a folded header
        found = _HEADER_LINE.match(line)
        if not found:
            break
        seen.add(found.group(1).lower())
    known = len(seen & _MAIL_HEADERS)
    return known >= (1 if promised == "eml" else 3) and (promised == "eml" or bool(seen & {"from", "received"}))


def _json_format(text: str) -> str:
    """``json`` or ``jsonl``, also for JSON that its parser will refuse; empty when it is neither."""
    start = text.lstrip()
    if start[:1] not in ("{", "["):
        return ""
    first, _, rest = start.partition("\n")
    if rest.strip() and _is_json(first) and rest.lstrip()[0] in "{[":
        return "jsonl"
    return "json" if _is_json(start) else ""


def _is_json(text: str) -> bool:
    from grounded.errors import ParseError

    try:
        load(text)
    except NotJsonError:
        return False
    except ParseError:
        return True
    return True


def _name_warning(found: str, name: str) -> tuple[str, ...]:
    promised = extension_format(name)
    if not promised or promised == found or {promised, found} in _ALIKE:
        return ()
    suffix = PurePath(name).suffix
    return (f"the name ends in {suffix}, but the content is {found}: read as {found}",)


def _unsupported(content: bytes, name: str) -> UnsupportedFormatError:
    import puremagic

    try:
        matches = puremagic.magic_string(content[:8192])
    except (puremagic.PureError, ValueError):
        matches = []
    if not matches:
        return UnsupportedFormatError("The content is neither text nor a document of a known format.")
    best = matches[0]
    kind = best.mime_type or best.name or best.extension
    fix = "Save it as PNG." if kind.startswith("image/") else ""
    return UnsupportedFormatError(f"The content looks like {kind}, which is not read.", fix=fix)
