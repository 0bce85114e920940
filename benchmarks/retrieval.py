"""How well passages are found: by words, by meaning and by both, on the sets of ``retrieval_sets.py``.

    python benchmarks/retrieval.py                          # English and code; a minute per 5,000 chunks and core
    python benchmarks/retrieval.py --sets scifact xquad-en --weights 0.4 0.5 0.6
    python benchmarks/retrieval.py --sets two-hops --real   # through ingest and search, as a user would
    python benchmarks/retrieval.py --sets scifact --queries 200 --rerank verifier     # or folder:PATH

The fast form splits, embeds, weighs words and fuses with the package's own parts and ranks with numpy; vectors are
kept under ``--cache``. Documents are ranked by their best chunk. nDCG@10 has binary gains; recall is the share of a
question's relevant documents among the first 5 or 20.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import tempfile
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from retrieval_sets import ENGLISH, NAMES, Collection, collection

from grounded import KnowledgeBase
from grounded.ingestion.splitting import split
from grounded.models.embedder import default_embedder
from grounded.models.entailment import default_network
from grounded.models.remembering import RememberingEmbedder
from grounded.pipeline.questions import as_messages, standalone_question
from grounded.protocols import Embedder, Reranker, Scored
from grounded.records import Document
from grounded.rerankers import reranker
from grounded.retrieval.bm25 import document_vector, query_vector
from grounded.retrieval.fusion import Fused, dense_weight, fuse
from grounded.retrieval.reranking import RERANKED

DEPTH, DEEPEST = 50, 20
SPENT: list[float] = []
"""Seconds of processor time of each call of the reranker."""
Figures = tuple[float, float, float]


def figures(ranked: Sequence[str], relevant: frozenset[str]) -> Figures:
    """nDCG@10, recall@5 and recall@20 of one question."""
    hits = [identity in relevant for identity in ranked[:DEEPEST]]
    gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits[:10]))
    ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(relevant))))
    return gain / ideal, sum(hits[:5]) / len(relevant), sum(hits) / len(relevant)


class Words:
    """The BM25 of both stores over the package's own vectors."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._count = len(texts)
        postings: dict[int, list[tuple[int, float]]] = {}
        for place, text in enumerate(texts):
            vector = document_vector(text)
            for index, value in zip(vector.indices, vector.values, strict=True):
                postings.setdefault(index, []).append((place, value))
        self._postings = {index: tuple(map(np.array, zip(*found, strict=True))) for index, found in postings.items()}

    def scores(self, question: str) -> Any:
        """The score of every chunk."""
        scores = np.zeros(self._count)
        for index in query_vector(question).indices:
            if index in self._postings:
                places, values = self._postings[index]
                held = len(places)
                scores[places.astype(int)] += math.log(1 + (self._count - held + 0.5) / (held + 0.5)) * values
        return scores


def ranking(scores: Any) -> list[Scored]:
    """The best chunks with a score above 0."""
    best = np.argsort(-scores, kind="stable")[:DEPTH]
    return [Scored(f"{place:07}", float(scores[place])) for place in best if scores[place] > 0]


def asked(query: Any) -> str:
    """What is searched for: the standalone question."""
    turns = as_messages([{"role": role, "content": text} for role, text in query.history])
    return standalone_question(query.text, turns)


def vectors(embedder: Embedder, cache: Path, name: str, texts: Sequence[str], questions: Sequence[str]) -> Any:
    """The vectors of texts and questions, from the cache when they are there."""
    said = hashlib.sha256("\0".join([*texts, "", *questions]).encode("utf-8", "replace")).hexdigest()[:12]
    path = cache / f"{embedder.identity}-{name}-{said}.npz"
    if not path.exists():
        started = time.process_time()
        documents = embedder.embed_documents(texts)
        took = time.process_time() - started
        asking = np.stack([embedder.embed_query(question) for question in questions])
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, documents=documents, questions=asking)
        print(f"{name}: {len(texts)} chunks, {len(texts) / took:.1f} per CPU second", flush=True)
    kept = np.load(path)
    return kept["documents"], kept["questions"]


