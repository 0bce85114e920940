from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from grounded.errors import MissingExtraError
from grounded.ingestion.parsers.source import Source
from grounded.ingestion.parsers.worker import ParsingProcess

from .making import archive, places, read

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("unstructured") is None, reason="the extra 'unstructured' is not installed"
)
RTF = r"{\rtf1\ansi {\b Warranty}\par Kettles have a warranty of two years.\par}"
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
    b"<h1>Warranty</h1><p>Kettles have a warranty of two years from the day of delivery.</p></body></html>"
)


@needs_extra
def test_rtf() -> None:
    parsed = read(RTF, "a.rtf")
    assert "Kettles have a warranty of two years." in parsed.text
    assert parsed.media_type == "application/rtf"


@needs_extra
def test_epub_headings() -> None:
    members = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "c.opf": PACKAGE,
        "a.xhtml": CHAPTER,
    }
    parsed = read(archive(members), "a.epub")
    assert "two years from the day of delivery" in parsed.text
    assert ("Warranty",) in [fields["path"] for _, fields in places(parsed, "heading")]


def test_a_missing_extra_is_reported_from_within_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that cannot be imported hides the package, should it be installed."""
    (tmp_path / "unstructured.py").write_text("raise ImportError('hidden')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with ParsingProcess() as worker, pytest.raises(MissingExtraError) as caught:
        worker.parse("rtf", Source(RTF.encode()))
    assert (caught.value.package, caught.value.extra) == ("unstructured", "unstructured")
    assert "RTF" in caught.value.message
