"""What an evaluation takes besides asking models: 1,000 answers × 2 variants, 20 local metrics; then from the cache.

python benchmarks/evaluation.py [ROWS] [VERIFIER]; a process for each number of rows shows whether memory grows.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from grounded import evaluate
from grounded.records import DataSet, GoldSource, Row

METRICS = (
    "groundedness", "faithfulness", "citation_precision", "citation_recall", "context_precision", "context_recall",
    "hit_rate", "mrr", "ndcg", "recall", "exact_match", "token_f1", "numeric_match", "semantic_similarity",
    "correct_refusal", "missed_refusal", "over_refusal", "blocked", "safety_defect", "question_overlap",
)  # fmt: skip


def row(number: int) -> Row:
    """A question with three passages and an answer of two sentences, one of them wrong in every third row."""
    months = 12 + number % 48
    contexts = (
        f"The warranty on model {number} lasts {months} months from the day of delivery. Keep the receipt.",
        f"Express delivery of model {number} costs {5 + number % 20} euros and takes one working day.",
        "You can return any unused appliance within 30 days of delivery. Refunds take a week.",
    )
    said = months + 12 if number % 3 == 0 else months
    return Row(
        id=str(number),
        question=f"How long is the warranty on model {number}, and can I return it?",
        reference=f"{months} months; within 30 days.",
        sources=(GoldSource(document="Source 1"), GoldSource(document="Source 3")),
        contexts=contexts,
        answer=f"Model {number} comes with {said} months of warranty [1]. Unused, it may be sent back for 30 days [3].",
    )


def main(rows: int, verifier: str | None) -> None:
    dataset = DataSet(name="made", rows=tuple(row(number) for number in range(rows)))
    variants = [{"name": "one", "given": True}, {"name": "other", "given": True, "k": 3}]
    with tempfile.TemporaryDirectory() as folder:
        for what in ("first run", "again, from the cache"):
            wall, processor = time.perf_counter(), time.process_time()
            made = evaluate(dataset, variants, metrics=METRICS, verifier=verifier, cache=Path(folder) / "cache")
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{what}: {len(made.trials)} trials × {len(METRICS)} metrics in {time.perf_counter() - wall:.1f} s, "
                f"{time.process_time() - processor:.1f} s of processor time; at most {memory:.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2] if len(sys.argv) > 2 else None)
