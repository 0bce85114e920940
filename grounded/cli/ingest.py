"""``grounded ingest``: bring documents into the knowledge base."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import EmbedderOption, JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.cli.bars import stoppable
from grounded.cli.pairs import pairs, rules, several
from grounded.errors import UsageError
from grounded.records import IngestReport

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from grounded.cli.output import Output
    from grounded.ingestion.sync import Progress as Step
    from grounded.protocols import Connector

FAILURES_SHOWN = 20
NAME_WIDTH = 40
STOPPING = "Stopping at the next batch; Ctrl-C again stops at once."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ingest")(ingest)


def ingest(
    context: typer.Context,
    sources: Annotated[list[str], typer.Argument(help="Files, folders, globs or URIs such as postgresql://host/db.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="KEY=VALUE for the connector; repeat a key for several.")
    ] = None,
    metadata: Annotated[list[str] | None, typer.Option("--metadata", "-m", help="KEY=VALUE for filters.")] = None,
    principal: Annotated[list[str] | None, typer.Option(help="Who may see it; repeat it for several.")] = None,
    permit: Annotated[
        list[str] | None, typer.Option(help="PATTERN=NAME by key, such as '*/hr/*=hr'; the first that matches decides.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it, also what was restricted.")] = False,
    force_retire: Annotated[bool, typer.Option(help="Retire whatever is gone, however much it is.")] = False,
    max_retire_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Stop before a larger share of the documents is retired.")
    ] = 0.2,
    quarantine: Annotated[bool, typer.Option(help="Refuse documents with hidden or misleading text.")] = False,
    embedder: EmbedderOption = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Bring in files, tables, pages: new ones are added, changed ones updated, missing ones retired.

    A URI's scheme names the connector; ${NAME} in it or in an option stands for an environment variable.

    Exit code 5 when anything was skipped, refused or lost; Ctrl-C stops at the next batch and keeps what is
    committed.
    """
    if sum(map(bool, (public, principal, permit))) > 1:
        raise UsageError("--public, --principal and --permit exclude each other.")
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    values = pairs(metadata, "--metadata")
    connectors = found(sources, several(option, "--option"))
    with (
        output.open_knowledge_base(create=True, embedder=embedder) as knowledge_base,
        _progress(output.side) as (progress, stopping),
        stoppable(stopping) as stop,
    ):
        report = knowledge_base.ingest(
            *connectors,
            tenant=output.settings.tenant,
            metadata=values,
            principals=() if public else rules(permit, "--permit") or principal,
            max_retire_share=max_retire_share,
            force_retire=force_retire,
            quarantine=quarantine,
            progress=progress,
            cancel=lambda: stop["asked"],
        )
    show_report(output, report)


def show_report(output: Output, report: IngestReport) -> None:
    """Print what was done, and leave with the exit code for it.

    Raises:
        Exit: It was interrupted, or something was skipped, refused or lost.
    """
    output.show(report, summary(report))
    if report.interrupted:
        raise typer.Exit(exits.INTERRUPTED)
    if not report.ok:
        raise typer.Exit(exits.PARTIAL_INGEST)


def found(sources: list[str], options: dict[str, str | list[str]]) -> list[Connector]:
    """The connectors of the sources; what is missing is said before a knowledge base is made.

    Raises:
        UsageError: No plug-in reads such a source, or it has no such option.
        SourceError: A source is not there or cannot be read.
    """
    from grounded.pipeline.connecting import connector

    connectors = [connector(source, **options) for source in sources]
    for each in connectors:
        check = getattr(each, "check", None)
        if callable(check):
            check()
    return connectors


@contextmanager
def _progress(console: Console) -> Iterator[tuple[Callable[[Step], None], Callable[[], None]]]:
    """A bar with the remaining time on standard error; nothing where that is no terminal.

    Yields:
        What to call after each document, and what to call when a stop was asked for.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from grounded.render.common import on_one_line

    name = TextColumn("{task.description}", markup=False)  # a file's name may hold square brackets
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), name)
    asked = False
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Ingesting", total=None)

        def advance(step: Step) -> None:
            shown = STOPPING if asked else f"Ingesting {on_one_line(step.document)[-NAME_WIDTH:]}"
            bar.update(task, completed=step.done, total=step.total, description=shown)

        def stopping() -> None:
            nonlocal asked
            asked = True
            if console.is_terminal:
                bar.update(task, description=STOPPING)
            else:
                os.write(2, f"{STOPPING}\n".encode())  # in a signal handler: the stream may be in use

        yield advance, stopping


def summary(report: IngestReport) -> RenderableType:
    """What a run did, for people."""
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
