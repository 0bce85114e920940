"""Values of a template's variables on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from grounded.errors import UsageError

if TYPE_CHECKING:
    from grounded.prompting import Template
    from grounded.prompting.packs import Variable

VariableOption = Annotated[
    list[str] | None, typer.Option("--var", help="NAME=VALUE of a variable; repeat it for more.", show_default=False)
]


def variables_of(
    template: Template, given: list[str] | None, kept: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The values of ``--var`` in the types that the template declares.

    Args:
        template: Declares them.
        given: From the command line.
        kept: Values that hold where the command line gives none.

    Raises:
        UsageError: One is no NAME=VALUE or does not fit, or a required one is missing.
    """
    values = dict(kept or {})
    for each in given or []:
        name, equals, text = each.partition("=")
        if not equals or name not in template.variables:
            known = ", ".join(sorted(template.variables)) or "none"
            raise UsageError(f"{each!r} sets no variable of {template.ref.name!r}.", fix=f"NAME=VALUE with: {known}.")
        values[name] = _typed(name, template.variables[name], text)
    missing = [name for name, variable in template.variables.items() if variable.required and name not in values]
    if missing:
        wanted = " ".join(f"--var {name}=…" for name in missing)
        raise UsageError(f"{template.ref.name!r} needs a value for {', '.join(missing)}.", fix=f"Give {wanted}")
    return values


def _typed(name: str, variable: Variable, text: str) -> object:
    try:
        match variable.type:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "date":
                return date.fromisoformat(text)
            case "boolean":
                return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]
            case "strings":
                return [part.strip() for part in text.split(",") if part.strip()]
            case _:
                return text
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"--var {name}={text}: no {variable.type}.", fix=f"{variable.description or 'Give a fitting value'}."
        ) from error
