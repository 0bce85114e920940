"""CPU time of the sync core per chunk, beyond embedding and storing, and what an unchanged run costs.

    python benchmarks/sync.py [--documents 2000]

The embedder returns vectors that were made before, and the store only counts, so what is left is the core: deciding,
splitting, the ledger's transactions on a SQLite file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grounded.ingestion.ledger import Ledger
from grounded.ingestion.sync import sync
from grounded.protocols import Point, SparseVector
from grounded.records import Change, Chunk, Document, Listing, Parsed, RawDocument, Span, Upsert, chunk_id

PARAGRAPHS = 10
WORDS = SparseVector((1, 2, 3), (1.0, 1.0, 1.0))


class Vectors:
    """Vectors made before."""

    identity, dimension, max_tokens = "fake", 8, 256
    made = np.full((256, 8), 8**-0.5, dtype=np.float32)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        return []

    def embed_documents(self, texts: Sequence[str]) -> Any:
        return self.made[: len(texts)]

    def embed_query(self, text: str) -> Any:
        return self.made[0]


class Counting:
    """A store that keeps ids only."""

    def __init__(self) -> None:
        self.held: set[str] = set()

    def declare(self, key: str, kind: str) -> None: ...

    def upsert(self, points: Sequence[Point]) -> None:
        self.held.update(point.id for point in points)

    def set_payload(self, ids: Sequence[str], payload: Any) -> None: ...

    def delete(self, ids: Sequence[str]) -> None:
        self.held.difference_update(ids)

    def count(self, condition: Any = None) -> int:
        return len(self.held)

    def flush(self) -> None: ...


class Source:
    """Made-up documents, the same in every run of one round."""

    source = scope = "made up"

    def __init__(self, documents: int, round_: int = 0) -> None:
        self._documents, self._round = documents, round_

    def covers(self, key: str) -> bool:
        return True

    def changes(self, checkpoint: Any) -> Iterator[Change]:
        for number in range(self._documents):
            text = "\n\n".join(f"Paragraph {n} of document {number} says this and that." for n in range(PARAGRAPHS - 1))
            content = f"{text}\n\nThe end of {number} in round {self._round}.".encode()
            yield Upsert(document=RawDocument(key=f"{number:07}", content=content, title=f"Document {number}"))
        yield Listing(complete=True)


def parse(raw: RawDocument) -> Parsed:
    return Parsed(text=raw.content.decode())


def split(document: Document, document_id: str) -> list[Chunk]:
    chunks, start = [], 0
    for ordinal, paragraph in enumerate(document.text.split("\n\n")):
        end = start + len(paragraph)
        embedded = f"{document.title}\n{paragraph}"
        chunks.append(
            Chunk(
                id=chunk_id(document_id, embedded, 0),
                ordinal=ordinal,
                span=Span(start=start, end=end),
                embedded_text=embedded,
            )
        )
        start = end + 2
    return chunks


def measured(ledger: Ledger, store: Any, source: Source) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and chunks embedded of one run."""
    cpu, wall = time.process_time(), time.perf_counter()
    report = sync(
        source,
        ledger=ledger,
        store=store,
        embedder=Vectors(),
        parse=parse,
        split=split,
        sparse=lambda text: WORDS,
        settings="1",
    )
    assert report.ok, report
    return time.process_time() - cpu, time.perf_counter() - wall, report.chunks_embedded


def main() -> None:
    """Print what the runs took."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--documents", type=int, default=2000)
    documents = arguments.parse_args().documents
    chunks = documents * PARAGRAPHS
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.sqlite") as ledger:
        store = Counting()
        for name, round_ in (("new", 0), ("unchanged", 0), ("one paragraph of ten changed", 1)):
            cpu, wall, embedded = measured(ledger, store, Source(documents, round_))
            print(
                f"{name}: {documents} documents, {chunks} chunks, {embedded} embedded; "
                f"{1000 * cpu / chunks:.3f} ms CPU per chunk, {cpu:.2f} s CPU, {wall:.2f} s"
            )


if __name__ == "__main__":
    main()
