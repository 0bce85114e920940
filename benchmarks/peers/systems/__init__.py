"""One module per system, imported in that system's environment only; each has a class ``System``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from benchmarks.peers.corpus import Item
from benchmarks.peers.embedding import Counted

NAMES = ("grounded", "llamaindex", "haystack", "txtai", "chroma", "lancedb")
K = 8
BATCH = 1000


class System(Protocol):
    """A system under measurement, with its data in a folder; a second one on the same folder opens it again."""

    def __init__(self, folder: Path, embedder: Counted) -> None: ...

    def ingest(self, folder: Path) -> None:
        """Bring in a folder of text files, or bring it up to date, and leave everything on disk."""

    def load(self, items: Iterable[Item]) -> None:
        """Bring in records that are new, and leave everything on disk."""

    def ask(self, question: str, group: str | None) -> int:
        """How many of at most eight passages, with their text, were found for a question, in one group if named."""

    def count(self) -> int:
        """Chunks it holds."""

    def close(self) -> None:
        """Release everything."""


def system(name: str) -> type[System]:
    """The class of a system; importing it imports what it measures."""
    found: type[System] = import_module(f"benchmarks.peers.systems.{name}").System
    return found


def paragraphs(folder: Path) -> Iterator[Item]:
    """What a user of a bare index writes: every paragraph of every file, with its folder as the group."""
    for path in sorted(folder.rglob("*.txt")):
        for number, paragraph in enumerate(path.read_text(encoding="utf-8").split("\n\n")):
            yield Item(f"{path}#{number}", paragraph.strip(), path.parent.name)


def batches(items: Iterable[Item], size: int = BATCH) -> Iterator[Sequence[Any]]:
    """Items, ``size`` at a time."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
