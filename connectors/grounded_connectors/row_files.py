"""Row files as records: each row of CSV, TSV, JSON Lines, XLSX, Parquet and Arrow files is a document."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Literal

from grounded.errors import GroundedError, MissingExtraError, ParseError, SourceError, UsageError
from grounded.protocols import Connector
from grounded.records import Change, Document, Failed, Listing, Locator, Offer, Upsert
from grounded_connectors.files import FilesConnector
from grounded_connectors.objects import ObjectsConnector
from grounded_connectors.rows import RowShape, Values

MAX_BYTES = 1_000_000_000
BATCH_ROWS = 1000
ROW = "row"
"""The key of rows for which no column was named: their number in the file."""

Row = tuple[int, Values]
Format = Literal["csv", "tsv", "jsonl", "xlsx", "parquet", "arrow"]
_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}


class RowFilesConnector:
    """Reads row files so that a change of one row touches one document; one file is in memory at a time.

    Args:
        uri: ``rows://PATH`` or ``rows+s3://bucket/prices/*.parquet``: a file, a folder or a glob, anywhere that the
            connectors for files and objects read.
        key: Columns that name a row; None takes the number of the row in its file, so that an inserted row renames
            those below it.
        sheet: Read only this sheet of workbooks.
        template: As for tables; so are ``columns``, ``title``, ``metadata`` and ``principals``.
        max_bytes: Larger files are reported as failed and not read.
        settings: What the fsspec file system takes.
    """

    def __init__(
        self,
        uri: str,
        *,
        key: Sequence[str] | None = None,
        sheet: str = "",
        template: str = "",
        columns: Sequence[str] = (),
        title: str = "",
        metadata: Sequence[str] = (),
        principals: str = "",
        max_bytes: int = MAX_BYTES,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        scheme, _, place = uri.partition("://")
        inner = scheme.partition("+")[2]
        self._files: Connector = (
            ObjectsConnector(f"{inner}://{place}", max_bytes=max_bytes, settings=settings)
            if inner and inner != "file"
            else FilesConnector(place, max_bytes=max_bytes)
        )
        self._sheet = sheet
        names = (key,) if isinstance(key, str) else tuple(key or ())
        self._shape = RowShape(
            table="",
            key=names or (ROW,),
            template=template,
            columns=tuple(columns),
            title=title,
            metadata=tuple(metadata),
            principals=principals,
        )
        self._is_numbered = not names

    @property
    def source(self) -> str:
        """``rows+`` and the address of the files: their rows are documents of their own."""
        return f"rows+{self._files.scope}" if "://" in self._files.scope else f"rows://{self._files.scope}"

    @property
    def scope(self) -> str:
        """The same."""
        return self.source

    def covers(self, key: str) -> bool:
        """Every row of the source is read each time."""
        return True

    def check(self) -> None:
        """Look whether the files are there.

        Raises:
            SourceError: They are not, or may not be read.
        """
        next(iter(self._files.changes(None)), None)

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Every row as an ``Upsert``, bad ones as ``Failed``, then the ``Listing``.

        A file that cannot be read fails whole, and then nothing is retired.

        Raises:
            SourceError: The files as a whole cannot be read.
        """
        problems: list[str] = []
        for change in self._files.changes(None):
            fetched = change.read() if isinstance(change, Offer) else change
            match fetched:
                case Upsert(document=document) if not isinstance(document, Document):
                    yield from self._rows(document.name, document.key, document.uri, document.content, problems)
                case Failed():
                    problems.append(fetched.message)
                    yield fetched
                case Listing(complete=complete, reason=reason):
                    reasons = [*filter(None, [reason]), *problems]
                    yield Listing(complete=complete and not problems, reason=" ".join(reasons[:5]))

    def _rows(self, name: str, file: str, uri: str, content: bytes, problems: list[str]) -> Iterator[Change]:
        try:
            made = _FORMATS.get(PurePosixPath(name).suffix.lower())
            if made is None:
                raise SourceError(f"{name} is no row file.", fix=f"Known endings: {', '.join(_FORMATS)}.")
            for table, rows in _tables(made, content, name, self._sheet):
                yield from self._documents(replace(self._shape, table=table, place=uri), self._below(file, table), rows)
        except (GroundedError, ValueError, OSError, csv.Error) as error:
            message = error.message if isinstance(error, GroundedError) else f"{name} cannot be read: {error}."
            fix = error.fix if isinstance(error, GroundedError) else "Check the file."
            problems.append(message)
            yield Failed(key=file, uri=uri, error=type(error).__name__, message=message, fix=fix)

    def _below(self, file: str, table: str) -> str:
        """What keys of a file's rows begin with: the whole path, since folders hold files of one name."""
        return file if file.endswith(table) else f"{file}#{table}"

    def _documents(self, shape: RowShape, prefix: str, rows: Iterator[Row]) -> Iterator[Change]:
        seen: set[str] = set()
        for number, values in rows:
            numbered = {**values, ROW: number} if self._is_numbered else values
            if not seen:
                shape.check(list(numbered))
            change = self._document(shape, prefix, number, values, seen)
            seen.add(change.document.key if isinstance(change, Upsert) else change.key)
            yield change

    def _document(self, shape: RowShape, prefix: str, number: int, values: Values, seen: set[str]) -> Upsert | Failed:
        keyed = {**values, ROW: number} if self._is_numbered else values
        missing = [name for name in shape.key if keyed.get(name) in (None, "")]
        key = "" if missing else shape.key_of(keyed)
        whole = f"{prefix}/{key.removeprefix(shape.prefix)}"
        if not key or whole in seen:
            said = f"has no value for {', '.join(missing)}" if missing else "has the key of an earlier row"
            message = f"Row {number} of {shape.table} {said}."
            return Failed(key=f"{prefix}/row {number}?", uri=shape.place, error="SourceError", message=message)
        named = (*shape.columns, *shape.metadata, *filter(None, (shape.title, shape.principals)))
        filled = {**dict.fromkeys(named), **values}
        change = shape.change(filled, key=key, snapshot="")
        if isinstance(change, Failed):
            return change.model_copy(update={"key": whole})
        document = change.document
        assert isinstance(document, Document)
        place = Locator(kind="sheet_row", sheet=shape.table, row=number)
        segments = tuple(
            segment.model_copy(update={"locator": place}) if self._is_numbered else segment
            for segment in document.segments
        )
        return Upsert(document=document.model_copy(update={"key": whole, "segments": segments}))


