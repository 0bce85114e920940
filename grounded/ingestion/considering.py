"""One document of a sync: is it new, changed, only declared otherwise, or the same?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import ValidationError

from grounded.errors import MissingExtraError, ParseError
from grounded.ingestion import merging
from grounded.ingestion.drafts import Draft
from grounded.ingestion.ledger import Attributes, Content, Details, Kept, Known, Ledger, Write
from grounded.ingestion.merging import Defaults
from grounded.ingestion.payloads import FilterKeys
from grounded.ingestion.tally import Tally
from grounded.records import (
    Chunk,
    Delete,
    Document,
    Failed,
    Failure,
    Offer,
    Parsed,
    RawDocument,
    Rename,
    Unchanged,
    Upsert,
)

Named = Upsert | Offer | Unchanged | Delete | Failed | Rename
"""A change that names one document."""

Parse = Callable[[RawDocument], Parsed]
_NOTHING = Details()


class Split(Protocol):
    """Cuts a document into chunks, in order, every one a slice of its text."""

    def __call__(self, document: Document, document_id: str) -> Sequence[Chunk]:
        """The chunks of ``document``, whose identity is ``document_id``."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """A change with what the ledger knows of its document; ``details`` only where something is to be done."""

    change: Named
    key: str
    document_id: str
    known: Known | None
    fingerprint: str = ""
    declared: str = ""
    details: Details = _NOTHING

    @property
    def was_live(self) -> bool:
        """Whether there is a live version."""
        return self.known is not None and self.known.live

    @property
    def has_same_content(self) -> bool:
        """Whether text and chunks are those of the live version."""
        return self.known is not None and self.known.live and self.known.fingerprint == self.fingerprint

    @property
    def is_late(self) -> bool:
        """Whether something newer of the document was already brought in."""
        order = order_of(self.change)
        return bool(order) and self.known is not None and order < self.known.order

    @property
    def is_same(self) -> bool:
        """Whether there is nothing to do."""
        return self.has_same_content and self.known is not None and self.known.declared == self.declared


def key_of(change: Named) -> str:
    """The key of the document a change names."""
    return change.document.key if isinstance(change, Upsert | Offer) else change.key


def order_of(change: Named) -> str:
    """Place of a change in its source's own order; empty when changes come in order."""
    return change.order if isinstance(change, Upsert | Delete) else ""


