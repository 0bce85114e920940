"""Payloads as values: JSON, Avro and text, from senders nobody has to trust."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from grounded.errors import LimitExceededError, MissingExtraError, ParseError, UsageError
from grounded_connectors.streams.options import StreamOptions

_BYTE_ORDER_MARK = "\ufeff"
_CONFLUENT_HEADER = 5


class Written(float):
    """A number that prints as it was written: ``49.90`` stays ``49.90``."""

    def __new__(cls, text: str) -> Written:
        """A number of the text."""
        made = super().__new__(cls, text)
        made._text = text
        return made

    _text: str

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def decoder(options: StreamOptions) -> Callable[[bytes], Any]:
    """The function that decodes payloads; it raises ``ParseError`` for one that is not as it should be.

    Raises:
        UsageError: The Avro schema cannot be read.
        MissingExtraError: Avro without its package.
    """
    match options.format:
        case "json":
            return from_json
        case "avro":
            return _avro(options.avro)
        case "text":
            return lambda content: from_text(content, options.encoding)
    return lambda content: _auto(content, options.encoding)


def from_text(content: bytes, encoding: str = "utf-8") -> str:
    """Text without its byte-order mark.

    Raises:
        ParseError: A byte does not belong there.
    """
    try:
        return content.decode(encoding).removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise ParseError(
            f"The payload is not valid {encoding}: byte {error.start} is 0x{content[error.start]:02x}.",
            fix="Name its encoding in the option 'encoding', or correct the sender.",
        ) from error


def from_json(content: bytes) -> Any:
    """A JSON value; fractions print as they were written.

    Raises:
        ParseError: It is not JSON, holds NaN, or a key twice.
        LimitExceededError: It is nested too deeply.
    """
    text = from_text(content)
    try:
        return json.loads(text, parse_float=_fraction, parse_constant=_constant, object_pairs_hook=_object)
    except RecursionError as error:
        raise LimitExceededError("The payload is nested too deeply to be read.") from error
    except ValueError as error:  # also whole numbers of thousands of digits
        raise ParseError(f"The payload is not JSON: {error}.", fix="Correct the sender, or say format=text.") from error


def _auto(content: bytes, encoding: str) -> Any:
    if content.lstrip()[:1] in (b"{", b"["):
        try:
            return from_json(content)
        except ParseError:
            pass  # a line of text may begin with a bracket
    return from_text(content, encoding)


def _fraction(text: str) -> float:
    value = Written(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return made


def _avro(schema: str) -> Callable[[bytes], Any]:
    try:
        import fastavro
        from fastavro.schema import SchemaParseException, UnknownType
    except ImportError as error:
        raise MissingExtraError("Reading Avro", package="fastavro", extra="avro") from error
    try:
        written = schema if schema.lstrip()[:1] in ("{", '"', "[") else Path(schema).read_text("utf-8")
        parsed = fastavro.parse_schema(json.loads(written))
    except (OSError, ValueError, LookupError, SchemaParseException, UnknownType) as error:
        raise UsageError(
            f"The Avro schema cannot be read: {error}.", fix="Give JSON, or the path of a file."
        ) from error

    def decode(content: bytes) -> Any:
        failed = None
        # A first byte of zero may be Confluent's header or data; only the whole payload read to its end is right.
        starts = (_CONFLUENT_HEADER, 0) if content[:1] == b"\x00" else (0,)
        for start in starts:
            stream = io.BytesIO(content[start:])
            try:
                value = fastavro.schemaless_reader(stream, parsed, None)
            except (EOFError, ValueError, TypeError, IndexError, KeyError, OverflowError, ArithmeticError) as error:
                failed = error
                continue
            if not stream.read(1):
                return value
        reason = f"{type(failed).__name__} {failed}".strip() if failed else "bytes are left over"
        raise ParseError(f"The payload does not fit the Avro schema: {reason}.", fix="Give the writer's schema.")

    return decode


def plain(value: Any) -> Any:
    """A decoded value as JSON has it: times in ISO 8601, decimals as written, bytes in Base64."""
    match value:
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
    return value
