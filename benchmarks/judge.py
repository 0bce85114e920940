"""How far the verifier agrees with a language model as judge, on claims that people labelled, and what both get wrong.

    python benchmarks/judge.py ../shared/data/groundedness --llm http://127.0.0.1:8080/v1#MODEL --replies replies.jsonl

The same rows for both: claims with passages of at most 900 characters, from six public sets, as many supported as not.
The judge reads all passages and the claim and answers yes or no: does the source state all of the claim? Its replies
are kept in the file, so that another verifier is compared with it in seconds, without ``--llm``. A reply that is
neither counts as no.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "verifier"))
from sets import Example, shuffled_board
from verification import claim_of

from grounded import llm
from grounded.benchmarking import balanced, interval
from grounded.benchmarking.verifying import try_claim
from grounded.protocols import Generator
from grounded.records import Budget, Message, Prompt, TemplateRef
from grounded.verification import Verifier

SETS = ("fool_me_twice", "factcheck_gpt", "expertqa", "halueval", "factscore", "climate_fever")
LONGEST = 900
"""Characters of all passages of a claim."""
LEAST_ROWS = 10
"""Of a set that has a line of its own; all count in the last line."""
WINDOW = 2048
MOST_TOKENS = 3
_ASKED = """Source:
{source}

Claim: {claim}

Does the source state everything that the claim states? Answer with one word, yes or no."""
_YES = re.compile(r"\W*yes\b", re.IGNORECASE)


class Agreement(NamedTuple):
    """How far two judges agree.

    Attributes:
        share: Of all claims, in [0, 1].
        kappa: Cohen's (1960): 0 is what chance gives, 1 is full agreement; NaN when both always say the same.
    """

    share: float
    kappa: float


def agreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Agreement:
    """Agreement of two judges on the same claims."""
    share = float((one == other).mean())
    chance = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return Agreement(share, (share - chance) / (1 - chance) if chance < 1 else float("nan"))


def rows_of(root: Path, per_set: int) -> list[Example]:
    """Rows of each set, half of them supported."""
    found: list[Example] = []
    for name in SETS:
        rows = [row for row in shuffled_board(root, name, seed=11) if sum(map(len, row.passages)) <= LONGEST]
        for is_supported in (True, False):
            found += [row for row in rows if row.is_supported == is_supported][: per_set // 2]
    return found


def prompt_of(row: Example) -> str:
    """What the judge reads."""
    return _ASKED.format(source="\n\n".join(row.passages), claim=row.claim)


class Replies:
    """A judge's replies, kept in a file of JSON lines as they come."""

    def __init__(self, path: Path, model: str) -> None:
        self._path, self._model = path, model
        self._known: dict[str, str] = {}
        if path.is_file():
            for line in path.read_text("utf-8").splitlines():
                kept = json.loads(line)
                self._known[kept["prompt"]] = kept["reply"]

    def of(self, text: str, judge: Generator | None) -> str | None:
        """The reply to a prompt, asked for when it is not known; None without a judge to ask."""
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self._known and judge is not None:
            reply = judge.generate(_prompt(text)).text
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"model": self._model, "prompt": key, "reply": reply}) + "\n")
            self._known[key] = reply
        return self._known.get(key)


def _prompt(text: str) -> Prompt:
    return Prompt(
        messages=(Message(role="user", content=text),),
        passages=(),
        budget=Budget(limit=WINDOW, reserved=MOST_TOKENS, parts={}, exact=False, encoding="none"),
        template=TemplateRef(name="benchmark/judge", version="1", hash="0" * 64),
        nonce="none",
        question="",
    )


def table(groups: Mapping[str, Sequence[int]], label: NDArray[np.bool_], said: Mapping[str, NDArray[np.bool_]]) -> str:
    """Balanced accuracy of both judges and their agreement, set by set."""
    names = list(said)
    lines = [f"| set | claims | {' | '.join(names)} | agree | kappa |", "|---|---|---|---|---|---|"]
    for name, places in groups.items():
        at = np.array(places)
        scores = " | ".join(f"{balanced(label[at], each[at]):.1f}" for each in said.values())
        found = agreement(*(each[at] for each in said.values()))
        lines.append(f"| {name} | {len(at)} | {scores} | {100 * found.share:.0f} % | {found.kappa:.2f} |")
    return "\n".join(lines)


def overlap(label: NDArray[np.bool_], ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> str:
    """Who is right where, of the supported claims and of the others."""
    lines = ["| people say | both right | only ours | only the judge | both wrong |", "|---|---|---|---|---|"]
    for what, here in (("supported", label), ("not supported", ~label)):
        right, other = (ours == label)[here], (theirs == label)[here]
        counts = (right & other, right & ~other, ~right & other, ~right & ~other)
        lines.append(f"| {what} | " + " | ".join(str(int(each.sum())) for each in counts) + " |")
    return "\n".join(lines)


def main() -> None:
    """Ask, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="the folder of the labelled sets")
    parser.add_argument("--replies", type=Path, required=True, help="where the judge's replies are kept")
    parser.add_argument("--llm", help="whom to ask where no reply is kept: http://HOST/v1#MODEL, ollama:NAME, …")
    parser.add_argument("--per-set", type=int, default=40)
    parser.add_argument("--verifier", default=None, help="a name as in verify(); default: the model of the package")
    parser.add_argument("--examples", action="store_true", help="print what both get wrong")
    options = parser.parse_args()
    judge = (
        llm(options.llm, max_tokens=MOST_TOKENS, temperature=0.0, timeout=3600.0, deadline=7200.0)
        if options.llm
        else None
    )
    kept = Replies(options.replies, (options.llm or "").partition("#")[2])
    found = [(row, kept.of(prompt_of(row), judge)) for row in rows_of(options.root, options.per_set)]
    answered = [(row, reply) for row, reply in found if reply is not None]
    if not answered:
        parser.error("no reply is kept in the file; name whom to ask with --llm")
    if len(answered) < len(found):
        print(f"# {len(found) - len(answered)} claims have no reply yet; --llm asks for them", file=sys.stderr)
    rows = [row for row, _ in answered]
    verifier = Verifier(options.verifier)
    label = np.array([row.is_supported for row in rows])
    ours = np.array([try_claim(claim_of(row), verifier).said for row in rows])
    theirs = np.array([bool(_YES.match(reply)) for _, reply in answered])
    groups = {name: [n for n, row in enumerate(rows) if row.source == name] for name in SETS}
    groups = {name: places for name, places in groups.items() if len(places) >= LEAST_ROWS}
    print(table({**groups, "all": range(len(rows))}, label, {"grounded": ours, "judge": theirs}))
    for name, said in (("grounded", ours), ("judge", theirs)):
        low, high = interval([row.group for row in rows], lambda at, said=said: balanced(label[at], said[at])) or (0, 0)
        print(f"\n{name}: balanced accuracy {balanced(label, said):.1f} [{low:.1f}, {high:.1f}]", end="")
    print(f"\n\n{overlap(label, ours, theirs)}")
    if options.examples:
        for row, one, other in zip(rows, ours, theirs, strict=True):
            if one == other != row.is_supported:
                print(f"\n{row.source}, {row.label}: {row.claim}\n   {' '.join(row.passages)[:300]!r}")


if __name__ == "__main__":
    main()