class Verifier:
    """The shipped entailment network as a reranker: how much it believes that a text supports the question."""

    name = "verifier"

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Support against the larger of contradiction and neither."""
        read = default_network().read([(text, question) for text in texts])
        return [each.supported - max(each.contradicted, each.neither) for each in read]


def fast(
    name: str,
    found: Collection,
    embedder: Embedder,
    cache: Path,
    weights: Sequence[float],
    second: Reranker | None = None,
) -> dict[str, Figures]:
    """Figures by way of searching, without a store."""
    texts, owners = [], []
    for key, document in found.documents.items():
        chunks = split(
            Document(key=key, title=document.title, text=document.text),
            document_id=str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
            token_starts=RememberingEmbedder(embedder).token_starts,
            max_tokens=embedder.max_tokens,
        )
        texts += [chunk.embedded_text for chunk in chunks]
        owners += [key] * len(chunks)
    questions = [asked(query) for query in found.queries]
    documents, asking = vectors(embedder, cache, name, texts, questions)
    words = Words(texts)
    each: dict[str, list[Figures]] = {}
    for query, question, vector in zip(found.queries, questions, asking, strict=True):
        dense, sparse = ranking(documents @ vector), ranking(words.scores(question))
        ways: dict[str, Sequence[Scored | Fused]] = {"words": sparse, "meaning": dense}
        ways["both"] = fuse(dense, sparse, dense_weight=dense_weight(embedder, question))
        if second is not None:
            ways["both, reranked"] = by_reranker(second, question, ways["both"], texts)
        ways |= {f"both, weight {w:.2f}": fuse(dense, sparse, dense_weight=w) for w in weights}
        for way, ranked in ways.items():
            keys = list(dict.fromkeys(owners[int(scored.id)] for scored in ranked))
            each.setdefault(way, []).append(figures(keys, query.relevant))
    return {way: _mean(rows) for way, rows in each.items()}


def by_reranker(
    second: Reranker, question: str, ranked: Sequence[Scored | Fused], texts: Sequence[str]
) -> list[Scored]:
    """The best ``RERANKED`` chunks in the reranker's order, the rest behind them; its processor time is counted."""
    best, rest = ranked[:RERANKED], ranked[RERANKED:]
    started = time.process_time()
    said = second.scores(question, [texts[int(each.id)] for each in best])
    SPENT.append(time.process_time() - started)
    order = sorted(range(len(best)), key=lambda place: (-said[place], place))
    return [Scored(best[place].id, said[place]) for place in order] + [Scored(each.id, 0.0) for each in rest]


def real(found: Collection) -> dict[str, Figures]:
    """Figures through the knowledge base: ingest, then search."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, KnowledgeBase.open(Path(folder) / "kb", create=True) as kb:
        kb.ingest([{"key": key, "uri": key, "title": d.title, "text": d.text} for key, d in found.documents.items()])
        for query in found.queries:
            passages = kb.search(asked(query), k=DEEPEST)
            rows.append(figures(list(dict.fromkeys(passage.uri for passage in passages)), query.relevant))
    return {"both, through search": _mean(rows)}


def _mean(rows: Iterable[Figures]) -> Figures:
    means = np.mean(list(rows), axis=0)
    return float(means[0]), float(means[1]), float(means[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sets", nargs="+", choices=NAMES, default=list(ENGLISH))
    parser.add_argument("--weights", nargs="+", type=float, default=[], help="of meaning, besides the default")
    parser.add_argument("--cache", type=Path, default=Path(".cache/retrieval"))
    parser.add_argument("--real", action="store_true", help="through ingest and search")
    parser.add_argument("--queries", type=int, help="only so many questions of each set, evenly spread")
    parser.add_argument("--rerank", help="verifier, or folder:PATH of a cross-encoder: reorders the best 20")
    options = parser.parse_args()
    second = Verifier() if options.rerank == "verifier" else reranker(options.rerank)
    embedder = default_embedder()
    print(f"{embedder.identity}\n{'set':<16}{'way':<24}{'nDCG@10':>9}{'recall@5':>10}{'recall@20':>10}")
    every: dict[str, list[Figures]] = {}
    for name in options.sets:
        found = collection(name)
        if options.queries:
            step = max(1, len(found.queries) // options.queries)
            found = replace(found, queries=found.queries[::step][: options.queries])
        ways = real(found) if options.real else fast(name, found, embedder, options.cache, options.weights, second)
        for way, row in ways.items():
            every.setdefault(way, []).append(row)
            print(f"{name:<16}{way:<24}{row[0]:>9.3f}{row[1]:>10.3f}{row[2]:>10.3f}", flush=True)
    for way, rows in every.items():
        row = _mean(rows)
        print(f"{'mean':<16}{way:<24}{row[0]:>9.3f}{row[1]:>10.3f}{row[2]:>10.3f}")
    if SPENT:
        gain, milliseconds = _mean(every["both, reranked"])[0] - _mean(every["both"])[0], 1000 * float(np.mean(SPENT))
        print(f"reranking: {gain:+.3f} nDCG@10 for {milliseconds:.0f} ms of processor time a question")


if __name__ == "__main__":
    main()
