"""Documents that are offered with a fingerprint and fetched only when it is another one."""

from __future__ import annotations

import pytest

from grounded.records import Change, Failed, Listing, Offer, RawDocument, Upsert
from tests.ingestion.support import Base, ListSource


def offer(key: str, fingerprint: str, fetched: list[str], content: bytes | None = b"Some words.") -> Offer:
    stub = RawDocument(key=key, title=key, content=b"", fingerprint=fingerprint)

    def read() -> Upsert | Failed | None:
        fetched.append(key)
        if content is None:
            return Failed(key=key, error="SourceError", message="gone wrong")
        return Upsert(document=stub.model_copy(update={"content": content}))

    return Offer(document=stub, read=read)


def test_an_offer_is_fetched_only_when_its_fingerprint_is_new(base: Base) -> None:
    fetched: list[str] = []
    changes: list[Change] = [offer("a", "1", fetched), offer("b", "1", fetched), Listing(complete=True)]
    assert base.sync(ListSource(changes)).documents_added == 2
    report = base.sync(
        ListSource([offer("a", "1", fetched), offer("b", "2", fetched, b"Other words."), Listing(complete=True)])
    )
    assert (report.documents_unchanged, report.documents_updated, fetched) == (1, 1, ["a", "b", "b"])
    assert base.texts() == ["Some words.", "Other words."]


def test_an_offer_that_cannot_be_fetched_fails_alone_and_keeps_what_was_there(base: Base) -> None:
    fetched: list[str] = []
    base.sync(ListSource([offer("a", "1", fetched), offer("b", "1", fetched), Listing(complete=True)]))
    report = base.sync(ListSource([offer("a", "2", fetched, None), offer("b", "1", fetched), Listing(complete=True)]))
    assert [failure.key for failure in report.failures] == ["a"]
    assert (report.documents_unchanged, report.documents_retired) == (1, 0)
    assert base.texts() == ["Some words.", "Some words."]
    assert base.sync(ListSource([offer("a", "1", fetched)])).ok


def test_metadata_of_an_offer_change_without_fetching(base: Base) -> None:
    fetched: list[str] = []
    first = offer("a", "1", fetched)
    base.sync(ListSource([first]))
    again = first.document.model_copy(update={"metadata": {"year": 2026}})
    report = base.sync(ListSource([first.model_copy(update={"document": again})]))
    assert (report.documents_updated, fetched) == (1, ["a"])


def test_an_offer_without_a_fingerprint_is_refused() -> None:
    with pytest.raises(ValueError, match="fingerprint"):
        offer("a", "", [])
