"""Labelled public claims from the data folder beside the repository.

The folder is ``../shared/data`` or the one that ``GROUNDED_DATA`` names. Sets: Fool Me Twice (adversarial claims on
Wikipedia pages, with their gold sentences), WiCE (claims of Wikipedia articles against a cited web page), ExpertQA and
Factcheck-GPT (sentences of language models against what was retrieved for them).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(os.environ.get("GROUNDED_DATA", Path(__file__).resolve().parents[1].parent / "shared" / "data"))
_MARK = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")
_LABEL = re.compile(r"\A\[\d+\]\s+\S+\s+")


@dataclass(frozen=True)
class Row:
    """A claim, its sources and what people said of it.

    Attributes:
        data: The set.
        claim: One sentence, sometimes more.
        sources: ``{"title", "text"}`` each.
        supported: True, or False where the sources refute it or do not say all of it.
        refuted: The sources say otherwise.
        group: What rows that share a source have in common.
    """

    data: str
    claim: str
    sources: tuple[dict[str, str], ...]
    supported: bool
    refuted: bool
    group: str


def rows(*, parts: tuple[str, ...] = ("fool_me_twice", "wice", "expertqa", "factcheck_gpt")) -> list[Row]:
    """All rows of the named sets, in the order of the files."""
    readers = {
        "fool_me_twice": _fool_me_twice,
        "fool_me_twice_test": lambda: _fool_me_twice(("test",)),
        "wice": _wice,
        "expertqa": _expertqa,
        "factcheck_gpt": _factcheck_gpt,
    }
    return [row for part in parts for row in readers[part]()]


def lines(path: str) -> Iterator[dict[str, Any]]:
    """The records of a file of the data folder."""
    with (ROOT / path).open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def _fool_me_twice(splits: tuple[str, ...] = ("dev", "test")) -> Iterator[Row]:
    for split in splits:
        for row in lines(f"groundedness/fool_me_twice/{split}.jsonl"):
            text = " ".join(item["text"] for item in row["gold_evidence"])
            source = {"title": row["wikipedia_page"], "text": text}
            right = row["label"] == "SUPPORTS"
            yield Row("fool_me_twice", row["text"], (source,), right, not right, row["wikipedia_page"])


def _wice() -> Iterator[Row]:
    for row in lines("groundedness/wice/entailment_retrieval_claim_dev.jsonl"):
        text = "\n".join(row["evidence"]).replace("(meta data) ", "")
        source = {"title": "", "text": text}
        yield Row("wice", row["claim"], (source,), row["label"] == "supported", False, text[:200])


def _expertqa() -> Iterator[Row]:
    for row in lines("groundedness/expertqa/claims_with_text_evidence.jsonl"):
        if row["support"] not in ("Complete", "Incomplete"):
            continue
        sources = tuple({"title": "", "text": _LABEL.sub("", text)} for text in row["evidence"])
        yield Row(
            "expertqa", _MARK.sub("", row["claim"]), sources, row["support"] == "Complete", False, row["question"]
        )


def _factcheck_gpt() -> Iterator[Row]:
    for row in lines("groundedness/factcheck_gpt/subtask3_claim_evidence_stance.jsonl"):
        if row["stance"] not in ("completely-support", "refute"):
            continue
        right = row["stance"] == "completely-support"
        source = {"title": "", "text": row["evidence"]}
        yield Row("factcheck_gpt", row["claim"], (source,), right, not right, row["evidence"][:200])
