"""Which documents a listing implies are gone, and when it is not believed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable

from grounded.records import document_id

MIN_DOCUMENTS_FOR_SHARE = 5
"""With fewer documents one that is gone is already a large share; only an empty listing stops then."""

_FIX = "Nothing was retired. If they are really gone, ingest again with force_retire=True (--force-retire)."


class Named:
    """The documents that a run's changes have named; about 80 bytes each, all else of a run is constant."""

    def __init__(self, tenant: str, source: str) -> None:
        self._tenant, self._source = tenant, source
        self._ids: set[bytes] = set()

    def add(self, key: str) -> bool:
        """Note a key; False when it was named before."""
        before = len(self._ids)
        self._ids.add(self._compact(key))
        return len(self._ids) > before

    def __contains__(self, key: str) -> bool:
        return self._compact(key) in self._ids

    def __bool__(self) -> bool:
        return bool(self._ids)

    def gone(self, live: Iterable[tuple[str, str]], covers: Callable[[str], bool]) -> tuple[int, list[str]]:
        """How many ``(document id, key)`` are covered, and the ids of those that were not named."""
        covered, gone = 0, []
        for identity, key in live:
            if covers(key):
                covered += 1
                if uuid.UUID(identity).bytes not in self._ids:
                    gone.append(identity)
        return covered, gone

    def _compact(self, key: str) -> bytes:
        return uuid.UUID(document_id(self._tenant, self._source, key)).bytes


def refusal(*, gone: int, before: int, is_empty: bool, max_share: float) -> str:
    """Why so many documents are not retired; empty when they may be.

    Args:
        gone: Live documents that a complete listing did not name.
        before: Documents under its scope that were live before the run.
        is_empty: Whether the listing named nothing at all.
        max_share: Largest share of ``before`` that may go, in [0, 1].
    """
    if not gone:
        return ""
    if is_empty:
        return f"The listing is empty, but {gone} documents are live: an unmounted folder looks like this. {_FIX}"
    if before >= MIN_DOCUMENTS_FOR_SHARE and gone > max_share * before:
        return f"{gone} of {before} documents are no longer at the source, which is more than {max_share:.0%}. {_FIX}"
    return ""
