"""Comparing source, ledger and store without changing any of them; and reading only part of a source again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from grounded.ingestion import merging
from grounded.ingestion.considering import key_of
from grounded.ingestion.ledger import Ledger
from grounded.ingestion.payloads import FilterKeys
from grounded.ingestion.repair import orphans
from grounded.ingestion.retirement import Named
from grounded.protocols import Connector, VectorStore
from grounded.records import (
    Change,
    Checkpoint,
    Delete,
    Failed,
    Keep,
    Listing,
    Offer,
    RawDocument,
    Rename,
    SourceDifference,
    Upsert,
)

WINDOW_CHANGES = 64
PAGE_CHUNKS = 200


class Points(NamedTuple):
    """Points that are not as the ledger says; ``wrong`` with the payload they should have."""

    missing: list[str]
    orphaned: list[str]
    wrong: dict[str, dict[str, Any]]


def compare_points(ledger: Ledger, store: VectorStore) -> Points:
    """Every live chunk against its point, payloads included, and every point against the ledger.

    Args:
        ledger: What is live; it decides.
        store: What is looked at.
    """
    keys = FilterKeys(ledger, store)
    found = Points([], list(orphans(ledger, store)), {})
    after = ""
    while page := ledger.live_chunks(after=after, limit=PAGE_CHUNKS):
        points = {point.id: point for point in store.points(page)}
        for each in ledger.stored(page):
            if each.chunk_id not in points:
                found.missing.append(each.chunk_id)
                continue
            wanted = keys.payload(
                document_id=each.document_id,
                tenant=each.tenant,
                source=each.source,
                principals=each.principals,
                metadata=each.metadata,
            )
            payload = points[each.chunk_id].payload
            if _filled(payload) != _filled(wanted):
                emptied: dict[str, Any] = {key: [] for key in payload if key not in wanted}
                found.wrong[each.chunk_id] = {**wanted, **emptied}
        after = page[-1]
    return found


def compare_source(
    connector: Connector, ledger: Ledger, *, tenant: str, settings: str, defaults: merging.Defaults
) -> SourceDifference:
    """What a source holds against what is live of it. Reads the source from its beginning and writes nothing.

    Args:
        connector: The source.
        ledger: What is live.
        tenant: Whose documents.
        settings: As for ``sync``.
        defaults: What its ingests give to documents; a declaration that differs only by them is no difference.
    """
    comparison = _Comparison(connector, ledger, tenant, settings, defaults)
    changes = connector.changes(None)
    while window := list(islice(changes, WINDOW_CHANGES)):
        comparison.take(window)
    return comparison.difference()


class _Comparison:
    def __init__(
        self, connector: Connector, ledger: Ledger, tenant: str, settings: str, defaults: merging.Defaults
    ) -> None:
        self._connector, self._ledger, self._tenant = connector, ledger, tenant
        self._settings, self._defaults = settings, defaults
        self._named = Named()
        self._listing: Listing | None = None
        self._same = 0
        self._missing: list[str] = []
        self._changed: list[str] = []
        self._gone: list[str] = []
        self._unreadable: list[str] = []

    def take(self, window: Sequence[Change]) -> None:
        """Compare a few changes; of several of one document the last one counts."""
        named = {key_of(each): each for each in window if not isinstance(each, Checkpoint | Listing | Keep | Rename)}
        ids = self._ledger.identities(self._tenant, self._connector.source, list(named))
        known = self._ledger.known(list(ids.values()))
        details = self._ledger.details(list(known))
        for key, change in named.items():
            here = known.get(ids[key])
            is_live = here is not None and here.live
            if isinstance(change, Delete):
                if is_live:
                    self._gone.append(key)
                continue
            self._named.add(key)
            if isinstance(change, Failed):
                self._unreadable.append(key)
            elif not is_live:
                self._missing.append(key)
            elif isinstance(change, Upsert | Offer) and (
                here is None
                or here.fingerprint != merging.fingerprint(change.document, self._settings)
                or self._is_declared_otherwise(change, here.declared, details[ids[key]].principals)
            ):
                self._changed.append(key)
            else:
                self._same += 1
        for each in window:
            self._listing = each if isinstance(each, Listing) else self._listing

    def difference(self) -> SourceDifference:
        """What was found."""
        listing = self._listing
        if listing is not None and listing.complete:
            live = list(self._ledger.live_keys(self._tenant, self._connector.source))
            gone = set(self._named.gone(live, self._connector.covers)[1])
            self._gone += [key for identity, key in live if identity in gone]
            unlisted = ""
        else:
            unlisted = "the source keeps no listing" if listing is None else listing.reason
        return SourceDifference(
            source=self._connector.source,
            tenant=self._tenant,
            same=self._same,
            missing=tuple(self._missing),
            changed=tuple(self._changed),
            gone=tuple(sorted(set(self._gone))),
            unreadable=tuple(self._unreadable),
            unlisted=unlisted,
        )

    def _is_declared_otherwise(self, change: Upsert | Offer, declared: str, principals: tuple[str, ...]) -> bool:
        document, defaults = change.document, self._defaults
        if defaults.metadata or defaults.principals_of(document.key) is not None:
            return merging.declared(document, defaults) != declared
        # Nothing is known of what its ingests gave; what the source itself says of permissions must hold.
        return bool(document.principals) and set(document.principals) != set(principals)


class FromTheStart:
    """A connector that is read from its beginning, whatever its checkpoint says."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self.source, self.scope, self.covers = connector.source, connector.scope, connector.covers

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        """Everything; the checkpoint is not used."""
        yield from self._connector.changes(None)


class Only(FromTheStart):
    """The same, of which only some documents are taken; it implies no deletion and moves no checkpoint."""

    def __init__(self, connector: Connector, keys: Collection[str]) -> None:
        super().__init__(connector)
        self._keys = frozenset(keys)

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        """The changes of these keys."""
        for change in super().changes(checkpoint):
            if not isinstance(change, Checkpoint | Listing | Keep | Rename) and key_of(change) in self._keys:
                yield change


class Received:
    """What was kept of a source's dead letters, as a source."""

    def __init__(self, source: str, changes: Sequence[Change]) -> None:
        self.source = self.scope = source
        self._changes = changes

    def covers(self, key: str) -> bool:
        """Nothing: it implies no deletion."""
        return False

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        """What was kept, oldest first."""
        yield from self._changes


def settled(received: RawDocument, change: Upsert | Delete | Failed) -> list[Change]:
    """What was made of something kept, and the end of its dead letter where that has another key."""
    if isinstance(change, Failed) or key_of(change) == received.key:
        return [change]
    return [change, Delete(key=received.key)]


def _filled(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if value not in ([], None)}
