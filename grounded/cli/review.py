"""``grounded review``: what a person says of a verdict, kept beside it in the report's file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from grounded.cli.app import JsonOption, output_of
from grounded.errors import SourceNotFoundError, UsageError
from grounded.records import HumanVerdict, Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("review")(review)


def review(
    context: typer.Context,
    report: Annotated[Path, typer.Argument(help="A report saved with: grounded verify --json.")],
    claim: Annotated[int | None, typer.Option(min=1, help="The claim, as the report numbers it.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="The verdict is right.")] = False,
    verdict: Annotated[HumanVerdict | None, typer.Option(help="The verdict that is right instead.")] = None,
    by: Annotated[str, typer.Option(help="Who says so.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    json: JsonOption = False,
) -> None:
    """Accept or correct a verdict. It stays as it is; the review is written beside it into the report's file.

    Without --claim the report is only shown, its claims numbered.
    """
    output = output_of(context, None, json)
    loaded = _read(report)
    if claim is not None:
        if accept == (verdict is not None):
            raise UsageError("A review accepts the verdict or names another.", fix="Give --accept or --verdict.")
        if claim > len(loaded.claims):
            raise UsageError(f"There is no claim {claim}; the report has {len(loaded.claims)}.")
        loaded = loaded.review(claim - 1, verdict=verdict, by=by, reason=reason)
        _write(report, loaded)
    elif accept or verdict is not None:
        raise UsageError("Which claim is meant?", fix="Give --claim NUMBER, as the report numbers it.")
    if output.as_json:
        output.show_json(loaded.to_json())
    else:
        sys.stdout.write(loaded.explain() + "\n")


def _read(path: Path) -> Report:
    try:
        return Report.from_json(path.read_bytes())
    except OSError as error:
        raise SourceNotFoundError(
            f"The report {path} cannot be read: {error.strerror}.",
            fix="Save one with: grounded verify ANSWER --against FILE --json > report.json",
        ) from error


def _write(path: Path, report: Report) -> None:
    """Replace the file in one step, so that an interruption leaves the old one."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(report.to_json() + "\n", encoding="utf-8")
    os.replace(beside, path)
