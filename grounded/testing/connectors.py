"""What every connector must do. Subclass ``ConnectorContract`` in a pytest module and say how to make yours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from grounded.protocols import Connector
from grounded.records import Change, Delete, Failed, Listing, Unchanged, Upsert

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

    Attributes:
        foreign_keys: Keys of the same source that lie outside the connector's part; it must not cover them.
    """

    foreign_keys: Sequence[str] = ()

    def make(self) -> Connector:
        """A fresh connector over the same, unchanging data of at least two documents."""
        raise NotImplementedError

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
        """Two runs over the same data say the same, in the same order."""
        assert self._all() == self._all()

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

    def _all(self) -> list[Change]:
        return list(self.make().changes(None))


def _keys(changes: object) -> list[str]:
    assert hasattr(changes, "__iter__")
    named = (Upsert, Unchanged, Delete, Failed)
    return [_key(change) for change in changes if isinstance(change, named)]


def _key(change: Upsert | Unchanged | Delete | Failed) -> str:
    return change.document.key if isinstance(change, Upsert) else change.key
