"""Rows as documents: ``column: value`` text or a template, each value traceable to its column."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import quote

from grounded.errors import SourceError, TemplateError, UsageError
from grounded.records import Document, Failed, Locator, Segment, Span, Upsert

LONG_VALUE_CHARACTERS = 200
"""A longer value, or one of several lines, is a paragraph of its own."""
MAX_ROW_CHARACTERS = 10_000_000

Values = Mapping[str, Any]


@dataclass(frozen=True)
class RowShape:
    """How the rows of one table become documents.

    Attributes:
        table: The name shown in citations, which begins every key.
        key: The columns that name a row.
        template: Jinja2 text over the columns; empty renders ``column: value``. It runs in the sandbox of templates.
        columns: Columns to render, in order; empty takes all.
        title: Column whose value is the title; empty takes the table and the key.
        metadata: Columns whose values can be filtered by.
        principals: Column that says who may see the row: an array, or names with commas between them.
        uri: Where a person finds the row, such as ``https://shop.example/orders/{id}``.
    """

    table: str
    key: tuple[str, ...]
    template: str = ""
    columns: tuple[str, ...] = ()
    title: str = ""
    metadata: tuple[str, ...] = ()
    principals: str = ""
    uri: str = ""
    place: str = field(default="", compare=False)

    @property
    def prefix(self) -> str:
        """What every key of the table begins with."""
        return f"{quote(self.table, safe='.:@ ')}/"

    def check(self, there: Sequence[str]) -> None:
        """Refuse columns that do not exist and a template that cannot run.

        Raises:
            SourceError: A column does not exist, or there is no key.
            TemplateError: The template is malformed or uses something forbidden.
            UsageError: ``uri`` names a column that does not exist.
        """
        if not self.key:
            raise SourceError(f"{self.table} has no primary key.", fix="Name the column(s) that identify a row: key=…")
        named = (*self.key, *self.columns, *self.metadata, *filter(None, (self.title, self.principals)))
        missing = [name for name in named if name not in there]
        if missing:
            raise SourceError(
                f"{self.table} has no column {', '.join(map(repr, missing))}.", fix=f"It has: {', '.join(there)}."
            )
        if self.template:
            _ = self._render
        try:
            self._link(dict.fromkeys(there, ""))
        except (LookupError, ValueError) as error:
            raise UsageError(
                f"The link {self.uri!r} cannot be filled in: {error}.", fix=f"Columns: {', '.join(there)}."
            ) from error

    def made_with(self, there: Sequence[str]) -> str:
        """Changes whenever the same rows would be rendered otherwise, also because the table's columns changed."""
        everything = [self.key, self.template, self.columns, self.title, self.metadata, self.principals, self.uri]
        return hashlib.sha256(json.dumps([*everything, list(there)]).encode()).hexdigest()[:16]

    def key_of(self, values: Values) -> str:
        """The document's key: table and key values; empty when one of them is missing."""
        parts = [_key_part(values[column]) for column in self.key]
        return "" if "" in parts else self.prefix + ",".join(quote(part, safe=" :@+") for part in parts)

    def change(self, values: Values, *, key: str, snapshot: str) -> Upsert | Failed:
        """The row as a document; ``Failed`` when it cannot be one.

        Args:
            values: The row by column.
            key: What ``key_of`` says.
            snapshot: State of the table the row was read from, for its locators.
        """
        try:
            return Upsert(document=self._document(values, key, snapshot))
        except (SourceError, TemplateError) as error:
            return Failed(key=key, uri=self.place, error=type(error).__name__, message=error.message, fix=error.fix)

    def _document(self, values: Values, key: str, snapshot: str) -> Document:
        name = key.removeprefix(self.prefix)
        text, spans = self.rendered(values)
        if not text.strip():
            raise SourceError("The row holds no text.", fix="Choose other columns, or leave it out with a query.")
        if len(text) > MAX_ROW_CHARACTERS:
            raise SourceError(f"The row has {len(text):,} characters; {MAX_ROW_CHARACTERS:,} are read.")
        place = {"table": self.table, "key": name, "snapshot": snapshot}
        title = _text(values[self.title]) if self.title else ""
        return Document(
            key=key,
            text=text,
            segments=tuple(
                Segment(span=span, locator=Locator(kind="table_row", **place, **({"column": column} if column else {})))
                for column, span in spans
            ),
            title=" ".join(title.split()) or f"{self.table} {name}",
            uri=self._link(values),
            fingerprint=hashlib.sha256(f"{title}\0{text}".encode()).hexdigest(),
            metadata={column: _scalar(values[column]) for column in self.metadata if values[column] is not None},
            principals=_names(values[self.principals]) if self.principals else (),
        )

    def rendered(self, values: Values) -> tuple[str, list[tuple[str, Span]]]:
        """The text, and what column each part of it comes from; no column where a template made the text."""
        if self.template:
            text = self._render(dict(values))
            return text, [("", Span(start=0, end=len(text)))] if text else []
        return render(values, self.columns or tuple(values))

    def _link(self, values: Values) -> str:
        if not self.uri:
            return self.place
        return self.uri.format_map({column: quote(_text(value), safe="") for column, value in values.items()})

    @cached_property
    def _render(self) -> Callable[[dict[str, Any]], str]:
        from grounded.prompting.sandbox import Sandbox

        sandbox = Sandbox({"row": self.template}, "template")
        compiled = sandbox.compile("row")
        return lambda values: sandbox.render(compiled, {name: _plain(value) for name, value in values.items()})


def render(values: Values, columns: Sequence[str]) -> tuple[str, list[tuple[str, Span]]]:
    """``column: value; column: value``, long values as paragraphs below; the span of each column's part.

    Missing values and binary ones are left out.

    Raises:
        SourceError: A text holds bytes that are not UTF-8.
    """
    parts = [(column, _text(values[column])) for column in columns]
    short = [(column, text) for column, text in parts if text and not _is_long(text)]
    long = [(column, text) for column, text in parts if text and _is_long(text)]
    written, spans = "", []
    for number, (column, text) in enumerate((*short, *long)):
        if number:
            written += "; " if number < len(short) else "\n\n"
        start = len(written)
        written += f"{column}: {text}"
        spans.append((column, Span(start=start, end=len(written))))
    return written, spans


def _is_long(text: str) -> bool:
    return len(text) > LONG_VALUE_CHARACTERS or "\n" in text


def _text(value: Any) -> str:
    match value:
        case None | bytes() | bytearray() | memoryview():
            return ""
        case str():
            return _valid(value.strip())
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat(sep=" ")
        case date():
            return value.isoformat()
        case dict() | list() | tuple():
            return _valid(json.dumps(value, ensure_ascii=False, default=str))
        case _:
            return _valid(str(value))


def _key_part(value: Any) -> str:
    """As it is: keys that differ in white space only are different keys."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else _text(value)


def _valid(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SourceError("A text in the row is not valid UTF-8.", fix="Correct it at the source.") from None
    return text.replace("\0", "\ufffd")


def _plain(value: Any) -> Any:
    """What a template may work with."""
    return value if isinstance(value, int | float | list | dict) or value is None else _text(value)


def _scalar(value: Any) -> str | int | float | bool:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, str | int | float | bool) else _text(value)


def _names(value: Any) -> tuple[str, ...]:
    """Principals; a row that names nobody is a mistake, not a public row."""
    given = value if isinstance(value, list | tuple | set) else _text(value).split(",")
    names = tuple(name for name in (str(each).strip() for each in given) if name)
    if not names:
        raise SourceError("The row names nobody who may see it.", fix="Fill the column of principals.")
    return names
