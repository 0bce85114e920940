"""``grounded move``: the vectors of a knowledge base to another store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.cli.bars import portions
from grounded.records import MoveReport

if TYPE_CHECKING:
    from rich.console import RenderableType


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("move")(move)


def move(
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="STORE", help="qdrant://host:6333/name, or edge.")],
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Move the vectors to a Qdrant server or cluster, or back into the folder (--to edge). Nothing is embedded again.

    Counts and samples are compared before the knowledge base is switched; until then it uses the old store, which is
    only read and stays behind. Ctrl-C stops at the next portion, and the same command goes on from there.
    """
    from grounded.pipeline.moving import move as move_vectors

    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    with portions(output.side, "Moving") as asked:
        report = move_vectors(output.kb, to, wait=output.wait, **asked)
    output.show(report, _summary(report))
    if report.interrupted:
        raise typer.Exit(exits.INTERRUPTED)


def _summary(report: MoveReport) -> RenderableType:
    from rich.text import Text

    if report.interrupted:
        return Text(
            f"Stopped: {report.points} points are in {report.target}. The knowledge base still uses {report.source}; "
            "run it again to go on from here.",
            style="yellow",
        )
    before = f", {report.found} by an earlier run" if report.found else ""
    return Text.assemble(
        (f"{report.points} points moved to {report.target}", "bold"),
        f"{before}; {report.compared} of them read back and compared, {report.seconds:.1f} s.\n",
        f"The old ones stay in {_old(report.source)}; delete them when they are no longer needed.",
    )


def _old(source: str) -> str:
    return "the folder's shard/" if source == "edge" else source
