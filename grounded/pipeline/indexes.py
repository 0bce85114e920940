"""The index in use: a store and the model of its vectors, replaced together and never in the middle of a search."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from grounded.models.remembering import RememberingEmbedder
from grounded.protocols import Embedder, VectorStore
from grounded.settings import KnowledgeBaseSettings


class Index:
    """A store with its model and the settings that name both. Thread-safe."""

    def __init__(self, settings: KnowledgeBaseSettings, store: VectorStore, embedder: Embedder) -> None:
        self.settings = settings
        self.store = store
        self.embedder = RememberingEmbedder(embedder)


class Current:
    """The index in use. Thread-safe: what reads from one keeps it until it is done, also when another is taken up."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._readers: dict[int, int] = {}
        self._turn = threading.Condition()

    @property
    def index(self) -> Index:
        """The one in use at this moment."""
        return self._index

    @contextmanager
    def reading(self) -> Iterator[Index]:
        """The one in use, which stays open meanwhile."""
        with self._turn:
            index = self._index
            self._readers[id(index)] = self._readers.get(id(index), 0) + 1
        try:
            yield index
        finally:
            with self._turn:
                self._readers[id(index)] -= 1
                self._turn.notify_all()

    def take_up(self, index: Index) -> None:
        """Use another one from now on; returns when nobody reads the one before, which is closed then."""
        with self._turn:
            before, self._index = self._index, index
            self._turn.wait_for(lambda: not self._readers.get(id(before)))
            self._readers.pop(id(before), None)
        before.store.close()


class Part:
    """Stands for a part of whichever index is in use: what holds it across a change goes on with the new one."""

    def __init__(self, part: Callable[[], object]) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        """What the part has now."""
        return getattr(self._part(), name)
