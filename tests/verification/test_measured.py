"""Precision of the deterministic vetoes on real text that no rule was tuned on; figures are printed with -rP."""

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

from grounded.text.sentences import sentences
from grounded.verification import Prepared, Verifier
from grounded.verification.quantities import quantities

SAMPLE = 300


def show(figures: object) -> None:
    sys.stdout.write(f"{figures}\n")


def load(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def passages(folder: Path) -> list[str]:
    # The rules were written looking at the first part of the file; the rest was held out.
    return [row["text"] for row in load(folder / "groundedness/scifact/corpus.jsonl")[3000:]]


def changed_pairs(texts: list[str], count: int) -> list[tuple[str, str, str]]:
    """Sentences with a number, as they are and with that number changed, each with the text it comes from."""
    rng = random.Random(11)
    rng.shuffle(texts)
    pairs = []
    for text in texts:
        spans = [span.slice(text) for span in sentences(text)]
        plain = [s for s in spans if 40 < len(s) < 250 and re.search(r"\d", s) and not re.search(r"\[\d", s)]
        if not plain:
            continue
        sentence = rng.choice(plain)
        found = [q for q in quantities(sentence) if q.kind != "code" and re.search(r"\d", sentence[q.start : q.end])]
        if not found:
            continue
        quantity = rng.choice(found)
        number = re.search(r"\d+", sentence[quantity.start : quantity.end])
        assert number is not None
        start = quantity.start + number.start()
        other = str(int(number.group()) + rng.choice([1, 2, 3, 5, 7]))
        pairs.append((sentence, sentence[:start] + other + sentence[start + len(number.group()) :], text))
        if len(pairs) == count:
            break
    return pairs


def worst(prepared: Prepared, text: str) -> str:
    order = ["contradicted", "check_failed", "unsupported", "supported", "not_a_claim"]
    return min((claim.verdict for claim in prepared.report(text).claims), key=order.index)


def test_a_changed_number_is_caught_and_the_true_sentence_is_not_accused(shared_data: Path) -> None:
    verifier = Verifier("containment")
    right, wrong = [], []
    for sentence, changed, text in changed_pairs(passages(shared_data), SAMPLE):
        prepared = verifier.prepare([text])
        right.append(worst(prepared, sentence))
        wrong.append(worst(prepared, changed))
    accused = wrong.count("contradicted") + right.count("contradicted")
    precision = wrong.count("contradicted") / accused
    show(
        f"n={len(wrong)}: contradicted {wrong.count('contradicted')} changed and {right.count('contradicted')} "
        f"unchanged, "
        f"precision {precision:.3f}; unchanged supported {right.count('supported') / len(right):.3f}; "
        f"changed supported {wrong.count('supported') / len(wrong):.3f}"
    )
    assert len(wrong) == SAMPLE
    assert precision >= 0.95
    assert wrong.count("contradicted") >= 0.75 * len(wrong)
    assert right.count("supported") >= 0.98 * len(right)
    assert wrong.count("supported") <= 0.01 * len(wrong)


def test_a_negated_sentence_is_never_supported(shared_data: Path) -> None:
    verifier = Verifier("containment")
    rng = random.Random(5)
    counts = {"contradicted": 0, "unsupported": 0, "supported": 0, "not_a_claim": 0}
    total = 0
    for text in passages(shared_data):
        spans = [span.slice(text) for span in sentences(text)]
        plain = [
            s for s in spans if 40 < len(s) < 200 and len(re.findall(r" (?:is|are|was|were|can|has been) ", s)) == 1
        ]
        if not plain:
            continue
        negated = re.sub(r" (is|are|was|were|can|has)( been)? ", r" \1 not\2 ", rng.choice(plain), count=1)
        counts[worst(verifier.prepare([text]), negated)] += 1
        total += 1
        if total == SAMPLE:
            break
    show(counts)
    assert counts["supported"] <= 0.01 * total


def test_on_natural_claims_what_is_supported_is_supported(shared_data: Path) -> None:
    folder = shared_data / "groundedness" / "qcnli_factscore"
    documents = {row["doc_id"]: row["text"] for row in load(folder / "docs.jsonl")}
    rows = load(folder / "claims_flat.jsonl")
    random.Random(1).shuffle(rows)
    verifier = Verifier("containment")
    supported, contradicted = [], []
    for row in rows[:600]:
        verdict = worst(verifier.prepare([documents[row["doc_id"]]]), row["claim"])
        if verdict == "supported":
            supported.append(row["label"] == "entailment")
        elif verdict == "contradicted":
            contradicted.append(row["label"] != "entailment")
    show(f"rightly supported {sum(supported)}/{len(supported)}, contradicted {sum(contradicted)}/{len(contradicted)}")
    assert len(supported) >= 25
    assert sum(supported) >= 0.97 * len(supported)
