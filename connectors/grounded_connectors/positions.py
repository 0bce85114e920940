"""Database values in a checkpoint: as JSON, and back with their type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from grounded.errors import SourceError


def packed(value: Any) -> Any:
    """A value as JSON.

    Raises:
        SourceError: It is of a type that has no order a cursor could follow.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return {"datetime": value.isoformat()}
        case date():
            return {"date": value.isoformat()}
        case Decimal():
            return {"decimal": str(value)}
        case UUID():
            return {"uuid": str(value)}
        case bytes() | bytearray() | memoryview():
            return {"bytes": bytes(value).hex()}
        case _:
            raise SourceError(
                f"A cursor or key of type {type(value).__name__} cannot be followed.",
                fix="Use a number, a time, a text or a UUID.",
            )


def unpacked(value: Any) -> Any:
    """What ``packed`` was given."""
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    readers: dict[str, Callable[[str], Any]] = {
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "decimal": Decimal,
        "uuid": UUID,
        "bytes": bytes.fromhex,
    }
    return readers[kind](text)


def now() -> str:
    """The time of a snapshot, to the second, UTC."""
    return datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
