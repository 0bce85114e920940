"""Bad files of every format that is read: each gives what text there is, or a typed error that says what is wrong."""

from __future__ import annotations

import importlib.util

import pytest

from grounded.errors import EmptyDocumentError, EncryptedDocumentError, LimitExceededError, ParseError
from grounded.ingestion.parsers import Limits, known_formats
from grounded.ingestion.parsers.sniffing import EXTENSIONS
from grounded.records import Parsed

from .making import ENCRYPTED_PART, archive, book, compound, mail, opendocument, outlook, outlook_text, pdf, read
from .making_old import old_slides, old_word
from .sampling import BEES, samples

SAMPLES = samples()
NEEDS = {"rtf": "unstructured", "png": "tesserocr"}
TEXT = ("txt", "md", "html", "csv", "jsonl", "eml", "mbox", "xml")
"""Formats that still say something when they are cut in half."""


def _marked(extension: str) -> object:
    package = NEEDS.get(extension)
    missing = package is not None and importlib.util.find_spec(package) is None
    mark = pytest.mark.skipif(missing, reason=f"the extra with {package} is not installed")
    return pytest.param(extension, marks=mark)


EVERY = [_marked(extension) for extension in SAMPLES]
BINARY = [_marked(extension) for extension in SAMPLES if extension not in (*TEXT, "json")]


def test_there_is_a_sample_of_every_format() -> None:
    assert {EXTENSIONS[extension] for extension in SAMPLES} == {made.name for made in known_formats()}


@pytest.mark.parametrize("extension", EVERY)
def test_a_good_file_is_read(extension: str) -> None:
    name, content = SAMPLES[extension]
    parsed = read(content, name)
    assert BEES.rstrip(".") in parsed.text
    assert not [warning for warning in parsed.warnings if "recognition" not in warning]


@pytest.mark.parametrize("extension", SAMPLES)
def test_an_empty_file_is_typed(extension: str) -> None:
    with pytest.raises(EmptyDocumentError):
        read(b"", f"a.{extension}")


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("extension", EVERY)
def test_a_cut_off_file_gives_text_or_is_typed(extension: str, share: float) -> None:
    name, content = SAMPLES[extension]
    outcome = _attempt(content[: int(len(content) * share)], name)
    if extension in TEXT or isinstance(outcome, Parsed):
        assert isinstance(outcome, Parsed)
        assert outcome.text.strip()
    else:
        assert type(outcome) in (ParseError, EmptyDocumentError)
        assert outcome.message


def _attempt(content: bytes, name: str) -> Parsed | ParseError:
    try:
        return read(content, name)
    except ParseError as error:
        return error


@pytest.mark.parametrize("extension", BINARY)
def test_a_wrong_extension_is_read_by_content_and_named(extension: str) -> None:
    name, content = SAMPLES[extension]
    wrong = "a.pdf" if extension != "pdf" else "a.docx"
    parsed = read(content, wrong)
    assert parsed.text.replace("a.pdf", name) == read(content, name).text or extension == "gz"
    assert wrong[1:] in parsed.warnings[0]


@pytest.mark.parametrize("extension", SAMPLES)
def test_rubbish_under_the_name_of_a_format_is_typed(extension: str) -> None:
    with pytest.raises(ParseError, match=r"neither|looks like"):
        read(bytes(range(256)) * 40, f"a.{extension}")


def _encrypted_zip() -> bytes:
    content = bytearray(archive({"bees.txt": BEES.encode()}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


RIGHTS = b"<e><EncryptionMethod Algorithm='http://www.w3.org/2001/04/xmlenc#aes256-cbc'/></e>"
PROTECTED = {
    "a.pdf": pdf([["secret"]], password="pw"),
    "a.docx": compound({"EncryptionInfo": b"x", "EncryptedPackage": b"y" * 600}),
    "a.pptx": compound({"EncryptionInfo": b"x", "EncryptedPackage": b"y" * 600}),
    "a.xlsx": compound({"EncryptionInfo": b"x", "EncryptedPackage": b"y" * 600}),
    "a.odt": opendocument("text", "<office:text/>", ENCRYPTED_PART),
    "a.odp": opendocument("presentation", "<office:presentation/>", ENCRYPTED_PART),
    "a.ods": opendocument("spreadsheet", "<office:spreadsheet/>", ENCRYPTED_PART),
    "a.doc": old_word([("x\r", 0, b"")], encrypted=True),
    "a.ppt": old_slides([("x", "y", "")], encrypted=True),
    "a.epub": book(encryption=RIGHTS),
    "a.zip": _encrypted_zip(),
    "a.msg": outlook("x", "y", **dict([outlook_text("001A", "IPM.Note.SMIME")])),
    "a.eml": mail().as_bytes().replace(b"Content-Type: text/plain", b"Content-Type: multipart/encrypted"),
}


@pytest.mark.parametrize("name", PROTECTED)
def test_a_protected_file_is_typed(name: str) -> None:
    with pytest.raises(EncryptedDocumentError) as caught:
        read(PROTECTED[name], name)
    assert caught.value.fix


@pytest.mark.parametrize("extension", SAMPLES)
def test_a_file_of_over_200_megabytes_is_refused(extension: str) -> None:
    name, content = SAMPLES[extension]
    with pytest.raises(LimitExceededError, match="200,000,001 bytes; at most 200,000,000"):
        read(content.ljust(200_000_001, b"\0"), name)


@pytest.mark.parametrize("extension", ["docx", "pptx", "xlsx", "ods", "odt", "odp", "epub", "zip"])
def test_a_zip_bomb_of_every_zipped_format_is_refused(extension: str) -> None:
    name, content = SAMPLES[extension]
    with pytest.raises(LimitExceededError, match="unpack"):
        read(content, name, Limits(archive_bytes=10))
    with pytest.raises(LimitExceededError, match=r"parts|documents"):
        read(content, name, Limits(archive_members=0))
