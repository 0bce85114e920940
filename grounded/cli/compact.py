"""``grounded compact`` and ``grounded prune``: give back the room of what is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.records import Pruning

if TYPE_CHECKING:
    from rich.console import RenderableType

MEBIBYTE = 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("compact")(compact)
    app.command("prune")(prune)


def compact(
    context: typer.Context,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Rewrite store and ledger without the room that deleted things have left."""
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    with output.open_knowledge_base() as knowledge_base:
        done = knowledge_base.compact()
    output.show(done, _shown(done))


def prune(
    context: typer.Context,
    keep_days: Annotated[float, typer.Option(min=0.0, help="Keep superseded versions for so many days.")],
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Delete versions that were superseded or retired long ago; citations of them no longer resolve."""
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    with output.open_knowledge_base() as knowledge_base:
        done = knowledge_base.prune(keep=timedelta(days=keep_days))
    output.show(done, _shown(done))


def _shown(done: Pruning) -> RenderableType:
    from rich.text import Text

    return Text(
        f"{done.versions} versions, {done.documents} documents and {done.runs} entries of runs deleted; "
        f"{done.bytes_before / MEBIBYTE:.1f} MiB before, {done.bytes_after / MEBIBYTE:.1f} MiB after."
    )
