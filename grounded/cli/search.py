"""``grounded search``: the passages that a question would find."""

from __future__ import annotations

from typing import Annotated

import typer

from grounded.cli.app import (
    JsonOption,
    KbOption,
    OnOption,
    ReaderOption,
    VerboseOption,
    WaitOption,
    WhereOption,
    output_of,
)
from grounded.cli.reading import DiversityOption, ExpandOption, RerankOption, reading


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search")(search)


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="A question or key words.")],
    k: Annotated[int | None, typer.Option("-k", min=1, max=100, help="How many passages.")] = None,
    where: WhereOption = None,
    principal: ReaderOption = None,
    on: OnOption = None,
    expand: ExpandOption = None,
    diversity: DiversityOption = None,
    rerank: RerankOption = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Show the passages that answer best, with their places."""
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    with output.open_knowledge_base() as knowledge_base:
        passages = knowledge_base.search(
            query, **reading(output, where, principal, on, k=k, expand=expand, diversity=diversity, rerank=rerank)
        )
    if output.as_json:
        output.show_records("passages", passages)
        return
    from grounded.render.terminal import passages_terminal

    output.result.print(passages_terminal(passages))
