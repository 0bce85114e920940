"""E-mail (RFC 822) and mailboxes: the headers that matter, the best text body, attachments as documents within."""

from __future__ import annotations

import email
import email.header
import email.policy
import re
from collections.abc import Iterator
from email.message import Message
from functools import partial
from typing import TypeAlias

from grounded.errors import EncryptedDocumentError, ParseError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.children import Children
from grounded.ingestion.parsers.decoding import decode
from grounded.ingestion.parsers.html import read_html
from grounded.ingestion.parsers.rows import clean
from grounded.ingestion.parsers.sniffing import ENVELOPE
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

HEADER_CHARACTERS = 20_000
HEADERS = ("Subject", "From", "To", "Cc", "Date")
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})
_MAIL_DAMAGE = (ValueError, LookupError, TypeError, AttributeError)

_Mail: TypeAlias = "Message[str, str]"


def parse(source: Source) -> Parsed:
    """Headers and body, each a ``mail_part``, then every attachment as a ``member``.

    Raises:
        EncryptedDocumentError: The body is encrypted.
        LimitExceededError: The text is too long, or the attachments are too much.
    """
    message = _message(source)
    if message.get_content_type() == "multipart/encrypted" or _is_enveloped(message):
        raise EncryptedDocumentError("The message is encrypted.", fix="Save it decrypted.")
    builder = TextBuilder(source.limits)
    headers = [f"{name}: {value}" for name in HEADERS if (value := _header(message, name))]
    builder.mark(builder.add("\n".join(headers)), "mail_part", part="headers")
    builder.separate()
    _add_body(builder, message, source)
    attached = list(_attachments(message))
    if attached:
        names = _distinct([_attachment_name(part) for part in attached])
        builder.separate()
        builder.mark(builder.add("Attachments: " + ", ".join(names)), "mail_part", part="attachments")
        children = Children(builder, source)
        for name, part in zip(names, attached, strict=True):
            if part.get_content_type() not in _SIGNATURES:
                children.add(name, partial(_content, part), name=_file_name(part, name))
        children.end()
    return builder.parsed(title=_header(message, "Subject"), media_type="message/rfc822")


def parse_mailbox(source: Source) -> Parsed:
    """Every message of a mailbox as a ``member``, named after its number.

    Raises:
        ParseError: None of them can be read.
        LimitExceededError: They are too much.
    """
    children = Children(TextBuilder(source.limits), source)
    borders = list(ENVELOPE.finditer(source.content))
    ends = [border.start() for border in borders[1:]] + [len(source.content)]
    for number, (border, end) in enumerate(zip(borders, ends, strict=True), start=1):
        children.add(
            f"message {number}", partial(_unquoted, source.content, border.end(), end), name=f"message {number}.eml"
        )
    return children.parsed("application/mbox")


def _unquoted(content: bytes, start: int, end: int) -> bytes:
    return _QUOTED.sub(rb"\1", content[start:end])


def _message(source: Source) -> _Mail:
    content = source.content
    if source.text is not None and b"\x00" in content[:200]:
        content = source.text.encode("utf-8")  # saved as UTF-16, which no mail reader understands
    elif content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    # compat32 keeps hostile headers as text; the stricter policies raise on some of them.
    return email.message_from_bytes(content.lstrip(), policy=email.policy.compat32)


def _header(message: _Mail, name: str) -> str:
    value = message.get(name)
    if value is None:
        return ""
    words: list[str] = []
    for piece, charset in email.header.decode_header(value[:HEADER_CHARACTERS]):
        words.append(piece if isinstance(piece, str) else _decoded(piece, charset or ""))
    return clean("".join(words))


def _add_body(builder: TextBuilder, message: _Mail, source: Source) -> None:
    """What a mail program shows: every inline text in order, of alternatives the plain one."""
    start = builder.length
    for part in _shown(message):
        text = _payload(part)
        if not text.strip():
            continue
        builder.separate()
        if part.get_content_subtype() == "html":
            builder.insert(read_html(text, source.limits))
        else:
            builder.add(text.strip("\n"))
    builder.mark((start, builder.length), "mail_part", part="body")


def _shown(part: _Mail) -> list[_Mail]:
    """The texts of a message that are shown, in order."""
    if part.get_content_maintype() != "multipart":
        is_text = part.get_content_type() in ("text/plain", "text/html")
        return [part] if is_text and not _is_attached(part) else []
    kinds = [_shown(inner) for inner in _inner(part)]
    if part.get_content_subtype() != "alternative":
        return [leaf for leaves in kinds for leaf in leaves]
    filled = [leaves for leaves in kinds if any(_payload(leaf).strip() for leaf in leaves)]
    plain = [leaves for leaves in filled if all(leaf.get_content_subtype() == "plain" for leaf in leaves)]
    return next(iter([*plain, *filled]), [])


def _inner(part: _Mail) -> list[_Mail]:
    content = part.get_payload()
    return [inner for inner in content if isinstance(inner, Message)] if isinstance(content, list) else []


def _own_parts(message: _Mail) -> Iterator[_Mail]:
    """The leaves of the message itself, not those of messages forwarded inside it."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if part.get_content_maintype() == "multipart":
            waiting.extend(reversed(_inner(part)))
        else:
            yield part


def _payload(part: _Mail) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    text = _decoded(content, str(part.get_param("charset") or ""))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes, charset: str) -> str:
    found = decode(content, declared=charset.strip("\"'"))
    return found.text if found else content.decode("latin-1")


def _is_attached(part: _Mail) -> bool:
    return bool(part.get_filename()) or part.get_content_disposition() == "attachment"


def _attachments(message: _Mail) -> Iterator[_Mail]:
    for part in _own_parts(message):
        if _is_attached(part) or part.get_content_type() not in ("text/plain", "text/html"):
            yield part


def _attachment_name(part: _Mail) -> str:
    name = part.get_filename()
    if name:
        return clean(name)
    inner = _inner(part)
    if part.get_content_type() == "message/rfc822" and inner:
        return f"message {_header(inner[0], 'Subject')!r}"
    return part.get_content_type()


def _distinct(names: list[str]) -> list[str]:
    """Names with a number behind those that come again."""
    seen: dict[str, int] = {}
    made: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return made


def _file_name(part: _Mail, name: str) -> str:
    if part.get_content_type() == "message/rfc822":
        return "message.eml"
    return clean(part.get_filename() or "") or name.replace("/", " ")


def _content(part: _Mail) -> bytes:
    """The bytes of an attachment.

    Raises:
        ParseError: They are damaged.
    """
    try:
        inner = _inner(part)
        if inner:
            return inner[0].as_bytes()
        content = part.get_payload(decode=True)
    except _MAIL_DAMAGE as error:
        raise ParseError(f"The attachment is damaged: {error}.", fix="Save it by itself.") from error
    return content if isinstance(content, bytes) else b""


def _is_enveloped(message: _Mail) -> bool:
    kinds = ("application/pkcs7-mime", "application/x-pkcs7-mime")
    return message.get_content_type() in kinds and message.get_param("smime-type") != "signed-data"
