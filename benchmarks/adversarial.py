"""What a verifier lets through: false support on small edits of true claims from text nobody trained on.

    python benchmarks/adversarial.py [--verifier containment] [--per-set 150] [--json]

Base claims are those a verifier should support: WiCE dev claims labelled supported against the whole cited article,
Fool Me Twice claims of the scoreboard labelled SUPPORTS against their gold sentences, and lightly edited sentences of
text sets used for tuning only (encyclopaedia paragraphs, product documentation, abstracts) against the section they
come from. Each is copied with one edit that makes it unsupported: a negation put in or taken out, a word turned into
its opposite, a name, number or date changed, two names exchanged, or the deciding sentences removed from the source.
Edits are automatic, so a few copies of each kind are still true; figures are upper bounds of the true rates.
``--verifier`` takes an installed name or ``default``. Intervals are Wilson's at 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import minimal_edits as edits
from labelled import ROOT, lines

sys.path.append(str(Path(__file__).parents[1] / "training" / "verifier"))
from sets import read as read_sets

from grounded.text.sentences import sentences
from grounded.verification import Verifier

AIMS = {"negation": 0.05, "antonym": 0.08, "entity": 0.10, "number": 0.03, "date": 0.03, "role": 0.15, "removed": 0.10}
TRUE_SUPPORT = 0.95
_Z = 1.959964
_REFERRING_WORDS = "It He She They This That These Those His Her Their Its But And However Here"
REFERRING = frozenset(_REFERRING_WORDS.split())


@dataclass(frozen=True)
class Base:
    """A claim that should be supported.

    Attributes:
        data: Where it comes from.
        claim: The claim.
        source: What supports it.
        title: The source's title; empty without one.
        reduced: The source without what decides; empty when that is not known.
    """

    data: str
    claim: str
    source: str
    title: str
    reduced: str


def wice() -> Iterator[Base]:
    """Supported claims with their article."""
    for row in lines("groundedness/wice/entailment_retrieval_claim_dev.jsonl"):
        if row["label"] != "supported":
            continue
        deciding = {number for group in row["supporting_sentences"] for number in group}
        told = [text.replace("(meta data) ", "") for text in row["evidence"]]
        reduced = "\n".join(text for number, text in enumerate(told) if number not in deciding)
        yield Base("wice", row["claim"], "\n".join(told), "", reduced)


def fool_me_twice() -> Iterator[Base]:
    """Claims nobody trained on with their gold sentences.

    What decides is not taken out of these: of 24 claims read by hand, the sentences retrieved beside the gold ones were
    called supporting for 14, and did support about half of those.
    """
    pages = {each.group for each in read_sets(ROOT / "groundedness", "fool_me_twice") if each.part == "board"}
    for row in lines("groundedness/fool_me_twice/test.jsonl"):
        if row["label"] != "SUPPORTS" or row["wikipedia_page"] not in pages:
            continue
        gold = [item["text"] for item in row["gold_evidence"]]
        yield Base("fool_me_twice", row["text"], " ".join(gold), row["wikipedia_page"], "")


def sections() -> Iterator[Base]:
    """One lightly edited sentence of each section of plain text."""
    rng = random.Random(23)
    for text in _texts():
        told = [span.slice(text).strip() for span in sentences(text)]
        plain = [each for each in told if _stands_alone(each)]
        if len(told) < 3 or not plain:
            continue
        sentence = rng.choice(plain)
        yield Base("sections", edits.light(sentence), text, "", edits.without(text, [sentence]))


def _texts() -> Iterator[str]:
    retrieval = ROOT / "retrieval"
    for topic in json.loads((retrieval / "xquad/xquad.en.json").read_text("utf-8"))["data"]:
        yield from (paragraph["context"] for paragraph in topic["paragraphs"])
    for row in lines("retrieval/anthropic_docs_rag/anthropic_docs.jsonl"):
        yield str(row["text"])
    for row in json.loads((retrieval / "pubmedqa/ori_pqal.json").read_text("utf-8")).values():
        yield " ".join(row["CONTEXTS"])


def _stands_alone(sentence: str) -> bool:
    words = sentence.split()
    starts = words[0] if words else ""
    refers = starts.rstrip(",") in REFERRING
    return (
        8 <= len(words) <= 32
        and sentence.endswith(".")
        and starts[:1].isupper()
        and not refers
        and "\n" not in sentence
    )


def copies(base: Base, rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """Kind, claim and source of every edit that can be made."""
    for kind, claim in (
        ("negation", edits.negation(base.claim, rng)),
        ("antonym", edits.antonym(base.claim, rng)),
        ("entity", edits.entity(base.claim, base.source, rng)),
        ("number", edits.number(base.claim, base.source, rng)),
        ("date", edits.date(base.claim, rng)),
        ("role", edits.role(base.claim, rng)),
    ):
        if claim is not None and claim != base.claim:
            yield kind, claim, base.source
    if base.reduced.strip() and base.claim not in base.reduced:
        yield "removed", base.claim, base.reduced


def is_supported(verifier: Verifier, claim: str, source: str, title: str) -> bool:
    """Whether every sentence of a claim comes out as supported."""
    report = verifier.prepare([{"title": title, "text": source}] if title else [source]).report(claim)
    verdicts = {found.verdict for found in report.claims}
    return verdicts <= {"supported", "not_a_claim"} and "supported" in verdicts


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    share, z2 = hits / total, _Z * _Z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total)) / (1 + z2 / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def measure(verifier: Verifier, per_set: int, seed: int, *, examples: bool) -> dict[str, dict[str, list[bool]]]:
    """Supported or not, by set and kind; ``unchanged`` are the base claims."""
    rng = random.Random(seed)
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for read in (wice, fool_me_twice, sections):
        bases = list(read())
        rng.shuffle(bases)
        for base in bases[:per_set]:
            found[base.data]["unchanged"].append(is_supported(verifier, base.claim, base.source, base.title))
            for kind, claim, source in copies(base, rng):
                supported = is_supported(verifier, claim, source, base.title)
                found[base.data][kind].append(supported)
                if supported and examples:
                    print(f"{base.data} | {kind} | {claim} | was: {base.claim}")
    return found


def figures(found: dict[str, dict[str, list[bool]]]) -> list[dict[str, Any]]:
    """One record per set and kind, then over all sets; ``reached`` is None where there is no aim."""
    everything: dict[str, list[bool]] = defaultdict(list)
    for kinds in found.values():
        for kind, results in kinds.items():
            everything[kind] += results
    records = []
    for data, kinds in [*found.items(), ("all", everything)]:
        for kind in ("unchanged", *AIMS):
            hits, total = sum(kinds[kind]), len(kinds[kind])
            low, high = wilson(hits, total)
            share = hits / total if total else None
            aim = TRUE_SUPPORT if kind == "unchanged" else AIMS[kind]
            reached = None if share is None else share >= aim if kind == "unchanged" else share < aim
            records.append(
                {"data": data, "kind": kind, "supported": hits, "total": total, "share": share}
                | {"low": low, "high": high, "aim": aim, "reached": reached}
            )
    return records


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verifier", default="containment", help="an installed verifier's name, or default")
    parser.add_argument("--per-set", type=int, default=150, help="base claims of each set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--examples", action="store_true", help="print every copy that was supported")
    chosen = parser.parse_args()
    verifier = Verifier(None if chosen.verifier == "default" else chosen.verifier)
    records = figures(measure(verifier, chosen.per_set, chosen.seed, examples=chosen.examples and not chosen.json))
    if chosen.json:
        ref = verifier.model.ref.model_dump(mode="json")
        print(json.dumps({"verifier": ref, "antonym_pairs": edits.PAIRS, "figures": records}, indent=2))
        return
    print(f"verifier {verifier.model.ref.name} {verifier.model.ref.version}; {edits.PAIRS} antonym pairs")
    print(f"{'set':<15}{'kind':<11}{'supported':>12}{'share':>8}{'95 % interval':>18}{'aim':>9}")
    for record in records:
        share = "-" if record["share"] is None else f"{record['share']:.3f}"
        aim = f"{'≥' if record['kind'] == 'unchanged' else '<'} {record['aim']:.2f}"
        print(
            f"{record['data']:<15}{record['kind']:<11}{record['supported']:>6}/{record['total']:<5}{share:>8}"
            f"{record['low']:>10.3f}–{record['high']:<7.3f}{aim:>8}"
        )


if __name__ == "__main__":
    main()
