"""Questions and claims with and without the passages that answer them, from sets whose licence lets weights ship.

Each is asked of the whole pool of its set and again without what answers it: without everything from its page,
article or question ("far"), or without only the passages, sentences or abstracts that hold the answer ("near").
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cases import Case, Pool, passages_of

from grounded.protocols import Embedder
from grounded.text.sentences import sentences

PIECE = 800
"""Most characters of a passage made of sentences, roughly what a chunk holds."""
MOST = 500
"""Questions or claims taken from one set."""


def shipped(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """All of them."""
    for read in (halueval, expertqa, fool_me_twice, factcheck, wice, scifact):
        yield from read(data, embedder, cache)


def halueval(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """Questions with the paragraph they are about; near: the sentences that hold the answer's words are cut out."""
    rows = _lines(data / "halueval_small/qa_one-turn_data.jsonl")[:MOST]
    texts = [row["knowledge"].strip() for row in rows]
    cut = [_without_answer(row) for row in rows]
    pool = Pool([*texts, *(text or "-" for text in cut)], embedder, cache)
    second = frozenset(range(len(rows), 2 * len(rows)))
    for i, row in enumerate(rows):
        twins = frozenset(j for j, text in enumerate(texts) if text == texts[i])
        yield _case("halueval", str(i), row["question"], pool, second, twins)
        yield _case("halueval far", str(i), row["question"], pool, second | twins)
        if cut[i] is not None:
            without = (second - {i + len(rows)}) | twins
            yield _case("halueval near", str(i), row["question"], pool, without)


def _without_answer(row: dict[str, Any]) -> str | None:
    """The paragraph without its answer; None where the answer is not a phrase of it or nothing is left."""
    text, answer = row["knowledge"].strip(), row["right_answer"].strip(" .").casefold()
    kept = [s.slice(text) for s in sentences(text) if answer not in s.slice(text).casefold()]
    is_phrase = len(answer) > 2 and answer in text.casefold() and answer not in row["question"].casefold()
    return " ".join(kept) if kept and is_phrase else None


