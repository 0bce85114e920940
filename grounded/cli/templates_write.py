"""``grounded templates``: new, pin."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from grounded.cli.app import JsonOption, output_of
from grounded.errors import ConfigurationError, UsageError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("new")(new)
    app.command("pin")(pin)


def new(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder to write; its name becomes the pack's.")],
    template: Annotated[str, typer.Option(help="Name of the first template in it.")] = "answers",
) -> None:
    """Write a small pack that works: a profile, a format, an example, guardrails and test cases of your own.

    The layout of sources and the task are those of core/qa until the pack has its own.
    """
    from grounded.prompting.starter import write_pack

    output = output_of(context)
    made = write_pack(folder, template)
    for path in made:
        output.result.print(str(path))
    output.side.print(f"Next: grounded templates render {folder}, lint {folder}, test {folder}", style="dim")


def pin(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="An installed template, such as core/qa.")],
    label: Annotated[str, typer.Option(help="The label to move, such as production.")],
    reason: Annotated[str, typer.Option(help="Why it moves; recorded.")],
    who: Annotated[str | None, typer.Option(help="Who moves it [default: your user name].")] = None,
    card: Annotated[
        Path | None, typer.Option(help="The score card it rests on [default: the newest of this version].")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Let NAME@LABEL stand for the installed version, and record who moved it, when, why and by which score card.

    The record is grounded.templates.toml beside grounded.toml; keep it in version control.
    """
    from grounded.prompting import labels, list_templates, load_template
    from grounded.prompting.cards import newest_card, read_card

    output = output_of(context, None, json)
    if name.partition("@")[0] not in list_templates():
        raise UsageError(f"{name!r} is not installed.", fix=f"Pin one of: {', '.join(list_templates())}.")
    path = labels.labels_path()
    template = load_template(name)
    rests_on = read_card(card) if card else newest_card(name.partition("@")[0], template)
    move = labels.pin(template, label, who=who or _user(), why=reason, when=datetime.now(UTC), path=path, card=rests_on)
    if output.as_json:
        output.show_json(move.to_json())
        return
    came = f" (was {move.previous})" if move.previous else ""
    output.result.print(f"{move.template}@{move.label} → {move.version}{came}, recorded in {path}", highlight=False)
    if not move.card:
        output.side.print("It rests on no score card: grounded templates test NAME --llm … --save", style="yellow")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise ConfigurationError("Your user name cannot be found out.", fix="Give --who NAME.") from error
