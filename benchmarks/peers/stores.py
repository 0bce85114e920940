"""Vector stores at 10,000 and 100,000 chunks: writing, a question, a filtered question, opening again.

    python benchmarks/peers/stores.py grounded --chunks 100000
    python benchmarks/peers/stores.py qdrant-local --chunks 10000     # in an environment with qdrant-client

Vectors are random, unit length, 384 wide: this measures stores, not what they find. A filtered question wants one of
100 groups. ``grounded`` embeds the question with the default embedder, searches by meaning and by words, fuses and
looks up passages; a peer gets a ready vector and searches by meaning only. Prints medians and 95th percentiles of wall
time over 100 questions, their mean processor time (all threads), that of writing, and the highest memory.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

DIMENSION, GROUPS, QUESTIONS, WORDS, K, BATCH = 384, 100, 100, 60, 8, 1000
WORD_KINDS = 20_000

Ask = Callable[[int, str | None], object]


def rows(count: int) -> Any:
    """``(id, vector, text, group)``, the same in every run."""
    numbers, chance = np.random.default_rng(7), random.Random(7)
    for start in range(0, count, BATCH):
        vectors = numbers.standard_normal((BATCH, DIMENSION), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for place in range(min(BATCH, count - start)):
            # Squaring makes some words frequent and most rare, as in language.
            words = [f"word{int(WORD_KINDS * chance.random() ** 2)}" for _ in range(WORDS)]
            number = start + place
            yield str(uuid.UUID(int=number)), vectors[place], " ".join(words), f"g{number % GROUPS}"


def questions() -> list[str]:
    chance = random.Random(8)
    return [" ".join(f"word{int(WORD_KINDS * chance.random())}" for _ in range(8)) for _ in range(QUESTIONS)]


def ours(folder: Path, count: int) -> tuple[Callable[[], None], Callable[[], Ask]]:
    """This package's embedded store."""
    from grounded.models.embedder import default_embedder
    from grounded.protocols import Point
    from grounded.records import AnyOf, Passage
    from grounded.retrieval import document_vector, search
    from grounded.retrieval.edge import EdgeStore

    embedder, asked = default_embedder(threads=1), questions()

    def write() -> None:
        with EdgeStore(folder, dimension=DIMENSION, create=True) as store:
            store.declare("group", "keyword")
            batch = []
            for identity, vector, text, group in rows(count):
                batch.append(Point(identity, vector, document_vector(text), {"group": group}))
                if len(batch) == BATCH:
                    store.upsert(batch)
                    batch = []
            store.upsert(batch)
            store.flush()

    def opened() -> Ask:
        store = EdgeStore(folder, dimension=DIMENSION, create=False)

        def lookup(ids: Any) -> Any:
            return {each: (Passage.from_text(each, number=1),) for each in ids}

        def ask(number: int, group: str | None) -> object:
            condition = AnyOf(key="group", values=(group,)) if group else None
            return search(asked[number], embedder=embedder, store=store, lookup=lookup, k=K, condition=condition)

        return ask

    return write, opened


def qdrant_local(folder: Path, count: int) -> tuple[Callable[[], None], Callable[[], Ask]]:
    """The local mode of qdrant-client, which LlamaIndex's Qdrant store uses for a path."""
    from qdrant_client import QdrantClient, models

    numbers = np.random.default_rng(9).standard_normal((QUESTIONS, DIMENSION))

    def write() -> None:
        client = QdrantClient(path=str(folder))
        client.create_collection("c", models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE))
        batch = []
        for identity, vector, text, group in rows(count):
            payload = {"text": text, "group": group}
            batch.append(models.PointStruct(id=identity, vector=vector.tolist(), payload=payload))
            if len(batch) == BATCH:
                client.upsert("c", batch)
                batch = []
        client.close()

    def opened() -> Ask:
        client = QdrantClient(path=str(folder))

        def ask(number: int, group: str | None) -> object:
            wanted = models.FieldCondition(key="group", match=models.MatchValue(value=group)) if group else None
            condition = models.Filter(must=[wanted]) if wanted else None
            return client.query_points("c", query=numbers[number].tolist(), limit=K, query_filter=condition)

        return ask

    return write, opened


def timed(call: Callable[[int], object]) -> str:
    took = []
    work = time.process_time()
    for number in range(QUESTIONS):
        started = time.perf_counter()
        call(number)
        took.append(1000 * (time.perf_counter() - started))
    work = 1000 * (time.process_time() - work) / QUESTIONS
    return f"p50 {statistics.median(took):.1f} ms, p95 {statistics.quantiles(took, n=20)[-1]:.1f} ms, {work:.1f} CPU ms"


def main() -> None:
    kinds = {"grounded": ours, "qdrant-local": qdrant_local}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("store", choices=kinds)
    parser.add_argument("--chunks", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write, opened = kinds[options.store](Path(folder) / "store", options.chunks)
        wall, work = time.perf_counter(), time.process_time()
        write()
        print(
            f"{options.store}, {options.chunks} chunks: written in {time.perf_counter() - wall:.1f} s, "
            f"{time.process_time() - work:.1f} CPU s"
        )
        started = time.perf_counter()
        ask = opened()
        print(f"opened in {time.perf_counter() - started:.2f} s")
        ask(0, None)
        print("question", timed(lambda number: ask(number, None)))
        print("filtered", timed(lambda number: ask(number, f"g{number % GROUPS}")))
        print(f"highest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
