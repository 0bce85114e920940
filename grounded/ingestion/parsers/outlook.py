"""Outlook messages (MSG): headers, body, and attachments as documents within, embedded messages too."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from grounded.errors import EncryptedDocumentError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.children import Children
from grounded.ingestion.parsers.compound import Storage, read_compound
from grounded.ingestion.parsers.decoding import decode
from grounded.ingestion.parsers.html import read_html
from grounded.ingestion.parsers.rows import clean
from grounded.ingestion.parsers.source import Limits, Source
from grounded.records import Parsed

_PROPERTIES = "__properties_version1.0"
_ATTACHMENT = "__attach_version1.0_#"
_SUBJECT, _CLASS, _BODY, _RTF, _HTML = "0037", "001A", "1000", "1009", "1013"
_NAME, _ADDRESS, _SMTP = "0C1A", "0C1F", "5D01"
_TO, _CC = "0E04", "0E03"
_DATA, _FILE, _LONG_FILE, _SHOWN, _TYPE = "3701", "3704", "3707", "3001", "370E"
_SENT, _DELIVERED, _CODE_PAGE = 0x0039, 0x0E06, 0x3FFD
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def parse(source: Source) -> Parsed:
    """Headers and body, each a ``mail_part``, then every attachment as a ``member``.

    Raises:
        EncryptedDocumentError: It is encrypted.
        ParseError: It is damaged.
        LimitExceededError: The text is too long, or the attachments are too much.
    """
    return _read(read_compound(source.content), source, 32)


def _read(message: Storage, source: Source, header_bytes: int) -> Parsed:
    """One message; the properties of an embedded one have a shorter header."""
    properties = _Properties(message, header_bytes)
    attached = [each for name, each in sorted(message.storages.items()) if name.startswith(_ATTACHMENT)]
    if _is_encrypted(properties.text(_CLASS), attached):
        raise EncryptedDocumentError("The message is encrypted.", fix="Save it decrypted.")
    builder = TextBuilder(source.limits)
    subject = clean(properties.text(_SUBJECT))
    headers = [
        ("Subject", subject),
        ("From", properties.sender()),
        ("To", clean(properties.text(_TO))),
        ("Cc", clean(properties.text(_CC))),
        ("Date", properties.date()),
    ]
    builder.mark(builder.add("\n".join(f"{n}: {v}" for n, v in headers if v)), "mail_part", part="headers")
    builder.separate()
    start = builder.length
    _add_body(builder, properties, source.limits)
    builder.mark((start, builder.length), "mail_part", part="body")
    if attached:
        _add_attachments(builder, attached, source)
    return builder.parsed(title=subject, media_type="application/vnd.ms-outlook")


def _is_encrypted(message_class: str, attached: list[Storage]) -> bool:
    kind = message_class.upper()
    if kind.startswith(("IPM.NOTE.SMIME", "IPM.NOTE.RPMSG")) and "MULTIPARTSIGNED" not in kind:
        return True
    return any(_Properties(each, 8).text(_TYPE) == "application/pgp-encrypted" for each in attached)


def _add_body(builder: TextBuilder, properties: _Properties, limits: Limits) -> None:
    text = properties.text(_BODY).replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if text.strip():
        builder.add(text)
        return
    html = properties.html()
    if html.strip():
        builder.insert(read_html(html, limits))
    elif properties.has(_RTF):
        builder.warnings.append("the body is rich text only and was not read: save the message as EML or HTML")


def _add_attachments(builder: TextBuilder, storages: list[Storage], source: Source) -> None:
    attached = [_Properties(storage, 8) for storage in storages]
    names = [_attachment_name(each, number) for number, each in enumerate(attached, start=1)]
    builder.separate()
    builder.mark(builder.add("Attachments: " + ", ".join(names)), "mail_part", part="attachments")
    children = Children(builder, source)
    below = Source(b"", limits=children.limits, family=children.family)
    for name, storage, properties in zip(names, storages, attached, strict=True):
        embedded = storage.storages.get(f"__substg1.0_{_DATA}000D")
        if embedded is not None:
            children.add_parsed(name, partial(_read, embedded, below, 24))
        else:
            children.add(name, partial(properties.binary, _DATA))
    children.end()


def _attachment_name(properties: _Properties, number: int) -> str:
    for tag in (_LONG_FILE, _SHOWN, _FILE):
        name = clean(properties.text(tag))
        if name:
            return name
    return f"attachment {number}"


class _Properties:
    """The properties of a message or an attachment: long ones are streams, short ones stand in a table."""

    def __init__(self, storage: Storage, header_bytes: int) -> None:
        self._streams = {name.upper(): content for name, content in storage.streams.items()}
        self._table = storage.streams.get(_PROPERTIES, b"")[header_bytes:]
        page = self._number(_CODE_PAGE)
        self._encoding = "" if page is None else {65001: "utf-8", 20127: "ascii"}.get(page, f"cp{page}")

    def has(self, tag: str) -> bool:
        """Whether there is such a binary property."""
        return bool(self.binary(tag))

    def binary(self, tag: str) -> bytes:
        """A binary property; empty when there is none."""
        return self._streams.get(f"__SUBSTG1.0_{tag}0102", b"")

    def text(self, tag: str) -> str:
        """A text property; empty when there is none."""
        wide = self._streams.get(f"__SUBSTG1.0_{tag}001F")
        if wide is not None:
            return wide.decode("utf-16-le", "replace").rstrip("\x00")
        return self._decoded(self._streams.get(f"__SUBSTG1.0_{tag}001E", b"")).rstrip("\x00")

    def html(self) -> str:
        """The body as HTML."""
        return self.text(_HTML) or self._decoded(self.binary(_HTML))

    def sender(self) -> str:
        """Name and address of whoever sent it."""
        name = clean(self.text(_NAME))
        address = clean(self.text(_SMTP)) or clean(self.text(_ADDRESS))
        return f"{name} <{address}>" if name and "@" in address and name != address else name or address

    def date(self) -> str:
        """When it was sent, or else delivered."""
        for tag in (_SENT, _DELIVERED):
            ticks = self._number(tag)
            if ticks:
                try:
                    return (_EPOCH + timedelta(microseconds=ticks // 10)).isoformat(sep=" ", timespec="seconds")
                except OverflowError:
                    continue
        return ""

    def _decoded(self, content: bytes) -> str:
        if not content:
            return ""
        found = decode(content, declared=self._encoding)
        return found.text if found else content.decode("latin-1")

    def _number(self, tag: int) -> int | None:
        for found, value in self._fixed():
            if found == tag:
                return value
        return None

    def _fixed(self) -> Iterator[tuple[int, int]]:
        for at in range(0, len(self._table) - 15, 16):
            kind, tag, _, value = struct.unpack_from("<HHIQ", self._table, at)
            yield tag, value & 0xFFFFFFFF if kind == 0x0003 else value
