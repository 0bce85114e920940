"""What was answered and measured before: one SQLite file, written after every answer, so that nothing is lost."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from grounded.errors import ExperimentError
from grounded.evaluation.packing import Packing
from grounded.records import Answer, MetricValue, Passage, Trial
from grounded.records.experiments import Pool
from grounded.settings import PRIVATE_FILE_MODE

VERSION = 1
_TABLES = """
create table if not exists meta (name text primary key, value text not null);
create table if not exists answers (key text primary key, content blob not null);
create table if not exists measured (key text primary key, content blob not null);
"""


class Answered:
    """An answer as it was first made.

    Attributes:
        retrieved: What retrieval found, best first.
        seconds: From question to answer; None when the answer was given.
        cost: None when no price is known.
    """

    __slots__ = ("answer", "cost", "retrieved", "seconds")

    def __init__(
        self, answer: Answer, retrieved: tuple[Passage, ...], seconds: float | None, cost: float | None
    ) -> None:
        self.answer = answer
        self.retrieved = retrieved
        self.seconds = seconds
        self.cost = cost


class Cache:
    """Answers and values by keys that change with everything that matters. Thread-safe; use it in a ``with`` block.

    Args:
        path: A file, made with its folder when it is missing; None keeps everything in memory.

    Raises:
        ExperimentError: The file is no cache, is in use, or cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(mode=PRIVATE_FILE_MODE)  # it holds answers and passages
            self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._connection.executescript(f"pragma journal_mode=wal; pragma synchronous=normal; {_TABLES}")
            version = self.remembered("version", str(VERSION))
        except (OSError, sqlite3.Error) as error:
            raise ExperimentError(
                f"The cache {path} cannot be used: {error}.", fix="Name another file, or remove it if it is no cache."
            ) from error
        if version != str(VERSION):
            raise ExperimentError(f"The cache {path} is of another release.", fix="Remove it, or name another file.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def remembered(self, name: str, value: str) -> str:
        """What was said under that name the first time."""
        with self._lock:
            self._connection.execute("insert or ignore into meta values (?, ?)", (name, value))
            with closing(self._connection.execute("select value from meta where name = ?", (name,))) as found:
                return str(found.fetchone()[0])

    def answer(self, key: str) -> Answered | None:
        """The answer kept under a key; None when there is none, or what is kept cannot be read."""
        content = self._read("answers", key)
        if content is None:
            return None
        try:
            return _answered(content)
        except (ValueError, KeyError, TypeError):
            return None

    def keep_answer(self, key: str, found: Answered) -> None:
        """Keep an answer; it is on the disk when this returns."""
        packing = Packing()
        trial = packing.answered(
            "-", "-", found.answer, retrieved=found.retrieved, seconds=found.seconds, cost=found.cost
        )
        passages = [each.model_dump(mode="json", exclude_defaults=True) for each in packing.passages]
        content = {
            "trial": trial.model_dump(mode="json", exclude_defaults=True),
            "passages": passages,
            "texts": packing.texts,
        }
        self._write("answers", key, content)

    def values(self, key: str) -> dict[str, MetricValue]:
        """Values kept under a key, by the identity of their metric."""
        content = self._read("measured", key) or {}
        try:
            return {name: MetricValue.model_validate(value) for name, value in content.items()}
        except (ValueError, TypeError):
            return {}

    def keep_values(self, key: str, values: Mapping[str, MetricValue]) -> None:
        """Keep values; those that failed are left out, so that they are asked for again."""
        kept = {name: value for name, value in values.items() if value.status != "failed"}
        content = {name: value.model_dump(mode="json", exclude_defaults=True) for name, value in kept.items()}
        self._write("measured", key, content)

    def _read(self, table: str, key: str) -> Any:
        with self._lock, closing(self._connection.execute(f"select content from {table} where key = ?", (key,))) as row:
            found = row.fetchone()
        if found is None:
            return None
        try:
            return json.loads(zlib.decompress(found[0]))
        except (zlib.error, ValueError):
            return None

    def _write(self, table: str, key: str, content: object) -> None:
        packed = zlib.compress(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"), 3)
        try:
            with self._lock:
                self._connection.execute(f"insert or replace into {table} values (?, ?)", (key, packed))
        except sqlite3.Error as error:
            raise ExperimentError(f"The cache cannot be written: {error}.", fix="Is the disk full?") from error


def _answered(content: Mapping[str, Any]) -> Answered:
    trial = Trial.model_validate(content["trial"])
    held = Pool([Passage.model_validate(each) for each in content["passages"]], content["texts"])
    answer = held.answer_of(trial)
    if answer is None:
        raise ValueError("a trial without an answer is never kept")
    retrieved: Iterable[Passage] = (held.passages[place] for place in trial.retrieved)
    return Answered(answer, tuple(retrieved), trial.seconds, trial.cost)
