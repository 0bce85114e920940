"""Questions with the documents that answer them: public sets from the data folder, and this interpreter's own code.

The folder is ``../shared/data`` or the one that ``GROUNDED_DATA`` names; see ``labelled.py``. Only splits that are
meant to be seen are read. Where a set was made here out of another one, its reader says how.
"""

from __future__ import annotations

import ast
import csv
import json
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from labelled import ROOT, lines

XQUAD_LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
CLAIM_QUERIES, CODE_QUERIES, CODE_DOCUMENTS = 400, 400, 1500
_CODE_LINES = range(4, 60)
_DOC_WORDS = 4


@dataclass(frozen=True)
class Text:
    """A document."""

    title: str
    text: str


@dataclass(frozen=True)
class Query:
    """A question, the ids of what answers it, and the turns before it, oldest first: ``(role, text)``."""

    text: str
    relevant: frozenset[str]
    history: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Collection:
    """Documents by id and questions about them."""

    documents: Mapping[str, Text]
    queries: tuple[Query, ...]


def collection(name: str) -> Collection:
    """A set by name: one of ``NAMES``."""
    if name.startswith("xquad-"):
        return _xquad(name.removeprefix("xquad-"))
    return _READERS[name]()


def _scifact() -> Collection:
    """5,183 abstracts and the 809 training claims."""
    documents = {str(row["_id"]): Text(row["title"], row["text"]) for row in lines("groundedness/scifact/corpus.jsonl")}
    relevant: dict[str, set[str]] = {}
    with (ROOT / "retrieval/scifact/beir_train.qrels.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if int(row["score"]) > 0:
                relevant.setdefault(row["query-id"], set()).add(row["corpus-id"])
    queries = lines("retrieval/scifact/beir_train.queries.jsonl")
    return Collection(
        documents,
        tuple(Query(q["text"], frozenset(relevant[q["_id"]])) for q in queries if q["_id"] in relevant),
    )


def _xquad(language: str) -> Collection:
    """240 paragraphs, 1,190 questions."""
    articles = json.loads((ROOT / f"retrieval/xquad/xquad.{language}.json").read_text("utf-8"))["data"]
    documents, queries = {}, []
    for number, article in enumerate(articles):
        for place, paragraph in enumerate(article["paragraphs"]):
            identity = f"{number}-{place}"
            documents[identity] = Text("", paragraph["context"])
            queries += [Query(qa["question"], frozenset({identity})) for qa in paragraph["qas"]]
    return Collection(documents, tuple(queries))


def _product_docs() -> Collection:
    """232 sections of a product's documentation, 100 questions."""
    documents = {
        row["chunk_link"]: Text(row["chunk_heading"] or "", row["text"])
        for row in lines("retrieval/anthropic_docs_rag/anthropic_docs.jsonl")
    }
    text = (ROOT / "retrieval/anthropic_docs_rag/docs_evaluation_dataset.jsonl").read_text("utf-8")
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    queries = [(row["question"], frozenset(row["correct_chunks"]) & documents.keys()) for row in rows]
    return Collection(documents, tuple(Query(question, found) for question, found in queries if found))


def _pubmedqa() -> Collection:
    """1,000 questions, each with the abstract it was made from, of which the conclusion is left out."""
    rows = json.loads((ROOT / "retrieval/pubmedqa/ori_pqal.json").read_text("utf-8"))
    documents = {key: Text("", "\n\n".join(row["CONTEXTS"])) for key, row in rows.items()}
    return Collection(documents, tuple(Query(row["QUESTION"], frozenset({key})) for key, row in rows.items()))


def _two_hops() -> Collection:
    """Questions that need two encyclopedia articles, with the sentences of both joined as one document."""
    rows = {row["question"]: row["knowledge"] for row in lines("groundedness/halueval_small/qa_one-turn_data.jsonl")}
    keys = {text: f"k{number}" for number, text in enumerate(dict.fromkeys(rows.values()))}
    queries = tuple(Query(question, frozenset({keys[text]})) for question, text in rows.items())
    return Collection({key: Text("", text) for text, key in keys.items()}, queries)


def _claims() -> Collection:
    """Adversarial claims on encyclopedia pages; a document is what is known of one section of a page.

    Relevant are the sections that hold gold evidence. The first 400 claims by hash.
    """
    rows = list(lines("groundedness/fool_me_twice/dev.jsonl"))
    sections: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        for piece in (*row["gold_evidence"], *row["retrieved_evidence"]):
            sections.setdefault((row["wikipedia_page"], piece["section_header"]), {})[piece["text"]] = None
    documents = {f"{page}#{header}": Text(page, " ".join(texts)) for (page, header), texts in sections.items()}
    picked = sorted(rows, key=lambda row: _hash(row["id"]))[:CLAIM_QUERIES]
    return Collection(
        documents,
        tuple(
            Query(
                row["text"], frozenset(f"{row['wikipedia_page']}#{e['section_header']}" for e in row["gold_evidence"])
            )
            for row in picked
        ),
    )


def _conversations() -> Collection:
    """The last question of conversations, with the turns before it; the contexts of all of them are the documents."""
    relevant: dict[str, set[str]] = {}
    for path in sorted((ROOT / "retrieval/mtrag_unanswerable/retrieval_tasks/qrels").glob("*.tsv")):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                relevant.setdefault(row["query-id"], set()).add(row["corpus-id"])
    rows = list(lines("retrieval/mtrag_unanswerable/generation_tasks/reference.jsonl"))
    documents = {c["document_id"]: Text(c.get("title", ""), c["text"]) for row in rows for c in row["contexts"]}
    queries = []
    for row in rows:
        known = frozenset(relevant.get(row["task_id"], ())) & documents.keys()
        turns = [("user" if t["speaker"] == "user" else "assistant", t["text"]) for t in row["input"]]
        if known:
            queries.append(Query(turns[-1][1], known, tuple(turns[:-1])))
    return Collection(documents, tuple(queries))


def _code() -> Collection:
    """Functions of the standard library of this interpreter without their docstring, which is the question.

    Of a docstring only the first paragraph is asked. 1,500 functions by hash, 400 of them asked for.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if parts[0] in ("site-packages", "test", "lib2to3", "idlelib") or "test" in parts or "tests" in parts:
            continue
        source = path.read_text("utf-8", "replace")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                asked, code = _function(node, source)
                if asked and len(code.splitlines()) in _CODE_LINES:
                    found[f"{'/'.join(parts)}:{node.lineno}"] = (asked, code)
    kept = sorted(found, key=_hash)[:CODE_DOCUMENTS]
    return Collection(
        {key: Text("", found[key][1]) for key in kept},
        tuple(Query(found[key][0], frozenset({key})) for key in kept[:CODE_QUERIES]),
    )


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, source: str) -> tuple[str, str]:
    """What a function says it does, and its code without that; nothing when it says nothing."""
    said = ast.get_docstring(node) or ""
    first = " ".join(said.split("\n\n")[0].split())
    if len(first.split()) < _DOC_WORDS:
        return "", ""
    every = source.splitlines()
    head = every[node.lineno - 1 : node.body[0].lineno - 1]
    return first, "\n".join([*head, *every[node.body[0].end_lineno : node.end_lineno]])


def _hash(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()


_READERS: Mapping[str, Callable[[], Collection]] = {
    "scifact": _scifact,
    "pubmedqa": _pubmedqa,
    "product-docs": _product_docs,
    "two-hops": _two_hops,
    "claims": _claims,
    "conversations": _conversations,
    "code": _code,
}
NAMES = (*_READERS, *(f"xquad-{language}" for language in XQUAD_LANGUAGES))
"""Every set there is."""
ENGLISH = (*_READERS, "xquad-en")
"""The sets in the language of the default embedder, code among them."""
