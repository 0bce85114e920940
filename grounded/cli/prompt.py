"""``grounded prompt``: the messages for any model, without calling one."""

from __future__ import annotations

from pathlib import Path
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
from grounded.cli.reading import (
    DiversityOption,
    ExpandOption,
    HistoryOption,
    LanguageOption,
    LayoutOption,
    PositionOption,
    QuarantineOption,
    RerankOption,
    SpotlightOption,
    SummaryOption,
    TemplateOption,
    json_list,
    prompting,
    reading,
)
from grounded.cli.variables import VariableOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prompt")(prompt)


def prompt(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question; it is never cut.")],
    template: TemplateOption = None,
    language: LanguageOption = None,
    layout: LayoutOption = None,
    spotlight: SpotlightOption = None,
    quarantine: QuarantineOption = None,
    question_position: PositionOption = None,
    var: VariableOption = None,
    history: HistoryOption = None,
    summary: SummaryOption = "",
    model: Annotated[str | None, typer.Option(help="Count tokens as this model does.")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="How tokens are counted: o200k_base, a tokenizer.json, or a server's address.")
    ] = None,
    window: Annotated[int | None, typer.Option(help="Tokens the model's window holds.")] = None,
    reserve: Annotated[int | None, typer.Option(help="Tokens kept free for the answer.")] = None,
    tools: Annotated[
        Path | None, typer.Option(help="A JSON file with the function schemas that you send along; counted only.")
    ] = None,
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
    """Build grounded messages within the token budget; ``--json`` gives what an API takes, and more."""
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    with output.open_knowledge_base() as knowledge_base:
        built = knowledge_base.prompt(
            question,
            **reading(output, where, principal, on, expand=expand, diversity=diversity, rerank=rerank),
            **prompting(
                output, template, language, layout, spotlight, quarantine, question_position, var, history, summary
            ),
            model=model,
            encoding=encoding,
            window=window,
            tools=json_list(tools, "the tools") if tools else (),
            **({} if reserve is None else {"reserve": reserve}),
        )
    from grounded.render.terminal import prompt_terminal

    output.show(built, prompt_terminal(built))
