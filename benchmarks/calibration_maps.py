"""Which map from raw score to probability few labels cannot bend: Platt, beta or isotonic, with more or less pull.

python benchmarks/calibration_maps.py

Scores are the share of a claim's content words in the best two neighbouring sentences of its sources, on the public
sets of ``labelled.py``, and three simulated kinds. For each number of labels: log loss and calibration error (15 bins)
on all other claims, means over sets and draws, and the worst set.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import labelled
import numpy as np

from grounded.records.calibrations import CLIP
from grounded.text.sentences import sentences
from grounded.text.terms import content_stems

ROWS = 800
DRAWS = 20
Numbers = np.ndarray


def newton(features: Numbers, labels: Numbers, start: Numbers, pull: float) -> Numbers:
    """Penalised logistic regression towards ``start``; the last feature is the constant."""
    weight = np.diag([pull] * (len(start) - 1) + [pull / 10])

    def loss(at: Numbers) -> float:
        odds, away = features @ at, at - start
        return float((np.logaddexp(0, odds) - labels * odds).sum() + 0.5 * away @ weight @ away)

    at = start.copy()
    for _ in range(60):
        chance = 1 / (1 + np.exp(-features @ at))
        slope = features.T @ (chance - labels) + weight @ (at - start)
        step = np.linalg.solve(features.T @ (features * (chance * (1 - chance))[:, None]) + weight, slope)
        size = 1.0
        while size > 1e-6 and loss(at - size * step) > loss(at) - 1e-4 * size * float(slope @ step):
            size /= 2
        at = at - size * step
    return at


def logistic(kind: str, pull: float) -> Callable[[Numbers, Numbers, Numbers], Numbers]:
    def features(scores: Numbers) -> Numbers:
        clipped = np.clip(scores, CLIP, 1 - CLIP)
        up, down, one = np.log(clipped), -np.log1p(-clipped), np.ones_like(clipped)
        return np.stack([up + down, one] if kind == "platt" else [up, down, one], axis=1)

    def fitted(scores: Numbers, labels: Numbers, others: Numbers) -> Numbers:
        x, z = features(scores), features(others)
        keep = list(range(x.shape[1]))
        while True:  # a falling term is left out, as Kull et al. do
            start = np.array([1.0] * (len(keep) - 1) + [0.0])
            at = newton(x[:, keep], labels, start, pull)
            falling = [place for place in range(len(keep) - 1) if at[place] < 0]
            if not falling:
                return 1 / (1 + np.exp(-z[:, keep] @ at))
            keep.pop(min(falling, key=lambda place: at[place]))

    return fitted


def isotonic(scores: Numbers, labels: Numbers, others: Numbers) -> Numbers:
    blocks: list[list[float]] = []
    for score in np.unique(scores):
        same = labels[scores == score]
        blocks.append([float(same.mean()), len(same), score, score])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (v2, n2, _, high), (v1, n1, low, _) = blocks.pop(), blocks.pop()
            blocks.append([(v1 * n1 + v2 * n2) / (n1 + n2), n1 + n2, low, high])
    values = np.maximum.accumulate([(v * n + 0.5) / (n + 1) for v, n, _, _ in blocks])
    places = [place for _, _, low, high in blocks for place in (low, high)]
    return np.interp(others, places, np.repeat(values, 2))


def quality(predicted: Numbers, labels: Numbers) -> tuple[float, float]:
    p = np.clip(predicted, 1e-4, 1 - 1e-4)
    loss = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean()
    bins = np.array_split(np.argsort(p, kind="stable"), 15)
    return float(loss), sum(abs(p[each].sum() - labels[each].sum()) for each in bins) / len(p)


def overlap(row: labelled.Row) -> float:
    wanted = set(content_stems(row.claim))
    best = 0
    for source in row.sources:
        found = [set(content_stems(span.slice(source["text"]))) for span in sentences(source["text"])[:200]]
        best = max([best, *(len(wanted & (one | two)) for one, two in zip(found, [*found[1:], set()], strict=True))])
    return best / max(len(wanted), 1)


def sets() -> dict[str, tuple[Numbers, Numbers]]:
    found = {}
    for name in ("fool_me_twice", "wice", "expertqa", "factcheck_gpt"):
        rows = labelled.rows(parts=(name,))
        random.Random(1).shuffle(rows)
        rows = rows[:ROWS]
        found[name] = np.array([overlap(row) for row in rows]), np.array([float(row.supported) for row in rows])
    draw = np.random.default_rng(0)
    for name, slope, offset in (("overconfident", 0.5, -0.5), ("underconfident", 1.5, 0.5), ("shifted", 1.0, -1.5)):
        scores = np.clip(draw.beta(0.4, 0.4, 2000), 1e-4, 1 - 1e-4)
        odds = slope * np.log(scores / (1 - scores)) + offset
        found[name] = scores, (draw.random(2000) < 1 / (1 + np.exp(-odds))).astype(float)
    return found


def main() -> None:
    maps = {f"{kind} {pull:g}": logistic(kind, pull) for kind in ("platt", "beta") for pull in (0.1, 1, 3, 10)}
    maps["isotonic"] = isotonic
    maps["raw"] = lambda scores, labels, others: others
    data = sets()
    for count in (40, 60, 120, 250, 600):
        print(f"{count} labels")
        fitting = {name: pair for name, pair in data.items() if len(pair[0]) >= 1.25 * count}
        for name, fit in maps.items():
            per_set = []
            for scores, labels in fitting.values():
                draw = np.random.default_rng(count)
                orders = [draw.permutation(len(scores)) for _ in range(DRAWS)]
                parts = [(order[:count], order[count:]) for order in orders]
                each = [quality(fit(scores[a], labels[a], scores[b]), labels[b]) for a, b in parts]
                per_set.append(np.mean(each, axis=0))
            losses, errors = np.array(per_set).T
            print(f"  {name:10} loss {losses.mean():.4f}  error {errors.mean():.3f}  worst {errors.max():.3f}")
    assert math.isfinite(float(losses.mean()))


if __name__ == "__main__":
    main()
