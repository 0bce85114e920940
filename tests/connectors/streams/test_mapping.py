"""Payloads to documents: pure functions, held against whatever a sender may send."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.errors import MissingExtraError, TemplateError, UsageError
from grounded.records import Delete, Document, Failed, RawDocument, Upsert
from grounded.records.durations import seconds
from grounded_connectors.streams.mapping import Mapper, newest
from grounded_connectors.streams.messages import Gap, Message
from grounded_connectors.streams.options import Address, StreamOptions

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@cache
def mapper(**options: Any) -> Mapper:
    return Mapper(StreamOptions(**options), base="kafka://broker/orders", clock=lambda: NOW)


def message(content: bytes | None = b"", **about: Any) -> Message:
    given = {"topic": "orders", "position": "17", "partition": 3, "time": NOW, **about}
    return Message(content=content, size=len(content or b""), **given)


def order(**fields: Any) -> Message:
    return message(json.dumps(fields).encode(), key="4711")


def document(change: object) -> Document | RawDocument:
    assert isinstance(change, Upsert), change
    return change.document


def failure(change: object) -> Failed:
    assert isinstance(change, Failed), change
    return change


def test_a_json_message_is_known_by_its_key_and_cited_by_its_place() -> None:
    made = document(mapper().change(order(product="kettle", price=49.9)))
    assert isinstance(made, RawDocument)
    assert (made.key, made.title, made.media_type) == ("4711", "orders 4711", "application/json")
    (locator,) = made.locators
    assert locator.fields == {"topic": "orders", "partition": 3, "offset": 17, "time": "2026-11-23T12:00:00Z"}
    assert made.uri == "kafka://broker/orders?partition=3&offset=17"


def test_templates_see_fields_payload_and_message() -> None:
    templates = {
        "key": "{{ customer['id'] }}-{{ stream['subject'] }}",
        "text": "{{ note }} at {{ price }} ({{ payload['odd-name'] }})",
        "title": "Order {{ stream['headers']['number'] }}",
    }
    content = b'{"customer": {"id": 7}, "note": "Hot", "price": 49.90, "odd-name": true}'
    made = document(mapper(**templates).change(message(content, subject="eu", headers={"number": "9"})))
    assert isinstance(made, Document)
    assert (made.key, made.text, made.title) == ("7-eu", "Hot at 49.90 (True)", "Order 9")
    assert made.segments[0].span.slice(made.text) == made.text


def test_without_a_key_a_message_is_its_own_document() -> None:
    made = document(mapper().change(message(b"plain text")))
    assert (made.key, made.title) == ("orders[3]@17", "orders")


def test_appended_messages_are_never_replaced() -> None:
    append = mapper(mode="append")
    keys = {document(append.change(replace(order(n=1), position=str(n)))).key for n in range(3)}
    assert keys == {"orders[3]@0", "orders[3]@1", "orders[3]@2"}


def test_tombstones_of_every_sort_delete() -> None:
    assert mapper().change(message(None, key="4711")) == Delete(key="4711")
    assert mapper(key="{{ stream['key'] }}!").change(message(None, key="4711")) == Delete(key="4711!")
    assert mapper(key="{{ id }}").change(message(None, key="4711")) == Delete(key="4711")
    marked = mapper(key="{{ id }}", tombstone="{{ op == 'd' }}")
    assert marked.change(order(id=1, op="d")) == Delete(key="1")
    assert isinstance(marked.change(order(id=1, op="u")), Upsert)


def test_a_tombstone_that_names_nothing_is_a_failure() -> None:
    for options in ({}, {"mode": "append"}):
        failed = failure(mapper(**options).change(message(None)))
        assert (failed.key, failed.error) == ("orders[3]@17", "ParseError")


@pytest.mark.parametrize(
    ("options", "content", "error"),
    [
        ({"format": "json"}, b"{not json", "ParseError"),
        ({"format": "json"}, b'{"a": NaN}', "ParseError"),
        ({"format": "json"}, b'{"a": 1e999}', "ParseError"),
        ({"format": "json"}, b'{"a": 1, "a": 2}', "ParseError"),
        ({"format": "json"}, b"[" * 100_000, "LimitExceededError"),
        ({"format": "json"}, b"1" * 5000, "ParseError"),
        ({}, b"caf\xe9", "ParseError"),
        ({}, b"", "EmptyDocumentError"),
        ({}, b" \n", "EmptyDocumentError"),
        ({"max_bytes": 10}, b"x" * 11, "LimitExceededError"),
        ({"key": "{{ id }}"}, b'{"other": 1}', "TemplateError"),
        ({"key": "{{ id }}"}, b'{"id": " "}', "ParseError"),
        ({"text": "{{ note }}"}, b'{"note": ""}', "EmptyDocumentError"),
        ({"metadata": "tags"}, b'{"tags": [1]}', "ParseError"),
        ({"principals": "who"}, b'{"note": "secret"}', "ParseError"),
        ({"principals": "who"}, b'{"who": []}', "ParseError"),
        ({"time": "at"}, b'{"at": "yesterday"}', "ParseError"),
        ({"time": "at"}, b'{"note": 1}', "ParseError"),
        ({"time": "at"}, b'{"at": "2026-11-23T12:06:00Z"}', "ClockSkewError"),
    ],
)
def test_poison_is_typed_and_keeps_its_place(options: dict[str, Any], content: bytes, error: str) -> None:
    failed = failure(mapper(**options).change(message(content, key=None if "key" in options else "4711")))
    assert failed.error == error
    assert failed.message.startswith("orders[3]@17: ")
    assert failed.key in ("4711", "orders[3]@17")


def test_an_encoding_may_be_named() -> None:
    made = document(mapper(encoding="latin-1").change(message(b"caf\xe9")))
    assert isinstance(made, Document)
    assert made.text == "café"


def test_a_line_of_text_may_look_like_json() -> None:
    made = document(mapper().change(message(b"[INFO] started")))
    assert isinstance(made, Document)
    assert made.text == "[INFO] started"


def test_what_cannot_be_stored_is_replaced() -> None:
    mapped = mapper(key="{{ id }}", text="{{ note }}")
    made = document(mapped.change(order(id="a\x00", note="b\x00c")))
    assert isinstance(made, Document)
    assert (made.key, made.text) == ("a\ufffd", "b\ufffdc")
    assert failure(mapped.change(order(id="a", note="half a character: \ud800"))).error == "TemplateError"


def test_values_for_filters_and_who_may_see_it() -> None:
    change = mapper(metadata="city, price,paid,none", principals="who").change(
        message(b'{"city": "Bern", "price": 1.50, "paid": true, "none": null, "who": ["sales", "audit"]}', key="1")
    )
    made = document(change)
    assert made.metadata == {"city": "Bern", "price": 1.5, "paid": True}
    assert type(made.metadata["price"]) is float
    assert made.principals == ("sales", "audit")


def test_event_time_orders_changes_of_a_key() -> None:
    timed = mapper(time="at")
    early, late = (timed.change(order(at=f"2026-11-23T1{hour}:00:00+01:00")) for hour in (0, 1))
    assert isinstance(early, Upsert)
    assert isinstance(late, Upsert)
    assert early.order < late.order
    assert document(late).event_time == datetime(2026, 11, 23, 10, tzinfo=UTC)
    numbers = [document(timed.change(order(at=at))).event_time for at in (1795428000, 1795428000000, 1795428000.0)]
    assert len(set(numbers)) == 1
    assert not getattr(mapper().change(order(n=1)), "order", "")


def test_time_to_live_counts_from_the_event() -> None:
    short = mapper(ttl="1h")
    made = document(short.change(replace(order(n=1), time=NOW - timedelta(minutes=20))))
    assert made.expires == NOW + timedelta(minutes=40)
    assert short.change(replace(order(n=1), time=NOW - timedelta(hours=2))) == Delete(key="4711")
    ahead = document(short.change(replace(order(n=1), time=NOW + timedelta(days=9))))
    assert ahead.expires == NOW + timedelta(hours=1), "a broker's clock that runs ahead prolongs nothing"


AVRO = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ],
}


def avro(**fields: Any) -> bytes:
    fastavro = pytest.importorskip("fastavro", reason="fastavro is not installed")
    from decimal import Decimal

    stream = io.BytesIO()
    record = {"id": 7, "note": "Hot kettle", "at": NOW, "price": Decimal("49.90"), **fields}
    fastavro.schemaless_writer(stream, fastavro.parse_schema(AVRO), record)
    return stream.getvalue()


@pytest.mark.parametrize("header", [b"", b"\x00\x00\x00\x00\x07"])
def test_avro_with_and_without_a_registrys_header(header: bytes) -> None:
    made = document(
        mapper(format="avro", avro=json.dumps(AVRO), key="{{ id }}", time="at").change(message(header + avro()))
    )
    assert isinstance(made, RawDocument)
    assert json.loads(made.content) == {"id": 7, "note": "Hot kettle", "at": NOW.isoformat(), "price": "49.90"}
    assert (made.key, made.event_time) == ("7", NOW)


@given(st.binary(max_size=200))
def test_any_bytes_are_avro_or_a_failure(content: bytes) -> None:
    change = mapper(format="avro", avro=json.dumps(AVRO)).change(message(content))
    assert isinstance(change, Upsert | Failed)
    assert not isinstance(mapper(format="avro", avro=json.dumps(AVRO)).change(message(avro() + b"\x01")), Upsert)


@given(
    content=st.none() | st.binary(max_size=300) | st.text().map(lambda text: json.dumps({"id": text}).encode()),
    key=st.none() | st.text(max_size=20),
    options=st.sampled_from(
        [
            {},
            {"format": "json"},
            {"format": "text"},
            {"key": "{{ id }}"},
            {"mode": "append", "ttl": "1d"},
            {"text": "{{ payload }}"},
            {"tombstone": "{{ id == '' }}", "metadata": "id", "principals": "id"},
        ]
    ),
)
def test_no_message_raises(content: bytes | None, key: str | None, options: dict[str, Any]) -> None:
    mapped = mapper(**options)
    change = mapped.change(message(content, key=key))
    assert change == mapped.change(message(content, key=key)), "the same message means the same"
    assert document(change).key if isinstance(change, Upsert) else getattr(change, "key", None)
    if isinstance(change, Upsert) and isinstance(change.document, Document):
        assert change.document.segments[0].span.slice(change.document.text) == change.document.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_every_json_object_becomes_a_document(payload: dict[str, Any]) -> None:
    made = document(mapper(format="json").change(message(json.dumps(payload).encode(), key="k")))
    assert isinstance(made, RawDocument)
    assert json.loads(made.content) == payload


@given(st.lists(st.none() | st.datetimes(timezones=st.just(UTC)), max_size=5))
def test_a_watermark_never_lies_in_the_future(times: list[datetime | None]) -> None:
    reached = newest(times, NOW)
    assert reached is None or reached <= NOW


def test_a_gap_names_its_range() -> None:
    failed = mapper().gap(Gap("orders[3]", "17", "40", "22 messages were deleted."))
    assert (failed.key, failed.error) == ("orders[3]@17..40", "GapError")


@pytest.mark.parametrize(
    "options",
    [
        {"format": "xml"},
        {"encoding": "no-such"},
        {"format": "avro"},
        {"avro": "{}"},
        {"mode": "append", "key": "{{ id }}"},
        {"ttl": "soon"},
        {"last": 0},
        {"no_such": "x"},
    ],
)
def test_wrong_options_are_refused_with_those_allowed(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Address("kafka://host/orders", options).rest(("user",))


def test_options_come_from_the_query_too() -> None:
    address = Address("kafka://me:s%40fe@host:9092/a%2Fb?ttl=7d&metadata=a,b&user=you", {"ttl": "1d"})
    assert (address.user, address.password, address.path, address.hosts) == ("me", "s@fe", "a/b", "host:9092")
    assert address.take("user") == "you"
    options = address.rest(("user",))
    assert (options.ttl, options.metadata) == (86_400.0, ("a", "b"))


@pytest.mark.parametrize("template", ["{{ a.b }}", "{% set a = 1 %}", "{{ ''.__class__ }}", "{{ range(9)() }}", "{{"])
def test_templates_are_sandboxed(template: str) -> None:
    with pytest.raises(TemplateError):
        mapper(text=template)


def test_a_schema_that_is_none_is_refused() -> None:
    pytest.importorskip("fastavro", reason="fastavro is not installed")
    for schema in ("{}", "no/such/file.avsc", '{"type": "nonsense"}'):
        with pytest.raises((UsageError, MissingExtraError)):
            mapper(format="avro", avro=schema)


@given(st.floats(min_value=0.1, max_value=9999), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
def test_lengths_of_time(value: float, unit: str) -> None:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    assert seconds(f"{value:.3f}{unit}") == pytest.approx(float(f"{value:.3f}") * units[unit])


def kept(change: object) -> RawDocument:
    received = failure(change).received
    assert isinstance(received, RawDocument), received
    return received


@pytest.mark.parametrize("place", [{}, {"partition": None, "position": "5-0"}, {"partition": None, "position": "5"}])
def test_a_message_that_failed_is_kept_whole_and_means_what_it_would_have_meant(place: dict[str, Any]) -> None:
    sent = message(
        b'{"body": "kettle"}', key="4711", subject="orders.eu", headers={"trace": "a\x00b"}, time=NOW, **place
    )
    received = kept(mapper(text="{{ note }}").change(sent))
    assert (received.content, received.event_time) == (sent.content, NOW)
    corrected = mapper(text="{{ body }} of {{ stream['subject'] }} {{ stream['headers'] | length }}")
    assert corrected.again(received) == corrected.change(sent)
    assert kept(mapper(text="{{ note }}").again(received)) == received


def test_without_a_time_of_the_event_nobody_knows_what_came_after_a_kept_message() -> None:
    sent = message(b'{"id": 1, "body": "kettle", "at": "2026-11-23T11:00:00Z"}')
    assert kept(mapper(key="{{ id }}", text="{{ note }}").change(sent)).key == "1"
    received = kept(mapper(key="{{ number }}", text="{{ body }}").change(sent))
    again = failure(mapper(key="{{ id }}", text="{{ body }}").again(received))
    assert (again.key, again.received) == (received.key, received)
    assert "newer" in again.message
    timed = mapper(key="{{ id }}", text="{{ body }}", time="at").again(received)
    assert isinstance(timed, Upsert)
    assert (timed.document.key, timed.order[:13]) == ("1", "2026-11-23T11")


def test_a_message_too_large_to_read_is_not_kept_either() -> None:
    assert failure(mapper(max_bytes=3).change(message(b"four"))).received is None
