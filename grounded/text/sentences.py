"""Sentence spans: trimmed, in order, never crossing a block border."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from grounded.records import Span

_SURROGATE = re.compile("[\ud800-\udfff]")
_LIST_ITEM = re.compile(r"[ \t]*(?:>[ \t]*)*(?:[-*+•◦▪‣–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+(?=\S)")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]+")
_TABLE_LINE = re.compile(r"[ \t]*\|")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_ROW = re.compile(r"[^\n:;]{1,60}: \S")
_TERMINATED = re.compile(r"[.!?…。！？:;][\"'”’»)\]]*(?:\s*\[[^\[\]\n]{1,12}\])*\s*$")
_MISSED = re.compile(
    r"(?:(?<=/[a-z])|(?<=[\s\d][a-uw-z]))\.\s+(?=(?:A|An|And|As|At|But|By|For|He|If|In|It|Its|No|On|Our|She|So|The|Then|There"
    r"|These|They|This|Those|To|We|When|While|With|You|Your)\s)"
)
"""Ends that the splitter takes for abbreviations: "30 m/s. The", "is x. Then"; not "Roe v. The State"."""
_TITLE_WIDTH = 45
"""A line shorter than this that ends without punctuation is a title or a label, not a wrapped line."""


def sentences(text: str) -> list[Span]:
    """Split text into sentences.

    Paragraphs, list items, table lines, headings, code fences and ``column: value`` rows are borders. List and
    heading markers are not part of the span; a table line and a line of code are one span each.

    Returns:
        Spans without surrounding white space, ascending, not overlapping; every other character of ``text`` is
        white space or a list, quote or heading marker.
    """
    return [Span(start=start, end=end) for start, end in sentence_bounds(text)]


def sentence_bounds(text: str) -> Iterator[tuple[int, int]]:
    """``(start, end)`` of every sentence of ``sentences``, for texts of which nobody keeps the spans."""
    for start, end, splittable in _blocks(text):
        position = start
        for boundary in _boundaries(text[start:end]) if splittable and end - start > 1 else ():
            yield from _trimmed(text, position, start + boundary)
            position = start + boundary
        yield from _trimmed(text, position, end)


def _boundaries(block: str) -> Iterator[int]:
    split = _splitter()
    position = 0
    for piece in split("en", _SURROGATE.sub("\ufffd", block)):
        end = piece["end_index"]
        yield from (match.end() for match in _MISSED.finditer(block, position, end))
        yield end
        position = end


@cache
def _splitter() -> Any:
    from sentencex import get_sentence_boundaries

    return get_sentence_boundaries


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Blocks as ``(start, end, splittable)``; a block is text within which sentences may be looked for."""
    block_start, block_end = 0, 0
    previous = ""
    fenced = False
    for start, end in _lines(text):
        line = text[start:end]
        is_fence = bool(_FENCE.match(line))
        alone = fenced or is_fence or bool(_TABLE_LINE.match(line))
        marker = None if alone else (_LIST_ITEM.match(line) or _HEADING.match(line))
        if alone or marker or _is_border(previous, line):
            if block_end > block_start:
                yield block_start, block_end, True
            block_start = start + (marker.end() if marker else 0)
        block_end = end
        if alone:
            yield start, end, False
            block_start = block_end = end
        fenced = fenced != is_fence
        # Nothing continues a heading; an empty "previous" makes the next line a border.
        previous = "" if alone or (marker and _HEADING.match(line)) else line
    if block_end > block_start:
        yield block_start, block_end, True


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in re.finditer(r"\r\n|[\n\r\f\v\x85\u2028\u2029]", text):
        yield start, match.end()
        start = match.end()
    if start < len(text):
        yield start, len(text)


def _is_border(previous: str, line: str) -> bool:
    """Whether a new line starts a new sentence although nothing but a line break says so."""
    before, after = previous.strip(), line.strip()
    if not before or not after or previous.endswith("\f"):
        return True
    if _ROW.match(after) and _ROW.match(before):
        return True
    is_title = len(before) < _TITLE_WIDTH and not _TERMINATED.search(before)
    return is_title and not (after[0].islower() or before[-1] in ",-–—(&/")
