"""What is a claim: how many sentences with nothing to check are recognised, and how many facts that hides.

    python benchmarks/claims.py ../shared/data

Reads the public sets Factcheck-GPT (sentences and claims labelled by whether they are worth a check), and, as claims
throughout, ExpertQA, Fool Me Twice, SciFact, WiCE, Climate-FEVER and FActScore. Positive is "nothing to check".
The rules were written while looking at Factcheck-GPT and at HaluEval's general answers. The first run over the other
sets hid four more, three of ExpertQA and one of FActScore, and the rules were put right, so these two are no longer
unseen; the rest are. Prints each hidden claim, so that the figure can be checked by reading.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grounded.verification.claims import draft

CLAIMS = (
    ("expertqa/claims_with_text_evidence.jsonl", "claim"),
    ("fool_me_twice/dev.jsonl", "text"),
    ("fool_me_twice/test.jsonl", "text"),
    ("scifact/claims_train.jsonl", "claim"),
    ("wice/entailment_retrieval_claim_dev.jsonl", "claim"),
    ("climate_fever/climate-fever.jsonl", "claim"),
    ("qcnli_factscore/claims_flat.jsonl", "claim"),
)
LABELLED = (
    ("factcheck_gpt/subtask1_sentence_checkworthiness.jsonl", "sentence", "yes"),
    ("factcheck_gpt/subtask2_claim_checkworthiness.jsonl", "claim", "factual"),
)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    for line in path.read_text("utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def is_skipped(text: str) -> bool:
    """Whether nothing of a text would be checked."""
    return all(item.skip for item in draft(text).drafts)


def labelled(path: Path, field: str, fact: str) -> None:
    """Precision and recall of "nothing to check" on a labelled set, and the facts it hides."""
    kinds: dict[str, list[bool]] = {}
    for row in rows(path):
        skipped = is_skipped(row[field])
        kinds.setdefault(row["checkworthy"], []).append(skipped)
        if skipped and row["checkworthy"] == fact:
            show(f"  hidden: {row[field]}")
    found = sum(sum(skips) for skips in kinds.values())
    right = sum(kinds.get("not_a_claim", []))
    none = len(kinds.get("not_a_claim", []))
    show(f"{path.name}: {sum(kinds[fact])} of {len(kinds[fact])} facts hidden")
    show(f"  nothing to check: precision {right}/{found} (not a fact: {found - sum(kinds[fact])}/{found}), "
         f"recall {right}/{none}")  # fmt: skip
    for kind, skips in sorted(kinds.items()):
        show(f"  {kind}: {sum(skips)} of {len(skips)} skipped")


def claims(path: Path, field: str) -> None:
    """How many of a set of claims would be hidden."""
    texts = sorted({row[field] for row in rows(path) if row.get(field)})
    hidden = [text for text in texts if is_skipped(text)]
    show(f"{path.parent.name}/{path.name}: {len(hidden)} of {len(texts)} claims hidden")
    for text in hidden:
        show(f"  hidden: {' '.join(text.split())[:160]}")


def show(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Measure and print."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data") / "groundedness"
    for name, field, fact in LABELLED:
        labelled(folder / name, field, fact)
    for name, field in CLAIMS:
        claims(folder / name, field)


if __name__ == "__main__":
    main()
