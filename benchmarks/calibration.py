"""How far probabilities are off on claims that ``calibrate`` has not seen, and how far chance alone puts them off.

    python benchmarks/calibration.py ../shared/data/groundedness [--claims 900] [--scores FILE] [--plot FILE.svg]

Claims of FActScore (unseen source) and Factcheck-GPT (in-domain split), split by document: ``calibrate`` takes two
thirds, the rest is held out; means of ten splits. The error is the expected calibration error in bins of equal size,
as many as the cube root of the claims says, at least five. ``by chance`` is what it would be if every probability were
exactly true: labels drawn from the probabilities themselves. ``raw`` leaves the scores as they are, ``platt`` is the
map that ``calibrate`` fits, ``isotonic`` any rising map. Scores are kept in the file, so that maps are compared in
seconds; those of another verifier are made anew.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "verifier"))
from calibration_maps import isotonic
from verification import claim_of, sampled

from grounded.benchmarking.verifying import try_claim
from grounded.render.calibration import plot_svg
from grounded.verification import Example, Verifier, calibrate

SETS = {"factscore": "unseen source", "factcheck_gpt": "in-domain split"}
SPLITS = 10
DRAWS = 200
LEAST_BINS = 5
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Claims of one set: the raw score, the label, the document, and whether it is called supported."""

    score: Numbers
    label: Numbers
    group: tuple[str, ...]
    said: NDArray[np.bool_]


def scored(root: Path, name: str, count: int, verifier: Verifier, kept: Path | None) -> Scored:
    """The claims of a set with their scores, from the file where it has them."""
    rows = sampled(root, name, count)
    ref = f"{verifier.ref.name} {verifier.ref.version}"
    known = {}
    if kept is not None and kept.is_file():
        lines = map(json.loads, kept.read_text("utf-8").splitlines())
        known = {(line["set"], line["row"]): (line["score"], line["said"]) for line in lines if line["by"] == ref}
    found = []
    for number, row in enumerate(rows):
        if (name, number) not in known:
            tried = try_claim(claim_of(row), verifier)
            known[name, number] = tried.score, tried.said
            if kept is not None:
                line = {"by": ref, "set": name, "row": number, "score": tried.score, "said": tried.said}
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
        found.append(known[name, number])
    return Scored(
        score=np.array([score for score, _ in found]),
        label=np.array([float(row.is_supported) for row in rows]),
        group=tuple(row.group for row in rows),
        said=np.array([said for _, said in found]),
    )


def error(predicted: Numbers, label: Numbers) -> float:
    """Expected calibration error in bins of equal size."""
    bins = np.array_split(np.argsort(predicted, kind="stable"), max(LEAST_BINS, round(len(label) ** (1 / 3))))
    return float(sum(abs(predicted[each].sum() - label[each].sum()) for each in bins) / len(label))


def by_chance(predicted: Numbers, draw: np.random.Generator) -> float:
    """The same error if the probabilities were exactly true."""
    return float(np.mean([error(predicted, (draw.random(len(predicted)) < predicted) * 1.0) for _ in range(DRAWS)]))


def platt(claims: Scored, rest: NDArray[np.bool_], held: NDArray[np.bool_]) -> Numbers:
    """What ``calibrate`` makes of the claims that are not held out."""
    examples = [
        Example(float(score), bool(label), called=bool(said), group=group)
        for score, label, said, group, is_rest in zip(
            claims.score, claims.label, claims.said, claims.group, rest, strict=True
        )
        if is_rest
    ]
    found = calibrate(examples, error_rate=None)
    return np.array([found.support.probability(score) for score in claims.score[held]])


MAPS: dict[str, Callable[[Scored, NDArray[np.bool_], NDArray[np.bool_]], Numbers]] = {
    "raw": lambda claims, rest, held: claims.score[held],
    "platt": platt,
    "isotonic": lambda claims, rest, held: isotonic(claims.score[rest], claims.label[rest], claims.score[held]),
}


def splits(group: Sequence[str]) -> list[NDArray[np.bool_]]:
    """Which claims are held out: a third of the documents, ten times."""
    names, found = sorted(set(group)), []
    for seed in range(SPLITS):
        order = names[:]
        random.Random(seed).shuffle(order)
        found.append(np.isin(np.array(group), order[: len(order) // 3]))
    return found


def measured(claims: Scored) -> dict[str, tuple[float, float]]:
    """For each map the error on held-out claims and that of chance."""
    draw, found = np.random.default_rng(3), {}
    for name, mapped in MAPS.items():
        pairs = []
        for held in splits(claims.group):
            predicted = np.clip(mapped(claims, ~held, held), 0.0, 1.0)
            pairs.append((error(predicted, claims.label[held]), by_chance(predicted, draw)))
        found[name] = (float(np.mean([own for own, _ in pairs])), float(np.mean([chance for _, chance in pairs])))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="the folder of the labelled sets")
    parser.add_argument("--claims", type=int, default=900, help="of each set")
    parser.add_argument("--scores", type=Path, help="where scores are kept")
    parser.add_argument("--plot", type=Path, help="write reliability and risk of the first set as SVG")
    parser.add_argument("--verifier", default=None, help="a name as in verify(); default: the model of the package")
    options = parser.parse_args()
    verifier = Verifier(options.verifier)
    print(table(options.root, options.claims, verifier, options.scores, options.plot))


def table(root: Path, count: int, verifier: Verifier, kept: Path | None = None, plot: Path | None = None) -> str:
    """The errors of all maps on all sets as a table in Markdown; the plot is that of the first set."""
    lines = ["| set | | claims | map | error held out | by chance |", "|---|---|---|---|---|---|"]
    for name, kind in SETS.items():
        claims = scored(root, name, count, verifier, kept)
        for mapped, (own, chance) in measured(claims).items():
            lines.append(f"| {name} | {kind} | {len(claims.label)} | {mapped} | {own:.3f} | {chance:.3f} |")
        if plot is not None:
            examples = [
                Example(float(score), bool(label), called=bool(said), group=group)
                for score, label, said, group in zip(claims.score, claims.label, claims.said, claims.group, strict=True)
            ]
            title = f"{name}, {len(examples)} claims, {verifier.ref.version}"
            plot.write_text(plot_svg(calibrate(examples, error_rate=None, verifier=verifier), title=title), "utf-8")
            plot = None
    return "\n".join(lines)


if __name__ == "__main__":
    main()
