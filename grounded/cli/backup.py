"""``grounded backup`` and ``grounded restore``: a knowledge base in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.cli.bars import bar, portions
from grounded.records import BackupReport, RestoreReport

if TYPE_CHECKING:
    from rich.console import RenderableType

MEBIBYTE = 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file.")],
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Write the whole knowledge base into one new file, also while it is in use.

    It holds every text and who may see it, so keep it as safe as the originals. While another process holds the
    embedded store the vectors are left out, and restoring makes them again; --wait waits for that process.
    """
    from grounded.pipeline.backups import backup as write

    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    with portions(output.side, "Backing up") as asked:
        report = write(output.kb, file, wait=output.wait, **asked)
    output.show(report, _written(report))
    if report.interrupted:
        raise typer.Exit(exits.INTERRUPTED)


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What grounded backup wrote.")],
    store: Annotated[str | None, typer.Option(help="qdrant://host:6333/name for a new collection.")] = None,
    ledger: Annotated[str | None, typer.Option(help="postgresql://user@host/database for a new schema.")] = None,
    kb: KbOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make a knowledge base from a backup, in a new or empty folder.

    Every byte is compared with the hashes in the backup first: a damaged one is refused, and nothing that is there
    already is written over.
    """
    from grounded.pipeline.restoring import restore as make

    del verbose  # its callback has set the level
    output = output_of(context, kb, json)
    with bar(output.side, "Restoring") as (progress, _):
        report = make(file, output.kb, store=store, ledger=ledger, progress=progress)
    output.show(report, _made(report))


def _written(report: BackupReport) -> RenderableType:
    from rich.text import Text

    if report.interrupted:
        return Text("Stopped; nothing was written.", style="yellow")
    size = f"{report.size / MEBIBYTE:.1f} MiB"
    line = Text.assemble(
        (report.path, "bold"),
        f": {report.documents} documents, {report.chunks} chunks, {report.points} vectors, {size}, "
        f"{report.seconds:.1f} s.",
    )
    return line.append(f"\n{report.note}", style="yellow") if report.note else line


def _made(report: RestoreReport) -> RenderableType:
    from rich.text import Text

    line = Text.assemble(
        (report.path, "bold"),
        f": {report.documents} documents, {report.chunks} chunks, as of {report.created:%Y-%m-%d %H:%M} UTC, "
        f"{report.seconds:.1f} s.",
    )
    if report.missing:
        line.append(f"\n{report.missing} chunks are embedded when it is first opened.", style="yellow")
    return line
