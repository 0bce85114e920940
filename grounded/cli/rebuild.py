"""``grounded rebuild``: another embedding model for a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from grounded.cli import exits
from grounded.cli.app import EmbedderOption, JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.cli.bars import portions
from grounded.records import RebuildReport

if TYPE_CHECKING:
    from rich.console import RenderableType


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rebuild")(rebuild)


def rebuild(
    context: typer.Context,
    embedder: EmbedderOption = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Change the embedding model: embed everything again beside the index in use, then switch in one step.

    A process that has the knowledge base open goes on meanwhile; it must close it before the switch (--wait). Ctrl-C
    or a kill stops it, and the same command goes on from there.
    """
    from grounded.pipeline.rebuilding import rebuild as rebuild_index

    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    with portions(output.side, "Embedding") as asked:
        report = rebuild_index(output.kb, embedder, wait=output.wait, **asked)
    output.show(report, _summary(report))
    if report.interrupted:
        raise typer.Exit(exits.INTERRUPTED)


def _summary(report: RebuildReport) -> RenderableType:
    from rich.text import Text

    if report.interrupted:
        return Text(
            f"Stopped: {report.points} chunks are embedded with {report.target}. The knowledge base still uses "
            f"{report.source}; run it again to go on from here.",
            style="yellow",
        )
    before = f" ({report.found} by an earlier run)" if report.found else ""
    notes = f"\n{report.long} chunks have more tokens than the model is meant for." if report.long else ""
    if report.store != "edge":
        notes += f"\nThe old collection stays on the server; the new one is {report.store}."
    return Text.assemble(
        (f"{report.points} chunks are embedded with {report.target}", "bold"),
        f"{before}, {report.seconds:.1f} s.{notes}",
    )
