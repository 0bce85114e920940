from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from grounded.errors import MissingExtraError
from grounded.ingestion.parsers.source import Source
from grounded.ingestion.parsers.worker import ParsingProcess

from .making import book, places, read

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("unstructured") is None, reason="the extra 'unstructured' is not installed"
)
RTF = r"{\rtf1\ansi {\b Warranty}\par Kettles have a warranty of two years.\par}"


@needs_extra
def test_rtf() -> None:
    parsed = read(RTF, "a.rtf")
    assert "Kettles have a warranty of two years." in parsed.text
    assert parsed.media_type == "application/rtf"


def test_epub_headings() -> None:
    parsed = read(book(), "a.epub")
    assert parsed.title == "Manual"
    assert "a warranty of two years" in parsed.text
    assert ("Warranty",) in [fields["path"] for _, fields in places(parsed, "heading")]


def test_a_missing_extra_is_reported_from_within_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that cannot be imported hides the package, should it be installed."""
    (tmp_path / "unstructured.py").write_text("raise ImportError('hidden')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with ParsingProcess() as worker, pytest.raises(MissingExtraError) as caught:
        worker.parse("rtf", Source(RTF.encode()))
    assert (caught.value.package, caught.value.extra) == ("unstructured", "unstructured")
    assert "RTF" in caught.value.message
