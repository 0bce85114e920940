"""What every connector must do. Subclass ``ConnectorContract`` in a pytest module and say how to make yours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import pytest

from grounded.errors import SourceError
from grounded.protocols import Connector
from grounded.records import (
    Change,
    Checkpoint,
    Delete,
    Document,
    Failed,
    Keep,
    Listing,
    Offer,
    Rename,
    Unchanged,
    Upsert,
)

CUTS = 12
"""At so many places at most a run is cut off to see that the next one goes on."""

_CREDENTIALS = re.compile(r"://[^/@\s]*:[^/@\s]*@")


class ConnectorContract:
    """Contract tests of the ``Connector`` seam, run by pytest on a subclass.

    Example:
        ```python
        class TestMine(ConnectorContract):
            foreign_keys = ("elsewhere/9",)

            def make(self):
                return MyConnector(...)
        ```

    ``edit``, ``spoil`` and ``hide`` change the data that ``make`` reads; a test whose change is not written is skipped.

    Attributes:
        foreign_keys: Keys of the same source that lie outside the connector's part; it must not cover them.
    """

    foreign_keys: Sequence[str] = ()

    def make(self) -> Connector:
        """A fresh connector over the same, unchanging data of at least two documents."""
        raise NotImplementedError

    def edit(self) -> None:
        """Change one document, delete another and add a third."""
        pytest.skip("this contract does not say how to edit its data")

    def spoil(self) -> None:
        """Add a record that cannot be read."""
        pytest.skip("this contract does not say how to spoil its data")

    def hide(self) -> None:
        """Make part of the data impossible to list, or all of it."""
        pytest.skip("this contract does not say how to hide its data")

    def test_satisfies_the_protocol(self) -> None:
        """It has every method of the seam."""
        assert isinstance(self.make(), Connector)

    def test_names_its_source_without_credentials(self) -> None:
        """Source and scope are stable names that may be shown and logged."""
        connector, again = self.make(), self.make()
        for name, other in ((connector.source, again.source), (connector.scope, again.scope)):
            assert name
            assert name == other
            assert not _CREDENTIALS.search(name)

    def test_yields_at_least_two_documents(self) -> None:
        """The data under test is worth testing with."""
        assert len(_keys(self._all())) >= 2

    def test_keys_are_not_empty_and_occur_once(self) -> None:
        """One run names a document once."""
        keys = _keys(self._all())
        assert all(keys)
        assert len(keys) == len(set(keys))

    def test_covers_what_it_yields_and_nothing_foreign(self) -> None:
        """Only covered documents can be retired, so covering too much loses data."""
        connector = self.make()
        assert all(connector.covers(key) for key in _keys(connector.changes(None)))
        assert not any(connector.covers(key) for key in self.foreign_keys)

    def test_runs_are_alike(self) -> None:
        """Two runs over the same data say the same, in the same order; only the time of a snapshot may differ."""
        assert [_essence(change) for change in self._all()] == [_essence(change) for change in self._all()]

    def test_a_listing_comes_last_and_once(self) -> None:
        """Whatever follows a listing would be retired by it."""
        changes = self._all()
        listings = [index for index, change in enumerate(changes) if isinstance(change, Listing)]
        assert listings in ([], [len(changes) - 1])

    def test_an_abandoned_run_can_be_done_again(self) -> None:
        """A run that was cut off leaves nothing behind that changes the next one."""
        connector = self.make()
        begun = connector.changes(None)
        list(islice(begun, 1))
        close = getattr(begun, "close", None)
        if close is not None:
            close()
        assert _keys(self.make().changes(None)) == _keys(self._all())

    def test_reads_lazily(self) -> None:
        """Asking for changes does no work before the first is taken: it cannot fail."""
        iterator = self.make().changes(None)
        assert iter(iterator) is iterator

    def test_goes_on_wherever_it_was_cut_off(self) -> None:
        """What was taken before the cut and what the next run says from its checkpoint are the whole, no less."""
        whole = self._all()
        expected = Held().take(whole, self.make()).documents
        for cut in sorted({len(whole) * step // CUTS for step in range(CUTS)}):
            held = Held().take(whole[:cut], self.make())
            connector = self.make()
            assert held.take(connector.changes(held.checkpoint), connector).documents == expected, f"cut at {cut}"

    def test_a_run_from_the_last_checkpoint_changes_nothing(self) -> None:
        """The same data again."""
        held = Held().take(self._all(), self.make())
        before = dict(held.documents)
        connector = self.make()
        assert held.take(connector.changes(held.checkpoint), connector).documents == before

    def test_edits_and_deletions_arrive(self) -> None:
        """A run from a checkpoint ends where a run from the beginning does."""
        held = Held().take(self._all(), self.make())
        before = dict(held.documents)
        self.edit()
        connector = self.make()
        held.take(connector.changes(held.checkpoint), connector)
        assert held.documents == Held().take(self._all(), self.make()).documents
        assert before.keys() - held.documents.keys(), "edit() deleted nothing"
        assert held.documents.keys() - before.keys(), "edit() added nothing"
        assert any(held.documents.get(key, content) != content for key, content in before.items()), "nothing changed"

    def test_a_bad_record_fails_alone(self) -> None:
        """It is named and said why; the others are read."""
        before = set(_keys(self._all()))
        self.spoil()
        changes = self._all()
        assert any(isinstance(change, Failed) and change.message for change in changes)
        assert before <= set(_keys(changes))

    def test_what_cannot_be_listed_is_not_taken_for_gone(self) -> None:
        """A listing with a part missing says so, or is none at all."""
        self.hide()
        try:
            changes = self._all()
        except SourceError:
            return
        assert all(not change.complete and change.reason for change in changes if isinstance(change, Listing))

    def _all(self) -> list[Change]:
        return list(self.make().changes(None))


class Held:
    """What a knowledge base would hold after the changes it was given: keys with a digest of their content.

    Attributes:
        documents: Digest of the content of every live document by key.
        checkpoint: The last state that was committed, as it comes back from the ledger.
    """

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        self.checkpoint: Mapping[str, Any] | None = None

    def take(self, changes: Iterable[Change], connector: Connector) -> Held:
        """Apply changes in order; ``connector`` says what a complete listing covers."""
        named: set[str] = set()
        for change in changes:
            match change:
                case Checkpoint():
                    self.checkpoint = Checkpoint.from_json(change.to_json()).state
                case Listing(complete=complete):
                    gone = [key for key in self.documents if complete and connector.covers(key) and key not in named]
                    for key in gone:
                        del self.documents[key]
                case Delete(key=key):
                    self.documents.pop(key, None)
                case Rename(key=key, to=to):
                    named.add(to)
                    if key in self.documents:
                        self.documents[to] = self.documents.pop(key)
                case Keep():  # which ones are the newest only the ledger knows
                    pass
                case _:
                    named.add(_key(change))
                    self._name(change)
        return self

    def _name(self, change: Upsert | Offer | Unchanged | Failed) -> None:
        if isinstance(change, Unchanged):
            assert change.key in self.documents, f"{change.key!r} is said to be unchanged and was never given"
        elif not isinstance(change, Failed):
            digest = _digest(change)
            if digest:
                self.documents[change.document.key] = digest


def _digest(change: Upsert | Offer) -> str:
    fetched = change.read() if isinstance(change, Offer) else change
    if not isinstance(fetched, Upsert):
        return ""
    assert fetched.document.key == change.document.key
    document = fetched.document
    content = document.text.encode() if isinstance(document, Document) else document.content
    return hashlib.sha256(content).hexdigest()


def _essence(change: Change) -> object:
    """A change without what may differ between two runs over the same data."""
    if isinstance(change, Upsert | Offer):
        document = change.document
        return type(change), document.key, document.fingerprint, _digest(change)
    return change


def _keys(changes: object) -> list[str]:
    assert hasattr(changes, "__iter__")
    named = (Upsert, Offer, Unchanged, Delete, Failed)
    return [_key(change) for change in changes if isinstance(change, named)]


def _key(change: Upsert | Offer | Unchanged | Delete | Failed) -> str:
    return change.document.key if isinstance(change, Upsert | Offer) else change.key
