"""How messages become documents: the options that every stream takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from grounded.errors import UsageError
from grounded.records.base import Record
from grounded.records.durations import Duration

MAX_BYTES = 10_000_000


def _names(given: Any) -> Any:
    return tuple(name.strip() for name in given.split(",") if name.strip()) if isinstance(given, str) else given


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""Several names; in a URI separated by commas."""


class StreamOptions(Record):
    """How messages become documents.

    ``key``, ``text``, ``title`` and ``tombstone`` are templates in the sandboxed language of the prompt templates.
    They see the fields of the payload by their names, the whole payload as ``payload``, and the message itself as
    ``stream`` with ``key``, ``topic``, ``partition``, ``position``, ``subject``, ``time`` and ``headers``:
    ``"{{ id }}"``, ``"{{ customer['name'] }}"``, ``"{{ stream['subject'] }}"``.

    Attributes:
        format: ``json``, ``avro``, ``text``, or ``auto``: JSON where the payload is a JSON object or list, else text.
        encoding: Of text payloads.
        avro: Schema of Avro payloads: JSON, or the path of a file. A Confluent header of five bytes is skipped.
        mode: ``upsert``: a message replaces the document of the same key. ``append``: every message is its own
            document, known by its place in the stream.
        key: Template of the key; empty takes the message's own key, and without one its place in the stream.
        text: Template of the text; empty renders the payload by itself.
        title: Template of the title; empty takes topic and key.
        tombstone: Template that is ``true`` for a message that deletes its key, such as ``"{{ op == 'd' }}"``. An
            empty payload of a message with a key deletes always.
        metadata: Payload fields that become values for filters.
        principals: Payload field that says who may see it: a name or a list of names.
        time: Payload field with the time of the event: ISO 8601, or a number of seconds or milliseconds since 1970.
            With it, an event older than what is stored of its key is ignored.
        max_skew: How far ahead of this machine's clock such a time may be, seconds.
        ttl: Seconds after which a document expires, counted from its event.
        last: Keep only that many newest documents of the stream.
        max_bytes: A larger payload is a dead letter and is not decoded.
        batch: Messages per micro-batch.
    """

    format: Literal["auto", "json", "avro", "text"] = "auto"
    encoding: str = "utf-8"
    avro: str = ""
    mode: Literal["upsert", "append"] = "upsert"
    key: str = ""
    text: str = ""
    title: str = ""
    tombstone: str = ""
    metadata: Names = ()
    principals: str = ""
    time: str = ""
    max_skew: Duration = Field(default=300.0, ge=0)
    ttl: Duration | None = Field(default=None, gt=0)
    last: int | None = Field(default=None, ge=1)
    max_bytes: int = Field(default=MAX_BYTES, ge=1)
    batch: int = Field(default=500, ge=1, le=10_000)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        try:
            "".encode(self.encoding)
        except LookupError as error:
            raise ValueError(f"there is no encoding {self.encoding!r}") from error
        if (self.format == "avro") != bool(self.avro):
            raise ValueError("format 'avro' and a schema in 'avro' belong together")
        if self.mode == "append" and self.key:
            raise ValueError("mode 'append' knows a message by its place and takes no key")
        return self


class Address:
    """A stream's URI and the options given in its query or beside it.

    Args:
        uri: ``scheme://user:password@host:port/path?option=value``.
        given: Options by name; they win over the query.
    """

    def __init__(self, uri: str, given: Mapping[str, Any]) -> None:
        parts = urlsplit(uri)
        try:
            self.port = parts.port
        except ValueError as error:
            raise UsageError(f"The port of {parts.scheme}://… is no number from 0 to 65535.") from error
        self.scheme = parts.scheme.lower()
        self.hosts = parts.netloc.rpartition("@")[2]
        self.host = parts.hostname or ""
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.path = unquote(parts.path.strip("/"))
        self._options = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **given}

    def take(self, name: str, default: str = "") -> str:
        """An option of the system itself, which no other part asks for; the default when it is not given."""
        value = self._options.pop(name, None)
        return default if value is None else str(value)

    def need(self, value: str, what: str, example: str) -> str:
        """The value, which must not be empty.

        Raises:
            UsageError: It is.
        """
        if not value:
            raise UsageError(f"The address of a {self.scheme} source lacks {what}.", fix=f"Write {example}.")
        return value

    def rest(self, system: tuple[str, ...]) -> StreamOptions:
        """What is left, as the options that every stream takes.

        Args:
            system: Names of the options that were taken; for the message.

        Raises:
            UsageError: An option is unknown or has a wrong value.
        """
        unknown = [name for name in self._options if name not in StreamOptions.model_fields]
        if unknown:
            allowed = ", ".join((*system, *StreamOptions.model_fields))
            raise UsageError(
                f"A {self.scheme} source has no option {', '.join(map(repr, unknown))}.", fix=f"Allowed: {allowed}."
            )
        try:
            return StreamOptions(**{name: value for name, value in self._options.items() if value is not None})
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors())
            raise UsageError(f"An option of a {self.scheme} source is wrong: {problems}.") from error
