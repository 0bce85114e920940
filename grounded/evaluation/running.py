"""Many questions at once: in order of the plan, no faster than allowed, no dearer than allowed, and stopped cleanly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an experiment is.

    Attributes:
        done: Trials finished.
        of: Trials in all.
        cached: Of those finished, how many needed no new answer.
        failed: Of those finished, how many have no answer.
        cost: Of new answers so far.
        seconds_left: Estimated from the speed of new answers; None while it is not known.
    """

    done: int
    of: int
    cached: int = 0
    failed: int = 0
    cost: float = 0.0
    seconds_left: float | None = None


class Pace:
    """Lets callers through at most so many times a minute. Thread-safe."""

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, stopped: threading.Event) -> None:
        """Return when it is this caller's turn, or everything is stopped."""
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        stopped.wait(turn - now)


class Runner(Generic[Task, Result]):
    """Runs tasks on threads, a few ahead, so that memory does not grow with their number.

    Args:
        work: What to do with a task; runs on several threads.
        concurrency: How many at once.
        stop: Asked before each new task; a reason stops the rest.
    """

    def __init__(self, work: Callable[[Task], Result], *, concurrency: int, stop: Callable[[], str]) -> None:
        self._work = work
        self._concurrency = concurrency
        self._stop = stop
        self.stopped = ""
        """Why not every task was run; empty when all were."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """The results as they come; what has begun is finished also when the rest is stopped."""
        waiting: set[Future[Result]] = set()
        begun = 0
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="evaluate") as pool:
            try:
                while True:
                    while begun < len(tasks) and len(waiting) < self._concurrency and not self.stopped:
                        self.stopped = self._stop()
                        if not self.stopped:
                            waiting.add(pool.submit(self._work, tasks[begun]))
                            begun += 1
                    if not waiting:
                        return
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for each in done:
                        yield each.result()
            finally:
                for each in waiting:
                    each.cancel()
