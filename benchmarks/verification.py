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
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "verifier"))
from sets import Example, read

from grounded.models.embedder import default_embedder
from grounded.text.sentences import sentences
from grounded.verification import Verifier
from grounded.verification.analysis import stems_of
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
BOOTSTRAPS = 1000
SPLITS = 10
EMBEDDED = 40
"""Sentences of a source that are embedded for the floor, those with most words in common first."""


def scored(example: Example, verifier: Verifier) -> tuple[bool, float, bool]:
    """Whether the whole claim is called supported, the lowest raw score, and whether the evidence touches gold."""
    report = verifier.prepare(list(example.passages), question=example.question or None).report(example.claim)
    checked = [claim for claim in report.claims if claim.verdict != "not_a_claim"]
    said = bool(checked) and all(claim.is_supported for claim in checked)
    score = min((claim.score if claim.score is not None else 0.0 for claim in checked), default=0.0)
    spans = [(item.span.start, item.span.end) for claim in checked for item in claim.evidence]
    touched = any(a < end and start < b for gold in example.gold for a, b in gold for start, end in spans)
    return said, score, touched


def overlap(example: Example) -> float:
    """Share of the claim's words that the best sentence has."""
    mine = stems_of(example.claim)
    found = [len(mine & stems_of(span.slice(text))) for text in example.passages for span in sentences(text)]
    return max(found, default=0) / max(1, len(mine))


def similarity(example: Example) -> float:
    """Cosine of the claim and the nearest sentence among those that share most words with it."""
    mine = stems_of(example.claim)
    texts = [span.slice(text) for text in example.passages for span in sentences(text)]
    texts.sort(key=lambda text: -len(mine & stems_of(text)))
    vectors = default_embedder().embed_documents([example.claim, *texts[:EMBEDDED]])
    return float((vectors[1:] @ vectors[0]).max()) if len(vectors) > 1 else 0.0


def balanced(label: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    """Mean of the recalls of both classes, in percent."""
    return 50.0 * float(said[label].mean() + (~said[~label]).mean())


def best_threshold(label: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Balanced accuracy at the best threshold for these very rows."""
    return max(balanced(label, score >= threshold) for threshold in np.unique(score.round(3)))


def area(label: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Area under the curve, in percent; ties count half."""
    mine, other = score[label][:, None], score[~label][None, :]
    return 100.0 * float((mine > other).mean() + 0.5 * (mine == other).mean())


def interval(groups: Sequence[str], label: NDArray[np.bool_], said: NDArray[np.bool_]) -> tuple[float, float]:
    """95 % of the bootstraps over groups."""
    rows: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        rows[group].append(number)
    members, chance, found = [np.array(each) for each in rows.values()], np.random.default_rng(0), []
    for _ in range(BOOTSTRAPS):
        chosen = np.concatenate([members[i] for i in chance.integers(0, len(members), len(members))])
        if 0 < label[chosen].sum() < len(chosen):
            found.append(balanced(label[chosen], said[chosen]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


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
    results = [scored(row, verifier) for row in rows]
    spent = time.process_time() - started
    label = np.array([row.is_supported for row in rows])
    said = np.array([each[0] for each in results])
    score = np.array([each[1] for each in results])
    groups = [row.group for row in rows]
    low, high = interval(groups, label, said)
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
        "right_answers_flagged": flagged(label, said)[0],
        "wrong_answers_flagged": flagged(label, said)[1],
        "precision_of_supported": 100.0 * float(label[said].mean()) if said.any() else None,
        "called_supported": int(said.sum()),
        "cpu_ms_per_claim": 1000 * spent / len(rows),
    }
    if floors:
        found["overlap"] = best_threshold(label, np.array([overlap(row) for row in rows]))
        found["embedding"] = best_threshold(label, np.array([similarity(row) for row in rows]))
    right = [each[2] for each, row in zip(results, rows, strict=True) if each[0] and row.is_supported and row.gold]
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
        rows = [example for example in read(options.root, name) if example.part != "train"]
        random.Random(5).shuffle(rows)
        results.append(measure(name, rows[: options.per_set], verifier, floors=not options.no_floors))
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
