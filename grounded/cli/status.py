"""``grounded status``: what the knowledge base holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, output_of
from grounded.errors import KnowledgeBaseLockedError
from grounded.records import Status

if TYPE_CHECKING:
    from rich.console import RenderableType

MEBIBYTE = 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(context: typer.Context, kb: KbOption = None, json: JsonOption = False) -> None:
    """Show documents, chunks, sources and their last success; exit code 5 when ledger and store disagree."""
    from grounded.pipeline import KnowledgeBase

    output = output_of(context, kb, json)
    try:
        with output.open_knowledge_base() as knowledge_base:
            found = knowledge_base.status()
    except KnowledgeBaseLockedError as error:
        output.side.print(f"{error.message} Showing what the ledger says.", style="yellow")
        found = KnowledgeBase.status_of(output.kb)
    output.show(found, _table(found))
    if found.drifted:
        raise typer.Exit(exits.PARTIAL_INGEST)


def _table(found: Status) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    points = "not opened" if found.points is None else str(found.points)
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_row("Knowledge base", found.path)
    facts.add_row("Documents", str(found.documents) + ("  (restricted: some need principals)" * found.restricted))
    facts.add_row("Chunks", f"{found.chunks} in the ledger, {points} in the store")
    facts.add_row("Embedder", f"{found.embedder}, {found.dimension} dimensions")
    facts.add_row("Filters", ", ".join(f"{key} ({kind})" for key, kind in found.filterable.items()) or "none")
    facts.add_row("On disk", f"{found.bytes_on_disk / MEBIBYTE:.1f} MiB")
    sources = Table("Source", "Tenant", "Documents", "Last success", "Failed", box=None, padding=(0, 2, 0, 0))
    for source in found.sources:
        last = f"{source.last_success:%Y-%m-%d %H:%M} UTC" if source.last_success else "never"
        sources.add_row(source.source, source.tenant, str(source.documents), last, str(source.dead_letters))
    parts: list[RenderableType] = [facts, Text(), sources]
    if found.drifted:
        parts.append(Text("Ledger and store disagree; opening it again repairs what it can.", style="bold red"))
    return Group(*parts)
