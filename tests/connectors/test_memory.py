from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from grounded import registry
from grounded.errors import UsageError
from grounded.protocols import Connector
from grounded.records import Document, Failed, Listing, RawDocument, Upsert
from grounded.testing.connectors import ConnectorContract
from grounded_connectors.memory import ALLOWED_KEYS, MemoryConnector

RECORDS: list[Any] = [
    {"key": "1", "text": "one", "metadata": {"product": "kettle"}},
    Document(key="2", text="two"),
    RawDocument(key="3", content=b"three"),
]


class TestContract(ConnectorContract):
    def make(self) -> Connector:
        return MemoryConnector(RECORDS)


def only(item: Any) -> Upsert | Failed:
    first = next(iter(MemoryConnector([item]).changes()))
    assert isinstance(first, (Upsert, Failed))
    return first


def test_dicts_become_documents() -> None:
    change = only(
        {
            "key": "1",
            "text": "one\x00",
            "title": "First",
            "principals": "group:hr",
            "effective_from": "2026-01-01",
            "effective_to": date(2027, 1, 1),
            "supersedes": "0",
            "trust": "trusted",
        }
    )
    assert isinstance(change, Upsert)
    document = change.document
    assert isinstance(document, Document)
    assert document.text == "one\ufffd"
    assert document.principals == ("group:hr",)
    assert document.effective_from == date(2026, 1, 1)
    assert document.trust == "trusted"


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"key": "1", "text": "x", "autor": "y"}, "autor"),
        ({"key": "1"}, "text"),
        ({"text": "x"}, "key"),
        ({"key": "1", "text": " "}, "empty"),
        ({"key": "1", "text": b"x"}, "text"),
        ({"key": "", "text": "x"}, "key"),
        ({"key": "1", "text": "x", "principals": None}, "principals"),
        ({"key": "1", "text": "x", "metadata": {"tags": ["a"]}}, "metadata"),
        ({"key": "1", "text": "x", "trust": "always"}, "trust"),
        ("just text", "dict"),
        (42, "dict"),
    ],
)
def test_a_bad_record_fails_and_says_why(item: Any, said: str) -> None:
    change = only(item)
    assert isinstance(change, Failed)
    assert said in change.message
    assert change.key


def test_unknown_keys_name_what_is_allowed() -> None:
    change = only({"key": "1", "text": "x", "autor": "y"})
    assert isinstance(change, Failed)
    assert all(name in change.fix for name in ALLOWED_KEYS)


def test_of_a_key_twice_the_last_counts() -> None:
    changes = list(MemoryConnector([{"key": "1", "text": "x"}, {"key": "1", "text": "y"}]).changes())
    assert [c.document.text for c in changes if isinstance(c, Upsert) and isinstance(c.document, Document)] == [
        "x",
        "y",
    ]


def test_lone_surrogates_in_keys_are_escaped() -> None:
    good, bad, *_ = MemoryConnector([{"key": "a\udce9", "text": "x"}, {"key": "b\ud800"}]).changes()
    assert isinstance(good, Upsert)
    assert isinstance(bad, Failed)
    assert (good.document.key, bad.key) == (r"a\udce9", r"b\ud800")


def test_a_path_among_records_names_the_way_to_give_it() -> None:
    failed, *_ = MemoryConnector(iter([Path("d")])).changes()  # type: ignore[arg-type]
    assert isinstance(failed, Failed)
    assert "ingest(*paths)" in failed.fix


def test_a_listing_is_complete_only_when_asked_and_every_record_has_a_key() -> None:
    assert list(MemoryConnector(RECORDS).changes())[-1] == Listing(
        complete=False, reason="records were given without complete=True"
    )
    assert list(MemoryConnector(RECORDS, complete=True).changes())[-1] == Listing(complete=True)
    broken = list(MemoryConnector([*RECORDS, {"text": "x"}], complete=True).changes())[-1]
    assert isinstance(broken, Listing)
    assert not broken.complete


def test_a_generator_is_read_lazily_and_once() -> None:
    connector = MemoryConnector({"key": str(n), "text": "x"} for n in range(3))
    assert connector.total() is None
    assert len(list(connector.changes())) == 4
    with pytest.raises(UsageError, match="generator"):
        list(connector.changes())


@pytest.mark.parametrize("wrong", ["text", b"bytes", {"key": "1", "text": "x"}])
def test_a_single_record_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError):
        MemoryConnector(wrong)


def test_source_names() -> None:
    assert MemoryConnector([], source="crm").source == "crm"
    assert MemoryConnector(RECORDS).total() == 3
    with pytest.raises(UsageError):
        MemoryConnector([], source=" ")


def test_both_are_found_through_their_entry_points() -> None:
    if "records" not in registry.names("connectors"):
        pytest.skip("the distribution is not installed")
    assert registry.load("connectors", "records") is MemoryConnector
