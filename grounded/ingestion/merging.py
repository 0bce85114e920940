"""What is known of a document: declared by its source, given with the ingest, said by its own content."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Self

from pydantic import ValidationError

from grounded.errors import UsageError
from grounded.ingestion.ledger import Attributes
from grounded.records import Document, Parsed, RawDocument, Scalar, Segment, Span, as_principals

_SILENT = Parsed(text="")
_SAID = {"title", "media_type", "metadata", "effective_from", "effective_to", "supersedes", "principals"}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What an ingest gives to every document that its source does not declare otherwise.

    ``principals`` is None when the ingest says nothing about them; empty declares that there are none. ``rules`` are
    patterns of keys with the principals of documents that match; the first that matches decides.
    """

    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    principals: tuple[str, ...] | None = None
    rules: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def principals_of(self, key: str) -> tuple[str, ...] | None:
        """Who may see the document of a key; None when nothing is said of it."""
        if not self.rules:
            return self.principals
        return next((names for pattern, names in self.rules if fnmatchcase(key, pattern)), None)

    @classmethod
    def checked(
        cls, metadata: Mapping[str, Scalar] | None, principals: Sequence[str] | Mapping[str, Sequence[str]] | None
    ) -> Self:
        """What a caller gave.

        Raises:
            UsageError: Metadata that are no scalars, or principals that are no sequence of strings.
        """
        if isinstance(principals, Mapping):
            rules = tuple((pattern, as_principals(names)) for pattern, names in principals.items())
            return replace(cls.checked(metadata, None), rules=rules)
        if isinstance(principals, str):
            raise UsageError("Principals must be a sequence of strings.", fix="Use principals=('group',).")
        try:
            given = Parsed(text="", metadata=dict(metadata or {}), principals=tuple(principals or ()))
        except ValidationError as error:
            raise UsageError(
                f"The metadata or principals given are refused: {error.errors()[0]['msg']}.",
                fix="Metadata map names to strings, numbers or booleans; principals are strings.",
            ) from error
        return cls(given.metadata, None if principals is None else given.principals)


def fingerprint(document: RawDocument | Document, settings: str) -> str:
    """Identifies everything that decides about text and chunks: content, parser hints, title and settings."""
    if isinstance(document, Document):
        content, hints = document.fingerprint or document.version, ["document", document.media_type]
    else:
        content = document.fingerprint or hashlib.sha256(document.content).hexdigest()
        hints = ["raw", document.media_type, document.name]
        hints += [str(locator.model_dump()) for locator in document.locators]
    return _digest([settings, content, document.title, *hints])


def declared(document: RawDocument | Document, defaults: Defaults) -> str:
    """Identifies what source and ingest say of a document; a change of it embeds nothing again."""
    return _digest(
        [
            document.uri,
            document.trust,
            document.metadata,
            document.principals,
            str(document.effective_from),
            str(document.effective_to),
            document.supersedes,
            dict(defaults.metadata),
            defaults.principals_of(document.key),
            *(str(time) for time in (document.event_time, document.expires) if time is not None),
        ]
    )


def fingerprint_of_run(settings: str, defaults: Defaults) -> str:
    """Identifies what every document of a run was read with; a checkpoint made with another one is not used."""
    return _digest([settings, dict(defaults.metadata), defaults.principals, *defaults.rules])


def said(parsed: Parsed) -> dict[str, Any]:
    """What the content declares, JSON-compatible; kept so that a merge needs no second parse."""
    return parsed.model_dump(mode="json", include=_SAID, exclude_defaults=True)


def merged(
    document: RawDocument | Document,
    content: Mapping[str, Any],
    defaults: Defaults,
    before: tuple[str, ...] = (),
) -> Attributes:
    """Source before ingest before content, for metadata key by key, for everything else the first that is there.

    Two limits keep silence and strangers from doing harm: a document of which nobody says who may see it keeps the
    principals it had, and content may supersede a document of its own folder only.

    Args:
        document: As the source declares it.
        content: What ``said`` returned for its content.
        defaults: What the ingest gives.
        before: Who could see the document before.
    """
    parsed = Parsed.from_dict({"text": "", **content}) if content else _SILENT
    kept = before if defaults.principals_of(document.key) is None else ()
    fallback = document.name if isinstance(document, RawDocument) else ""
    return Attributes(
        title=document.title or parsed.title or fallback or document.key.rsplit("/", 1)[-1],
        uri=document.uri,
        media_type=parsed.media_type or document.media_type or "text/plain",
        trust=document.trust,
        metadata={**parsed.metadata, **defaults.metadata, **document.metadata},
        principals=tuple(dict.fromkeys(declared_principals(document, parsed, defaults) or kept)),
        effective_from=document.effective_from or parsed.effective_from,
        effective_to=document.effective_to or parsed.effective_to,
        supersedes=document.supersedes or beside(document.key, parsed.supersedes),
        event_time=document.event_time,
        expires=document.expires,
    )


def declared_principals(document: RawDocument | Document, parsed: Parsed, defaults: Defaults) -> tuple[str, ...]:
    """Who may see a document by source, ingest or content; empty when none of them names anybody."""
    return document.principals or defaults.principals_of(document.key) or parsed.principals


def beside(key: str, name: str | None) -> str | None:
    """The key of the document of that name in the folder of ``key``; None for anything but a plain name."""
    if not name or name in {".", ".."} or set(name) & set("/\\"):
        return None
    return posixpath.join(posixpath.dirname(key), name)


def canonical(document: RawDocument | Document, parsed: Parsed, attributes: Attributes) -> Document:
    """The document as it is split: canonical text with everything merged, and the places of the whole before others."""
    whole = Span(start=0, end=len(parsed.text))
    places = document.locators if isinstance(document, RawDocument) else ()
    segments = (*(Segment(span=whole, locator=place) for place in places), *parsed.segments)
    # Not by ``asdict``, which copies every value: a twelfth of the work for a row of a table.
    values = {each.name: getattr(attributes, each.name) for each in fields(attributes)}
    return Document(key=document.key, text=parsed.text, segments=segments, **values)


def content_of(document: Document) -> Parsed:
    """A document that was given as text, as if it had been parsed."""
    return Parsed(text=document.text, segments=document.segments)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
