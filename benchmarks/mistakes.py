"""Prints mistakes of the verifier on public labelled claims, for people to read and to group.

python benchmarks/mistakes.py ../shared/data/groundedness [--per-set 10] [--verifier NAME] [--seed 77]
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "verifier"))
from sets import read

from grounded.verification import Verifier

SETS = ("wice", "factcheck_gpt", "fool_me_twice", "expertqa", "halueval")
"""Those whose licence allows it to quote from them."""
SHOWN = 260


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the folder of the labelled sets")
    parser.add_argument("--per-set", type=int, default=10)
    parser.add_argument("--verifier", default=None)
    parser.add_argument("--seed", type=int, default=77)
    options = parser.parse_args()
    verifier, number = Verifier(options.verifier), 0
    for name in SETS:
        rows = [row for row in read(options.root, name) if row.part != "train"]
        random.Random(options.seed).shuffle(rows)
        found = 0
        for row in rows:
            report = verifier.prepare(list(row.passages), question=row.question or None).report(row.claim)
            checked = [claim for claim in report.claims if claim.verdict != "not_a_claim"]
            if not checked or all(claim.is_supported for claim in checked) == row.is_supported:
                continue
            worst = min(checked, key=lambda claim: claim.score or 0.0)
            number, found = number + 1, found + 1
            print(f"{number}. {name}: labelled {row.label}, called {worst.verdict} ({worst.reason})\n   {row.claim}")
            print("".join(f"   {each.relation}: {each.text[:SHOWN]!r}\n" for each in worst.evidence[:1]), end="")
            if found == options.per_set:
                break


if __name__ == "__main__":
    main()
