"""``grounded retry``: try again what could not be brought in."""

from __future__ import annotations

from typing import Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.cli.declared import read_again
from grounded.cli.ingest import summary
from grounded.cli.pairs import several


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("retry")(retry)


def retry(
    context: typer.Context,
    sources: Annotated[list[str] | None, typer.Argument(help="Where the documents came from, unless files.")] = None,
    option: Annotated[list[str] | None, typer.Option("--option", "-o", help="KEY=VALUE for the connector.")] = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Try again what could not be brought in: files, kept messages, and documents of the sources named.

    Without names all sources of grounded.toml are read for their dead letters, with their own metadata and principals.

    Exit code 5 when something still cannot be.
    """
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    connectors = read_again(output.settings, sources or [], several(option, "--option"), every=True)
    with output.open_knowledge_base() as knowledge_base:
        report = knowledge_base.retry(*connectors, tenant=output.settings.tenant)
        left = sum(each.dead_letters for each in knowledge_base.status().sources)
    output.show(report, summary(report))
    if left or not report.ok:
        raise typer.Exit(exits.PARTIAL_INGEST)
