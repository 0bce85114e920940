"""How often the verifier is right on public labelled claims that it was not trained on, beside simple floors.

    python benchmarks/verification.py ../shared/data/groundedness [--per-set 400] [--verifier containment] [--json]

For every set: balanced accuracy of "supported or not" at the default setting (mean of the two recalls, so that guessing
gives 50), with a 95 % bootstrap interval over sources; of answers made of five right claims the share that is flagged
because at least one is not called supported, and the same of answers with one wrong claim among five, claims drawn
independently; the expected calibration error on a third of the sources after fitting on the others, mean of ten
splits; the area under the curve of the raw score; and, as floors, word
overlap and embedding similarity at the threshold that is best on that very set, which a user could not know. ``unseen
source``: no row of the set or of its kind was trained on. ``in-domain split``: other documents of the same set were.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "verifier"))
from sets import Example, shuffled_board

from grounded.benchmarking import LabelledClaim, area, balanced, best_threshold, interval
from grounded.benchmarking.verifying import overlap, similarity, try_claim
from grounded.verification import Verifier
from grounded.verification.scaling import expected_error, fit, reliability

SETS = {
    "wice": "in-domain split",
    "factcheck_gpt": "in-domain split",
    "fool_me_twice": "in-domain split",
    "expertqa": "in-domain split",
    "halueval": "in-domain split",
    "factscore": "unseen source",
    "climate_fever": "unseen source",
}
SPLITS = 10


def sampled(root: Path, name: str, count: int) -> list[Example]:
    """The rows of a set that every figure of the scoreboard is taken on."""
    return shuffled_board(root, name, seed=5)[:count]


def claim_of(example: Example) -> LabelledClaim:
    """A row of the training pipeline as a claim on trial."""
    return LabelledClaim(
        data=example.source,
        group=example.group,
        claim=example.claim,
        passages=example.passages,
        is_supported=example.is_supported,
        question=example.question,
        gold=example.gold,
    )


def flagged(label: NDArray[np.bool_], said: NDArray[np.bool_]) -> tuple[float, float]:
    """Percent of answers of five claims that are flagged: when all are right, and when one is wrong."""
    recall, false_support = float(said[label].mean()), float(said[~label].mean())
    return 100.0 * (1 - recall**5), 100.0 * (1 - recall**4 * false_support)


def calibration_error(groups: Sequence[str], label: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Expected calibration error on a third of the groups, fitted on the others; mean of ``SPLITS`` draws."""
    found = []
    for seed in range(SPLITS):
        names = sorted(set(groups))
        random.Random(seed).shuffle(names)
        held = np.isin(np.array(groups), names[: len(names) // 3])
        scaling = fit(score[~held].tolist(), label[~held].tolist())
        predicted = [scaling.probability(each) for each in score[held].tolist()]
        found.append(expected_error(reliability(predicted, label[held].tolist())))
    return float(np.mean(found))


def measure(name: str, rows: Sequence[Example], verifier: Verifier, *, floors: bool) -> dict[str, Any]:
    """All figures of one set."""
    started = time.process_time()
    claims = [claim_of(row) for row in rows]
    results = [try_claim(claim, verifier) for claim in claims]
    spent = time.process_time() - started
    label = np.array([row.is_supported for row in rows])
    said = np.array([each.said for each in results])
    score = np.array([each.score for each in results])
    groups = [row.group for row in rows]
    low, high = interval(groups, lambda at: balanced(label[at], said[at])) or (0.0, 100.0)
    found = {
        "set": name,
        "kind": SETS[name],
        "claims": len(rows),
        "supported": int(label.sum()),
        "balanced_accuracy": balanced(label, said),
        "low": low,
        "high": high,
        "area": area(label, score),
        "calibration_error": calibration_error(groups, label, score),
        "recall": 100.0 * float(said[label].mean()),
        "false_support": 100.0 * float(said[~label].mean()),
        "right_answers_flagged": flagged(label, said)[0],
        "wrong_answers_flagged": flagged(label, said)[1],
        "precision_of_supported": 100.0 * float(label[said].mean()) if said.any() else None,
        "called_supported": int(said.sum()),
        "cpu_ms_per_claim": 1000 * spent / len(rows),
    }
    if floors:
        found["overlap"] = best_threshold(label, np.array([overlap(claim) for claim in claims]))
        found["embedding"] = best_threshold(label, np.array([similarity(claim) for claim in claims]))
    right = [
        each.touched for each, row in zip(results, rows, strict=True) if each.said and row.is_supported and row.gold
    ]
    if right:
        found["evidence_touches_gold"] = 100.0 * float(np.mean(right))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the folder of the labelled sets")
    parser.add_argument("--per-set", type=int, default=400)
    parser.add_argument("--verifier", default=None, help="a name as in verify(); default: the model of the package")
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--no-floors", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    verifier = Verifier(options.verifier)
    results = []
    for name in options.sets:
        rows = sampled(options.root, name, options.per_set)
        results.append(measure(name, rows, verifier, floors=not options.no_floors))
        if not options.json:
            print(_line(results[-1]), flush=True)
    if options.json:
        print(json.dumps({"schema": 1, "verifier": verifier.ref.model_dump(), "sets": results}, indent=1))
    elif len(results) > 1:
        print(f"mean {np.mean([each['balanced_accuracy'] for each in results]):.1f}")


def _line(found: dict[str, Any]) -> str:
    floors = f"  overlap {found['overlap']:.1f}  embedding {found['embedding']:.1f}" if "overlap" in found else ""
    gold = f"  evidence touches gold {found['evidence_touches_gold']:.0f} %" if "evidence_touches_gold" in found else ""
    precision = found["precision_of_supported"]
    right = f"{precision:.0f} % right" if precision is not None else "none"
    return (
        f"{found['set']:14} {found['kind']:16} n={found['claims']:4} balanced {found['balanced_accuracy']:.1f} "
        f"[{found['low']:.1f}, {found['high']:.1f}]  area {found['area']:.1f}{floors}  "
        f"flagged {found['right_answers_flagged']:.0f} / {found['wrong_answers_flagged']:.0f}  "
        f"error {found['calibration_error']:.3f}  "
        f"called supported {found['called_supported']} ({right}){gold}  {found['cpu_ms_per_claim']:.0f} ms CPU each"
    )


if __name__ == "__main__":
    main()
