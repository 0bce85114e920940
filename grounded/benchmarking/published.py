"""Figures that others published, from a dated data file of the package."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from grounded.records import Record


class Published(Record):
    """One figure that somebody else published.

    Attributes:
        value: In percent.
        metric: ``balanced_accuracy``, ``f1`` or ``ndcg@10``.
        source: Where it stands.
        dated: When it was published, or read there if it changes: a year or a month.
        note: On which rows and how it was measured.
    """

    system: str
    set: str
    metric: str
    value: float
    source: str
    url: str
    dated: str
    note: str


def published(name: str) -> tuple[Published, ...]:
    """What others published on a set, best first within a source; empty when nothing is known.

    Args:
        name: The set; case, spaces and what follows RAGTruth's name (its task) do not matter.
    """
    wanted = _plain(name)
    return tuple(each for each in _all() if _plain(each.set) == wanted)


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return "ragtruth" if plain.startswith("ragtruth") else plain


@cache
def _all() -> tuple[Published, ...]:
    data: dict[str, Any] = tomllib.loads(files("grounded.benchmarking").joinpath("published.toml").read_text("utf-8"))
    found = []
    for key, systems in data["figures"].items():
        source = data["sources"][key]
        own = [
            Published(
                system=system,
                set=name,
                metric=source["metric"],
                value=value,
                source=source["name"],
                url=source["url"],
                dated=source["dated"],
                note=source["note"],
            )
            for system, figures in systems.items()
            for name, value in figures.items()
        ]
        found += sorted(own, key=lambda each: -each.value)
    return tuple(found)
