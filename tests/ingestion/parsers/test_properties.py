from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grounded.errors import ParseError
from grounded.ingestion.parsers.decoding import decode
from grounded.records import Parsed

from .making import places, read

TEXT = st.text(max_size=200)
CELL = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
KEY = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
LEAF = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=20,
)
HTML_PIECE = st.sampled_from(
    ["<p>", "</p>", "<h1>", "</h1>", "<h2>x</h2>", "<table>", "<tr>", "<td>", "<th>y</th>", "</table>", "<li>", "<pre>"]
) | st.text(max_size=10)
MARKDOWN_LINE = st.sampled_from(["# A", "## B ##", "###### C", "---", "===", "```", "~~~", "text", "", "- a", "| a |"])
NAME = st.sampled_from(["", "a.txt", "a.md", "a.html", "a.csv", "a.json", "a.jsonl", "a.eml"])

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(parsed: Parsed) -> None:
    """What every parsed document must satisfy."""
    assert Parsed.from_json(parsed.to_json()) == parsed
    keys = [(segment.span.start, -segment.span.end) for segment in parsed.segments]
    assert keys == sorted(keys)
    assert all(segment.span.slice(parsed.text) for segment in parsed.segments)
    for kind in {segment.locator.kind for segment in parsed.segments}:
        open_ends: list[int] = []
        for segment in (s for s in parsed.segments if s.locator.kind == kind):
            while open_ends and open_ends[-1] <= segment.span.start:
                open_ends.pop()
            assert not open_ends or segment.span.end <= open_ends[-1], "segments of one kind nest or follow"
            open_ends.append(segment.span.end)
    parsed.text.encode("utf-8")
    assert "\x00" not in parsed.text


def check_or_refuse(content: bytes | str, name: str) -> bool:
    """Whether the document was read; only a typed error that says something may say that it was not."""
    try:
        parsed = read(content, name)
    except ParseError as error:
        return not (error.message or pytest.fail("an error must say what is wrong"))
    check(parsed)
    return True


@quick
@given(st.binary(max_size=400), NAME)
def test_any_bytes_give_text_or_a_typed_error(content: bytes, name: str) -> None:
    check_or_refuse(content, name)


@quick
@given(TEXT, NAME)
def test_any_text_gives_text_or_a_typed_error(text: str, name: str) -> None:
    check_or_refuse(text.encode("utf-8", "replace"), name)


@quick
@given(st.lists(MARKDOWN_LINE, min_size=1, max_size=25), st.sampled_from(["\n", "\r\n"]))
def test_markdown_keeps_every_character(lines: list[str], newline: str) -> None:
    text = newline.join(["text", *lines])
    parsed = read(text, "a.md")
    check(parsed)
    assert parsed.text == text
    for section, fields in places(parsed, "heading"):
        assert fields["path"][-1].split()[0] in section.splitlines()[0] or section.startswith("text")


@quick
@given(st.lists(HTML_PIECE, max_size=30))
def test_any_html_gives_ordered_segments(pieces: list[str]) -> None:
    check_or_refuse("<html><body>" + "".join(pieces), "a.html")


@quick
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=2, max_size=8))
def test_every_cell_of_a_table_is_in_its_text(rows: list[list[str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["one", "two", "three"], *rows])
    parsed = read(buffer.getvalue(), "a.csv")
    check(parsed)
    for row in rows:
        for cell in row:
            assert " ".join(cell.split()) in parsed.text


@quick
@given(VALUE)
def test_every_value_of_json_is_in_its_text_under_its_pointer(value: object) -> None:
    try:
        parsed = read(json.dumps({"root": value}), "a.json")
    except ParseError:
        return
    check(parsed)
    for _, fields in places(parsed, "json_pointer"):
        _resolve({"root": value}, fields["pointer"])


def _resolve(value: object, pointer: str) -> object:
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[int(step)]
        else:
            assert isinstance(value, dict)
            value = value[step]
    return value


@quick
@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=100))
def test_marked_encodings_decode_exactly(text: str) -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        decoded = decode(text.encode(encoding))
        assert decoded is not None
        assert decoded.text == text
