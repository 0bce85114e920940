"""``grounded templates``: diff, lint, test."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from typing import Annotated, Any

import typer

from grounded.cli import exits, templates_run
from grounded.cli.app import JsonOption, output_of
from grounded.errors import UsageError
from grounded.records import SCHEMA


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("diff")(diff)
    app.command("lint")(lint)
    app.command("test")(templates_run.run_cases)


def diff(
    context: typer.Context,
    before: Annotated[str, typer.Argument(help="Name or path of a template.")],
    after: Annotated[str | None, typer.Argument(help="The other one.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(help="Compare with the same folder at this revision of git instead.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare two templates, or two versions of one, as a model would read them."""
    from grounded.prompting import load_template
    from grounded.prompting.comparing import compare
    from grounded.prompting.versions import load_since

    output = output_of(context, None, json)
    if (after is None) == (since is None):
        raise UsageError("Two templates are compared.", fix="Name a second one, or give --since REVISION.")
    other = load_template(after, copy=True) if after else load_since(before, str(since))
    named = load_template(before, copy=True)
    found = compare(named, other) if after else compare(other, named)
    if output.as_json:
        parts = [{**asdict(part), "changed": part.changed} for part in found.parts]
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "left": found.left.to_dict(),
            "right": found.right.to_dict(),
            "changed": found.changed,
            "parts": parts,
            "variables": found.variables,
            "no_answer": found.no_answer,
            "tokens": found.tokens,
        }
        output.show_json(json_module.dumps(record, ensure_ascii=False))
        return
    from grounded.cli.templates_view import compared

    output.result.print(compared(found))


def lint(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Names or paths; default: all installed.")] = None,
    json: JsonOption = False,
) -> None:
    """Find gaps, contradictions, unused variables and misplaced rules.

    Exit code 7 when there is an error; warnings alone leave with 0. The rules about wording know English.
    """
    from grounded.cli.templates import load
    from grounded.prompting import list_templates
    from grounded.prompting.linting import lint as check

    output = output_of(context, None, json)
    found = {name: check(load(name)) for name in names or list_templates()}
    if output.as_json:
        templates = {name: [each.to_dict() for each in findings] for name, findings in found.items()}
        output.show_json(json_module.dumps({"schema": SCHEMA, "templates": templates}, ensure_ascii=False))
    else:
        from grounded.cli.templates_view import linted

        for name, findings in found.items():
            output.result.print(linted(name, findings))
    if any(each.level == "error" for findings in found.values() for each in findings):
        raise typer.Exit(exits.GATE_FAILED)
