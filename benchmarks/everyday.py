"""Verdicts on answers as people get them from their own documents: fourteen pages, 114 claims, our own.

    python benchmarks/everyday.py [--verifier NAME] [--support 0.5]

The public sets are long articles and adversarial claims; here are a leave policy, a router's manual, minutes, opening
hours. Rules were mended by reading the mistakes that this prints, so the figures say what the rules are for and are no
forecast. The claims are in ``everyday.toml``.
"""

from __future__ import annotations

import argparse
import tomllib
from collections import Counter
from pathlib import Path

from grounded.verification import Thresholds, Verifier

PAGES = Path(__file__).with_suffix(".toml")


def main() -> None:
    """Check every claim, print what is judged wrongly, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verifier", default=None, help="a name as in verify(); default: the model of the package")
    parser.add_argument("--support", type=float, default=Thresholds().support)
    options = parser.parse_args()
    verifier = Verifier(options.verifier, thresholds=Thresholds(support=options.support))
    counts: dict[str, Counter[str]] = {"right": Counter(), "wrong": Counter()}
    for page in tomllib.loads(PAGES.read_text("utf-8"))["page"]:
        prepared = verifier.prepare(page["sources"], question=page["question"])
        for kind, counted in counts.items():
            for text in page[kind]:
                (claim,) = prepared.report(text).claims
                counted[claim.verdict] += 1
                if claim.is_supported != (kind == "right"):
                    print(f"{kind}, {claim.verdict} {claim.score or 0.0:.2f}: {text} ({claim.reason})")
    for kind, counted in counts.items():
        found = ", ".join(f"{verdict} {count}" for verdict, count in counted.most_common())
        print(f"{kind}: {counted.total()} claims: {found}")


if __name__ == "__main__":
    main()
