"""Small real parts for the tests of ledger and sync: an embedder without a model, a splitter, a source."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grounded.errors import EmptyDocumentError
from grounded.ingestion.ledger import Ledger
from grounded.ingestion.repair import RepairReport, repair
from grounded.ingestion.sync import sync
from grounded.protocols import Connector, SparseVector, VectorStore
from grounded.records import (
    Change,
    Chunk,
    Document,
    IngestReport,
    Listing,
    Locator,
    Parsed,
    Passage,
    RawDocument,
    Segment,
    Span,
    Upsert,
    Viewer,
    chunk_id,
)
from grounded.retrieval.edge import EdgeStore

if TYPE_CHECKING:
    from grounded.protocols import Vector

DIMENSION = 16
SOURCE = "memory"
EVERYBODY = Viewer()


class HashEmbedder:
    """Vectors from the hash of the text: deterministic, cheap, and different for different texts."""

    identity = "hash-16"
    dimension = DIMENSION
    max_tokens = 64

    def __init__(self) -> None:
        self.texts: list[str] = []

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        self.texts.extend(texts)
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vector:
        raw = np.frombuffer(hashlib.sha512(text.encode()).digest()[:DIMENSION], dtype=np.uint8)
        vector = raw.astype(np.float32) - 127.5
        return vector / np.linalg.norm(vector)


def words(text: str) -> SparseVector:
    found = sorted({int.from_bytes(hashlib.sha256(word.encode()).digest()[:3], "big") for word in text.split()})
    return SparseVector(tuple(found), tuple(1.0 for _ in found))


def split(document: Document, document_id: str) -> list[Chunk]:
    """One chunk per paragraph, embedded with the title before it."""
    counts: dict[str, int] = {}
    chunks = []
    for ordinal, match in enumerate(re.finditer(r"[^\n]+(?:\n[^\n]+)*", document.text)):
        embedded = f"{document.title}\n{match.group()}"
        k = counts[embedded] = counts.get(embedded, -1) + 1
        chunks.append(
            Chunk(
                id=chunk_id(document_id, embedded, k),
                ordinal=ordinal,
                span=Span(start=match.start(), end=match.end()),
                embedded_text=embedded,
                locators=(Locator(kind="line", number=document.text.count("\n", 0, match.start()) + 1),),
            )
        )
    return chunks


def parse(raw: RawDocument) -> Parsed:
    """UTF-8 text; lines such as ``audience: NAME``, ``year: N``, ``supersedes: NAME`` are declared by the content."""
    text = raw.content.decode("utf-8", "surrogateescape")
    if not text.strip():
        raise EmptyDocumentError("There is no text.", fix="Put some in.")
    said = dict(re.findall(r"^(audience|year|supersedes): (\S+)$", text, re.MULTILINE))
    return Parsed(
        text=text,
        segments=(Segment(span=Span(start=0, end=len(text)), locator=Locator(kind="page", number=1)),),
        metadata={"year": int(said["year"])} if "year" in said else {},
        principals=(said["audience"],) if "audience" in said else (),
        supersedes=said.get("supersedes"),
        media_type="text/plain",
    )


class ListSource:
    """A source that is a list of changes."""

    def __init__(
        self,
        changes: Iterable[Change],
        *,
        source: str = SOURCE,
        scope: str = "all",
        covers: Callable[[str], bool] = lambda key: True,
    ) -> None:
        self._changes = changes
        self._covers = covers
        self._source, self._scope = source, scope
        self.checkpoint: Mapping[str, Any] | None = None

    @property
    def source(self) -> str:
        return self._source

    @property
    def scope(self) -> str:
        return self._scope

    def covers(self, key: str) -> bool:
        return self._covers(key)

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        self.checkpoint = checkpoint
        yield from self._changes


def raw(key: str, text: str, **declared: Any) -> Upsert:
    content = text.encode("utf-8", "surrogatepass")
    return Upsert(document=RawDocument(**{"key": key, "title": key, "content": content, **declared}))


def listing(documents: Mapping[str, str], **declared: Any) -> list[Change]:
    return [*(raw(key, text, **declared) for key, text in documents.items()), Listing(complete=True)]


class Base:
    """A ledger and a store in a folder, with everything sync needs."""

    def __init__(self, folder: Path, *, ledger: str | Path | None = None, store: VectorStore | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.embedder = HashEmbedder()
        self.store: VectorStore = store or EdgeStore(folder / "shard", dimension=DIMENSION, create=True)
        self.ledger = Ledger.open(ledger or folder / "ledger.sqlite")

    def sync(self, source: Connector | Sequence[Change], **options: Any) -> IngestReport:
        connector = source if isinstance(source, Connector) else ListSource(source)
        given: dict[str, Any] = {"parse": parse, "split": split, "settings": "1", "sparse": words, **options}
        self.embedder.texts.clear()
        return sync(connector, ledger=self.ledger, store=self.store, embedder=self.embedder, **given)

    def repair(self) -> RepairReport:
        return repair(self.ledger, self.store, self.embedder, words)

    def passages(self, viewer: Viewer = EVERYBODY) -> list[Passage]:
        found = self.ledger.passages(sorted(self.store.ids()), viewer)
        return sorted((p for each in found.values() for p in each), key=lambda p: (p.title, p.offset))

    def texts(self, viewer: Viewer = EVERYBODY) -> list[str]:
        return [passage.text for passage in self.passages(viewer)]

    def close(self) -> None:
        self.ledger.close()
        self.store.close()


def check_agreement(base: Base, documents: Mapping[str, str], viewer: Viewer = EVERYBODY) -> None:
    """Ledger, store and an oracle say the same: nothing lost, doubled or stale."""
    passages = base.passages(viewer)
    for passage in passages:
        assert passage.document_id is not None
        assert passage.span is not None
        assert passage.span.slice(base.ledger.document(passage.document_id, passage.version)) == passage.text
    expected = sorted((key, paragraph) for key, text in documents.items() for paragraph in paragraphs(text))
    assert sorted((passage.title, passage.text) for passage in passages) == expected
    live = set(base.ledger.live_chunks(limit=1_000_000))
    assert set(base.store.ids()) == live
    assert base.ledger.totals() == (len(documents), len(live))
    assert {key for _, key in base.ledger.live_keys("default", SOURCE)} == set(documents)


def paragraphs(text: str) -> list[str]:
    return re.findall(r"[^\n]+(?:\n[^\n]+)*", text)
