"""LlamaIndex readers, so that LlamaHub's sources work: SharePoint, Confluence, Drive and hundreds more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from grounded.credentials import redact
from grounded.errors import SourceError, UsageError
from grounded.records import Change, Document, Failed, Listing, Upsert

_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
"""A UUID of version 4: another one at every run, and so no key."""
_KEYS = ("file_path", "page_id", "file_id", "url", "web_url", "source")
_LINKS = ("url", "web_url", "link", "file_path")
_TITLES = ("title", "file_name", "name")


class ReaderConnector:
    """Documents of a LlamaIndex reader under keys that stay the same from run to run.

    The key is the reader's own id unless that is random, then one of the metadata ``file_path``, ``page_id``,
    ``file_id``, ``url``, ``web_url``, ``source``; parts of one document are numbered. A document for which there is
    no such key fails and says so. Nothing is retired unless ``complete`` says that a run names all there is.

    Args:
        reader: An object with ``lazy_load_data`` or ``load_data``.
        source: Name of the source, part of every document's identity; the reader's class by default, so name it when
            two readers of one class are used.
        arguments: What ``load_data`` takes.
        key: The metadata that names a document.
        metadata: Metadata to filter by.
        principals: The metadata that says who may see a document: names, or a list of them. A document without fails.
        complete: A run names everything the source holds, so that what it does not name is gone.
    """

    def __init__(
        self,
        reader: Any,
        *,
        source: str = "",
        arguments: Mapping[str, Any] | None = None,
        key: str = "",
        metadata: Sequence[str] = (),
        principals: str = "",
        complete: bool = False,
    ) -> None:
        if not hasattr(reader, "load_data") and not hasattr(reader, "lazy_load_data"):
            raise UsageError(f"A {type(reader).__name__} is no LlamaIndex reader.", fix="It needs load_data.")
        self._reader, self._arguments = reader, dict(arguments or {})
        self._source = source or f"llama-index/{type(reader).__name__}"
        self._key, self._principals, self._complete = key, principals, complete
        self._metadata = (metadata,) if isinstance(metadata, str) else tuple(metadata)

    @property
    def source(self) -> str:
        """The name given, or the reader's class."""
        return self._source

    @property
    def scope(self) -> str:
        """The same."""
        return self._source

    def covers(self, key: str) -> bool:
        """A reader is all there is of its source."""
        return True

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Every document as an ``Upsert``, those without key or permissions as ``Failed``, then the ``Listing``.

        Raises:
            SourceError: The reader failed.
        """
        parts: Counter[str] = Counter()
        nameless = 0
        for number, item in enumerate(self._items(), start=1):
            key = self._key_of(item)
            if not key:
                nameless += 1
                yield self._without_key(number)
                continue
            parts[key] += 1
            yield self._change(item, key if parts[key] == 1 else f"{key}#{parts[key]}")
        reason = "" if self._complete else "the reader was given without complete=True"
        if nameless:
            reason = f"{nameless} document(s) have no key that lasts"
        yield Listing(complete=not reason, reason=reason)

    def _items(self) -> Iterator[Any]:
        """The reader's documents; a reader may raise whatever it likes."""
        items = iter(self._loaded())
        while True:
            try:
                item = next(items, None)
            except Exception as error:
                raise self._failure(error) from error
            if item is None:
                return
            yield item

    def _loaded(self) -> Iterable[Any]:
        try:
            try:
                return self._reader.lazy_load_data(**self._arguments)  # type: ignore[no-any-return]
            except (NotImplementedError, AttributeError):
                return self._reader.load_data(**self._arguments)  # type: ignore[no-any-return]
        except Exception as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> SourceError:
        said = redact(str(error).strip() or type(error).__name__).splitlines()[0][:300]
        return SourceError(f"The reader {type(self._reader).__name__} failed: {said}", fix="Check its settings.")

    def _key_of(self, item: Any) -> str:
        metadata = dict(getattr(item, "metadata", None) or {})
        if self._key:
            return str(metadata.get(self._key) or "")
        own = str(getattr(item, "id_", None) or "")
        if own and not _RANDOM.fullmatch(own):
            return own
        named = next((str(metadata[name]) for name in _KEYS if metadata.get(name)), "")
        page = metadata.get("page_label")
        return f"{named}#page={page}" if named and page else named

    def _change(self, item: Any, key: str) -> Upsert | Failed:
        metadata = dict(getattr(item, "metadata", None) or {})
        link = _first(metadata, _LINKS)
        try:
            return Upsert(
                document=Document(
                    key=key,
                    text=_text(item),
                    title=_first(metadata, _TITLES),
                    uri=link,
                    metadata={name: metadata[name] for name in self._metadata if metadata.get(name) is not None},
                    principals=self._seen_by(metadata),
                )
            )
        except SourceError as error:
            return Failed(key=key, uri=link, error="SourceError", message=error.message, fix=error.fix)
        except ValidationError as error:
            message = f"The document is not valid: {error.errors()[0]['msg']}."
            return Failed(key=key, uri=link, error="SourceError", message=message, fix="Check the reader's metadata.")

    def _seen_by(self, metadata: Mapping[str, Any]) -> tuple[str, ...]:
        if not self._principals:
            return ()
        given = metadata.get(self._principals) or ()
        names = tuple(
            str(name) for name in (given.split(",") if isinstance(given, str) else given) if str(name).strip()
        )
        if not names:
            raise SourceError(f"The document names nobody in {self._principals!r}.", fix="Fill it at the source.")
        return tuple(name.strip() for name in names)

    def _without_key(self, number: int) -> Failed:
        return Failed(
            key=f"document {number} without key",
            error="SourceError",
            message="The reader gives this document another id at every run, and its metadata name no other key.",
            fix="Name the metadata that identify it: key=…",
        )


def _text(item: Any) -> str:
    text = item.get_content() if hasattr(item, "get_content") else getattr(item, "text", "")
    if not isinstance(text, str) or not text.strip():
        raise SourceError("The document holds no text.")
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _first(metadata: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((str(metadata[name]) for name in names if metadata.get(name)), "")
