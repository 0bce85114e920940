"""Retrieval sets as BEIR publishes them: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/SPLIT.tsv``."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from grounded.benchmarking.reading import rows, text_of
from grounded.errors import SourceNotFoundError, UsageError

DEFAULT_SPLIT = "test"


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Documents, questions, and which documents answer them.

    Attributes:
        name: Of the folder, by which published figures are found.
        corpus: Title and text by id.
        queries: Text by id; only those that have judgements.
        judged: Grade of each judged document, by query and document id.
    """

    name: str
    split: str
    corpus: Mapping[str, tuple[str, str]]
    queries: Mapping[str, str]
    judged: Mapping[str, Mapping[str, int]]


def is_beir(place: Path) -> bool:
    """Whether a folder is laid out so."""
    return (place / "corpus.jsonl").is_file() and (place / "queries.jsonl").is_file()


def read_beir(place: Path, *, split: str | None = None) -> RetrievalSet:
    """The set in a folder.

    Args:
        place: The folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/``.
        split: The file of ``qrels`` to use: ``test`` when there is one, else the only one.

    Raises:
        SourceNotFoundError: A file is missing.
        UsageError: A row is broken, or a judgement names a document that the corpus does not hold.
    """
    path = _qrels(place, split)
    judged: dict[str, dict[str, int]] = {}
    for query, document, grade in _judgements(path):
        judged.setdefault(query, {})[document] = grade
    corpus = {}
    for number, row in rows(place / "corpus.jsonl"):
        title = row.get("title") or ""
        identity = text_of(row, "_id", place / "corpus.jsonl", number)
        corpus[identity] = (str(title), text_of(row, "text", place / "corpus.jsonl", number))
    unknown = {each for found in judged.values() for each in found} - corpus.keys()
    if unknown:
        raise UsageError(
            f"{path.name} judges {len(unknown)} documents that corpus.jsonl does not hold, such as {min(unknown)!r}.",
            fix="Take corpus and judgements of one release.",
        )
    queries = {}
    for number, row in rows(place / "queries.jsonl"):
        identity = text_of(row, "_id", place / "queries.jsonl", number)
        if any(grade > 0 for grade in judged.get(identity, {}).values()):
            queries[identity] = text_of(row, "text", place / "queries.jsonl", number)
    if not queries:
        raise UsageError(f"No query of queries.jsonl has a judgement in {path.name}.")
    return RetrievalSet(place.resolve().name, path.stem, corpus, queries, judged)


def _qrels(place: Path, split: str | None) -> Path:
    found = {each.stem: each for each in sorted((place / "qrels").glob("*.tsv"))}
    if not found:
        raise SourceNotFoundError(f"{place} has no qrels/*.tsv.", fix="Unpack the set as it was published.")
    wanted = split or (DEFAULT_SPLIT if DEFAULT_SPLIT in found else min(found))
    if wanted not in found:
        raise UsageError(f"{place} has no split {wanted!r}.", fix=f"There are: {', '.join(found)}.")
    return found[wanted]


def _judgements(path: Path) -> Iterator[tuple[str, str, int]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t"), start=1):
            if number == 1 and row[-1:] == ["score"]:
                continue
            try:
                query, document, grade = row
                yield query, document, int(float(grade))
            except ValueError as error:
                raise UsageError(
                    f"{path.name}, line {number}: is not query id, document id and a grade, parted by tabs."
                ) from error
