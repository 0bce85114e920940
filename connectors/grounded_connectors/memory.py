"""Records already in memory: documents, raw bytes, or plain dicts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grounded.errors import UsageError
from grounded.records import Change, Document, Failed, Listing, RawDocument, Upsert

ALLOWED_KEYS = (
    "key",
    "text",
    "title",
    "uri",
    "metadata",
    "principals",
    "effective_from",
    "effective_to",
    "supersedes",
    "trust",
)
"""What a dict may hold; ``key`` and ``text`` it must."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Item = Document | RawDocument | Mapping[str, Any]


class MemoryConnector:
    """Yields documents from an iterable, lazily and in order.

    Dicts need ``key`` and ``text``; see ``ALLOWED_KEYS`` for the rest. Of several with one key the last counts. A
    record that is not as it should be is a ``Failed`` that says what was wrong and what is allowed.

    Args:
        documents: The records. A generator can be read once only.
        source: Name of the source, part of every document's identity; no credentials.
        complete: The iterable names everything the source holds, so that documents it does not name are gone.
    """

    def __init__(self, documents: Iterable[Item], *, source: str = "records", complete: bool = False) -> None:
        if isinstance(documents, (str, bytes, Mapping)):
            raise UsageError(
                "Records must come as a list or another iterable of them.", fix="Wrap a single record in a list."
            )
        if not source.strip():
            raise UsageError("The source of records needs a name.")
        self._documents = documents
        self._source = source
        self._complete = complete
        self._read = False

    @property
    def source(self) -> str:
        """The name given."""
        return self._source

    @property
    def scope(self) -> str:
        """The same: the records are all there is of the source."""
        return self._source

    def covers(self, key: str) -> bool:
        """Always true: every key of the source belongs to it."""
        return True

    def total(self) -> int | None:
        """How many records there are; None for a generator."""
        length = getattr(self._documents, "__len__", None)
        return int(length()) if length else None

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Every record as an ``Upsert`` or a ``Failed``, then the ``Listing``.

        Args:
            checkpoint: Not used.

        Raises:
            UsageError: The records are a generator that was read before.
        """
        if self._read and isinstance(self._documents, Iterator):
            raise UsageError("These records come from a generator and were read before.", fix="Give a list instead.")
        self._read = True
        nameless = 0
        for number, item in enumerate(self._documents, start=1):
            change = _change(item, number)
            if isinstance(change, Failed) and not _has_key(item):
                nameless += 1
            yield change
        yield self._listing(nameless)

    def _listing(self, nameless: int) -> Listing:
        if not self._complete:
            return Listing(complete=False, reason="records were given without complete=True")
        reason = f"{nameless} record(s) have no key" if nameless else ""
        return Listing(complete=not nameless, reason=reason)


def _change(item: object, number: int) -> Change:
    try:
        return Upsert(document=_document(item))
    except UsageError as error:
        return Failed(key=_key_of(item, number), error="UsageError", message=error.message, fix=error.fix)


def _document(item: object) -> Document | RawDocument:
    if isinstance(item, (Document, RawDocument)):
        return item
    if isinstance(item, (str, Path)):
        raise UsageError("A record must be a dict, not a path or text.", fix="Give paths one by one: ingest(*paths).")
    if not isinstance(item, Mapping):
        raise UsageError(
            f"A record must be a dict, a Document or a RawDocument, not {type(item).__name__}.",
            fix="Write {'key': …, 'text': …}.",
        )
    unknown = [str(key) for key in item if key not in ALLOWED_KEYS]
    if unknown:
        raise UsageError(
            f"Unknown key(s) in a record: {', '.join(unknown)}.",
            fix=f"Allowed: {', '.join(ALLOWED_KEYS)}; put values of your own into metadata.",
        )
    missing = [name for name in ("key", "text") if name not in item]
    if missing:
        raise UsageError(f"A record lacks {' and '.join(missing)}.", fix=f"Allowed: {', '.join(ALLOWED_KEYS)}.")
    text = item["text"]
    if not isinstance(text, str) or not text.strip():
        raise UsageError("The text of a record must be text, and not empty.")
    return _built(item, text)


def _built(item: Mapping[str, Any], text: str) -> Document:
    values = {**item, "text": _UNSTORABLE.sub("\ufffd", text)}
    if isinstance(values["key"], str):
        values["key"] = _escaped(values["key"])
    if isinstance(values.get("principals"), str):
        values["principals"] = (values["principals"],)
    try:
        return Document.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "record"
        raise UsageError(f"{place} of a record is wrong: {first['msg']}.") from error


def _escaped(text: str) -> str:
    """Lone surrogates, which no record can hold, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _has_key(item: object) -> bool:
    key = item.get("key") if isinstance(item, Mapping) else getattr(item, "key", None)
    return isinstance(key, str) and bool(key)


def _key_of(item: object, number: int) -> str:
    return _escaped(str(item["key"])) if isinstance(item, Mapping) and _has_key(item) else f"record {number}"
