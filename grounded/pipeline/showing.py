"""Opening a citation: the place it names, as its document shows it, with the quote marked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from grounded.errors import GroundedError, ParseError
from grounded.ingestion.parsers import parse
from grounded.ingestion.parsers.children import open_member
from grounded.ingestion.parsers.source import Source
from grounded.ingestion.parsers.worker import view_isolated
from grounded.records import Evidence, Locator, Parsed, RawDocument, Span, locate, place_of
from grounded.render.citation import Shown
from grounded.render.common import link_to

CONTEXT_CHARACTERS = 600
CONTEXT_ROWS = 3
_WHOLE = ("mail_part", "slide")
_ROWS = ("sheet_row", "table_row")


def show_quote(path: Path, quote: str) -> Shown:
    """The first place of a document that says ``quote``.

    Raises:
        ParseError: The document cannot be read, or does not say it.
    """
    content = path.read_bytes()
    parsed = parse(RawDocument(key=path.name, content=content, name=path.name))
    span = _find(parsed.text, quote)
    if span is None:
        raise ParseError(f"{path.name} does not say {quote[:80]!r}.", fix="Quote it as the document writes it.")
    return _shown(path, content, parsed, span)


def show_evidence(evidence: Evidence) -> Shown:
    """The place of a piece of evidence; what cannot be opened any more shows its stored words and says why."""
    stored = Shown(place=evidence.place(), quote=evidence.text, uri=evidence.uri)
    path = _local(evidence.uri)
    if path is None:
        return stored.but("its source is not a file on this computer")
    try:
        content = path.read_bytes()
        parsed = parse(RawDocument(key=path.name, content=content, name=path.name))
    except (OSError, GroundedError) as error:
        return stored.but(f"its file cannot be read: {error}")
    span = evidence.span if evidence.span.slice(parsed.text) == evidence.text else _find(parsed.text, evidence.text)
    if span is None:
        return stored.but("its file has changed and no longer says this")
    return _shown(path, content, parsed, span)


def _local(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" and not parts.netloc else None


def _find(text: str, quote: str) -> Span | None:
    """Where ``quote`` stands in ``text``, whatever the white space between its words."""
    import re

    found = re.search(r"\s+".join(map(re.escape, quote.split())), text) if quote.strip() else None
    return Span(start=found.start(), end=found.end()) if found else None


def _shown(path: Path, content: bytes, parsed: Parsed, span: Span) -> Shown:
    locators = locate(parsed.segments, span)
    before, after = _around(parsed, span)
    picture, exact = "", True
    boxes: tuple[tuple[float, ...], ...] = ()
    page = next((each.fields["number"] for each in locators if each.kind == "page"), None)
    note = ""
    inside = next((each.fields["path"] for each in locators if each.kind == "member"), ())
    if page is not None and inside:
        content = open_member(RawDocument(key=path.name, content=content, name=path.name), tuple(inside))
    if page is not None and content.lstrip()[:5] == b"%PDF-":
        places = [_edges(each) for each in locators if each.kind == "box" and each.fields["page"] == page]
        try:
            view = view_isolated(Source(content, name=path.name), page, span.slice(parsed.text), places)
            picture, exact = str(view["png"]), bool(view["exact"])
            boxes = tuple(tuple(float(edge) for edge in box) for box in view["boxes"])
        except ParseError as error:
            note = f"its page cannot be drawn: {error.message}"
        if picture and not exact:
            note = "the words were put together from the page; their block is marked"
    return Shown(
        place=place_of(parsed.title, locators),
        quote=span.slice(parsed.text),
        uri=link_to(path.absolute().as_uri(), locators),
        before=before,
        after=after,
        picture=picture,
        boxes=boxes,
        note=note,
    )


def _edges(locator: Locator) -> list[float]:
    return [float(locator.fields[name]) for name in ("left", "bottom", "right", "top")]


def _around(parsed: Parsed, span: Span) -> tuple[str, str]:
    """What stands before and after: the neighbouring rows, the whole mail part or slide, else some lines."""
    text = parsed.text
    rows = [s.span for s in parsed.segments if s.locator.kind in _ROWS]
    hit = [at for at, row in enumerate(rows) if row.overlaps(span)]
    whole = _innermost(s.span for s in parsed.segments if s.locator.kind in _WHOLE and s.span.overlaps(span))
    if hit:
        start = rows[max(0, hit[0] - CONTEXT_ROWS)].start
        end = rows[min(len(rows) - 1, hit[-1] + CONTEXT_ROWS)].end
    elif whole is not None and len(whole) < 10 * CONTEXT_CHARACTERS:
        start, end = whole.start, whole.end
    else:
        start, end = max(0, span.start - CONTEXT_CHARACTERS), min(len(text), span.end + CONTEXT_CHARACTERS)
    return text[min(start, span.start) : span.start], text[span.end : max(end, span.end)]


def _innermost(spans: Iterable[Span]) -> Span | None:
    return min(spans, key=len, default=None)
