"""``grounded watch``: follow the sources of ``grounded.toml``, or those given, until stopped."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grounded.cli import declared, exits
from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, output_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from grounded.cli.output import Output
    from grounded.pipeline.watching import SourceState, Watch, Watched

REFRESH_SECONDS = 0.5
FAILURES_SHOWN = 5
STOPPING = "Stopping after the batch at hand; once more stops at once, and the batch is read again next time."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch")(watch)


def watch(
    context: typer.Context,
    sources: Annotated[
        list[str] | None, typer.Argument(help="Names of sources in grounded.toml, or URIs; all of grounded.toml.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Read each to where it stands now, and stop.")] = False,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Follow sources until stopped: live ones as they change, the others on their schedule.

    Ctrl-C or SIGTERM stops after what is at hand is stored; the next run goes on from there. With --json every change
    of a source's state is a line of JSON. Exit code 5 when anything was skipped or a source could not be read.
    """
    from grounded.pipeline.watching import Watch

    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    watched = declared.watched(output.settings, sources or [])
    with output.open_knowledge_base(create=True) as knowledge_base:
        if once:
            _read_once(output, knowledge_base, watched)
            return
        changed: SimpleQueue[SourceState] = SimpleQueue()
        live = Watch(knowledge_base.ingest, watched, notify=changed.put)
        with _stoppable(live), live:
            _show(output, live, changed)
    output.side.print(_table(live.states))
    if not all(state.ok for state in live.states):
        raise typer.Exit(exits.PARTIAL_INGEST)


def _read_once(output: Output, knowledge_base: Any, watched: Sequence[Watched]) -> None:
    from functools import reduce

    from grounded.cli.ingest import show_report
    from grounded.records import IngestReport

    reports = [knowledge_base.ingest(each.connector, **each.arguments) for each in watched]
    show_report(output, reduce(IngestReport.plus, reports))


@contextmanager
def _stoppable(live: Watch) -> Iterator[None]:
    """The first signal asks for a graceful stop, the second for one at once, the third interrupts."""
    asked = 0

    def ask(signum: int, frame: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > 2:
            raise KeyboardInterrupt
        live.stop(hurry=asked == 2)
        if asked == 1:
            os.write(2, f"{STOPPING}\n".encode())  # in a signal handler: the stream may be in use

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(output: Output, live: Watch, changed: SimpleQueue[SourceState]) -> None:
    """Until all have stopped: a table on a terminal, lines of JSON, or what goes wrong."""
    seen: dict[str, SourceState] = {}

    def line(state: SourceState) -> None:
        if output.as_json:
            output.show_json(state.to_json())
            sys.stdout.flush()
        elif not output.side.is_terminal:
            _say_problems(output.side, seen.get(state.name), state)
        seen[state.name] = state

    with _screen(output.side, on=output.side.is_terminal and not output.as_json) as refresh:
        done = False
        while not done:
            done = live.wait(REFRESH_SECONDS)
            _drain(changed, line)
            refresh(live.states)


def _drain(changed: SimpleQueue[SourceState], line: Callable[[SourceState], None]) -> None:
    while True:
        try:
            line(changed.get_nowait())
        except Empty:
            return


def _say_problems(console: Console, before: SourceState | None, state: SourceState) -> None:
    from rich.text import Text

    old = before.error if before is not None else ""
    if state.error != old:
        text = state.error or "goes on."
        console.print(Text.assemble((f"{state.name}: ", "bold yellow"), text))
    known = before.failures if before is not None else ()
    for failure in [each for each in state.failures if each not in known][-FAILURES_SHOWN:]:
        console.print(Text.assemble((f"{state.name}: skipped ", "bold yellow"), failure))


@contextmanager
def _screen(console: Console, *, on: bool) -> Iterator[Callable[[Sequence[SourceState]], None]]:
    if not on:
        yield lambda states: None
        return
    from rich.live import Live

    with Live(console=console, auto_refresh=False, transient=True) as screen:
        yield lambda states: screen.update(_table(states), refresh=True)


def _table(states: Sequence[SourceState]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from grounded.render.common import on_one_line

    columns = ("Source", "State", "New", "Updated", "Retired", "Failed", "Waiting", "Known until")
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for state in states:
        until = f"{state.watermark:%Y-%m-%d %H:%M:%S} UTC" if state.watermark else ""
        table.add_row(
            Text(on_one_line(state.name)),
            state.state,
            *(str(getattr(state, f"documents_{name}")) for name in ("added", "updated", "retired", "failed")),
            "" if state.lag is None else str(state.lag),
            until,
        )
        if state.error:
            table.add_row("", Text(on_one_line(state.error), style="yellow"))
    return table
