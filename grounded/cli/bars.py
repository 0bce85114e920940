"""A bar for long work whose size is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

STOPPING = "Stopping at the next portion; Ctrl-C again stops at once."


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
