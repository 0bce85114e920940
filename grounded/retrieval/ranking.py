"""A total order on what an engine finds: highest score first, ties by id."""

from __future__ import annotations

from collections.abc import Callable

from grounded.protocols import Scored

_SPARE = 8
MOST_TIES = 1024
"""Points beyond the last place that are looked at when they tie for it."""


def ranked(fetch: Callable[[int], list[Scored]], limit: int) -> list[Scored]:
    """The best ``limit`` points in an order that does not depend on how an engine breaks ties.

    An engine keeps any of the points that tie for the last place, so when there are some, more are fetched
    and those with the smallest ids kept. Beyond ``MOST_TIES`` of them (a word that occurs once in every row of
    a long table) the engine's choice stands: looking at all would cost a second and decide nothing.

    Args:
        fetch: The best n points, highest score first.
        limit: How many are wanted; below 1 gives none.
    """
    if limit < 1:
        return []
    found = fetch(limit + _SPARE)
    if len(found) == limit + _SPARE and found[-1].score == found[limit - 1].score:
        found = fetch(limit + MOST_TIES)
    return sorted(found, key=lambda each: (-each.score, each.id))[:limit]
