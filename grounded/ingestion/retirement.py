"""Which documents a listing implies are gone, and when it is not believed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

MIN_DOCUMENTS_FOR_SHARE = 5
"""With fewer documents one that is gone is already a large share; only an empty listing stops then."""

_FIX = "Nothing was retired. If they are really gone, ingest again with force_retire=True (--force-retire)."


class Named:
    """The keys that a run's changes have named; about 80 bytes each, all else of a run is constant."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()

    def add(self, key: str) -> bool:
        """Note a key; False when it was named before."""
        before = len(self._keys)
        self._keys.add(_compact(key))
        return len(self._keys) > before

    def __contains__(self, key: str) -> bool:
        return _compact(key) in self._keys

    def __bool__(self) -> bool:
        return bool(self._keys)

    def gone(self, live: Iterable[tuple[str, str]], covers: Callable[[str], bool]) -> tuple[int, list[str]]:
        """How many ``(document id, key)`` are covered, and the ids of those that were not named.

        What was named is covered, and is not asked for: a connector may have to look at the disk for its answer.
        """
        named, gone = 0, []
        for identity, key in live:
            if key in self:
                named += 1
            elif covers(key):
                gone.append(identity)
        return named + len(gone), gone


def _compact(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


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
