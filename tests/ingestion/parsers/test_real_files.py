from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from grounded.errors import EncryptedDocumentError

from .making import read
from .test_properties import check, check_or_refuse

FILES = Path(__file__).parents[4] / "shared" / "data" / "files"
SAMPLE = (
    "unstructured/fake.docx",
    "unstructured/simple.pptx",
    "unstructured/stanley-cups.xlsx",
    "unstructured/tests-example.xls",
    "unstructured/semicolon-delimited.csv",
    "unstructured/fake-html-cp1252.html",
    "unstructured/factbook-utf-16.xml",
    "unstructured/eml/fake-email-utf-16-le.eml",
    "unstructured/eml/mime-word-encoded-subject.eml",
    "unstructured/simple.ndjson",
    "unstructured/umlauts-non-utf8.md",
    "unstructured/pdf/copy-protected.pdf",
    "unstructured/pdf/korean-text-with-tables.pdf",
    "py-pdf/015-arabic/habibi.pdf",
)
ENCRYPTED = (
    "py-pdf/005-libreoffice-writer-password/libreoffice-writer-password.pdf",
    "unstructured/pdf/password.pdf",
    "unstructured/password_protected.xlsx",
    "unstructured/eml/fake-encrypted.eml",
)

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the public test files are not here")


@pytest.mark.parametrize("name", SAMPLE)
def test_real_files_give_text(name: str) -> None:
    path = FILES / name
    parsed = read(path.read_bytes(), path.name)
    check(parsed)
    assert len(parsed.text.strip()) > 10


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encrypted_files_are_typed(name: str) -> None:
    path = FILES / name
    with pytest.raises(EncryptedDocumentError):
        read(path.read_bytes(), path.name)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("unstructured") is None, reason="the long tail needs the extra")
def test_every_real_file_gives_text_or_a_typed_error() -> None:
    paths = [path for path in sorted(FILES.rglob("*")) if path.is_file()]
    assert sum(check_or_refuse(path.read_bytes(), path.name) for path in paths) >= 250
