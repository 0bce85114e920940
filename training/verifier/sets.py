"""The labelled public sets, read as claims with passages, each marked with the part it belongs to.

``train`` rows may be learned from, ``board`` rows are the visible scoreboard and are never trained on, ``tune`` rows
come from sets whose licence allows no shipped weights. Rows are split by source (question, document, page, article),
never by row; what a training row shares with the board is dropped by :func:`without_shared`.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Part = Literal["train", "board", "tune"]
Label = Literal["supported", "contradicted", "neither"]


@dataclass(frozen=True, slots=True)
class Example:
    """A claim with its passages.

    Attributes:
        group: What a bootstrap resamples and a split never cuts: page, question, document, article.
        passages: Each a text; a gold passage comes first where the set knows one.
        label: What the passages together say of the claim.
        gold: Sets of gold sentences, each a set of ``(start, end)`` in ``passages[0]``; any one set decides.
        wrong: ``(start, end)`` of the parts of the claim known to be unsupported.
        question: What the claim answers, where the set has one.
    """

    source: str
    part: Part
    group: str
    claim: str
    passages: tuple[str, ...]
    label: Label
    gold: tuple[tuple[tuple[int, int], ...], ...] = ()
    wrong: tuple[tuple[int, int], ...] = ()
    question: str = ""

    @property
    def is_supported(self) -> bool:
        """Whether the label is ``supported``."""
        return self.label == "supported"


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _share(text: str) -> float:
    """A stable number in [0, 1) of a group's name."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _joined(sentences: Iterable[str]) -> tuple[str, list[tuple[int, int]]]:
    text, spans = "", []
    for sentence in sentences:
        start = len(text) + (1 if text else 0)
        text = f"{text}\n{sentence}" if text else sentence
        spans.append((start, len(text)))
    return text, spans


def fool_me_twice(root: Path) -> Iterator[Example]:
    """Adversarial claims on Wikipedia pages; ``dev`` and three pages of five of ``test`` train."""
    for name in ("dev", "test"):
        for row in _rows(root / "fool_me_twice" / f"{name}.jsonl"):
            gold = [_squeezed(item["text"]) for item in row["gold_evidence"]]
            rest = [_squeezed(item["text"]) for item in row["retrieved_evidence"]]
            rest = [text for text in rest if text not in gold]
            text, spans = _joined([*gold, *rest])
            yield Example(
                source="fool_me_twice",
                part="train" if name == "dev" or _share("m" + row["wikipedia_page"]) < 0.6 else "board",
                group=row["wikipedia_page"],
                claim=_squeezed(row["text"]),
                passages=(text,),
                label="supported" if row["label"] == "SUPPORTS" else "contradicted",
                gold=(tuple(spans[: len(gold)]),),
            )


_STANCE: dict[str, Label] = {
    "completely-support": "supported",
    "partially-support": "neither",
    "refute": "contradicted",
    "irrelevant": "neither",
}


def factcheck_gpt(root: Path) -> Iterator[Example]:
    """Claims of ChatGPT answers with web evidence; split by claim, seven of ten train."""
    for row in _rows(root / "factcheck_gpt" / "subtask3_claim_evidence_stance.jsonl"):
        evidence = _squeezed(row["evidence"])
        yield Example(
            source="factcheck_gpt",
            part="train" if _share("f" + row["claim"]) < 0.7 else "board",
            group=evidence[:200],
            claim=_squeezed(row["claim"]),
            passages=(evidence,),
            label=_STANCE[row["stance"]],
        )


_MARKER = re.compile(r"\s*(?:\[\d+\])+")
_WEB_HEAD = re.compile(r"^\[\d+\]\s*\S+\s+")