class Considering:
    """Decides about documents and puts what follows into a draft."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        keys: FilterKeys,
        tally: Tally,
        parse: Parse,
        split: Split,
        settings: str,
        tenant: str,
        defaults: Defaults,
    ) -> None:
        self._ledger, self._keys, self._tally = ledger, keys, tally
        self._parse, self._split, self._settings = parse, split, settings
        self._tenant, self._source, self._defaults = tenant, tally.source, defaults
        self._forgotten = ledger.upkeep.forgotten()
        self.dead = {failure.key: failure for failure in ledger.dead_letters(tenant, tally.source)}

    def cases(self, window: Mapping[str, Named]) -> list[Case]:
        """The changes of a window with what the ledger knows, in order; two queries, however many there are."""
        ids = self._ledger.identities(self._tenant, self._source, list(window))
        known = self._ledger.known(list(ids.values()))
        cases = [self._case(change, key, ids[key], known.get(ids[key])) for key, change in window.items()]
        wanted = [case.document_id for case in cases if _needs_details(case)]
        details = self._ledger.details(wanted) if wanted else {}
        return [_with_details(case, details) for case in cases]

    def consider(self, case: Case, draft: Draft) -> None:
        """Put what follows from one change into ``draft``; nothing when there is nothing to do."""
        if self._is_ignored(case):
            return
        match case.change:
            case Failed(key=key, uri=uri, error=error, message=message, fix=fix, received=received):
                failure = Failure(key=key, uri=uri, stage="read", error=error, message=message, fix=fix)
                self._fail(failure, draft, received)
            case Unchanged(key=key):
                self._confirm(case, key, draft)
            case Delete(key=key, order=order):
                self._forgive(key, draft)
                if order:
                    draft.bury(case.document_id, key, order)
                if case.was_live:
                    draft.retire(case.document_id, case.details.chunk_ids)
            case Offer():
                self._offered(case, case.change, draft)
            case Rename(key=key, to=to):
                self._rename(case, key, to, draft)
            case Upsert(document=document):
                self._upsert(case, document, draft)

    def _is_ignored(self, case: Case) -> bool:
        if case.is_late:
            self._tally.late += 1
            return True
        if case.document_id in self._forgotten and not isinstance(case.change, Delete):
            self._tally.barred += 1
            return True
        return False

    def _case(self, change: Named, key: str, identity: str, known: Known | None) -> Case:
        if not isinstance(change, Upsert | Offer):
            return Case(change, key, identity, known)
        return Case(
            change,
            key,
            identity,
            known,
            fingerprint=merging.fingerprint(change.document, self._settings),
            declared=merging.declared(change.document, self._defaults),
        )

    def _rename(self, case: Case, before: str, now: str, draft: Draft) -> None:
        if not case.was_live or before == now:
            return
        self._forgive(before, draft)
        other = self._ledger.identities(self._tenant, self._source, [now])[now]
        replaced = self._ledger.details([other]).get(other)
        if other != case.document_id and replaced is not None and replaced.version is not None:
            draft.retire(other, replaced.chunk_ids)
        draft.rename(case.document_id, before, now)
        draft.updated += 1

    def _confirm(self, case: Case, key: str, draft: Draft) -> None:
        if key in self.dead:
            # Unchanged since it failed: it still does.
            self._fail(self.dead[key], draft)
        elif case.was_live:
            self._tally.unchanged += 1
        else:
            message = "The source says that it has not changed, but nothing of it is stored."
            fix = "Ingest the source again from its beginning."
            self._fail(Failure(key=key, stage="list", error="SourceError", message=message, fix=fix), draft)

    def _offered(self, case: Case, offer: Offer, draft: Draft) -> None:
        """Fetch it only when there is something to read."""
        if case.has_same_content:
            self._upsert(case, offer.document, draft)
            return
        match offer.read():
            case None:
                return
            case Failed() as failed:
                self.consider(replace(case, change=failed), draft)
            case Upsert() as fetched:
                # It may have changed since it was listed.
                now = self._case(fetched, case.key, case.document_id, case.known)
                self.consider(replace(now, details=case.details), draft)

    def _upsert(self, case: Case, document: RawDocument | Document, draft: Draft) -> None:
        if case.is_same:
            self._tally.unchanged += 1
            self._forgive(case.key, draft)
            return
        if case.has_same_content:
            attributes = merging.merged(document, case.details.parsed, self._defaults, case.details.principals)
            self._write(case, draft, attributes, case.details.parsed, None)
            draft.updated += 1
            return
        read = self._read(document, case.details.principals)
        if isinstance(read, Failure):
            self._fail(read, draft, case.change if isinstance(case.change, Upsert) and case.change.order else None)
            return
        said, whole, attributes = read
        chunks = self._split(whole, document_id=case.document_id)
        content = Content(version=whole.version, text=whole.text, segments=whole.segments, chunks=chunks)
        self._write(case, draft, attributes, said, content)
        self._count(case, content, draft)

    def _read(
        self, document: RawDocument | Document, principals: tuple[str, ...]
    ) -> tuple[dict[str, object], Document, Attributes] | Failure:
        """What the content declares, the document as it is split, and everything merged; or why not."""
        try:
            parsed = merging.content_of(document) if isinstance(document, Document) else self._parse(document)
            said = merging.said(parsed)
            attributes = merging.merged(document, said, self._defaults, principals)
            whole = merging.canonical(document, parsed, attributes)
        except (ParseError, MissingExtraError) as error:
            return _failure(document, type(error).__name__, error.message, error.fix)
        except ValidationError as error:
            # A parser that makes no valid record, such as one with lone surrogates, has failed on this document.
            return _failure(document, "ParseError", f"What was read is not valid: {error.errors()[0]['msg']}.", "")
        for warning in parsed.warnings:
            self._tally.warn(f"{document.key}: {warning}")
        return said, whole, attributes

    def _count(self, case: Case, content: Content, draft: Draft) -> None:
        same_chunks = case.details.chunk_ids == tuple(dict.fromkeys(chunk.id for chunk in content.chunks))
        declared = case.known.declared if case.known is not None else ""
        if not case.was_live:
            draft.added += 1
        elif content.version == case.details.version and same_chunks and declared == case.declared:
            # Other settings or another time stamp, and the same in the end.
            self._tally.unchanged += 1
        else:
            draft.updated += 1

    def _write(
        self, case: Case, draft: Draft, attributes: Attributes, said: Mapping[str, object], content: Content | None
    ) -> None:
        self._caution(case.change, attributes, said)
        write = Write(
            document_id=case.document_id,
            key=case.key,
            fingerprint=case.fingerprint,
            declared=case.declared,
            attributes=attributes,
            parsed=said,
            content=content,
            order=order_of(case.change),
        )
        payload = self._keys.payload(
            document_id=case.document_id,
            tenant=self._tenant,
            source=self._source,
            principals=attributes.principals,
            metadata=attributes.metadata,
        )
        differs = case.known is not None and (case.known.declared != case.declared or case.details.parsed != said)
        changed = (
            self._keys.changeable(attributes.principals, attributes.metadata, case.details.metadata)
            if differs
            else None
        )
        draft.write(write, before=case.details.chunk_ids, payload=payload, changed=changed)
        self._forgive(case.key, draft)

    def _caution(self, change: Named, attributes: Attributes, said: Mapping[str, object]) -> None:
        """Say aloud what would otherwise happen in silence."""
        if not isinstance(change, Upsert | Offer):
            return
        document, defaults = change.document, self._defaults
        if attributes.principals and not (
            document.principals or defaults.principals_of(document.key) or said.get("principals")
        ):
            self._tally.kept_principals += 1
        name = said.get("supersedes")
        if not name or document.supersedes:
            return
        if attributes.supersedes is None:
            self._tally.warn(
                f"{document.key}: its content says that it supersedes {name!r}, which is ignored; "
                "content may name a document of its own folder only."
            )
        else:
            self._tally.warn(f"{document.key}: its content says that it supersedes {attributes.supersedes}.")

    def _fail(self, failure: Failure, draft: Draft, received: Kept | None = None) -> None:
        if received is not None:
            draft.kept[failure.key] = received
        self._tally.failures.append(failure)
        self.dead[failure.key] = failure
        draft.failures.append(failure)

    def _forgive(self, key: str, draft: Draft) -> None:
        if self.dead.pop(key, None) is not None:
            draft.settle_failure(key)


def _needs_details(case: Case) -> bool:
    if case.is_late:
        return False
    if isinstance(case.change, Upsert | Offer):
        # A retired document too: when it comes back, it is as restricted as it was.
        return case.known is not None and not case.is_same
    return case.was_live and isinstance(case.change, Delete)


def _with_details(case: Case, details: Mapping[str, Details]) -> Case:
    found = details.get(case.document_id)
    if found is None:
        return case
    return replace(case, details=found)


def _failure(document: RawDocument | Document, error: str, message: str, fix: str) -> Failure:
    return Failure(key=document.key, uri=document.uri, stage="parse", error=error, message=message, fix=fix)
