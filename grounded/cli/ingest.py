"""``grounded ingest``: bring documents into the knowledge base."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, output_of
from grounded.cli.pairs import pairs
from grounded.records import IngestReport

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FAILURES_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ingest")(ingest)


def ingest(
    context: typer.Context,
    sources: Annotated[list[str], typer.Argument(help="Files, folders or globs.")],
    metadata: Annotated[list[str] | None, typer.Option("--metadata", "-m", help="KEY=VALUE for filters.")] = None,
    principal: Annotated[list[str] | None, typer.Option(help="Who may see it; repeat it for several.")] = None,
    force_retire: Annotated[bool, typer.Option(help="Retire whatever is gone, however much it is.")] = False,
    kb: KbOption = None,
    json: JsonOption = False,
) -> None:
    """Bring in files and folders: new ones are added, changed ones updated, missing ones retired.

    Exit code 5 when anything was skipped, refused or lost; Ctrl-C stops at the next batch and keeps what is
    committed.
    """
    output = output_of(context, kb, json)
    with (
        output.open_knowledge_base(create=True) as knowledge_base,
        _stoppable() as stop,
        _progress(output.side) as progress,
    ):
        report = knowledge_base.ingest(
            *sources,
            tenant=output.settings.tenant,
            metadata=pairs(metadata, "--metadata"),
            principals=tuple(principal or ()),
            force_retire=force_retire,
            progress=progress,
            cancel=lambda: stop["asked"],
        )
    output.show(report, _summary(report))
    if report.interrupted:
        raise typer.Exit(exits.INTERRUPTED)
    if not report.ok:
        raise typer.Exit(exits.PARTIAL_INGEST)


@contextmanager
def _stoppable() -> Iterator[dict[str, bool]]:
    """The first Ctrl-C asks for a stop at the next batch border, the second one interrupts at once."""
    stop = {"asked": False}

    def ask(signum: int, frame: Any) -> None:
        if stop["asked"]:
            raise KeyboardInterrupt
        stop["asked"] = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(console: Console) -> Iterator[Any]:
    """A bar with the remaining time on standard error; nothing where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Ingesting", total=None)

        def advance(step: Any) -> None:
            bar.update(task, completed=step.done, total=step.total, description=f"Ingesting {step.document[-40:]}")

        yield advance


def _summary(report: IngestReport) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines: list[RenderableType] = [
        Text.assemble(
            (f"{report.documents} documents", "bold"),
            f": {report.documents_added} new, {report.documents_updated} updated, "
            f"{report.documents_unchanged} unchanged, {report.documents_retired} retired.  "
            f"{report.chunks_embedded} chunks embedded, {report.chunks_reused} reused, {report.seconds:.1f} s.",
        )
    ]
    for failure in report.failures[:FAILURES_SHOWN]:
        lines.append(Text.assemble(("Skipped ", "bold yellow"), f"{failure.key}: {failure.message} {failure.fix}"))
    if len(report.failures) > FAILURES_SHOWN:
        lines.append(Text(f"… and {len(report.failures) - FAILURES_SHOWN} more; --json lists all."))
    lines += [Text.assemble(("Note ", "yellow"), warning) for warning in report.warnings[:FAILURES_SHOWN]]
    if report.retirement_refused:
        lines.append(Text.assemble(("Nothing retired: ", "bold red"), report.retirement_refused))
    if report.interrupted:
        lines.append(Text("Stopped before the end; run it again to go on from here.", style="yellow"))
    return Group(*lines)
