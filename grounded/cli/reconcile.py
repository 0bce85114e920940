"""``grounded reconcile``: compare sources, ledger and store, and repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.cli.declared import read_again
from grounded.cli.pairs import pairs, several
from grounded.records import Alike, Reconciliation, SourceDifference

if TYPE_CHECKING:
    from rich.console import RenderableType

KEYS_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reconcile")(reconcile)


def reconcile(
    context: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Sources to compare with the ledger, too; names of grounded.toml or URIs."),
    ] = None,
    declared: Annotated[bool, typer.Option("--declared", help="Compare all sources of grounded.toml.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what differs.")] = False,
    alike: Annotated[
        float | None, typer.Option(help="Show documents that share so much of their wording, such as 0.8.")
    ] = None,
    option: Annotated[list[str] | None, typer.Option("--option", "-o", help="KEY=VALUE for the connector.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", "-m", help="As it was given to ingest: KEY=VALUE.")
    ] = None,
    principal: Annotated[list[str] | None, typer.Option(help="As it was given to ingest.")] = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Compare sources, ledger and store, document by document and point by point.

    What grounded.toml names is compared with its own metadata and principals. Nothing is changed without --repair.
    Exit code 5 when anything differs that was not repaired.
    """
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    connectors = read_again(output.settings, sources or [], several(option, "--option"), every=declared)
    with output.open_knowledge_base() as knowledge_base:
        result = knowledge_base.reconcile(
            *connectors,
            tenant=output.settings.tenant,
            repair=repair,
            alike=alike,
            metadata=pairs(metadata, "--metadata"),
            principals=tuple(principal) if principal else None,
        )
        left = knowledge_base.reconcile(tenant=output.settings.tenant) if repair else result
    output.show(result, _shown(result))
    if not left.agrees:
        raise typer.Exit(exits.PARTIAL_INGEST)


def _shown(result: Reconciliation) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    done = " (repaired)" if result.repaired else ""
    lines: list[RenderableType] = [
        Text(f"{result.documents} documents, {result.chunks} chunks, {result.points} points; {result.seconds:.1f} s."),
        _count("Live chunks without a point", result.points_missing, done),
        _count("Points without a live chunk", result.points_orphaned, done),
        _count("Points with another payload", result.payloads_wrong, done),
        _count("Dead letters", result.dead_letters, "; try: grounded retry"),
    ]
    for source in result.sources:
        lines += _source(source, done)
    lines += [Text(f"Nearly the same: {_named(group)}", style="yellow") for group in result.alike[:KEYS_SHOWN]]
    if len(result.alike) > KEYS_SHOWN:
        lines.append(Text(f"… and {len(result.alike) - KEYS_SHOWN} more groups; --json lists all."))
    if result.agrees:
        lines.append(Text("Everything agrees.", style="green"))
    elif not result.repaired:
        lines.append(Text("They disagree; --repair puts right what can be.", style="bold red"))
    return Group(*lines)


def _named(group: Alike) -> str:
    return "; ".join(f"{each.key} ({each.source}, {each.share:.0%})" for each in group.documents[:KEYS_SHOWN])


def _source(source: SourceDifference, done: str) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = [Text(f"{source.source}: {source.same} the same", style="bold")]
    for name, keys in (
        ("at the source and not here", source.missing),
        ("changed at the source", source.changed),
        ("gone from the source", source.gone),
        ("unreadable at the source", source.unreadable),
    ):
        if keys:
            more = f" and {len(keys) - KEYS_SHOWN} more" if len(keys) > KEYS_SHOWN else ""
            lines.append(Text(f"  {len(keys)} {name}{done}: {', '.join(keys[:KEYS_SHOWN])}{more}", style="yellow"))
    if source.unlisted:
        lines.append(Text(f"  What is gone cannot be told: {source.unlisted}", style="yellow"))
    return lines


def _count(name: str, number: int, after: str) -> RenderableType:
    from rich.text import Text

    return Text(f"{name}: {number}{after if number else ''}", style="bold red" if number else "")