def _tables(made: Format, content: bytes, name: str, sheet: str) -> Iterator[tuple[str, Iterator[Row]]]:
    """The tables of a file by name, each with its numbered rows; the header of a sheet is row 1."""
    match made:
        case "csv" | "tsv":
            yield name, _delimited(content, "\t" if made == "tsv" else "")
        case "jsonl":
            yield name, _json_lines(content, name)
        case "xlsx":
            yield from _sheets(content, name, sheet)
        case _:
            yield name, _arrow(content, made)


def _delimited(content: bytes, delimiter: str) -> Iterator[Row]:
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")
    if not delimiter:
        sample = lines.readline(65_536)
        delimiter = max(",;|\t", key=sample.count)
        lines.seek(0)
    reader = csv.reader(lines, delimiter=delimiter)
    header = [cell.strip() or f"column {place}" for place, cell in enumerate(next(reader, []), start=1)]
    if len(set(header)) < len(header):
        raise SourceError("Two columns of the file have one name.", fix="Rename one of them.")
    for number, cells in enumerate(reader, start=2):
        if any(cells):
            names = [*header, *(f"column {place}" for place in range(len(header) + 1, len(cells) + 1))]
            yield number, dict(zip(names, [*cells, *[None] * (len(names) - len(cells))], strict=True))


def _json_lines(content: bytes, name: str) -> Iterator[Row]:
    for number, line in enumerate(io.BytesIO(content), start=1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ParseError(f"Line {number} of {name} is no object.", fix="Each line is one JSON object.")
            yield number, row


def _sheets(content: bytes, name: str, sheet: str) -> Iterator[tuple[str, Iterator[Row]]]:
    from python_calamine import CalamineWorkbook

    from grounded.ingestion.parsers.archives import check_archive
    from grounded.ingestion.parsers.source import Limits

    check_archive(content, Limits())
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
    if sheet and sheet not in workbook.sheet_names:
        raise UsageError(f"{name} has no sheet {sheet!r}.", fix=f"It has: {', '.join(workbook.sheet_names)}.")
    for each in [sheet] if sheet else workbook.sheet_names:
        yield each, _sheet(workbook.get_sheet_by_name(each).to_python(skip_empty_area=False))


def _sheet(rows: list[list[Any]]) -> Iterator[Row]:
    header = [str(cell).strip() or f"column {place}" for place, cell in enumerate(rows[0] if rows else [], start=1)]
    for number, cells in enumerate(rows[1:], start=2):
        values = [_whole(cell) for cell in cells]
        if any(value not in ("", None) for value in values):
            yield number, dict(zip(header, values, strict=False))


def _whole(cell: Any) -> Any:
    """A workbook knows decimals only; 7.0 was typed as 7."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def _arrow(content: bytes, made: Format) -> Iterator[Row]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("Reading Parquet and Arrow files", package="pyarrow", extra="parquet") from error
    if made == "parquet":
        batches = pq.ParquetFile(pa.BufferReader(content)).iter_batches(batch_size=BATCH_ROWS)
    else:
        opened = pa.ipc.open_file(pa.BufferReader(content))
        batches = (opened.get_batch(index) for index in range(opened.num_record_batches))
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield number, row
