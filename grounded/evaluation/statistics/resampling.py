"""Drawing groups again, and exchanging variants group by group; many figures with the same draws.

Every figure is a sum over a sum: of an answer's values over answers, or of what is counted over what it is counted out
of. Draws come from a fixed seed, so that the same data give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

SEED = 20_240_229
BOOTSTRAPS = 2000
EXCHANGES = 10_000
_AT_ONCE = 1 << 22
"""Numbers drawn at once, so that memory does not grow with the data."""


@dataclass(frozen=True)
class Pairs:
    """Two variants on the same rows, added up by group: ``first = counts[0] / sizes[0]``; shape ``(2, n_groups)``."""

    counts: Numbers
    sizes: Numbers

    @property
    def difference(self) -> float:
        """Second minus first."""
        first, second = self.counts.sum(axis=1) / self.sizes.sum(axis=1)
        return float(second - first)

    @property
    def spread(self) -> float:
        """Standard deviation of the groups' shares in the difference, as of so many independent differences."""
        ratios = self.counts.sum(axis=1) / self.sizes.sum(axis=1)
        means = self.sizes.mean(axis=1)
        parts = (self.counts - ratios[:, None] * self.sizes) / means[:, None]
        return float(np.std(parts[1] - parts[0], ddof=1)) if self.counts.shape[1] > 1 else 0.0


def bootstrapped(counts: Numbers, sizes: Numbers, *, draws: int = BOOTSTRAPS) -> Numbers:
    """``Σ counts / Σ sizes`` of groups drawn with replacement.

    Args:
        counts: Shape ``(n_figures, n_groups)``.
        sizes: The same shape.
        draws: How often.

    Returns:
        Shape ``(draws, n_figures)``.
    """
    groups = counts.shape[1]
    found = []
    random = np.random.default_rng(SEED)
    for several in _several(draws, groups):
        drawn = random.integers(0, groups, (several, groups))
        drawn += np.arange(several)[:, None] * groups
        weights = np.bincount(drawn.ravel(), minlength=several * groups).reshape(several, groups).astype(np.float64)
        found.append(weights @ counts.T / (weights @ sizes.T))
    return np.concatenate(found)


def exchanged(pairs: Pairs, *, draws: int = EXCHANGES) -> float:
    """The two-sided p-value of exchanging the variants in random groups.

    When both variants are the same, each exchange is as likely as what was seen, so the test holds for any number of
    groups and any distribution. Draws as extreme as what was seen count half (mid-p, Lancaster 1961), without which
    figures with few values would be tested too strictly.
    """
    counts, sizes = pairs.counts, pairs.sizes
    groups = counts.shape[1]
    between = np.stack([counts[1] - counts[0], sizes[1] - sizes[0]])
    totals, whole = counts.sum(axis=1), sizes.sum(axis=1)
    seen = abs(pairs.difference)
    slack = 1e-9 * max(1.0, seen)
    random = np.random.default_rng(SEED)
    beyond = equal = 0
    for several in _several(draws, groups):
        flips = np.unpackbits(random.integers(0, 256, (several, (groups + 7) // 8), dtype=np.uint8), axis=1)
        moved = flips[:, :groups].astype(np.float64) @ between.T
        first = (totals[0] + moved[:, 0]) / (whole[0] + moved[:, 1])
        second = (totals[1] - moved[:, 0]) / (whole[1] - moved[:, 1])
        found = np.abs(second - first)
        beyond += int((found > seen + slack).sum())
        equal += int((np.abs(found - seen) <= slack).sum())
    # What was seen is one of the possible exchanges, so that no p-value is 0.
    return min(1.0, (beyond + 0.5 * (equal + 1) + 0.5) / (draws + 1))


def _several(draws: int, groups: int) -> Iterator[int]:
    at_once = max(1, _AT_ONCE // max(groups, 1))
    while draws > 0:
        yield min(draws, at_once)
        draws -= at_once
