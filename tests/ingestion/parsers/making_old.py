"""Office 97-2003 files, written byte by byte: no library that people have makes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from .making import compound

TEXT_AT, PARAGRAPHS_AT, CHARACTERS_AT = 0x800, 0x1000, 0x1200
IN_TABLE = struct.pack("<HB", 0x2416, 1)
ROW_END = IN_TABLE + struct.pack("<HB", 0x2417, 1)
DELETED = struct.pack("<HB", 0x0800, 1)

Paragraph = tuple[str, int, bytes]
"""Text with its end mark, style number, properties."""


def old_word(
    paragraphs: Sequence[Paragraph], *, notes: str = "", deleted: tuple[int, int] | None = None, encrypted: bool = False
) -> bytes:
    """A Word document; ``deleted`` is a stretch of its text under tracked changes, ``notes`` its footnotes."""
    body = "".join(text for text, _, _ in paragraphs)
    stream = bytearray(CHARACTERS_AT + 512)
    struct.pack_into("<HH", stream, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", stream, 10, 0x0200 | (0x0100 if encrypted else 0))
    struct.pack_into("<ii", stream, 0x4C, len(body), len(notes))
    text = (body + notes).encode("cp1252")
    stream[TEXT_AT : TEXT_AT + len(text)] = text
    starts = [TEXT_AT]
    for part, _, _ in paragraphs:
        starts.append(starts[-1] + len(part))
    properties = [struct.pack("<H", style) + sprms for _, style, sprms in paragraphs]
    stream[PARAGRAPHS_AT : PARAGRAPHS_AT + 512] = _page(starts, properties, paragraph=True)
    low, high = deleted or (0, 0)
    stream[CHARACTERS_AT:] = _page([TEXT_AT + low, TEXT_AT + high], [DELETED if deleted else b""], paragraph=False)
    pieces = struct.pack("<IIHIH", 0, len(text), 0, (TEXT_AT * 2) | 0x40000000, 0)
    table = b"\x02" + struct.pack("<I", len(pieces)) + pieces
    struct.pack_into("<II", stream, 0x1A2, 0, len(table))
    for place, page in ((0x102, PARAGRAPHS_AT), (0xFA, CHARACTERS_AT)):
        struct.pack_into("<II", stream, place, len(table), 12)
        table += struct.pack("<III", TEXT_AT, TEXT_AT + len(text), page // 512)
    return compound({"WordDocument": bytes(stream), "1Table": table})


def _page(starts: Sequence[int], properties: Sequence[bytes], *, paragraph: bool) -> bytes:
    """A page of runs: where each starts, where its properties lie, and they themselves from the end on."""
    page = bytearray(512)
    page[511] = len(properties)
    struct.pack_into(f"<{len(starts)}I", page, 0, *starts)
    end = 510
    for number, data in enumerate(properties):
        if paragraph:
            data = data if len(data) % 2 else data + b"\0"
            data = bytes([(len(data) + 1) // 2]) + data
        else:
            data = bytes([len(data)]) + data
        end = (end - len(data)) // 2 * 2
        page[end : end + len(data)] = data
        page[4 * len(starts) + number * (13 if paragraph else 1)] = end // 2
    return bytes(page)


def _record(kind: int, body: bytes, *, holds: bool = False, instance: int = 0) -> bytes:
    return struct.pack("<HHI", instance << 4 | (0xF if holds else 0), kind, len(body)) + body


def _texts(texts: Sequence[tuple[int, str]]) -> bytes:
    return b"".join(
        _record(3999, struct.pack("<I", kind)) + _record(4000, text.encode("utf-16-le")) for kind, text in texts
    )


def old_slides(slides: Sequence[tuple[str, str, str]], *, encrypted: bool = False) -> bytes:
    """A presentation of ``(title, body, notes)``: titles stand in the outline, bodies in boxes on the slides."""
    stream = b""
    places: list[int] = []

    def persist(record: bytes) -> int:
        nonlocal stream
        places.append(len(stream))
        stream += record
        return len(places)

    shown, said = b"", b""
    for number, (title, body, notes) in enumerate(slides, start=256):
        boxes = _record(0xF00D, _record(3998, struct.pack("<I", 0)), holds=True)
        boxes += _record(0xF00D, _texts([(4, body)]), holds=True)
        part = persist(_record(1006, boxes, holds=True))
        shown += _record(1011, struct.pack("<IIIII", part, 0, 1, number, 0)) + _texts([(0, title)])
        page = _record(1009, struct.pack("<II", number, 0)) + _record(0xF00D, _texts([(2, notes)]), holds=True)
        part = persist(_record(1008, page, holds=True))
        said += _record(1011, struct.pack("<IIIII", part, 0, 0, number + 100, 0))
    lists = _record(4080, shown, holds=True) + _record(4080, said, holds=True, instance=2)
    document = persist(_record(1000, lists, holds=True))
    directory = len(stream)
    stream += _record(6002, struct.pack(f"<{len(places) + 1}I", len(places) << 20 | 1, *places))
    edit = len(stream)
    stream += _record(4085, struct.pack("<IIIIIII", 0, 0, 0, directory, document, 0, 0))
    mark = 0xF3D1C4DF if encrypted else 0xE391C05F
    return compound({"Current User": bytes(12) + struct.pack("<II", mark, edit), "PowerPoint Document": stream})