def expertqa(root: Path) -> Iterator[Example]:
    """Sentences of system answers with web passages, support judged by experts; split by question."""
    for row in _rows(root / "expertqa" / "claims_with_text_evidence.jsonl"):
        if row["support"] not in ("Complete", "Partial", "Incomplete"):
            continue
        passages = tuple(_squeezed(_WEB_HEAD.sub("", text)) for text in row["evidence"] if text)
        if passages:
            yield Example(
                source="expertqa",
                part="train" if _share("e" + row["question"]) < 0.7 else "board",
                group=row["question"],
                claim=_squeezed(_MARKER.sub("", row["claim"])),
                passages=passages,
                label="supported" if row["support"] == "Complete" else "neither",
                question=row["question"],
            )


def wice_claims(root: Path) -> Iterator[Example]:
    """Sentences of Wikipedia with the web articles they cite: the board."""
    for row in _rows(root / "wice" / "entailment_retrieval_claim_dev.jsonl"):
        text, spans = _joined(row["evidence"])
        gold = tuple(tuple(spans[i] for i in chosen) for chosen in row["supporting_sentences"] if chosen)
        yield Example(
            source="wice",
            part="board",
            group=row["evidence"][0],
            claim=_squeezed(row["claim"]),
            passages=(text,),
            label="supported" if row["label"] == "supported" else "neither",
            gold=gold,
        )


def wice_tokens(root: Path) -> Iterator[Example]:
    """Parts of such sentences that are partially supported, with the words that are not; ``train`` only."""
    for row in _rows(root / "wice" / "non_supported_tokens_train.jsonl"):
        text, spans = _joined(row["evidence"])
        claim, wrong, position = row["claim"], [], 0
        for token, is_wrong in zip(row["claim_tokens"], row["non_supported_spans"], strict=True):
            start = claim.find(token, position)
            if start < 0:
                continue
            position = start + len(token)
            if is_wrong:
                wrong.append((start, position))
        gold = tuple(tuple(spans[i] for i in chosen) for chosen in row["supporting_sentences"] if chosen)
        yield Example("wice_tokens", "train", row["evidence"][0], claim, (text,), "neither", gold, tuple(wrong))


_BEGIN: dict[str, Label] = {"Fully attributable": "supported", "Not fully attributable": "neither"}


def begin(root: Path) -> Iterator[Example]:
    """Replies of dialogue systems with the knowledge they were given."""
    for name in ("begin_dev_wow", "begin_test_wow"):
        for row in _rows(root / "begin_wow" / f"{name}.jsonl"):
            if row["begin_label"] in _BEGIN:
                knowledge = _squeezed(row["knowledge"])
                label = _BEGIN[row["begin_label"]]
                yield Example("begin", "train", knowledge, _squeezed(row["response"]), (knowledge,), label)


def scifact(root: Path) -> Iterator[Example]:
    """Biomedical claims with abstracts; a claim without evidence is paired with the abstract it cites."""
    corpus = {row["_id"]: row for row in _rows(root / "scifact" / "corpus.jsonl")}
    kind: dict[str, Label] = {"SUPPORT": "supported", "CONTRADICT": "contradicted"}
    for row in _rows(root / "scifact" / "claims_train.jsonl"):
        if not row["evidence"]:
            for number in row["cited_doc_ids"]:
                document = corpus[str(number)]
                text = f"{document['title']}\n{_squeezed(document['text'])}"
                yield Example("scifact", "train", str(number), row["claim"], (text,), "neither")
        for item in row["evidence"]:
            document = corpus[item["doc_id"]]
            text = f"{document['title']}\n{_squeezed(document['text'])}"
            yield Example("scifact", "train", item["doc_id"], row["claim"], (text,), kind[item["label"]])


def halueval(root: Path) -> Iterator[Example]:
    """Short answers to questions over Wikipedia; the labelled 200 are the board, less the shared questions."""
    known = set()
    for name in ("qa_one-turn_data", "qa_multi-turn_data"):
        for row in _rows(root / "halueval_small" / f"{name}.jsonl"):
            if row["question"] in known:
                continue
            known.add(row["question"])
            passage = _squeezed(row["knowledge"])
            for key, label in (("right_answer", "supported"), ("hallucinated_answer", "neither")):
                claim = _squeezed(row[key])
                if len(claim.split()) >= 4:
                    yield Example("halueval", "train", passage[:80], claim, (passage,), label, question=row["question"])  # type: ignore[arg-type]
    for row in _rows(root / "halueval_small" / "conformaldrift_halueval_test.jsonl"):
        if row["query"] not in known:
            passages = tuple(_squeezed(text) for text in row["documents"])
            yield Example(
                "halueval",
                "board",
                passages[0][:80],
                _squeezed(row["response"]),
                passages,
                "neither" if row["label"] else "supported",
                question=row["query"],
            )


