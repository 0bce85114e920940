"""Rows of JSON Lines, JSON, CSV and Parquet files, with errors that name file, line and what to do."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grounded.errors import SourceNotFoundError, UsageError
from grounded.evaluation.datasets import parquet_rows

Row = Mapping[str, Any]
TABLES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")


def rows(path: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a file with their number, from 1 (for JSON Lines and CSV: of the line on which they begin or end).

    Raises:
        SourceNotFoundError: It cannot be read.
        UsageError: A row is no object, or the file is not what its name says.
        MissingExtraError: It is Parquet and pyarrow is not installed.
    """
    readers = {".jsonl": _lines, ".json": _document, ".csv": _table, ".tsv": _table, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path.name} is of no known kind.", fix=f"Allowed: {', '.join(TABLES)}.")
    try:
        yield from reader(path)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not UTF-8 text.", fix="Save it as UTF-8.") from error
    except OSError as error:
        raise SourceNotFoundError(f"{path} cannot be read: {error.strerror}.") from error


def text_of(row: Row, key: str, path: Path, number: int) -> str:
    """A text of a row.

    Raises:
        UsageError: It is missing or no text.
    """
    value = row.get(key)
    if not isinstance(value, str):
        raise wrong(path, number, f"{key!r} must be a text, not {type(value).__name__}")
    return value


def texts_of(row: Row, key: str, path: Path, number: int) -> Sequence[str]:
    """A list of texts of a row; a single text is a list of one.

    Raises:
        UsageError: It is missing or something else.
    """
    value = row.get(key)
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise wrong(path, number, f"{key!r} must be a list of texts")
    return value


def wrong(path: Path, number: int, what: str) -> UsageError:
    """The error for a row."""
    return UsageError(f"{path.name}, row {number}: {what}.", fix="Compare it with the published file.")


def _lines(path: Path) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _object(line, path, number)


def _document(path: Path) -> Iterator[tuple[int, Row]]:
    text = path.read_text("utf-8-sig")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        # Several published sets name their JSON Lines .json.
        yield from _lines(path)
        return
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise UsageError(f"{path.name} must hold a list of objects.")
    for number, row in enumerate(found, start=1):
        if not isinstance(row, dict):
            raise wrong(path, number, "is no object")
        yield number, row


def _object(line: str, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise wrong(path, number, f"is not JSON ({error})") from error
    if not isinstance(row, dict):
        raise wrong(path, number, "is no object")
    return row


def _table(path: Path) -> Iterator[tuple[int, Row]]:
    # The limit is the whole process's, and parsers rely on it: it goes back to what it was.
    usual = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            for row in table:
                if None in row:
                    raise wrong(path, table.line_num, "has more columns than the head")
                yield table.line_num, row
    finally:
        csv.field_size_limit(usual)


def _parquet(path: Path) -> Iterator[tuple[int, Row]]:
    yield from ((number, row) for number, (_, row) in enumerate(parquet_rows(path), start=1))
