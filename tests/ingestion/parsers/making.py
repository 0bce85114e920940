"""Small real files, made by the libraries that people make them with."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage
from typing import Any

import docx
import pptx
import xlsxwriter  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib import pdfencrypt
from reportlab.pdfgen.canvas import Canvas

from grounded.ingestion.parsers import Limits, parse
from grounded.records import Parsed, RawDocument


def read(content: bytes | str, name: str = "", limits: Limits | None = None) -> Parsed:
    data = content.encode() if isinstance(content, str) else content
    return parse(RawDocument(key="k", content=data, name=name), limits=limits)


def places(parsed: Parsed, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """``(text, fields)`` of every segment of a kind."""
    found = [segment for segment in parsed.segments if segment.locator.kind == kind]
    return [(segment.span.slice(parsed.text), segment.locator.fields) for segment in found]


def pdf(pages: Iterable[Sequence[str]], *, title: str = "", password: str = "") -> bytes:
    buffer = io.BytesIO()
    encryption = pdfencrypt.StandardEncryption(password) if password else None
    canvas = Canvas(buffer, encrypt=encryption)
    if title:
        canvas.setTitle(title)
    for lines in pages:
        for row, line in enumerate(lines):
            canvas.drawString(72, 760 - 16 * row, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def word(blocks: Iterable[tuple[str, Any]], *, title: str = "") -> bytes:
    document = docx.Document()
    document.core_properties.title = title
    for kind, value in blocks:
        if kind == "table":
            table = document.add_table(rows=len(value), cols=len(value[0]))
            for row, cells in zip(table.rows, value, strict=True):
                for cell, text in zip(row.cells, cells, strict=True):
                    cell.text = text
        elif kind == "p":
            document.add_paragraph(value)
        else:
            document.add_heading(value, int(kind))
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def slides(made: Iterable[tuple[str, str, str]]) -> bytes:
    """``(title, body, notes)`` per slide."""
    presentation = pptx.Presentation()
    for title, body, notes in made:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for row, cells in enumerate(rows):
                sheet.write_row(row, 0, cells)
    return buffer.getvalue()


def archive(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()


def tar(members: Mapping[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as made:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


Tree = Mapping[str, "bytes | Tree"]


def compound(tree: Tree) -> bytes:
    """A compound file (OLE2); every stream in sectors of its own, every folder a chain of siblings."""
    entries: list[bytes] = []
    sectors: list[bytes] = []
    table: list[int] = []

    def place(content: bytes) -> int:
        start = len(sectors)
        pieces = [content[at : at + 512].ljust(512, b"\0") for at in range(0, len(content), 512)] or [bytes(512)]
        sectors.extend(pieces)
        table.extend([*range(start + 1, start + len(pieces)), 0xFFFFFFFE])
        return start

    def add(name: str, kind: int, following: int, child: int, start: int, size: int) -> int:
        label = name.encode("utf-16-le")
        head = struct.pack("<64sHBBIII", label, len(label) + 2, kind, 1, 0xFFFFFFFF, following, child)
        entries.append(head + bytes(36) + struct.pack("<IQ", start, size))
        return len(entries) - 1

    def folder(below: Tree) -> int:
        following = 0xFFFFFFFF
        for name, value in reversed(list(below.items())):
            if isinstance(value, bytes):
                following = add(name, 2, following, 0xFFFFFFFF, place(value), len(value))
            else:
                following = add(name, 1, following, folder(value), 0, 0)
        return following

    entries.append(b"")
    child = folder(tree)
    label = "Root Entry".encode("utf-16-le")
    root = struct.pack("<64sHBBIII", label, len(label) + 2, 5, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
    entries[0] = root + bytes(36) + struct.pack("<IQ", 0xFFFFFFFE, 0)
    directory = place(b"".join(entries))
    fat_at = len(sectors)
    count = next(n for n in range(1, 110) if n * 128 >= len(table) + n)
    table.extend([0xFFFFFFFD] * count)
    fat = struct.pack(f"<{len(table)}I", *table).ljust(count * 512, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIIII", 0, count, directory, 0, 0, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)[: 4 * 9]
    header += struct.pack("<109I", *range(fat_at, fat_at + count), *[0xFFFFFFFF] * (109 - count))
    return header + b"".join(sectors) + fat


CONTAINER = (
    b'<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    b'<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
PACKAGE = (
    b'<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
    b'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">1</dc:identifier>'
    b"<dc:title>Manual</dc:title><dc:language>en</dc:language></metadata><manifest>"
    b'<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine>'
    b"</package>"
)
CHAPTER = (
    b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>'
    b"<h1>Warranty</h1><p>Kettles have a warranty of two years.</p><p>Bees make honey.</p></body></html>"
)


def book(**more: bytes) -> bytes:
    """An EPUB of one chapter; ``more`` are further members, such as what protects it."""
    members = {"mimetype": b"application/epub+zip", "META-INF/container.xml": CONTAINER}
    inside = {f"META-INF/{name}.xml": content for name, content in more.items()}
    return archive({**members, "c.opf": PACKAGE, "a.xhtml": CHAPTER, **inside})


ODF = (
    "xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' "
    "xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0' "
    "xmlns:table='urn:oasis:names:tc:opendocument:xmlns:table:1.0' "
    "xmlns:draw='urn:oasis:names:tc:opendocument:xmlns:drawing:1.0' "
    "xmlns:presentation='urn:oasis:names:tc:opendocument:xmlns:presentation:1.0' "
    "xmlns:dc='http://purl.org/dc/elements/1.1/'"
)
ENCRYPTED_PART = "<encryption-data/>"


def opendocument(kind: str, body: str, manifest: str = "") -> bytes:
    """An OpenDocument file of a kind: ``text``, ``presentation`` or ``spreadsheet``."""
    content = f"<office:document-content {ODF}><office:body>{body}</office:body></office:document-content>"
    return archive(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}".encode(),
            "content.xml": content.encode(),
            "META-INF/manifest.xml": f"<manifest>{manifest}</manifest>".encode(),
        }
    )


def mail(subject: str = "Offer", text: str = "Please see the files.") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "ann@example.org", "bob@example.org", subject
    made.set_content(text)
    return made


def outlook(subject: str, text: str, **more: Tree | bytes) -> bytes:
    return compound(outlook_tree(subject, text, 32, **more))


def outlook_tree(subject: str, text: str, header: int, **more: Tree | bytes) -> Tree:
    """A message; ``header`` bytes stand before its short properties, 24 in an embedded one."""
    sent = struct.pack("<HHIQ", 0x0040, 0x0039, 6, 133_500_000_000_000_000)
    texts = dict([outlook_text("0037", subject), outlook_text("0C1A", "Ann"), outlook_text("1000", text)])
    return {"__properties_version1.0": bytes(header) + sent, **texts, **more}


def outlook_text(tag: str, text: str) -> tuple[str, bytes]:
    return f"__substg1.0_{tag}001F", text.encode("utf-16-le")


def picture(text: str) -> bytes:
    made = Image.new("L", (60 + 24 * len(text), 90), 255)
    ImageDraw.Draw(made).text((30, 20), text, fill=0, font=ImageFont.load_default(size=40))
    buffer = io.BytesIO()
    made.save(buffer, "PNG")
    return buffer.getvalue()