def factscore(root: Path) -> Iterator[Example]:
    """Atomic claims of three models on biographies, with the page."""
    texts = {row["doc_id"]: _squeezed(row["text"]) for row in _rows(root / "qcnli_factscore" / "docs.jsonl")}
    for row in _rows(root / "qcnli_factscore" / "claims_flat.jsonl"):
        label: Label = "supported" if row["label"] == "entailment" else "neither"
        yield Example("factscore", "tune", row["doc_id"], row["claim"], (texts[row["doc_id"]],), label)


def climate_fever(root: Path) -> Iterator[Example]:
    """Claims on climate with five sentences of Wikipedia each; disputed ones are left out."""
    kind: dict[str, Label] = {"SUPPORTS": "supported", "REFUTES": "contradicted", "NOT_ENOUGH_INFO": "neither"}
    for row in _rows(root / "climate_fever" / "climate-fever.jsonl"):
        if row["claim_label"] in kind:
            passages = tuple(_squeezed(item["evidence"]) for item in row["evidences"])
            yield Example(
                "climate_fever", "tune", row["claim_id"], _squeezed(row["claim"]), passages, kind[row["claim_label"]]
            )


READERS: dict[str, Callable[[Path], Iterator[Example]]] = {
    "wice": wice_claims,
    "factcheck_gpt": factcheck_gpt,
    "fool_me_twice": fool_me_twice,
    "expertqa": expertqa,
    "halueval": halueval,
    "factscore": factscore,
    "climate_fever": climate_fever,
    "wice_tokens": wice_tokens,
    "begin": begin,
    "scifact": scifact,
}


def read(root: Path, *names: str) -> list[Example]:
    """All examples of the named sets, or of every set; nothing twice."""
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    found = []
    for name in names or READERS:
        for example in READERS[name](root):
            key = example.source, example.claim, example.passages
            if key not in seen and example.claim and any(example.passages):
                seen.add(key)
                found.append(example)
    return found


def shuffled_board(root: Path, name: str, seed: int) -> list[Example]:
    """The rows of a set that nobody trains on, in a random order that the seed fixes."""
    rows = [row for row in read(root, name) if row.part != "train"]
    random.Random(seed).shuffle(rows)
    return rows


def reserved(example: Example) -> bool:
    """Whether a training row is kept from the network, to weigh and calibrate what it says: an eighth of the groups."""
    return _share("r" + example.group) < 0.125


def _shingles(text: str) -> set[int]:
    words = re.findall(r"\w+", text.lower())
    return {hash(tuple(words[i : i + 12])) for i in range(0, max(1, len(words) - 11))}


class Guard:
    """Knows every run of twelve words of the board, so that nothing of it is learned."""

    def __init__(self, board: Iterable[Example]) -> None:
        self._known: set[int] = set()
        for example in board:
            for passage in example.passages:
                self._known |= _shingles(passage)
            self._known |= _shingles(example.claim)

    def shares(self, text: str) -> bool:
        """Whether more than one run in twenty of the text is on the board."""
        own = _shingles(text)
        return len(own & self._known) * 20 > len(own)


def training_rows(examples: Iterable[Example]) -> list[Example]:
    """The rows to learn from, without those whose passages or claim also stand on the board."""
    kept = list(examples)
    guard = Guard(example for example in kept if example.part != "train")
    return [
        example
        for example in kept
        if example.part == "train" and not guard.shares(example.claim) and not guard.shares(" ".join(example.passages))
    ]
