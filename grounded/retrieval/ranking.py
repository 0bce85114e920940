"""A total order on what an engine finds: highest score first, ties by id."""

from __future__ import annotations

from collections.abc import Callable

from grounded.protocols import Scored

_SPARE = 8


def ranked(fetch: Callable[[int], list[Scored]], limit: int) -> list[Scored]:
    """The best ``limit`` points in an order that does not depend on how an engine breaks ties.

    An engine keeps any of the points that tie for the last place, so more are fetched until a lower score
    appears or there are no more.

    Args:
        fetch: The best n points, highest score first.
        limit: How many are wanted; below 1 gives none.
    """
    if limit < 1:
        return []
    count = limit + _SPARE
    found = fetch(count)
    while len(found) == count and found[-1].score == found[limit - 1].score:
        count *= 2
        found = fetch(count)
    return sorted(found, key=lambda each: (-each.score, each.id))[:limit]
