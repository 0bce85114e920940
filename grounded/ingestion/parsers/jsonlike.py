"""JSON and JSON lines: every leaf or short record as ``a.b: value``, located by JSON pointer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grounded.errors import ParseError
from grounded.ingestion.parsers.building import TextBuilder, too_deep
from grounded.ingestion.parsers.rows import clean
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

RECORD_CHARACTERS = 1_500
"""A record up to this long is one line; a longer one has a line for every value."""

Leaf = tuple[str, str, str]
"""JSON pointer, dotted path and text of a value."""


def parse(source: Source) -> Parsed:
    """One JSON value.

    Raises:
        ParseError: It is not JSON, names a key twice in one object, or holds NaN or an infinity.
        LimitExceededError: It is nested too deeply or too long.
    """
    builder = TextBuilder(source.limits)
    value = load(source.text or "")
    _add(builder, value, "", "", source.limits.depth)
    return builder.parsed(media_type="application/json")


def parse_lines(source: Source) -> Parsed:
    """One JSON value per line; a line that is not JSON is kept as it is, with a warning.

    Raises:
        ParseError: A line names a key twice in one object, or holds NaN or an infinity.
        LimitExceededError: A line is nested too deeply, or the text is too long.
    """
    builder = TextBuilder(source.limits)
    depth = source.limits.depth
    for number, line in enumerate((source.text or "").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = load(line)
        except NotJsonError as error:
            builder.warnings.append(f"line {number} is not JSON ({error.message}); kept as text")
            builder.mark(builder.line(line.strip()), "line", number=number)
            continue
        _add_record(builder, list(_leaves(value, "", "", depth)), "", line=number)
    return builder.parsed(media_type="application/x-ndjson")


class NotJsonError(ParseError):
    """The text is not JSON at all (as against JSON with something refused in it)."""


def load(text: str) -> Any:
    """JSON with numbers kept as they are written; duplicate keys and NaN are refused.

    Raises:
        NotJsonError: The text is not JSON.
        ParseError: A key occurs twice in one object, or a number is NaN or infinite.
        LimitExceededError: The nesting is deeper than the interpreter reads.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{error.msg}: line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise too_deep() from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ParseError(
            f"The key {twice!r} occurs twice in one JSON object, so its value is not certain.",
            fix="Keep one of the two.",
        )
    return made


def _constant(name: str) -> Any:
    raise ParseError(f"The JSON holds {name}, which JSON does not allow.", fix="Write null or a number instead.")


def _add(builder: TextBuilder, value: Any, pointer: str, path: str, depth: int) -> None:
    """Lists of objects record by record, everything else value by value."""
    if depth <= 0:
        raise too_deep()
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            record = f"{pointer}/{index}"
            if _has_records(item):
                _add(builder, item, record, path, depth - 1)
            else:
                _add_record(builder, list(_leaves(item, record, path, depth - 1)), record)
    elif isinstance(value, dict):
        for key, item in value.items():
            _add(builder, item, f"{pointer}/{_escape(key)}", f"{path}.{key}" if path else key, depth - 1)
    else:
        for leaf in _leaves(value, pointer, path, depth):
            _add_leaf(builder, leaf)


def _has_records(value: Any) -> bool:
    """Whether an object holds lists of objects, which get lines of their own."""
    return isinstance(value, dict) and any(
        isinstance(item, list) and any(isinstance(inner, dict) for inner in item) for item in value.values()
    )


def _add_record(builder: TextBuilder, leaves: list[Leaf], pointer: str, **fields: int) -> None:
    """A record on one line when it is short, else a line for every value; empty values are left out."""
    leaves = [leaf for leaf in leaves if leaf[2].strip()]
    if not leaves:
        return
    text = "; ".join(_line(path, clean(value)) for _, path, value in leaves)
    if len(text) <= RECORD_CHARACTERS:
        builder.mark(builder.line(text), "json_pointer", pointer=pointer, **fields)
        return
    for leaf in leaves:
        _add_leaf(builder, leaf, **fields)
    builder.separate(2)


def _add_leaf(builder: TextBuilder, leaf: Leaf, **fields: int) -> None:
    pointer, path, value = leaf
    text = _line(path, value.replace("\r\n", "\n").strip())
    if text:
        builder.mark(builder.line(text), "json_pointer", pointer=pointer, **fields)


def _line(path: str, value: str) -> str:
    return f"{path}: {value}" if path and value else value


def _leaves(value: Any, pointer: str, path: str, depth: int) -> Iterator[Leaf]:
    """Every value with its pointer; a list of plain values is one leaf, joined by commas."""
    if depth < 0:
        raise too_deep()
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{pointer}/{_escape(key)}", f"{path}.{key}" if path else key, depth - 1)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{pointer}/{index}", path, depth - 1)
    elif isinstance(value, list):
        yield pointer, path, ", ".join(_scalar(item) for item in value)
    else:
        yield pointer, path, _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
