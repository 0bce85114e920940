"""Both vector stores at a size: insert, query, filtered query, reopen. Made-up unit vectors, exact search.

    python benchmarks/stores.py --points 100000 [--server qdrant://127.0.0.1:6333/bench]

The server's figures contain the request over loopback. Nothing is embedded: a question's embedding comes on top.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from grounded.protocols import Point, SparseVector, VectorStore
from grounded.records import AllOf, AnyOf, Between, Condition, Viewer
from grounded.retrieval import visible_to
from grounded.retrieval.edge import EdgeStore

DIMENSION = 384
BATCH = 1000
QUERIES = 60
TERMS_PER_POINT, VOCABULARY = 30, 50_000
TENANTS = 40


def points(count: int, generator: np.random.Generator) -> Iterator[list[Point]]:
    """Batches of points: 40 tenants, a sixth restricted to staff, words of a skewed vocabulary."""
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        dense = generator.normal(size=(size, DIMENSION)).astype(np.float32)
        dense /= np.linalg.norm(dense, axis=1, keepdims=True)
        batch = []
        for number in range(size):
            payload = {
                "tenant": f"t{(start + number) % TENANTS}",
                "source": "files",
                "document_id": str(uuid.UUID(int=(start + number) // 20)),
                "principals": ["staff"] if number % 6 == 0 else [],
                "year": 2000 + (start + number) % 25,
            }
            batch.append(Point(str(uuid.UUID(int=start + number)), dense[number], words(generator), payload))
        yield batch


def words(generator: np.random.Generator, count: int = TERMS_PER_POINT) -> SparseVector:
    """Terms as a text has them: a few common ones, many rare ones."""
    found = sorted({int(each) for each in np.minimum(generator.zipf(1.3, count), VOCABULARY)})
    return SparseVector(tuple(found), tuple(1.0 for _ in found))


CONDITIONS: dict[str, Condition] = {
    "one tenant (2.5%)": AnyOf(key="tenant", values=("t7",)),
    "years (48%)": Between(key="year", at_least=2013),
    "viewer without principals, one tenant": visible_to(Viewer(tenant="t7")),
    "tenant and years": AllOf(conditions=(AnyOf(key="tenant", values=("t7",)), Between(key="year", at_least=2013))),
}


def milliseconds(call: Callable[[Point], object], queries: Sequence[Point]) -> str:
    """Median and 95th percentile of the time on the wall, median of this process's CPU time.

    On a machine that is shared the CPU time is what the embedded store costs; a server's is not in it.
    """
    call(queries[0])
    wall, cpu = [], []
    for query in queries:
        started, spent = time.perf_counter(), time.process_time()
        call(query)
        wall.append((time.perf_counter() - started) * 1000)
        cpu.append((time.process_time() - spent) * 1000)
    return f"{statistics.median(wall):.1f} / {statistics.quantiles(wall, n=20)[-1]:.1f} / {statistics.median(cpu):.1f}"


def measure(name: str, open_store: Callable[[bool], VectorStore], count: int) -> None:
    """Print a table of one store."""
    generator = np.random.default_rng(7)
    store = open_store(True)
    store.declare("year", "integer")
    wall = cpu = 0.0
    for batch in points(count, generator):
        started, spent = time.perf_counter(), time.process_time()
        store.upsert(batch)
        wall, cpu = wall + time.perf_counter() - started, cpu + time.process_time() - spent
    started = time.perf_counter()
    store.flush()
    store.close()
    closed = time.perf_counter() - started
    started, spent = time.perf_counter(), time.process_time()
    store = open_store(False)
    assert store.count() == count
    reopened = f"{time.perf_counter() - started:.2f} / {time.process_time() - spent:.2f}"
    queries = next(points(QUERIES, np.random.default_rng(8)))
    print(f"\n{name}, {count} points of {DIMENSION} dimensions\n\n| | |\n|---|---|")
    print(f"| insert, wall / this process's CPU s | {wall:.1f} / {cpu:.1f} |")
    print(f"| flush and close, s | {closed:.2f} |\n| reopen and count, wall / CPU s | {reopened} |")
    print(f"| by meaning, p50 / p95 / CPU ms | {milliseconds(lambda q: store.dense(q.dense, limit=50), queries)} |")
    print(f"| by words, p50 / p95 / CPU ms | {milliseconds(lambda q: store.sparse(q.sparse, limit=50), queries)} |")
    for label, condition in CONDITIONS.items():
        taken = milliseconds(lambda q, c=condition: store.dense(q.dense, limit=50, condition=c), queries)
        print(f"| by meaning, {label}, p50 / p95 / CPU ms | {taken} |", flush=True)
    store.close()


def main() -> None:
    """Measure the embedded store, and a server's when its address is given."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--points", type=int, default=100_000)
    arguments.add_argument("--server", help="qdrant://host:6333/name; a collection of that name must not exist")
    arguments.add_argument("--folder", type=Path, help="where the embedded store is made; default: a temporary folder")
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        measure("Embedded", lambda new: EdgeStore(folder / "shard", dimension=DIMENSION, create=new), given.points)
    finally:
        shutil.rmtree(folder)
    if given.server:
        from grounded.retrieval.qdrant import QdrantStore

        measure("Qdrant server", lambda new: QdrantStore(given.server, dimension=DIMENSION, create=new), given.points)


if __name__ == "__main__":
    main()
