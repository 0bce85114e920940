"""``grounded calibrate``: what the verifier's scores mean on your own labelled answers."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, VerboseOption, output_of
from grounded.errors import CalibrationError, SourceNotFoundError, UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("calibrate")(calibrate)


def calibrate(
    context: typer.Context,
    labelled: Annotated[Path, typer.Argument(help="JSON Lines: labelled answers, reports or scores.")],
    out: Annotated[Path | None, typer.Option(help="Write the calibration to this file.")] = None,
    error_rate: Annotated[
        float, typer.Option(help="Largest share of wrong claims among those called supported.")
    ] = 0.05,
    confidence: Annotated[float, typer.Option(help="How sure that must be.")] = 0.95,
    no_promise: Annotated[bool, typer.Option("--no-promise", help="Fit probabilities only.")] = False,
    verifier: Annotated[str | None, typer.Option(help="An installed verifier by name.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write reliability and risk as an SVG picture.")] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Fit probabilities and a threshold on labelled claims, and promise no more than they show.

    A line of the file is {"answer": …, "sources": […], "labels": [true, false, …]} with a label for each claim,
    {"report": …, "labels": […]}, or {"score": 0.93, "supported": true}. Exit code 0 when the promise can be given, 7
    when it cannot; then it says how many labels are missing and writes nothing.
    """
    from grounded.render.calibration import calibration_terminal, plot_svg
    from grounded.verification import calibrate as fit

    del verbose  # its callback has set the level
    output = output_of(context, None, json)
    rate = None if no_promise else error_rate
    try:
        found = fit(_rows(labelled), error_rate=rate, confidence=confidence, verifier=verifier)
    except CalibrationError as error:
        output.side.print(f"{error.message}\n{error.fix}", style="bold red", markup=False)
        raise typer.Exit(exits.GATE_FAILED) from error
    if out is not None:
        out.write_text(found.to_json(indent=2) + "\n", encoding="utf-8")
    if report is not None:
        report.write_text(plot_svg(found), encoding="utf-8")
    output.show(found, calibration_terminal(found))


def _rows(path: Path) -> list[Any]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.", fix="Save it as JSON Lines, one object per line.") from error
    except OSError as error:
        raise SourceNotFoundError(f"The labels {str(path)!r} cannot be read: {error.strerror}.") from error
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(jsonlib.loads(line))
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"Line {number} of {path} is not JSON: {error}.", fix="Write one JSON object per line."
            ) from error
    return rows
