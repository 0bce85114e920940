"""Prints mistakes of the verifier on public labelled claims, for people to read and to group.

    python benchmarks/mistakes.py ../shared/data/groundedness [--per-set 10] [--verifier NAME] [--seed 77]
    python benchmarks/mistakes.py ../shared/data/groundedness --who 80

``--who`` counts instead, over the first so many claims of each set, who kept claims from being called supported: right
ones, which is a mistake, beside wrong ones, which is the purpose.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "verifier"))
from sets import Example, shuffled_board

from grounded.records import Claim
from grounded.verification import Verifier

SETS = ("wice", "factcheck_gpt", "fool_me_twice", "expertqa", "halueval")
"""Those whose licence allows it to quote from them."""
SHOWN = 260
WHO = {
    "can be read for it and against it": "the model reads one source both ways",
    "the source does not say all of it": "the model finds no support",
    "the source speaks against it": "the model finds the contrary",
    "no source says '": "rule: a value that nothing read for it says",
    "no source speaks of it": "rule: no source shares a word with it",
}
"""Who decided, by what the reason of a claim says; what says none of it is another rule."""
OTHER = "rule: something else"


def checked(verifier: Verifier, row: Example) -> list[Claim]:
    """The claims of a row, judged."""
    report = verifier.prepare(list(row.passages), question=row.question or None).report(row.claim)
    return [claim for claim in report.claims if claim.verdict != "not_a_claim"]


def who(claims: Sequence[Claim]) -> str:
    """Who kept a row from being supported; empty when it is."""
    failing = [claim for claim in claims if not claim.is_supported]
    if not failing:
        return ""
    reason = min(failing, key=lambda claim: claim.score or 0.0).reason
    return next((name for said, name in WHO.items() if said in reason), OTHER)


def count(root: Path, verifier: Verifier, seed: int, most: int) -> str:
    """A table of who kept how many right and wrong claims from being supported."""
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for name in SETS:
        for row in shuffled_board(root, name, seed)[:most]:
            claims = checked(verifier, row)
            counts[row.is_supported][who(claims) if claims else OTHER] += 1
    lines = ["| who | right claims | wrong claims |", "|---|---|---|"]
    for name in ("", *WHO.values(), OTHER):
        lines.append(f"| {name or 'called supported'} | {counts[True][name]} | {counts[False][name]} |")
    lines.append(f"| all | {counts[True].total()} | {counts[False].total()} |")
    return "\n".join(lines)


def show(root: Path, verifier: Verifier, seed: int, most: int) -> None:
    """Print the first mistakes of each set."""
    number = 0
    for name in SETS:
        found = 0
        for row in shuffled_board(root, name, seed):
            claims = checked(verifier, row)
            if not claims or all(claim.is_supported for claim in claims) == row.is_supported:
                continue
            worst = min(claims, key=lambda claim: claim.score or 0.0)
            number, found = number + 1, found + 1
            print(f"{number}. {name}: labelled {row.label}, called {worst.verdict} ({worst.reason})\n   {row.claim}")
            print("".join(f"   {each.relation}: {each.text[:SHOWN]!r}\n" for each in worst.evidence[:1]), end="")
            if found == most:
                break


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="the folder of the labelled sets")
    parser.add_argument("--per-set", type=int, default=10)
    parser.add_argument("--who", type=int, default=0, metavar="CLAIMS")
    parser.add_argument("--verifier", default=None)
    parser.add_argument("--seed", type=int, default=77)
    options = parser.parse_args()
    verifier = Verifier(options.verifier)
    if options.who:
        print(count(options.root, verifier, options.seed, options.who))
    else:
        show(options.root, verifier, options.seed, options.per_set)


if __name__ == "__main__":
    main()
