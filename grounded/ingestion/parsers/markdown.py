"""Markdown: the text as it is, its headings as nested sections, its front matter as declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.frontmatter import FrontMatter, read_front_matter
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

_ATX = re.compile(r"^ {0,3}(#{1,6})(?=[ \t]|$)")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
# A line that cannot be the text of an underlined heading: blank, list, quote, table, rule, indented code.
_NO_TITLE = re.compile(r"^(?:\s*$| {4}|\t| {0,3}(?:[-*+>|#]|\d{1,9}[.)](?:\s|$)|<))")
_INLINE = re.compile(r"!?\[([^\[\]]{0,500})\]\([^()]{0,500}\)|(\*\*|__|`|\*)")


def parse(source: Source) -> Parsed:
    """The text as it is; ``heading`` segments span whole sections, heading line included.

    Raises:
        ParseError: The front matter declares permissions or dates that cannot be read.
        LimitExceededError: The text is too long.
    """
    text = source.text or ""
    front = read_front_matter(text) or FrontMatter()
    builder = TextBuilder(source.limits)
    builder.mark(builder.add(text[: front.end]), "front_matter")
    first, top = "", 7
    at = front.end
    for start, level, title in _headings(text, front.end):
        builder.add(text[at:start])
        at = start
        title = _INLINE.sub(lambda found: found.group(1) or "", title)
        builder.open_section(level, title)
        if level < top and title:
            first, top = title, level
    builder.add(text[at:])
    builder.warnings.extend(front.warnings)
    return builder.parsed(
        title=" ".join((front.title or first).split()),
        media_type="text/markdown",
        metadata=front.metadata,
        effective_from=front.effective_from,
        effective_to=front.effective_to,
        supersedes=front.supersedes,
        principals=front.principals,
    )


def _headings(text: str, start: int) -> Iterator[tuple[int, int, str]]:
    """``(offset of the heading's first line, level, title)`` outside fenced code, in order."""
    fence = ""
    paragraph: tuple[int, str] | None = None
    offset = start
    for line in text[start:].splitlines(keepends=True):
        at, offset = offset, offset + len(line)
        bare = line.rstrip("\r\n")
        mark = _FENCE.match(bare)
        if fence:
            if mark and mark.group(1).startswith(fence) and not mark.group(2).strip():
                fence = ""
            continue
        if mark and not (mark.group(1)[0] == "`" and "`" in mark.group(2)):
            fence, paragraph = mark.group(1), None
            continue
        atx = _ATX.match(bare)
        if atx:
            yield at, len(atx.group(1)), _without_closing(bare[atx.end() :].strip())
            paragraph = None
            continue
        under = _UNDERLINE.match(bare)
        if under and paragraph:
            yield paragraph[0], 1 if under.group(1)[0] == "=" else 2, paragraph[1]
            paragraph = None
            continue
        paragraph = _paragraph(paragraph, at, bare)


def _without_closing(title: str) -> str:
    """A heading's text without the ``##`` that may close it; done by hand, since a pattern would be slow."""
    bare = title.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else title


def _paragraph(open_one: tuple[int, str] | None, at: int, line: str) -> tuple[int, str] | None:
    """The paragraph that this line begins or continues; None when it can be no heading's text."""
    if open_one is None:
        return None if _NO_TITLE.match(line) else (at, line.strip())
    if not line.strip() or len(open_one[1]) > 500:
        return None
    return open_one[0], f"{open_one[1]} {line.strip()}"
