"""Questions with retrieved passages and whether these hold an answer, from four public sets (measured, not fitted)."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grounded.pipeline.questions import standalone_question
from grounded.protocols import Embedder
from grounded.records import Message, Passage
from grounded.text.terms import content_stems

SHOWN = 8
"""Passages given to the judgement, as `ask` does by default."""


@dataclass(frozen=True)
class Case:
    """One question with what was retrieved for it; ``label`` is 1, 0 or the name of a class that is not fitted."""

    source: str
    group: str
    question: str
    passages: tuple[Passage, ...]
    best_dense: float
    label: int | str
    answers: tuple[str, ...] = field(default=())


class Pool:
    """Passages of one collection, ranked by BM25 and, with an embedder, dense similarity fused by reciprocal rank."""

    def __init__(self, texts: Sequence[str], embedder: Embedder | None, cache: Path) -> None:
        self.texts = list(texts)
        self.stems = [Counter(content_stems(text)) for text in self.texts]
        held = Counter(stem for stems in self.stems for stem in stems)
        count = len(self.texts)
        self.idf = {s: math.log(1 + (count - n + 0.5) / (n + 0.5)) for s, n in held.items()}
        self.mean = sum(sum(s.values()) for s in self.stems) / max(1, count)
        self.embedder = embedder
        self.vectors = _vectors(self.texts, embedder, cache) if embedder else None

    def find(self, question: str, without: frozenset[int] = frozenset()) -> tuple[list[int], float]:
        """Indices of the best passages and the best cosine among them (0 without an embedder)."""
        lexical = self._bm25(question)
        order = [i for i in np.argsort(-lexical, kind="stable") if i not in without]
        if self.embedder is None or self.vectors is None:
            return [int(i) for i in order[:SHOWN]], 0.0
        cosine = self.vectors @ self.embedder.embed_query(question)
        dense = [i for i in np.argsort(-cosine, kind="stable") if i not in without]
        fused: dict[int, float] = defaultdict(float)
        for ranking in (order[:50], dense[:50]):
            for rank, i in enumerate(ranking):
                fused[int(i)] += 1 / (60 + rank)
        best = sorted(fused, key=lambda i: (-fused[i], i))[:SHOWN]
        return best, float(max((cosine[i] for i in best), default=0.0))

    def _bm25(self, question: str) -> NDArray[np.float64]:
        scores = np.zeros(len(self.texts))
        asked = [stem for stem in set(content_stems(question)) if stem in self.idf]
        for index, stems in enumerate(self.stems):
            length = sum(stems.values()) / self.mean
            for stem in asked:
                n = stems[stem]
                scores[index] += self.idf[stem] * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * length)) if n else 0.0
        return scores


def _vectors(texts: list[str], embedder: Embedder, cache: Path) -> NDArray[np.float32]:
    digest = hashlib.sha256(json.dumps([embedder.identity, texts]).encode()).hexdigest()[:16]
    path = cache / f"{digest}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, embedder.embed_documents(texts))
    vectors: NDArray[np.float32] = np.load(path)
    return vectors


def passages_of(pool: Pool, found: Sequence[int]) -> tuple[Passage, ...]:
    """The passages found, numbered from 1."""
    return tuple(Passage.from_text(pool.texts[i], number=n) for n, i in enumerate(found, 1))


def mtrag(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """Conversational tasks. The sets give an unanswerable task no contexts, so all are retrieved from the pool.

    The pool of a collection is every context any of its tasks has. The question is made of the
    last turns as ``ask`` makes it. An answerable task whose contexts are not among those retrieved is left out.
    """
    path = data / "mtrag_unanswerable/generation_tasks/reference.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for collection in sorted({row["Collection"] for row in rows}):
        tasks = [row for row in rows if row["Collection"] == collection]
        texts = sorted({context["text"].strip() for row in tasks for context in row["contexts"]})
        place = {text: i for i, text in enumerate(texts)}
        pool = Pool(texts, embedder, cache)
        for row in tasks:
            *before, last = [turn["text"].strip() for turn in row["input"] if turn["speaker"] == "user"]
            question = standalone_question(last, [Message(role="user", content=turn) for turn in before])
            found, best = pool.find(question)
            gold = {place[context["text"].strip()] for context in row["contexts"]}
            kind = row["answerability"][0]
            label: int | str = {"ANSWERABLE": 1, "UNANSWERABLE": 0}.get(kind, kind.lower())
            if label == 1 and not gold & set(found):
                label = "missed"
            yield Case("mtrag", collection, question, passages_of(pool, found), best, label)


def xquad(data: Path, embedder: Embedder | None, cache: Path, language: str = "en") -> Iterator[Case]:
    """Each question twice: with its paragraph in the pool and without.

    Without means that every paragraph of its article is taken out (even questions) or only its own (odd, harder).
    """
    articles = json.loads((data / f"xquad/xquad.{language}.json").read_text())["data"]
    texts: list[str] = []
    questions: list[tuple[int, int, str, tuple[str, ...]]] = []
    article_of: list[int] = []
    for number, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                answers = tuple(answer["text"] for answer in qa["answers"])
                questions.append((number, len(texts), qa["question"], answers))
            texts.append(paragraph["context"])
            article_of.append(number)
    pool = Pool(texts, embedder, cache)
    for turn, (article, gold, question, answers) in enumerate(questions):
        found, best = pool.find(question)
        label: int | str = 1 if gold in found else "missed"
        group = f"article {article}"
        yield Case("xquad", group, question, passages_of(pool, found), best, label, answers)
        same = {i for i, owner in enumerate(article_of) if owner == article}
        without = frozenset(same) if turn % 2 == 0 else frozenset({gold})
        found, best = pool.find(question, without)
        kind = "xquad without article" if turn % 2 == 0 else "xquad without paragraph"
        yield Case(kind, group, question, passages_of(pool, found), best, 0)


def pubmedqa(data: Path, embedder: Embedder | None, cache: Path, limit: int = 400) -> Iterator[Case]:
    """Each question with its abstract's parts in the pool, and with them taken out."""
    rows = list(json.loads((data / "pubmedqa/ori_pqal.json").read_text()).values())[:limit]
    texts: list[str] = []
    parts: list[frozenset[int]] = []
    for row in rows:
        parts.append(frozenset(range(len(texts), len(texts) + len(row["CONTEXTS"]))))
        texts.extend(row["CONTEXTS"])
    pool = Pool(texts, embedder, cache)
    for number, (row, own) in enumerate(zip(rows, parts, strict=True)):
        for label, without in ((1, frozenset[int]()), (0, own)):
            found, best = pool.find(row["QUESTION"], without)
            name: int | str = label if not label or own & set(found) else "missed"
            yield Case("pubmedqa", f"{number}", row["QUESTION"], passages_of(pool, found), best, name)


def handbook(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """Questions on a product's documentation, with the right sections in the pool, and with them taken out."""
    folder = data / "anthropic_docs_rag"
    chunks = [json.loads(line) for line in (folder / "anthropic_docs.jsonl").read_text().splitlines() if line]
    rows = [json.loads(line) for line in (folder / "docs_evaluation_dataset.jsonl").read_text().splitlines() if line]
    # Longer sections than a chunk holds are cut, as the splitter would.
    texts, links = [], []
    for chunk in chunks:
        for start in range(0, len(chunk["text"]), 1_000):
            texts.append(chunk["text"][start : start + 1_000])
            links.append(chunk["chunk_link"])
    pool = Pool(texts, embedder, cache)
    for row in rows:
        own = frozenset(i for i, link in enumerate(links) if link in row["correct_chunks"])
        for label, without in ((1, frozenset[int]()), (0, own)):
            found, best = pool.find(row["question"], without)
            name: int | str = label if not label or own & set(found) else "missed"
            yield Case("handbook", row["id"], row["question"], passages_of(pool, found), best, name)
