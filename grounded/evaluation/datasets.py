"""Data sets in files: JSON Lines, CSV and Parquet, read strictly and with every problem named by its line."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grounded.errors import DataSetError, MissingExtraError, SourceNotFoundError, UsageError
from grounded.records import DataSet, Row

FORMATS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
MAX_PROBLEMS = 20
"""Problems listed in one message; the rest is counted."""
MAX_BYTES = 1 << 30

KEEP = "_keep"
"""The column in which a person who looks a data set through says no."""
COLUMNS = tuple(Row.model_fields)
OTHER_NAMES: Mapping[str, str] = {
    "user_input": "question",
    "query": "question",
    "ground_truth": "reference",
    "expected_answer": "reference",
    "expected_output": "reference",
    "reference_answer": "reference",
    "response": "answer",
    "retrieved_contexts": "contexts",
    "gold_sources": "sources",
}
"""Names by which other tools call the same columns."""

_LISTS = frozenset({"sources", "tags", "principals", "absent", "contexts", "history"})
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_FORM = "docs/evaluation.md lists the columns."


def read_dataset(path: str | Path) -> DataSet:
    """Read a data set; its name is that of the file.

    A row without an id gets one made from its question, so that rows added before it do not rename it. Columns that
    start with ``_`` are comments.

    Args:
        path: ``.jsonl``, ``.csv``, ``.tsv`` or ``.parquet`` (extra ``parquet``).

    Raises:
        SourceNotFoundError: The file cannot be read.
        DataSetError: The file is damaged, or rows are broken; ``problems`` names each by its line and column.
        UsageError: The ending is none of these.
        MissingExtraError: The file is Parquet and ``pyarrow`` is not installed.
    """
    file = Path(path)
    readers: dict[str, Callable[[Path], Iterable[tuple[str, Any]]]] = {
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".csv": lambda file: _delimited(file, ","),
        ".tsv": lambda file: _delimited(file, "\t"),
        ".parquet": parquet_rows,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise UsageError(f"{file.name} is no data set by its ending.", fix=f"Allowed: {', '.join(FORMATS)}.")
    return _checked(file, reader(file))


def write_dataset(dataset: DataSet, path: str | Path) -> Path:
    """Write a data set as JSON Lines, or as CSV for people to look through. Gives back the file.

    The CSV has a first column ``_keep``; rows with ``no`` in it are left out when it is read.

    Raises:
        UsageError: The ending is neither, or the file cannot be written.
    """
    file = Path(path)
    contents = [row.model_dump(mode="json", exclude_defaults=True) for row in dataset.rows]
    if file.suffix.lower() == ".csv":
        text = _as_csv(contents)
    elif file.suffix.lower() in (".jsonl", ".ndjson"):
        text = "".join(f"{json.dumps(content, ensure_ascii=False)}\n" for content in contents)
    else:
        raise UsageError(f"Data sets are written as .jsonl or .csv, not {file.name}.")
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from error
    return file


def _as_csv(contents: Sequence[Mapping[str, Any]]) -> str:
    used = [name for name in COLUMNS if any(name in content for content in contents)]
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([KEEP, *used])
    for content in contents:
        cells = [content.get(name, "") for name in used]
        shown = [cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells]
        writer.writerow(["yes", *shown])
    return written.getvalue()


def _checked(file: Path, lines: Iterable[tuple[str, Any]]) -> DataSet:
    """The rows, or all that is wrong with them."""
    rows: list[Row] = []
    places: dict[str, str] = {}
    problems: list[str] = []
    for place, content in lines:
        if isinstance(content, str):
            problems.append(f"{place}: {content}")
            continue
        if str(content.get(KEEP, "")).strip().lower() in ("no", "false", "0"):
            continue
        found = _row(content)
        if isinstance(found, list):
            problems += [f"{place}, {problem}" for problem in found]
        elif found.id in places:
            problems.append(f"{place}, column id: {found.id!r} is also the id of {places[found.id]}; ids are unique.")
        else:
            places[found.id] = place
            rows.append(found)
    if problems:
        shown = "\n  ".join(problems[:MAX_PROBLEMS])
        more = f"\n  and {len(problems) - MAX_PROBLEMS} more" if len(problems) > MAX_PROBLEMS else ""
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise DataSetError(f"{file.name} has {count}:\n  {shown}{more}\n", problems=tuple(problems), fix=_FORM)
    if not rows:
        raise DataSetError(f"{file.name} holds no rows.", fix="Write one JSON object per line, with a question.")
    return DataSet(name=file.stem, rows=tuple(rows))


def _row(content: Mapping[str, Any]) -> Row | list[str]:
    """A row from its columns, or what is wrong with it."""
    renamed: dict[str, Any] = {}
    for given, value in content.items():
        name = OTHER_NAMES.get(given, given)
        if given.startswith("_") or value is None or value == "":
            continue
        if name in renamed:
            return [f"column {given}: {name} is there already under another name; keep one."]
        renamed[name] = value
    unknown = [name for name in renamed if name not in COLUMNS]
    if unknown:
        return [f"column {name}: unknown.{_meant(name)} Comments start with _." for name in unknown]
    question = renamed.get("question")
    if isinstance(question, str) and not question.strip():
        return ["column question: it is blank; write a question."]
    if isinstance(question, str) and "id" not in renamed:
        renamed["id"] = "q-" + hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    if isinstance(renamed.get("id"), int) and not isinstance(renamed["id"], bool):
        renamed["id"] = str(renamed["id"])
    if "sources" in renamed:
        renamed["sources"] = _sources(renamed["sources"])
    try:
        return Row.model_validate(renamed)
    except ValidationError as error:
        return [_said(each) for each in error.errors()]


def _meant(name: str) -> str:
    near = difflib.get_close_matches(name, [*COLUMNS, *OTHER_NAMES], 1)
    return f" Did you mean {near[0]}?" if near else f" Known: {', '.join(COLUMNS)}."


def _said(error: Any) -> str:
    """One problem of a row: the column, what is wrong, what to write."""
    column = ".".join(str(part) for part in error["loc"]) or "row"
    if error["type"] == "missing":
        return f"column {column}: missing; every row needs it."
    given = repr(error["input"])
    shown = given if len(given) <= 60 else given[:57] + "..."
    return f"column {column}: {error['msg'][:1].lower()}{error['msg'][1:]}, not {shown}."


def _sources(value: Any) -> Any:
    """Gold sources in their short forms: a document's name, ``"span": [start, end]``, ``"sheet"`` and ``"row"``."""
    if not isinstance(value, list):
        return value
    return [_source(each) for each in value]


