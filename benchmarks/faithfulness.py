"""Which way of adding claims up ranks answers as people do? Spearman on graded labels, AUC on two-valued ones.

python benchmarks/faithfulness.py ../shared/data/groundedness [ANSWERS]
"""

from __future__ import annotations

import itertools
import json
import random
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grounded.records import Claim
from grounded.verification import Verifier

Item = tuple[str, list[str], str, float]
EXPERT = {"Complete": 1.0, "Partial": 0.5, "Incomplete": 0.0}
STANCES = {"completely-support": 1.0, "partially-support": 0.5, "irrelevant": 0.0, "refute": 0.0}


def likely(claim: Claim) -> float:
    return claim.support if claim.support is not None else claim.score or 0.0


def parts(claim: Claim) -> float:
    found = [part.verdict == "supported" for part in claim.parts if part.verdict != "not_a_claim"]
    return float(np.mean(found)) if found else float(claim.is_supported)


WAYS: dict[str, Callable[[Sequence[Claim]], float]] = {
    "share supported": lambda claims: float(np.mean([claim.is_supported for claim in claims])),
    "share, parts counted": lambda claims: float(np.mean([parts(claim) for claim in claims])),
    "mean probability": lambda claims: float(np.mean([likely(claim) for claim in claims])),
    "the same, by length": lambda claims: float(
        np.average([likely(claim) for claim in claims], weights=[len(claim.text) for claim in claims])
    ),
    "least probability": lambda claims: min(likely(claim) for claim in claims),
    "geometric mean": lambda claims: float(np.exp(np.mean(np.log([max(likely(claim), 0.02) for claim in claims])))),
    "verdict and probability": lambda claims: float(
        np.mean([(likely(claim) + claim.is_supported) / 2 for claim in claims])
    ),
}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def of_answer(row: dict[str, Any]) -> tuple[str, str]:
    return row["question"], row["system"]


def answers(folder: Path) -> Iterator[Item]:
    for system in ("chatgpt", "instructgpt", "perplexityai"):
        for row in rows(folder / f"qcnli_factscore/factscore_{system}.jsonl"):
            for held in (value for key, value in row.items() if key.startswith("tuple")):
                labels = [str(value) for key, value in held.items() if key != "tuple"]
                if len(labels) >= 3:
                    text = re.sub("</?s>", " ", held["tuple"][0])
                    yield "FActScore", [text], held["tuple"][1], float(np.mean(["entail" in each for each in labels]))
    expert = sorted(
        rows(folder / "expertqa/claims_with_text_evidence.jsonl"), key=lambda r: (r["question"], r["system"])
    )
    for _, group in itertools.groupby(expert, key=lambda row: (row["question"], row["system"])):
        labelled = [row for row in group if row["support"] in EXPERT]
        if len(labelled) >= 3:
            sources = list(dict.fromkeys(text for row in labelled for text in row["evidence"]))
            said = " ".join(re.sub(r"\[\d+\]", "", row["claim"]) for row in labelled)
            yield "ExpertQA", sources, said, float(np.mean([EXPERT[row["support"]] for row in labelled]))
    yield from factcheck(folder / "factcheck_gpt")
    begin = [row for row in rows(folder / "begin_wow/begin_test_wow.jsonl") if row["begin_label"] != "Generic"]
    for row in random.Random(1).sample(begin, 500):
        yield "BEGIN", [row["knowledge"]], row["response"], float(row["begin_label"] == "Fully attributable")
    for row in rows(folder / "halueval_small/conformaldrift_halueval_test.jsonl"):
        yield "HaluEval", row["documents"], row["response"], 1.0 - row["label"]


def factcheck(folder: Path) -> Iterator[Item]:
    """Whole answers of a model with what was retrieved for their claims; each claim counts by its best evidence."""
    stances: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in rows(folder / "subtask3_claim_evidence_stance.jsonl"):
        stances[row["claim"]].append((row["evidence"], STANCES[row["stance"]]))
    for row in rows(folder / "factcheck-GPT-benchmark.jsonl"):
        said = [claim for part in row["sentences"].values() for claim in part.get("claims") or [] if claim in stances]
        if len(said) >= 3:
            sources = list(dict.fromkeys(evidence for claim in said for evidence, _ in stances[claim]))
            label = float(np.mean([max(stance for _, stance in stances[claim]) for claim in said]))
            yield "Factcheck-GPT", sources, row["response"], label


def ranks(values: Sequence[float]) -> np.ndarray[Any, Any]:
    found = np.asarray(values, dtype=float)
    return np.array([(found < value).sum() + ((found == value).sum() + 1) / 2 for value in found])


def agreement(values: Sequence[float], labels: Sequence[float]) -> float:
    if set(labels) - {0.0, 1.0}:
        return float(np.corrcoef(ranks(values), ranks(labels))[0, 1])
    right = np.asarray(labels) == 1.0
    count = right.sum()
    return float((ranks(values)[right].sum() - count * (count + 1) / 2) / (count * (~right).sum()))


def main(folder: Path, count: int) -> None:
    found = list(answers(folder))
    random.Random(7).shuffle(found)
    verifier, measured = Verifier(), defaultdict(list)
    for name, sources, answer, label in found[:count]:
        claims = [claim for claim in verifier.prepare(sources).report(answer).claims if claim.verdict != "not_a_claim"]
        if claims:
            measured[name].append(([way(claims) for way in WAYS.values()], label))
    print("".join(f"{name:>18} ({len(held)})" for name, held in measured.items()))
    for number, way in enumerate(WAYS):
        shown = [agreement([v[number] for v, _ in held], [label for _, label in held]) for held in measured.values()]
        print(f"{way:24}" + "  ".join(f"{each:.3f}" for each in shown))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10**6)
