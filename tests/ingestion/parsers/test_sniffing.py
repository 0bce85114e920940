from __future__ import annotations

import gzip
import os
import random

import pytest

from grounded.errors import EncryptedDocumentError, MissingExtraError, ParseError, UnsupportedFormatError
from grounded.ingestion.parsers import known_formats
from grounded.ingestion.parsers.formats import FORMATS
from grounded.ingestion.parsers.sniffing import EXTENSIONS, sniff

from .making import archive, compound, pdf, read, tar, workbook

PAGE = "<!DOCTYPE html>\n<html><body>Hello</body></html>"
MAIL = "Received: by x\nFrom: a@b.c\nSubject: hi\nDate: today\n\nbody"
TABLE = "name;city;age\nAnn;Berlin;31\nBen;Rome;42\n"


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (PAGE, "", "html"),
        (PAGE, "page.txt", "html"),
        ("<p>Hello <b>you</b></p>", "part.html", "html"),
        ("<p>Hello</p>", "", "html"),
        ('<p align="center">badge</p>\n\n# Title', "README.md", "md"),
        (MAIL, "", "eml"),
        (MAIL, "mail.txt", "eml"),
        ("Subject: only one header\n\nbody", "a.eml", "eml"),
        ("Note: this is text\n\nFrom: here on", "a.txt", "txt"),
        ('{"a": 1}', "", "json"),
        ('{"a": 1}\n{"a": 2}\n', "", "jsonl"),
        ('{"a": 1}\n{"a": 2}\n', "a.json", "jsonl"),
        ('[{"a": 1},\n {"a": 2}]', "", "json"),
        ('{"a": 1}', "a.txt", "txt"),
        ("{{ template }}\n", "", "txt"),
        ("[link](x)\n", "", "txt"),
        (TABLE, "", "csv"),
        (TABLE, "a.txt", "txt"),
        (TABLE, "a.csv", "csv"),
        ("Dear Ann,\nthank you.\n", "", "txt"),
        ("prose, and\nmore, of, it\nhere\n", "a.csv", "txt"),
        ("## A\n\n- [ ] todo\n", "", "md"),
        ("---\ntitle: x\n---\ntext", "", "md"),
        ("# comment\nx = 1\n## more\n## again\n", "a.py", "txt"),
        ("plain words", "a.md", "md"),
        (r"{\rtf1 Hello}", "", "rtf"),
        (pdf([["Hello"]]), "", "pdf"),
        (workbook({"A": [["x"]]}), "a.docx", "xlsx"),
        (archive({"mimetype": b"application/epub+zip"}), "", "epub"),
        (archive({"mimetype": b"application/vnd.oasis.opendocument.presentation"}), "", "odp"),
        (archive({"a.txt": b"x"}), "a.txt", "zip"),
        (gzip.compress(b"x"), "a.txt", "compressed"),
        (tar({"a.txt": b"x"}), "", "tar"),
        ("From ann@example.org Mon Feb  2 10:00:00 2026\nFrom: ann@example.org\n\nHello", "", "mbox"),
        ("<?xml version='1.0'?><list><a>x</a></list>", "", "xml"),
        ("<list><a>x</a></list>", "a.xml", "xml"),
        ("<list><a>x</a></list>", "", "txt"),
        (archive({"mimetype": b"application/vnd.oasis.opendocument.text"}), "", "odt"),
        (b"\xff\xfe" + PAGE.encode("utf-16-le"), "a.html", "html"),
    ],
)
def test_the_content_decides(content: bytes | str, name: str, expected: str) -> None:
    assert sniff(content.encode() if isinstance(content, str) else content, name).format == expected


def test_a_wrong_extension_is_a_warning() -> None:
    assert any(".pdf" in warning for warning in read(PAGE, "fake.pdf").warnings)
    assert any(".docx" in warning for warning in read(pdf([["Hello"]]), "report.docx").warnings)
    assert any(".json" in warning for warning in read("not json at all", "a.json").warnings)
    assert read(PAGE, "page.html").warnings == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (random.Random(7).randbytes(5000), "neither|looks like"),
        (bytes(range(1, 256)) * 20, "neither|looks like"),
        (archive({"[Content_Types].xml": b"<Types/>"}), "zipped document"),
        (compound({"Unknown": b"x"}), "OLE2"),
    ],
)
@pytest.mark.parametrize("name", ["", "a.txt", "a.pdf"])
def test_what_is_not_read_is_typed(content: bytes, said: str, name: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=said):
        read(content, name)


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(100),
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)),
        b"II*\x00" + b"\xff" * 5000,
    ],
)
@pytest.mark.parametrize("name", ["", "a.txt", "a.pdf"])
def test_a_damaged_picture_is_typed(content: bytes, name: str) -> None:
    with pytest.raises((ParseError, MissingExtraError), match=r"picture|not installed"):
        read(content, name)


def test_an_encrypted_office_file_is_typed() -> None:
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(EncryptedDocumentError):
        read(content, "a.docx")


def test_a_cut_off_archive_is_typed() -> None:
    with pytest.raises(ParseError, match="damaged"):
        read(workbook({"A": [["x"]]})[:-200], "a.xlsx")


def test_every_extension_has_a_format_and_every_format_is_known() -> None:
    assert set(EXTENSIONS.values()) == set(FORMATS) == {made.name for made in known_formats()}
    for made in known_formats():
        assert all(EXTENSIONS[extension] == made.name for extension in made.extensions)
    assert {made.name for made in known_formats() if made.extra} == {"rtf", "image"}
    assert os.sep not in "".join(EXTENSIONS)
