"""``grounded forget``: erase documents so that no file holds them any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, WhereOption, output_of
from grounded.cli.pairs import pairs
from grounded.errors import UsageError
from grounded.records import Erasure

if TYPE_CHECKING:
    from rich.console import RenderableType


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget")(forget)


def forget(
    context: typer.Context,
    key: Annotated[str | None, typer.Argument(help="Key, address or id of a document.")] = None,
    where: WhereOption = None,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    erase: Annotated[bool, typer.Option("--erase", help="Erase what a run without it names.")] = False,
    reason: Annotated[str, typer.Option(help="Kept in the receipt.")] = "",
    bar: Annotated[bool, typer.Option(help="Keep the documents from coming back with the next sync.")] = True,
    readmit: Annotated[bool, typer.Option("--readmit", help="Let a forgotten document be ingested again.")] = False,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Erase documents with every version, their dead letters and the answers given from them.

    Without --erase it only says what would go. What is under legal hold or a retention class stays. Afterwards store
    and ledger are rewritten, so that a search through the files finds nothing, and a receipt of hashes is kept.
    """
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    tenant = output.settings.tenant
    with output.open_knowledge_base() as knowledge_base:
        if readmit:
            if key is None:
                raise UsageError("Name the key or the id of what may come back.")
            number = knowledge_base.readmit(key, source=source, tenant=tenant)
            output.result.print(f"{number} documents may be ingested again.")
            return
        erasure = knowledge_base.forget(
            key,
            where=pairs(where, "--where") or None,
            source=source,
            tenant=tenant,
            reason=reason,
            dry_run=not erase,
            bar=bar,
        )
    output.show(erasure, _shown(erasure))


def _shown(erasure: Erasure) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    will = "Would erase" if erasure.dry_run else "Erased"
    versions = sum(len(each.versions) for each in erasure.documents)
    lines = [
        Text(
            f"{will} {len(erasure.documents)} documents in {versions} versions and {erasure.chunks} chunks, "
            f"{erasure.dead_letters} dead letters, {erasure.answers} answer records.",
            style="bold",
        )
    ]
    if erasure.held or erasure.answers_held:
        held = f"{len(erasure.held)} documents and {erasure.answers_held} answer records"
        lines.append(Text(f"{held} stay, under legal hold or a retention class.", style="yellow"))
    lines += [Text(note, style="dim") for note in erasure.notes]
    if erasure.dry_run:
        lines.append(Text("Nothing was erased; add --erase."))
    else:
        lines.append(Text(f"Receipt {erasure.id}, sha256 {erasure.digest}"))
    return Group(*lines)
