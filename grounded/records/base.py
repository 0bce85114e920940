"""What every record is: frozen, strict when built, tolerant when loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator

from grounded.errors import SchemaError

SCHEMA = 1
"""Version of the JSON form of every record."""

_LOADING = "grounded.loading"


class Record(BaseModel):
    """A frozen value. Unknown fields are refused when built and ignored when loaded.

    Mappings inside a record are to be treated as read-only. Records are safe to share between threads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _ignore_unknown_when_loading(cls, data: Any, info: ValidationInfo) -> Any:
        if not info.context or not info.context.get(_LOADING) or not isinstance(data, Mapping):
            return data
        if cls.model_config.get("extra") == "allow":
            return data
        return {key: value for key, value in data.items() if key in cls.model_fields}

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-compatible values, with ``"schema": 1`` first."""
        return {"schema": SCHEMA, **self.model_dump(mode="json")}

    def to_json(self, *, indent: int | None = None) -> str:
        """The record as a JSON document, UTF-8 safe, keys in field order."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Load a record; fields that this release does not know are ignored.

        Raises:
            SchemaError: The data is not this record, or was written by a newer release.
        """
        if not isinstance(data, Mapping):
            raise SchemaError(f"A {cls.__name__} must be a JSON object, not {type(data).__name__}.")
        schema = data.get("schema", SCHEMA)
        if schema != SCHEMA:
            raise SchemaError(
                f"This {cls.__name__} has schema {schema!r}; this release reads schema {SCHEMA}.",
                fix="Upgrade grounded-rag to the release that wrote it, or write it again.",
            )
        content = {key: value for key, value in data.items() if key != "schema"}
        try:
            return cls.model_validate(content, context={_LOADING: True})
        except ValidationError as error:
            raise SchemaError(f"This is not a valid {cls.__name__}: {error}") from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Load a record from a JSON document.

        Raises:
            SchemaError: The text is not JSON, not this record, or from a newer release.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SchemaError(f"This {cls.__name__} is not valid JSON: {error}") from error
        return cls.from_dict(data)


class Span(Record):
    """A half-open range ``[start, end)`` of Unicode code points.

    Attributes:
        start: First code point, ≥ 0.
        end: One past the last code point, ≥ start.
    """

    start: int
    end: int

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span needs 0 <= start <= end, got [{self.start}, {self.end})")
        return self

    def __len__(self) -> int:
        return self.end - self.start

    def __bool__(self) -> bool:
        """A span is a value, not a container: always true, also when empty."""
        return True

    def slice(self, text: str) -> str:
        """The part of ``text`` the span covers."""
        return text[self.start : self.end]

    def shift(self, by: int) -> Span:
        """The span moved by ``by`` code points."""
        return Span(start=self.start + by, end=self.end + by)

    def overlaps(self, other: Span) -> bool:
        """Whether the two spans share at least one code point."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Whether ``other`` lies wholly inside."""
        return self.start <= other.start and other.end <= self.end