def _source(value: Any) -> Any:
    if isinstance(value, str):
        return {"document": value}
    if not isinstance(value, dict):
        return value
    source = dict(value)
    span = source.get("span")
    if isinstance(span, list) and len(span) == 2:
        source["span"] = {"start": span[0], "end": span[1]}
    if "row" in source:
        row, sheet = source.pop("row"), source.pop("sheet", "")
        source["locator"] = {"kind": "sheet_row", "sheet": sheet, "row": row}
    return source


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise DataSetError(f"{file.name} is larger than {MAX_BYTES >> 20} MiB.", fix="Split it into several files.")
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataSetError(f"{file.name} is not UTF-8 text.", fix="Save it as UTF-8.") from error
    except OSError as error:
        raise SourceNotFoundError(f"The data set {str(file)!r} cannot be read: {error.strerror}.") from error


def _json_lines(file: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_text(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield f"line {number}", f"it is not JSON ({error}); write one JSON object per line."
            continue
        if not isinstance(content, dict):
            content = f"it is a JSON {type(content).__name__}, not an object; write {{...}}."
        yield f"line {number}", content


def _delimited(file: Path, delimiter: str) -> Iterator[tuple[str, Any]]:
    reader = csv.reader(io.StringIO(_text(file), newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        # A quoted field may hold line breaks, so the first line of a record is where the one before ended.
        place = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield place, f"it is not well-formed ({error}); check the quotes."
            return
        if not any(cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            yield from ((place, f"the column {name!r} is there twice.") for name in _twice(header))
        elif len(cells) != len(header):
            yield place, f"it has {len(cells)} fields, the header {len(header)}; quote fields that hold {delimiter!r}."
        else:
            yield place, {name: _cell(name, cell) for name, cell in zip(header, cells, strict=True)}


def _twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _cell(column: str, cell: str) -> Any:
    """A cell as JSON would hold it: lists are JSON or parted by semicolons."""
    name = OTHER_NAMES.get(column, column)
    text = cell.strip()
    if name == "answerable":
        return _TRUTH.get(text.lower(), text) if text else None
    if name not in _LISTS or not text:
        return cell if text else None
    if text.startswith(("[", "{")):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return cell
        return found if isinstance(found, list) else [found]
    return [part.strip() for part in text.split(";") if part.strip()]


def parquet_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a Parquet file with the place of each, such as ``row 3``.

    Raises:
        MissingExtraError: pyarrow is not installed.
        SourceNotFoundError: The file cannot be read.
        DataSetError: It is no Parquet file.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("Reading Parquet", package="pyarrow", extra="parquet") from error
    try:
        with file.open("rb") as opened:
            table = parquet.ParquetFile(opened)
            number = 0
            for batch in table.iter_batches(batch_size=1000):
                for content in batch.to_pylist():
                    number += 1
                    yield f"row {number}", {name: _cell_of(name, value) for name, value in content.items()}
    except OSError as error:
        raise SourceNotFoundError(f"The data set {str(file)!r} cannot be read: {error}.") from error
    except pyarrow.ArrowException as error:
        raise DataSetError(f"{file.name} is not a readable Parquet file: {error}") from error


def _cell_of(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _cell(name, value)
    if isinstance(value, list):
        return [
            {key: held for key, held in each.items() if held is not None} if isinstance(each, dict) else each
            for each in value
        ]
    return value
