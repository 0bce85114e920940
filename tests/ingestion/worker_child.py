"""A worker among several: syncs whichever source is free until all are where they shall be, and logs what it does."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grounded.errors import SourceBusyError
from grounded.records import Change, Checkpoint
from grounded.retrieval.qdrant import QdrantStore
from tests.ingestion.support import DIMENSION, Base, ListSource, raw

SOURCES = ("one", "two", "three")
DOCUMENTS, ROUNDS = 30, 24


def text_of(source: str, number: int, round_: int) -> str:
    return f"{source} {number} of round {round_}\n\nwhat {source} {number} always says"


class Rounds(ListSource):
    """A source whose documents change in every round; the checkpoint says which rounds are done."""

    def __init__(self, source: str, log: int | None = None, name: str = "") -> None:
        super().__init__([], source=source)
        self._log, self._name = log, name

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        self.say("take")
        for round_ in range((checkpoint or {}).get("round", 0), ROUNDS):
            for number in range(DOCUMENTS):
                self.say("item")
                yield raw(f"{number:02}", text_of(self.source, number, round_))
            yield Checkpoint(state={"round": round_ + 1}, commit=True)
        self.say("done")

    def say(self, what: str) -> None:
        if self._log is not None:
            os.write(self._log, f"{self._name} {what} {self.source}\n".encode())


def main(folder: Path, ledger: str, store: str, name: str) -> None:
    base = Base(folder, ledger=ledger, store=QdrantStore(store, dimension=DIMENSION))
    log = os.open(folder.parent / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    left = list(SOURCES)
    while left:
        source = left.pop(0)
        try:
            base.sync(Rounds(source, log, name), wait=False)
        except SourceBusyError:
            left.append(source)
            time.sleep(0.05)
    base.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
