"""``grounded status``: what the knowledge base holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.records import SourceStatus, Status

if TYPE_CHECKING:
    from rich.console import RenderableType

MEBIBYTE = 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Open the store as well, and compare.")] = False,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Show documents, chunks, sources and their last success.

    Reads the ledger alone, also while another process holds the knowledge base. With --check the store is counted
    too, nothing is repaired, and the exit code is 5 when the two disagree.
    """
    from grounded.pipeline.knowledge_base import KnowledgeBase

    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    if check:
        points = _points(Path(output.kb).expanduser().absolute(), output.wait)
        found = KnowledgeBase.status_of(output.kb).model_copy(update={"points": points})
    else:
        found = KnowledgeBase.status_of(output.kb)
    output.show(found, _table(found))
    if found.drifted:
        raise typer.Exit(exits.PARTIAL_INGEST)


def _lag(source: SourceStatus) -> str:
    """How far a live source is behind: what waits, and until when everything is known."""
    waiting = "" if source.lag is None else f"{source.lag} waiting"
    until = "" if source.watermark is None else f"known until {source.watermark:%Y-%m-%d %H:%M:%S} UTC"
    return ", ".join(filter(None, (waiting, until)))


def _points(folder: Path, wait: float) -> int:
    """How many points the store holds; opened without the repair that comes with opening a knowledge base."""
    from grounded.pipeline.opening import open_store
    from grounded.settings import KnowledgeBaseSettings

    settings = KnowledgeBaseSettings.read(folder)
    if settings.store == "edge" and not (folder / settings.shard).exists():
        return 0
    store = open_store(folder, settings, wait=wait)
    try:
        return store.count()
    finally:
        store.close()


def _table(found: Status) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    stored = "" if found.points is None else f", {found.points} in the store"
    rows = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    rows.add_row("Knowledge base", found.path)
    rows.add_row("Documents", str(found.documents) + ("  (restricted: some need principals)" * found.restricted))
    rows.add_row("Chunks", f"{found.chunks} in the ledger{stored}")
    rows.add_row("Embedder", f"{found.embedder}, {found.dimension} dimensions")
    rows.add_row("Filters", ", ".join(f"{key} ({kind})" for key, kind in found.filterable.items()) or "none")
    rows.add_row("On disk", f"{found.bytes_on_disk / MEBIBYTE:.1f} MiB")
    sources = Table(
        *("Source", "Tenant", "Documents", "Chunks", "Last success", "Lag", "Dead letters", "Synced by"),
        box=None,
        padding=(0, 2, 0, 0),
    )
    for each in found.sources:
        last = f"{each.last_success:%Y-%m-%d %H:%M} UTC" if each.last_success else "never"
        counts = (str(each.documents), str(each.chunks))
        sources.add_row(each.source, each.tenant, *counts, last, _lag(each), str(each.dead_letters), each.held_by)
    parts: list[RenderableType] = [rows, Text(), sources]
    if found.drifted:
        parts.append(Text("Ledger and store disagree; see what differs: grounded reconcile", style="bold red"))
    return Group(*parts)
