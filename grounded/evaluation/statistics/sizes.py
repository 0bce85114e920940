"""Quantiles, intervals of shares, and how many questions a difference needs."""

from __future__ import annotations

import math
from statistics import NormalDist

ERROR_RATE = 0.05
"""Share of equal variants that may be called different, over all comparisons together."""
POWER = 0.8
"""Chance that the number of questions named shows a difference of the size seen (Cohen 1988)."""
ENOUGH_CLUSTERS = 50
"""Independent groups from which the stated error rate was checked by simulation."""

_NORMAL = NormalDist()


def normal_quantile(share: float) -> float:
    """The standard normal quantile."""
    return _NORMAL.inv_cdf(share)


def expanded(error_rate: float, clusters: int) -> float:
    """The tail of a percentile interval that makes up for few clusters (Hesterberg 2015, section 5.1).

    A percentile interval is too narrow by the factor √((n-1)/n) and for using the normal instead of Student's t.
    """
    if clusters < 2:
        return 0.0
    return _NORMAL.cdf(-math.sqrt(clusters / (clusters - 1)) * student_quantile(1 - error_rate / 2, clusters - 1))


def student_quantile(share: float, degrees: int) -> float:
    """Student's t quantile: exact for one and two degrees of freedom, else expanded (Abramowitz and Stegun 26.7.5).

    The error is below 0.2 % for shares up to 0.995 from five degrees on, and below 3 % for three and four.
    """
    if degrees == 1:
        return math.tan(math.pi * (share - 0.5))
    if degrees == 2:
        return (2 * share - 1) * math.sqrt(2 / (4 * share * (1 - share)))
    z = _NORMAL.inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / degrees**power for power, term in enumerate(terms, 1))


def wilson(share: float, count: int, error_rate: float = ERROR_RATE) -> tuple[float, float]:
    """The interval of Wilson (1927) of a share in [0, 1] out of ``count``, which also holds at 0 and 1."""
    z = normal_quantile(1 - error_rate / 2)
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # Rounding may leave the share itself, 0 and 1 above all, a hair outside.
    return max(0.0, min(share, centre - spread)), min(1.0, max(share, centre + spread))


def clusters_needed(difference: float, spread: float, *, error_rate: float = ERROR_RATE, power: float = POWER) -> int:
    """How many independent groups show a difference of this size in a two-sided paired test.

    ``((z₁₋α/₂ + z_power) · spread / difference)²``, with one more for each half z² (Guenther 1981), since the spread
    is estimated.

    Args:
        difference: Of the means, not 0.
        spread: Standard deviation of the differences of the groups.
        error_rate: Of this one test.
        power: Chance to see it.
    """
    tail = normal_quantile(1 - error_rate / 2)
    return math.ceil(((tail + normal_quantile(power)) * spread / difference) ** 2 + tail * tail / 2)


def holm(values: list[float]) -> list[float]:
    """P-values corrected for being several (Holm 1979), in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = highest
    return corrected