def expertqa(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """Experts' questions with the web pages that support an answer in full, and without any of their pages."""
    rows = [row for row in _lines(data / "expertqa/claims_with_text_evidence.jsonl") if row["evidence"]]
    texts = sorted({_page(text) for row in rows for text in row["evidence"]})
    place = {text: i for i, text in enumerate(texts)}
    own, gold = defaultdict(set), defaultdict(set)
    for row in rows:
        found = {place[_page(text)] for text in row["evidence"]}
        own[row["question"]] |= found
        gold[row["question"]] |= found if row["support"] == "Complete" else set()
    pool = Pool(texts, embedder, cache)
    for question in sorted(question for question in own if gold[question])[:MOST]:
        yield _case("expertqa", question, question, pool, frozenset(), gold[question])
        yield _case("expertqa far", question, question, pool, frozenset(own[question]))


def _page(evidence: str) -> str:
    """The text of a page without the marker and the address in front."""
    return re.sub(r"\A\[\d+\]\s*\S*\s*", "", evidence).strip()


def fool_me_twice(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """Claims with the sections of their encyclopaedia page; near: without the sections that decide them."""
    rows = _lines(data / "fool_me_twice/dev.jsonl")
    held: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for piece in (*row["gold_evidence"], *row["retrieved_evidence"]):
            section = held.setdefault((row["wikipedia_page"], piece["section_header"]), [])
            section.extend([piece["text"]] if piece["text"] not in section else [])
    texts, pages = [], []
    for (page, _), lines in held.items():
        for text in _pieces(lines):
            texts.append(text)
            pages.append(page)
    pool = Pool(texts, embedder, cache)
    for row in rows[:: max(1, len(rows) // MOST)]:
        own = frozenset(i for i, page in enumerate(pages) if page == row["wikipedia_page"])
        gold = frozenset(i for i in own if any(piece["text"] in texts[i] for piece in row["gold_evidence"]))
        yield _case("fool_me_twice", row["wikipedia_page"], row["text"], pool, frozenset(), gold)
        yield _case("fool_me_twice near", row["wikipedia_page"], row["text"], pool, gold)
        yield _case("fool_me_twice far", row["wikipedia_page"], row["text"], pool, own)


def factcheck(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """Claims with web snippets that people judged; near: only snippets judged irrelevant to it, and other topics.

    The claims of one answer stand together in the file. Snippets found for a neighbour were never judged for
    this claim, so they are taken out. Only the first half of the file; the rest stays a scoreboard.
    """
    rows = _lines(data / "factcheck_gpt/subtask3_claim_evidence_stance.jsonl")
    rows = rows[: len(rows) // 2]
    texts = sorted({row["evidence"].strip() for row in rows})
    place = {text: i for i, text in enumerate(texts)}
    claims = list(dict.fromkeys(row["claim"] for row in rows))
    beside, useless = defaultdict(set), defaultdict(set)
    for row in rows:
        (useless if row["stance"] == "irrelevant" else beside)[row["claim"]].add(place[row["evidence"].strip()])
    decides = {row["claim"] for row in rows if row["stance"] in ("completely-support", "refute")}
    pool = Pool(texts, embedder, cache)
    for i, claim in enumerate(claims):
        around = claims[max(0, i - 12) : i + 13]
        near = frozenset[int]().union(*(beside[other] | useless[other] for other in around))
        if claim in decides:
            yield _case("factcheck", str(i // 12), claim, pool, frozenset(), beside[claim])
        yield _case("factcheck near", str(i // 12), claim, pool, near - (useless[claim] - beside[claim]))


def wice(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """Claims with the article they rest on; near: without the parts that support them."""
    rows = _lines(data / "wice/non_supported_tokens_train.jsonl")[::3]
    texts: list[str] = []
    parts: dict[str, frozenset[int]] = {}
    for row in rows:
        article = "\n".join(row["evidence"])
        if article not in parts:
            pieces = _pieces(row["evidence"][:120])
            parts[article] = frozenset(range(len(texts), len(texts) + len(pieces)))
            texts.extend(pieces)
    pool = Pool(texts, embedder, cache)
    for row in rows:
        own = parts["\n".join(row["evidence"])]
        support = [row["evidence"][n] for n in {n for chosen in row["supporting_sentences"] for n in chosen}]
        gold = frozenset(i for i in own if any(line in texts[i] for line in support))
        yield _case("wice", row["evidence"][0], row["claim"], pool, frozenset(), gold)
        yield _case("wice near", row["evidence"][0], row["claim"], pool, gold)
        yield _case("wice far", row["evidence"][0], row["claim"], pool, own)


def scifact(data: Path, embedder: Embedder | None, cache: Path) -> Iterator[Case]:
    """Claims with the abstracts they cite; near: claims on which the cited abstract says nothing, as people judged."""
    claims = _lines(data / "scifact/claims_train.jsonl")[::2][:MOST]
    cited = {str(d) for row in claims for d in row["cited_doc_ids"]}
    texts: list[str] = []
    parts: dict[str, frozenset[int]] = {}
    for number, row in enumerate(_lines(data / "scifact/corpus.jsonl")):
        if row["_id"] in cited or number % 12 == 0:
            pieces = _pieces([row["title"], *(s.slice(row["text"]) for s in sentences(row["text"]))])
            parts[row["_id"]] = frozenset(range(len(texts), len(texts) + len(pieces)))
            texts.extend(pieces)
    pool = Pool(texts, embedder, cache)
    for row in claims:
        own = frozenset[int]().union(*(parts[str(d)] for d in row["cited_doc_ids"]))
        if row["evidence"]:
            yield _case("scifact", row["id"], row["claim"], pool, frozenset(), own)
            yield _case("scifact far", row["id"], row["claim"], pool, own)
        else:
            yield _case("scifact near", row["id"], row["claim"], pool, frozenset())


def _case(
    source: str, group: str, question: str, pool: Pool, without: frozenset[int], gold: Iterable[int] | None = None
) -> Case:
    """With ``gold``, answerable if one of it is found and left out of the fit otherwise; without, unanswerable."""
    found, best = pool.find(question, without)
    label: int | str = 0 if gold is None else 1 if set(gold) & set(found) else "missed"
    return Case(source, group, question, passages_of(pool, found), best, label)


def _pieces(lines: Iterable[str]) -> list[str]:
    """Lines joined into passages of at most ``PIECE`` characters; a longer line is one of its own."""
    pieces: list[str] = []
    for line in lines:
        if pieces and len(pieces[-1]) + len(line) < PIECE:
            pieces[-1] += "\n" + line
        else:
            pieces.append(line[: 2 * PIECE])
    return pieces


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
