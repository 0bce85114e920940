"""Splits canonical text into chunks: slices with exact offsets that fit the embedder's window.

A chunk is always ``text[span]`` of the canonical text; nothing is copied, joined or normalised. Title and
heading path go before it in ``embedded_text`` only, where they help search and cannot be cited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from grounded.errors import UsageError
from grounded.ingestion.pieces import Sizes, Tokens, cut, pack, pieces_of, shorten
from grounded.ingestion.sections import TINY_TOKENS, Section, sections_of
from grounded.records import Chunk, Document, Locator, Segment, Span, chunk_id, locate

SPLITTER_VERSION = "2"
"""Changes whenever the same document may be split differently; a knowledge base then splits anew."""

HIGH_TOKENS = 220
LOW_TOKENS = 140
"""Wanted size of a chunk, 180 on average: an answer and its context, and room for the title and headings in a
window of 254. The width of the range leaves several paragraphs to choose a border from."""

MIN_WINDOW_TOKENS = 16
"""An embedder with a smaller window cannot be used."""

HEADER_SHARE = 4
"""Title and heading path take at most this part (one in four) of the window."""

_ROW_KINDS = frozenset({"sheet_row", "table_row", "json_pointer", "xml_element"})
_SPACES = frozenset(" \t\n\r")
_PATH_SEPARATOR = " › "

TokenStarts = Callable[[str], Sequence[int]]


def split(document: Document, *, document_id: str, token_starts: TokenStarts, max_tokens: int) -> list[Chunk]:
    """Split a document.

    Every character but white space and front matter is in exactly one chunk. Chunks are in order and do not
    overlap (retrieval joins neighbours). A chunk never straddles a slide, a sheet, a part of a mail or a
    section, except that sections of a few words join their siblings; it may straddle pages. Borders lie
    between paragraphs where possible, else between lines or rows, else between sentences. A row or sentence
    is cut only when it alone is too long, and then between tokens.

    Args:
        document: Canonical text and segments.
        document_id: The document's identity, part of the identity of its chunks.
        token_starts: The embedder's tokenizer: where every token of a text starts, in order.
        max_tokens: The embedder's window; ``embedded_text`` of a chunk never has more tokens.

    Returns:
        Chunks in document order; empty when there is no text.

    Raises:
        UsageError: ``max_tokens`` is below 16.
    """
    if max_tokens < MIN_WINDOW_TOKENS:
        raise UsageError(f"max_tokens must be {MIN_WINDOW_TOKENS} or more, not {max_tokens}.")
    tokens = Tokens(token_starts(document.text))
    headers = _Headers(document.title, token_starts, max_tokens)
    locators = _Locators(document.segments)
    rows = _Rows(document.segments)
    seen: Counter[str] = Counter()
    chunks: list[Chunk] = []
    for section in sections_of(document, tokens.weigh, tiny=min(TINY_TOKENS, max_tokens // 4)):
        header, limit = headers.of(section.path)
        for start, end in _spans(section, document.text, rows.inside(section), tokens, token_starts, limit):
            embedded = header + document.text[start:end]
            identity = chunk_id(document_id, embedded, seen[embedded])
            seen[embedded] += 1
            chunks.append(
                Chunk(
                    id=identity,
                    ordinal=len(chunks),
                    span=Span(start=start, end=end),
                    embedded_text=embedded,
                    locators=locators.of(section, start, end),
                )
            )
    return chunks


def _spans(
    section: Section,
    text: str,
    rows: Sequence[tuple[int, int]],
    tokens: Tokens,
    token_starts: TokenStarts,
    limit: int,
) -> Iterator[tuple[int, int]]:
    high = min(HIGH_TOKENS, limit)
    sizes = Sizes(low=high * LOW_TOKENS // HIGH_TOKENS, high=high, limit=limit)
    pieces = list(shorten(pieces_of(section, text, rows), text, tokens, high))
    for start, end in pack(pieces, text, tokens, sizes):
        yield from _fitting(text, start, end, token_starts, limit)


def _fitting(text: str, start: int, end: int, token_starts: TokenStarts, limit: int) -> Iterator[tuple[int, int]]:
    """The span, or parts of it when it was cut inside a word, whose halves may have more tokens than it had."""
    # Other white space does not count here: BERT drops control characters such as form feeds and joins words.
    parted = (start == 0 or text[start - 1] in _SPACES) and (end == len(text) or text[end] in _SPACES)
    if parted or end - start == 1:
        yield start, end
        return
    piece = text[start:end]
    starts = token_starts(piece)
    if len(starts) <= limit:
        yield start, end
        return
    most = max(1, len(starts) // 2)
    for first, last in cut(piece, Tokens(starts), 0, len(piece), min(most, limit)):
        yield from _fitting(text, start + first, start + last, token_starts, limit)


class _Headers:
    """What goes before the slice in ``embedded_text``, and how many tokens it leaves."""

    def __init__(self, title: str, token_starts: TokenStarts, max_tokens: int) -> None:
        self._token_starts = token_starts
        self._max_tokens = max_tokens
        self._title = self._shortened(title, max_tokens // (2 * HEADER_SHARE))
        self._known: dict[tuple[str, ...], tuple[str, int]] = {}

    def of(self, path: tuple[str, ...]) -> tuple[str, int]:
        """The header with its line breaks, and the tokens left for the slice."""
        if path not in self._known:
            lines = [line for line in (self._title, self._path_line(path)) if line]
            header = "\n".join(lines) + "\n\n" if lines else ""
            self._known[path] = header, self._max_tokens - len(self._token_starts(header))
        return self._known[path]

    def _path_line(self, path: tuple[str, ...]) -> str:
        # The title of a document is mostly its first heading; saying it twice helps nobody.
        shown = [heading for heading in path if heading]
        if shown and shown[0] == self._title:
            shown = shown[1:]
        budget = self._max_tokens // (2 * HEADER_SHARE)
        while len(shown) > 1 and len(self._token_starts(_PATH_SEPARATOR.join(shown))) > budget:
            shown = shown[1:]
        return self._shortened(_PATH_SEPARATOR.join(shown), budget)

    def _shortened(self, line: str, budget: int) -> str:
        line = " ".join(line.split())[: 16 * budget]
        starts = self._token_starts(line)
        return line if len(starts) <= budget else line[: starts[budget]].rstrip()


class _Rows:
    """The outermost rows of a document, found by place."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._rows: list[tuple[int, int]] = []
        for segment in segments:
            span = segment.span
            if segment.locator.kind in _ROW_KINDS and (not self._rows or span.start >= self._rows[-1][1]):
                self._rows.append((span.start, span.end))
        self._next = 0

    def inside(self, section: Section) -> list[tuple[int, int]]:
        """Rows within the section; sections must be asked for in order."""
        while self._next < len(self._rows) and self._rows[self._next][0] < section.start:
            self._next += 1
        first = self._next
        while self._next < len(self._rows) and self._rows[self._next][1] <= section.end:
            self._next += 1
        return self._rows[first : self._next]


class _Locators:
    """Locators of chunks, asked for in order: one pass over the segments, however many there are."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._next = 0
        self._open: list[Segment] = []

    def of(self, section: Section, start: int, end: int) -> tuple[Locator, ...]:
        """Places of ``[start, end)``; the heading is that of the section."""
        while self._next < len(self._segments) and self._segments[self._next].span.start < end:
            self._open.append(self._segments[self._next])
            self._next += 1
        self._open = [segment for segment in self._open if segment.span.end > start]
        heading = self._heading(section)
        kept = [s for s in self._open if s.locator.kind != "heading" or s is heading]
        return locate(tuple(kept), Span(start=start, end=end))

    def _heading(self, section: Section) -> Segment | None:
        path = section.path
        for segment in reversed(self._open):
            above = tuple(segment.locator.fields["path"]) if segment.locator.kind == "heading" else None
            if above is not None and above == path[: len(above)] and segment.span.start <= section.main:
                return segment
        return None
