"""A bar for long work whose size is known, and Ctrl-C that stops it at a border."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from rich.console import Console

STOPPING = "Stopping at the next portion; Ctrl-C again stops at once."


@contextmanager
def stoppable(stopping: Callable[[], None]) -> Iterator[dict[str, bool]]:
    """The first Ctrl-C asks for a stop at the next batch border, the second one interrupts at once."""
    stop = {"asked": False}

    def ask(signum: int, frame: Any) -> None:
        if stop["asked"]:
            raise KeyboardInterrupt
        stop["asked"] = True
        stopping()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


class Portions(TypedDict):
    """What work that is done in portions asks for."""

    progress: Callable[[int, int], None]
    cancel: Callable[[], bool]


@contextmanager
def portions(console: Console, doing: str) -> Iterator[Portions]:
    """A bar for work that Ctrl-C stops at the next portion."""
    with bar(console, doing) as (progress, stopping), stoppable(stopping) as stop:
        yield {"progress": progress, "cancel": lambda: stop["asked"]}


@contextmanager
def bar(console: Console, doing: str) -> Iterator[tuple[Callable[[int, int], None], Callable[[], None]]]:
    """A bar with the remaining time on standard error; nothing where that is no terminal.

    Yields:
        What to call with ``(done, total)``, and what to call when a stop was asked for.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(doing, total=None)

        def advance(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total)

        def stopping() -> None:
            shown.update(task, description=STOPPING)

        yield advance, stopping
