"""``grounded templates``: list, show, render; what reads and what writes templates is in the modules beside."""

from __future__ import annotations

import json as json_module
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grounded.cli import templates_review, templates_run, templates_write
from grounded.cli.app import JsonOption, output_of
from grounded.cli.variables import VariableOption, variables_of
from grounded.records import Passage

if TYPE_CHECKING:
    from grounded.prompting import Template

QUESTION = "How long is the warranty?"
"""What is asked when no question is given."""

templates = typer.Typer(help="Metaprompt templates: see, check, compare and start them.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(templates, name="templates")
    if not templates.registered_commands:
        templates.command("list")(list_all)
        templates.command("show")(show)
        templates.command("render")(render)
        templates_review.register(templates)
        templates_write.register(templates)


def list_all(context: typer.Context, json: JsonOption = False) -> None:
    """List every installed template with its version and what it is for."""
    from grounded.prompting import list_templates, load_template

    output = output_of(context, None, json)
    loaded = [load_template(name) for name in list_templates()]
    if output.as_json:
        output.show_records("templates", map(_described, loaded))
        return
    from rich.table import Table

    table = Table("Template", "Version", "What it is for", box=None, padding=(0, 2, 0, 0))
    for each in loaded:
        table.add_row(each.ref.name, each.ref.version, each.description)
    output.result.print(table)


def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or path of a template; NAME@LABEL for a pinned one.")],
    json: JsonOption = False,
) -> None:
    """Show a template: its variables, its components, the metaprompt as a model sees it, and its score cards."""
    from grounded.prompting.cards import read_cards
    from grounded.prompting.costs import stand_ins

    output = output_of(context, None, json)
    template = load(name)
    if output.as_json:
        cards = [card.to_dict() for card in read_cards(name.partition("@")[0], template)]
        output.show_json(json_module.dumps({**_described(template), "cards": cards}, ensure_ascii=False))
        return
    from rich.panel import Panel
    from rich.text import Text

    output.result.print(Text(f"{template.ref.name}@{template.ref.version}  {template.ref.hash[:12]}", style="bold"))
    output.result.print(Text(template.description))
    for variable, declared in template.variables.items():
        need = "required" if declared.required else f"default {declared.default!r}" if declared.default else "optional"
        output.result.print(Text(f"  {variable} ({declared.type}, {need}): {declared.description}", style="dim"))
    for each in template.components:
        if each.risk or each.limits:
            output.result.print(Text(f"  {each.name}: lowers: {each.risk or '-'} Limits: {each.limits or '-'}"))
    system = template.system(stand_ins(template))
    output.result.print(Panel(Text(system), title="system message", title_align="left"))
    for card in read_cards(name.partition("@")[0], template):
        for line in templates_run.shown(card, template.ref.hash):
            output.result.print(line)


def render(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or path of a template; NAME@LABEL for a pinned one.")],
    question: Annotated[str, typer.Option(help="What is asked.")] = QUESTION,
    source: Annotated[
        list[str] | None, typer.Option(help="A file or folder as source; repeat it for more. Without one: samples.")
    ] = None,
    var: VariableOption = None,
    model: Annotated[str | None, typer.Option(help="Count tokens as this model does.")] = None,
    window: Annotated[int | None, typer.Option(help="Tokens the model's window holds.")] = None,
    nonce: Annotated[str | None, typer.Option(help="The boundary code; the same one gives the same bytes.")] = None,
    json: JsonOption = False,
) -> None:
    """Show the final messages for a question and sources, with the tokens of every component.

    ``--json`` prints the prompt, which ``grounded verify --prompt`` takes, with the components added to it.
    """
    from grounded.cli.verify import passages_at
    from grounded.prompting import build_prompt
    from grounded.prompting.budget import meter_for
    from grounded.prompting.costs import costs

    output = output_of(context, None, json)
    template = load(name)
    values = variables_of(template, var)
    passages = [each for place in source for each in passages_at(place)] if source else samples()
    prompt = build_prompt(
        question, passages, template=template, variables=values, model=model, window=window, nonce=nonce
    )
    counted = costs(template, values, counter=meter_for(model, None).counter)
    if output.as_json:
        components = [{**_component(each.component), "tokens": each.tokens} for each in counted]
        output.show_json(json_module.dumps({**prompt.to_dict(), "components": components}, ensure_ascii=False))
        return
    from grounded.cli.templates_view import rendered

    output.result.print(rendered(prompt, counted))


def load(name: str) -> Template:
    """A template by name, path, or ``NAME@LABEL``."""
    from grounded.prompting import load_template

    return load_template(name)


def samples() -> list[Passage]:
    """Two sources for a rendering that is only looked at: one in force and the one it replaces."""
    return [
        Passage.from_text(
            "Our warranty lasts 24 months from delivery. Wear parts such as seals are excluded.",
            title="Warranty terms 2026",
            uri="warranty-2026.md",
        ).model_copy(update={"effective_from": date(2026, 1, 1), "document_id": "b", "supersedes": "a"}),
        Passage.from_text(
            "Our warranty lasts 12 months from delivery.", title="Warranty terms 2024", uri="warranty-2024.md", number=2
        ).model_copy(update={"effective_to": date(2026, 1, 1), "document_id": "a"}),
    ]


def _component(component: Any) -> dict[str, str]:
    fields = ("name", "kind", "version", "file", "description", "risk", "limits")
    return {field: getattr(component, field) for field in fields}


def _described(template: Template) -> dict[str, Any]:
    from grounded.prompting.costs import stand_ins

    return {
        **template.ref.to_dict(),
        "description": template.description,
        "no_answer": template.no_answer,
        "variables": {name: each.model_dump(mode="json") for name, each in template.variables.items()},
        "components": [_component(each) for each in template.components],
        "system": template.system(stand_ins(template)),
    }
