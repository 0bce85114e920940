"""Where in its origin a slice of canonical text lies: page, row, slide, heading, message."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, model_validator

from grounded.records.base import Record, Span

KINDS: dict[str, tuple[str, ...]] = {
    "page": ("number",),
    "box": ("page", "left", "bottom", "right", "top"),
    "sheet_row": ("sheet", "row"),
    "table_row": ("table",),
    "slide": ("number",),
    "heading": ("path",),
    "mail_part": ("part",),
    "member": ("path",),
    "json_pointer": ("pointer",),
    "xml_element": ("path",),
    "line": ("number",),
    "stream": ("topic",),
    "front_matter": (),
}
"""The kinds this release writes, each with the fields it must carry. Other kinds are allowed."""

_Field = str | int | float | bool | tuple[str, ...] | None


class Locator(Record):
    """A place in the origin of a document: an open set of kinds, each with its own fields.

    ``Locator(kind="page", number=3)``, ``Locator(kind="sheet_row", sheet="Prices", row=12)``,
    ``Locator(kind="heading", path=("Warranty", "Kettles"))``. Pages, rows, slides and lines count from 1;
    rows count as the origin shows them (the header of a sheet is row 1), and a workbook's name their ``cells``
    (``A4:C4``); a row of a database or a row file has a
    ``key`` instead, and may name its ``column`` and the ``snapshot`` it was read from; boxes are PDF points from
    the lower left corner. A message of a stream has a ``topic``, and a ``partition`` and ``offset`` or a
    ``sequence``; its ``time`` is when it happened, as ISO 8601. A ``member`` is a document within the document, such as
    an attachment or a file of an archive; its ``path`` names it from the outside in.

    Attributes:
        kind: What sort of place; see ``KINDS``.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, _Field]

    kind: str

    @model_validator(mode="after")
    def _has_its_fields(self) -> Self:
        given = self.__pydantic_extra__ or {}
        missing = [name for name in KINDS.get(self.kind, ()) if name not in given]
        if self.kind == "stream" and "offset" not in given and "sequence" not in given:
            missing.append("offset or sequence")
        if self.kind == "table_row" and "row" not in given and "key" not in given:
            missing.append("row or key")
        if missing:
            raise ValueError(f"a {self.kind!r} locator needs {', '.join(missing)}")
        return self

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of this kind, without ``kind``."""
        return dict(self.__pydantic_extra__ or {})

    def __hash__(self) -> int:
        return hash((self.kind, tuple(sorted(self.fields.items(), key=lambda item: item[0]))))

    def label(self) -> str:
        """A short text for people, such as ``page 3`` or ``Prices row 12``."""
        fields = self.fields
        match self.kind:
            case "page" | "slide" | "line":
                return f"{self.kind} {fields['number']}"
            case "sheet_row":
                return f"{fields['sheet']} row {fields['row']}"
            case "table_row":
                return _row_label([self])
            case "heading" | "member":
                return " › ".join(fields["path"])
            case "mail_part":
                return f"mail {fields['part']}"
            case "json_pointer":
                line = fields.get("line")
                pointer = fields["pointer"] or "/"
                return f"line {line} {pointer}" if line else str(pointer)
            case "xml_element":
                return str(fields["path"])
            case "stream":
                return _message(fields)
            case "box":
                return f"page {fields['page']}"
            case _:
                return " ".join([self.kind, *(str(value) for value in fields.values())])


class Segment(Record):
    """A stretch of canonical text and the place it comes from.

    Segments of one document are sorted by start, then by longest first; segments of different kinds may
    overlap (a heading's section runs over several pages), those of one kind nest or follow each other.
    """

    span: Span
    locator: Locator


def locate(segments: tuple[Segment, ...], span: Span) -> tuple[Locator, ...]:
    """The locators of all segments that share text with ``span``, in order; only the innermost heading and member."""
    found = [segment for segment in segments if segment.span.overlaps(span)]
    headings = [segment for segment in found if segment.locator.kind == "heading"]
    inner = min(headings, key=lambda segment: len(segment.span), default=None)
    # A span over several sections keeps the one it starts in.
    starting = [s for s in headings if s.span.start <= span.start < s.span.end]
    if starting:
        inner = min(starting, key=lambda segment: len(segment.span))
    members = {segment.locator.fields["path"] for segment in found if segment.locator.kind == "member"}
    around = {path[:depth] for path in members for depth in range(len(path))}
    keep = [
        s
        for s in found
        if (s.locator.kind != "heading" or s is inner)
        and (s.locator.kind != "member" or s.locator.fields["path"] not in around)
    ]
    return tuple(dict.fromkeys(segment.locator for segment in keep if segment.locator.kind != "front_matter"))


def place_of(title: str, locators: tuple[Locator, ...]) -> str:
    """A short text for people: the document's title and the places in it, no name said twice."""
    sheets = {locator.fields["sheet"] for locator in locators if locator.kind == "sheet_row"}
    shown = (_below(title, sheets, locator) for locator in locators)
    return " · ".join(filter(None, (title, places(tuple(each for each in shown if each is not None)))))


def _below(title: str, sheets: set[str], locator: Locator) -> Locator | None:
    """A heading without what the title or the row beside it says already; None when nothing is left."""
    if locator.kind != "heading":
        return locator
    path = locator.fields["path"]
    if path[:1] == (title,):
        path = path[1:]
    if len(path) == 1 and path[0] in sheets:
        path = ()
    return Locator(kind="heading", path=path) if path else None


_COUNTED = {"page": "number", "slide": "number", "line": "number", "sheet_row": "row", "table_row": "row"}
_PLURAL = {"page": "pages", "slide": "slides", "line": "lines", "sheet_row": "rows", "table_row": "rows"}


def places(locators: tuple[Locator, ...]) -> str:
    """A short text for people that names all places, runs of pages or rows as one: ``Prices rows 2–7``."""
    parts: list[str] = []
    run: list[Locator] = []
    pages = {locator.fields["number"] for locator in locators if locator.kind == "page"}
    said = [each for each in locators if each.kind != "box" or each.fields["page"] not in pages]
    for locator in (*dict.fromkeys(said), None):
        if run and (locator is None or not _continues(run[-1], locator)):
            parts.append(_run_label(run))
            run = []
        if locator is not None:
            run.append(locator)
    return " · ".join(parts)


def _message(fields: dict[str, Any]) -> str:
    """A message of a stream: ``orders[3] offset 17``, ``orders message 17 of 2026-11-23T08:00:00Z``."""
    partition = f"[{fields['partition']}]" if "partition" in fields else ""
    number = f"offset {fields['offset']}" if "offset" in fields else f"message {fields['sequence']}"
    time = f" of {fields['time']}" if fields.get("time") else ""
    return f"{fields['topic']}{partition} {number}{time}"


_COLUMNS_SHOWN = 3


def _row_label(run: list[Locator]) -> str:
    """One row and the columns of it: ``orders 17 (price, currency)``, with the version of a versioned table."""
    fields = run[0].fields
    name = _table(fields["table"])
    if "key" not in fields:
        return f"{name} row {fields['row']}"
    columns = [str(each.fields["column"]) for each in run if each.fields.get("column")]
    shown = f" ({', '.join(columns)})" if 0 < len(columns) <= _COLUMNS_SHOWN else ""
    snapshot = str(fields.get("snapshot", ""))
    return f"{name} {fields['key']}{shown}" + (f", {snapshot}" if snapshot.startswith("version ") else "")


def _table(name: Any) -> str:
    return f"table {name}" if str(name).isdigit() else str(name)


def _continues(before: Locator, after: Locator) -> bool:
    counter = _COUNTED.get(before.kind)
    if counter is None or before.kind != after.kind:
        return False
    one, other = before.fields, after.fields
    if counter not in one:  # columns of one keyed row
        return {**one, "column": ""} == {**other, "column": ""}
    return {**one, counter: one[counter] + 1, "cells": ""} == {**other, "cells": ""}


def _run_label(run: list[Locator]) -> str:
    first, last = run[0], run[-1]
    if "key" in first.fields and first.kind == "table_row":
        return _row_label(run)
    if first == last:
        return first.label()
    counter, plural = _COUNTED[first.kind], _PLURAL[first.kind]
    owner = first.fields.get("sheet") or (_table(first.fields["table"]) if "table" in first.fields else "")
    numbers = f"{plural} {first.fields[counter]}–{last.fields[counter]}"
    return f"{owner} {numbers}" if owner else numbers
