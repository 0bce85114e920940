"""One message, one change: a document to store, a key to delete, or a failure that says why.

Everything here is a pure function of the message, the options and the clock that is given; it raises nothing for a
message, however malformed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from grounded.errors import ClockSkewError, EmptyDocumentError, GroundedError, LimitExceededError, ParseError
from grounded.records import Delete, Document, Failed, RawDocument, Scalar, Segment, Span, Upsert
from grounded_connectors.streams.messages import Gap, Message
from grounded_connectors.streams.options import StreamOptions
from grounded_connectors.streams.payloads import decoder, plain

MILLISECONDS_FROM = 100_000_000_000
"""A number of this size or more counts milliseconds: as seconds it would lie beyond the year 5000."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TEMPLATES = ("key", "text", "title", "tombstone")

StreamChange = Upsert | Delete | Failed


class Mapper:
    """Makes changes of messages.

    Args:
        options: How.
        base: What the address of a message begins with; no credentials.
        clock: Tells the time.

    Raises:
        TemplateError: A template is malformed or uses something forbidden.
        UsageError: The Avro schema cannot be read.
    """

    def __init__(
        self, options: StreamOptions, *, base: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._options = options
        self._base = base
        self._clock = clock
        self._decode = decoder(options)
        self._templates = _Templates({name: getattr(options, name) for name in _TEMPLATES})

    def change(self, message: Message) -> StreamChange:
        """What a message means for the knowledge base."""
        key = message.key if self._options.mode == "upsert" and not self._options.key else None
        try:
            if message.content is None:
                return self._tombstone(message)
            if message.size > self._options.max_bytes:
                raise LimitExceededError(
                    f"The payload has {message.size:,} bytes; {self._options.max_bytes:,} are allowed.",
                    fix="Raise the option 'max_bytes', or send a reference instead.",
                )
            payload = self._decode(message.content)
            names = _names(message, payload)
            key = self._key(message, names)
            return self._mapped(message, payload, names, key)
        except GroundedError as error:
            return self._failed(message, key or message.place, error)

    def again(self, received: RawDocument) -> StreamChange:
        """What a message means that was kept because it meant nothing when it came."""
        message = _message_of(received)
        # A dead letter under its document's key is settled by whatever newer comes of it; one under its place is not.
        if received.key == _storable(message.place) and self._options.key and not self._options.time:
            error = ParseError(
                "Nobody can tell whether a newer message of its key has come since.",
                fix="Give the option 'time' for the retry, or send the message again.",
            )
            return self._failed(message, received.key, error)
        return self.change(message)

    def gap(self, gap: Gap) -> Failed:
        """Messages that are lost, as a failure that stays visible until it is settled."""
        span = f"{gap.topic}@{gap.since or 'start'}..{gap.until or 'now'}"
        return Failed(
            key=span,
            uri=self._base,
            error="GapError",
            message=gap.reason,
            fix="Read more often than the source forgets, or send the messages again.",
        )

    def _mapped(self, message: Message, payload: Any, names: Mapping[str, Any], key: str) -> StreamChange:
        options = self._options
        time = self._event_time(message, payload)
        order = f"{time:%Y-%m-%dT%H:%M:%S.%f}" if options.time and time is not None else ""
        happened = min(time or self._clock(), self._clock())
        expires = happened + timedelta(seconds=options.ttl) if options.ttl is not None else None
        is_deleted = self._templates.render("tombstone", names).strip().lower() in ("true", "1", "yes")
        if is_deleted or (expires is not None and expires <= self._clock()):
            return Delete(key=key, order=order)
        return Upsert(document=self._document(message, payload, names, key, time, expires), order=order)

    def _document(
        self,
        message: Message,
        payload: Any,
        names: Mapping[str, Any],
        key: str,
        time: datetime | None,
        expires: datetime | None,
    ) -> Document | RawDocument:
        text = self._templates.render("text", names) if self._options.text else payload
        title = self._templates.render("title", names).strip()
        common: dict[str, Any] = {
            "key": key,
            "title": _storable(title or (message.topic if key == message.place else f"{message.topic} {key}")),
            "uri": self._address(message),
            "metadata": self._metadata(payload),
            "principals": self._principals(payload),
            "event_time": time,
            "expires": expires,
        }
        locator = message.locator(time)
        if isinstance(text, str):
            text = _storable(text)
            if not text.strip():
                raise EmptyDocumentError("The message holds no text.", fix="Check the option 'text'.")
            whole = Segment(span=Span(start=0, end=len(text)), locator=locator)
            return Document(text=text, segments=(whole,), **common)
        content = message.content if self._options.format != "avro" else json.dumps(plain(payload)).encode()
        return RawDocument(
            content=content or b"", name="message.json", media_type="application/json", locators=(locator,), **common
        )

    def _tombstone(self, message: Message) -> StreamChange:
        """An empty payload: its key must come from the message alone."""
        key = message.key
        if self._options.key:
            try:
                key = self._templates.render("key", _names(message, None)).strip()
            except GroundedError:
                key = message.key  # the template reads the payload, and there is none
        if not key or self._options.mode == "append":
            raise ParseError("The payload is empty, and the message has no key that it could delete.")
        return Delete(key=_storable(key), order=self._tombstone_order(message))

    def _tombstone_order(self, message: Message) -> str:
        # A tombstone has no payload and so no time of its own: the message's must do.
        if not self._options.time or message.time is None:
            return ""
        return f"{message.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"

    def _key(self, message: Message, names: Mapping[str, Any]) -> str:
        options = self._options
        if options.mode == "append":
            return message.place
        if not options.key:
            return _storable(message.key or message.place)
        key = _storable(self._templates.render("key", names).strip())
        if not key:
            raise ParseError("The template of the key makes nothing of this message.", fix="Check the option 'key'.")
        return key

    def _event_time(self, message: Message, payload: Any) -> datetime | None:
        if not self._options.time:
            return message.time
        time = _as_time(_field(payload, self._options.time, "time"))
        ahead = (time - self._clock()).total_seconds()
        if ahead > self._options.max_skew:
            raise ClockSkewError(
                f"The event claims to happen {ahead:.0f} s from now; {self._options.max_skew:.0f} s are allowed.",
                fix="Set the sender's clock, or raise the option 'max_skew'.",
            )
        return time

    def _metadata(self, payload: Any) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        for name in self._options.metadata:
            value = plain(payload.get(name)) if isinstance(payload, dict) else None
            if isinstance(value, bool | str):
                found[name] = _storable(value) if isinstance(value, str) else value
            elif isinstance(value, int | float):
                found[name] = float(value) if isinstance(value, float) else value
            elif value is not None:
                raise ParseError(f"The field {name!r} is no single value, so it cannot be a value for filters.")
        return found

    def _principals(self, payload: Any) -> tuple[str, ...]:
        if not self._options.principals:
            return ()
        given = _field(payload, self._options.principals, "principals")
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            raise ParseError(
                f"The field {self._options.principals!r} does not say who may see this message.",
                fix="Send a name or a list of names.",
            )
        return tuple(map(_storable, names))

    def _address(self, message: Message) -> str:
        if message.partition is not None:
            return f"{self._base}?partition={message.partition}&offset={message.position}"
        return f"{self._base}?sequence={message.position}"

    def _failed(self, message: Message, key: str, error: GroundedError) -> Failed:
        return Failed(
            key=_storable(key),
            uri=self._address(message),
            error=type(error).__name__,
            message=f"{message.place}: {error.message}",
            fix=error.fix,
            received=self._received(message, _storable(key)),
        )

    def _received(self, message: Message, key: str) -> RawDocument | None:
        """All of the message, with the broker's time; nothing where there is no payload or it was too large to keep."""
        if message.content is None or message.size > self._options.max_bytes:
            return None
        about = {"key": message.key, "subject": message.subject, "headers": json.dumps(dict(message.headers))}
        return RawDocument(
            key=key,
            content=message.content,
            uri=self._address(message),
            event_time=message.time,
            locators=(message.locator(message.time),),
            metadata={name: _storable(value) for name, value in about.items() if value is not None},
        )


def _message_of(received: RawDocument) -> Message:
    """The message that ``_received`` was given."""
    place, about = received.locators[0].fields, received.metadata
    return Message(
        topic=place["topic"],
        position=str(place.get("offset", place.get("sequence"))),
        content=received.content,
        key=None if "key" not in about else str(about["key"]),
        partition=place.get("partition"),
        time=received.event_time,
        subject=str(about["subject"]),
        headers=json.loads(str(about["headers"])),
        size=len(received.content),
    )


class _Templates:
    """The templates that were given, compiled; a template that was not given makes nothing."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._compiled: dict[str, Any] = {}
        files = {name: text for name, text in given.items() if text}
        if files:
            from grounded.prompting.sandbox import Sandbox

            self._sandbox = Sandbox(files, "")
            self._compiled = {name: self._sandbox.compile(name) for name in files}

    def render(self, name: str, names: Mapping[str, Any]) -> str:
        template = self._compiled.get(name)
        return self._sandbox.render(template, names) if template is not None else ""


def newest(times: Sequence[datetime | None], now: datetime) -> datetime | None:
    """The latest of several times, none of them later than ``now``: a clock that runs ahead proves nothing."""
    known = [time for time in times if time is not None]
    return min(max(known), now) if known else None


def _names(message: Message, payload: Any) -> dict[str, Any]:
    """What templates see."""
    stream = {
        "key": message.key,
        "topic": message.topic,
        "partition": message.partition,
        "position": message.position,
        "subject": message.subject,
        "time": message.time.isoformat() if message.time else None,
        "headers": dict(message.headers),
    }
    fields = payload if isinstance(payload, dict) else {}
    return {**fields, "payload": payload, "stream": stream}


def _field(payload: Any, name: str, option: str) -> Any:
    value = payload.get(name) if isinstance(payload, dict) else None
    if value is None:
        raise ParseError(
            f"The message has no field {name!r}.", fix=f"Correct the sender, or leave out the option {option!r}."
        )
    return value


def _as_time(value: Any) -> datetime:
    try:
        if isinstance(value, datetime):
            time = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            time = datetime.fromtimestamp(value / 1000 if abs(value) >= MILLISECONDS_FROM else value, UTC)
        else:
            time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise ParseError(
            f"{str(value)[:40]!r} is no time.", fix="Send ISO 8601, or seconds or milliseconds since 1970."
        ) from error


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)
