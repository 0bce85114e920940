"""``grounded templates``: list, show."""

from __future__ import annotations

import json as json_module
from typing import Annotated, Any

import typer

from grounded.cli.app import JsonOption, output_of

templates = typer.Typer(help="Metaprompt templates: list and show them.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(templates, name="templates")


@templates.command("list")
def list_all(context: typer.Context, json: JsonOption = False) -> None:
    """List every installed template with its version and what it is for."""
    from grounded.prompting import list_templates, load_template

    output = output_of(context, None, json)
    loaded = [load_template(name) for name in list_templates()]
    if output.as_json:
        output.show_json(json_module.dumps([_facts(each) for each in loaded], ensure_ascii=False))
        return
    from rich.table import Table

    table = Table("Template", "Version", "What it is for", box=None, padding=(0, 2, 0, 0))
    for each in loaded:
        table.add_row(each.ref.name, each.ref.version, each.description)
    output.result.print(table)


@templates.command("show")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or path of a template.")],
    json: JsonOption = False,
) -> None:
    """Show a template: its variables and the static metaprompt as a model sees it."""
    from grounded.prompting import load_template

    output = output_of(context, None, json)
    template = load_template(name)
    if output.as_json:
        output.show_json(json_module.dumps(_facts(template), ensure_ascii=False))
        return
    from rich.panel import Panel
    from rich.text import Text

    output.result.print(Text(f"{template.ref.name}@{template.ref.version}  {template.ref.hash[:12]}", style="bold"))
    output.result.print(Text(template.description))
    output.result.print(Panel(Text(template.system()), title="system message", title_align="left"))


def _facts(template: Any) -> dict[str, Any]:
    return {**template.ref.to_dict(), "description": template.description, "system": template.system()}
