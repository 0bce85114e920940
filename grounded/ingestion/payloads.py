"""What a point carries beside its vectors: ids, who may see it, and the metadata that can be filtered on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from grounded.errors import UsageError
from grounded.ingestion.ledger import Ledger
from grounded.protocols import VectorStore
from grounded.records import SYSTEM_KEYS, KeyKind, Scalar

TENANT = "tenant"
DOCUMENT_ID = "document_id"
PRINCIPALS = "principals"
SOURCE = "source"

MAX_KEYS = 64
"""Every key is an index in the store; a source that makes up keys must not fill it with them."""

_LARGEST_INTEGER = 2**63 - 1


class FilterKeys:
    """The declared metadata keys of a knowledge base; a new one is declared when it is first seen.

    Opening one declares every key that the ledger knows, so that a new or restored store has them too.
    """

    def __init__(self, ledger: Ledger, store: VectorStore) -> None:
        self._ledger = ledger
        self._store = store
        self._kinds = ledger.filter_keys()
        self.warnings: dict[str, None] = {}
        """What was dropped and why, each once, in order."""
        for key, kind in (*SYSTEM_KEYS.items(), *self._kinds.items()):
            store.declare(key, kind)

    def payload(
        self,
        *,
        document_id: str,
        tenant: str,
        source: str,
        principals: tuple[str, ...],
        metadata: Mapping[str, Scalar],
    ) -> dict[str, Any]:
        """What a point of a document carries."""
        return {
            DOCUMENT_ID: document_id,
            TENANT: writable(tenant),
            SOURCE: writable(source),
            **self.changeable(principals, metadata),
        }

    def changeable(
        self, principals: tuple[str, ...], metadata: Mapping[str, Scalar], before: Mapping[str, Scalar] | None = None
    ) -> dict[str, Any]:
        """The part of a payload that may change without a new vector; keys that were there ``before`` are emptied."""
        values = {PRINCIPALS: [writable(each) for each in principals], **self._filterable(metadata)}
        gone: dict[str, list[str]] = {key: [] for key in before or () if key in self._kinds and key not in values}
        return {**values, **gone}

    def _filterable(self, metadata: Mapping[str, Scalar]) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        for key, value in metadata.items():
            kind = self._kinds.get(key) or self._declare(key, value)
            fitting = None if kind is None else _fitting(kind, value)
            if fitting is not None:
                found[key] = fitting
            elif kind is not None:
                self._warn(
                    f"Metadata {key!r}: a {type(value).__name__} does not fit its kind {kind!r}; not filterable."
                )
        return found

    def _declare(self, key: str, value: Scalar) -> KeyKind | None:
        kind = _kind_of(value)
        refused = self._refusal(key, kind, value)
        if refused:
            self._warn(f"Metadata {key!r} is kept, but cannot be filtered on: {refused}")
            return None
        self._ledger.declare({key: kind})
        self._kinds[key] = kind
        return kind

    def _refusal(self, key: str, kind: KeyKind, value: Scalar) -> str:
        if key in SYSTEM_KEYS:
            return "the name is reserved."
        if len(self._kinds) >= MAX_KEYS:
            return f"{MAX_KEYS} keys are declared already."
        if _fitting(kind, value) is None:
            return "its value is too large or not finite."
        try:
            self._store.declare(key, kind)
        except UsageError as error:
            return error.message
        return ""

    def _warn(self, message: str) -> None:
        self.warnings[message] = None


def _kind_of(value: Scalar) -> KeyKind:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "keyword"
    return "integer" if isinstance(value, int) else "float"


def _fitting(kind: KeyKind, value: Scalar) -> Scalar | None:
    """The value as the kind keeps it; None when it does not fit."""
    match kind, value:
        case ("bool", bool()):
            return value
        case ("keyword", str()):
            return writable(value)
        case ("integer", int()) if not isinstance(value, bool):
            return value if abs(value) <= _LARGEST_INTEGER else None
        case ("float", int() | float()) if not isinstance(value, bool):
            return _as_float(value)
    return None


def _as_float(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def writable(text: str) -> str:
    """Without lone surrogates, which no store can write."""
    return text.encode("utf-8", "replace").decode("utf-8")
