"""``grounded prompt``: the messages for any model, without calling one."""

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
from grounded.cli.search import conditions


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prompt")(prompt)


def prompt(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question; it is never cut.")],
    template: Annotated[str | None, typer.Option(help="Name or path of a template.")] = None,
    model: Annotated[str | None, typer.Option(help="Count tokens as this model does.")] = None,
    window: Annotated[int | None, typer.Option(help="Tokens the model's window holds.")] = None,
    where: WhereOption = None,
    principal: ReaderOption = None,
    on: OnOption = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Build grounded messages within the token budget; ``--json`` gives what an API takes, and more."""
    from grounded.prompting.labels import resolve

    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    with output.open_knowledge_base() as knowledge_base:
        built = knowledge_base.prompt(
            question,
            template=resolve(template or output.settings.template),
            k=output.settings.k,
            where=conditions(where),
            tenant=output.settings.tenant,
            principals=tuple(principal or output.settings.principals),
            on=on.date() if on else None,
            model=model,
            window=window,
        )
    from grounded.render.terminal import prompt_terminal

    output.show(built, prompt_terminal(built))
