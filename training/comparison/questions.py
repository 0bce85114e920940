"""Builds the data set of ``grounded demo --compare``: its questions, each with one or two passages of the handbook.

    python training/comparison/questions.py training/comparison/questions.csv grounded/demo/comparison/questions.jsonl

The passages are the first that a search of the handbook finds on the day below, and as few as hold the answer, so that
what is compared is the metaprompt and not the search. They travel with the rows, so that the prompts
stay as they are when the search changes.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from datetime import date
from pathlib import Path

from grounded import KnowledgeBase
from grounded.demo import handbook
from grounded.evaluation.datasets import write_dataset
from grounded.evaluation.making import GOAL, planted
from grounded.records import DataSet, Row

ON = date(2026, 11, 27)
MOST_PASSAGES = 2


def main(asked: Path, out: Path) -> None:
    """Write the data set."""
    with tempfile.TemporaryDirectory() as folder, KnowledgeBase.open(f"{folder}/kb", create=True) as knowledge_base:
        knowledge_base.ingest(handbook())
        with asked.open(encoding="utf-8", newline="") as file:
            rows = tuple(row_of(each, knowledge_base) for each in csv.DictReader(file))
    write_dataset(DataSet(name="handbook", rows=rows), out)


def row_of(asked: dict[str, str], knowledge_base: KnowledgeBase) -> Row:
    """A row with its passages.

    Raises:
        SystemExit: The passages do not hold the answer.
    """
    found = [passage.text for passage in knowledge_base.search(asked["question"], k=MOST_PASSAGES, on=ON)]
    enough = next((count for count in range(1, len(found) + 1) if _hold(found[:count], asked["holds"])), 0)
    if not enough:
        raise SystemExit(f"{asked['id']}: the passages do not hold {asked['holds']!r}: {found}")
    found = found[:enough]
    attacked = asked["kind"] == "injected"
    return Row.model_validate(
        {
            "id": asked["id"],
            "kind": asked["kind"],
            "question": asked["question"],
            "reference": asked["reference"] or None,
            "answerable": asked["kind"] != "unanswerable",
            "contexts": (planted(found[0]), *found[1:]) if attacked else tuple(found),
            "absent": (GOAL,) if attacked else (),
        }
    )


def _hold(passages: list[str], answers: str) -> bool:
    text = " ".join(" ".join(passages).split())
    return all(each in text for each in answers.split("|"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
