"""E-mail (RFC 822): the headers that matter, the best text body, and the names of attachments."""

from __future__ import annotations

import email
import email.header
import email.policy
from collections.abc import Iterator
from email.message import Message
from typing import TypeAlias

from grounded.errors import EncryptedDocumentError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.decoding import decode
from grounded.ingestion.parsers.html import read_html
from grounded.ingestion.parsers.rows import clean
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

HEADER_CHARACTERS = 20_000
HEADERS = ("Subject", "From", "To", "Cc", "Date")

_Mail: TypeAlias = "Message[str, str]"


def parse(source: Source) -> Parsed:
    """Headers, body and attachment names, each a ``mail_part``.

    Raises:
        EncryptedDocumentError: The body is encrypted.
        LimitExceededError: The text is too long.
    """
    message = _message(source)
    if message.get_content_type() == "multipart/encrypted" or _is_enveloped(message):
        raise EncryptedDocumentError("The message is encrypted.", fix="Save it decrypted.")
    builder = TextBuilder(source.limits)
    headers = [f"{name}: {value}" for name in HEADERS if (value := _header(message, name))]
    builder.mark(builder.add("\n".join(headers)), "mail_part", part="headers")
    body = next(_bodies(message, "plain"), "").strip("\n")
    builder.separate()
    if body.strip():
        builder.mark(builder.add(body), "mail_part", part="body")
    else:
        _add_html(builder, next(_bodies(message, "html"), ""), source)
    names = [_attachment_name(part) for part in _attachments(message)]
    if names:
        builder.separate()
        builder.mark(builder.add("Attachments: " + ", ".join(names)), "mail_part", part="attachments")
        builder.warnings.append(f"{len(names)} attachment(s) named but not read")
    return builder.parsed(title=_header(message, "Subject"), media_type="message/rfc822")


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


def _bodies(message: _Mail, subtype: str) -> Iterator[str]:
    for part in _own_parts(message):
        if part.get_content_type() == f"text/{subtype}" and part.get_content_disposition() != "attachment":
            text = _payload(part)
            if text.strip():
                yield text


def _own_parts(message: _Mail) -> Iterator[_Mail]:
    """The leaves of the message itself, not those of messages forwarded inside it."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        content = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(content, list):
            waiting.extend(reversed([inner for inner in content if isinstance(inner, Message)]))
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


def _add_html(builder: TextBuilder, html: str, source: Source) -> None:
    if html.strip():
        body = read_html(html, source.limits)
        builder.mark(builder.insert(body), "mail_part", part="body")


def _attachments(message: _Mail) -> Iterator[_Mail]:
    for part in _own_parts(message):
        is_text = part.get_content_type() in ("text/plain", "text/html")
        if part.get_filename() or part.get_content_disposition() == "attachment" or not is_text:
            yield part


def _attachment_name(part: _Mail) -> str:
    name = part.get_filename()
    if name:
        return clean(name)
    inner = part.get_payload()
    if part.get_content_type() == "message/rfc822" and isinstance(inner, list) and inner:
        first = inner[0]
        return f"message {_header(first, 'Subject')!r}" if isinstance(first, Message) else "message"
    return part.get_content_type()


def _is_enveloped(message: _Mail) -> bool:
    kinds = ("application/pkcs7-mime", "application/x-pkcs7-mime")
    return message.get_content_type() in kinds and message.get_param("smime-type") != "signed-data"
