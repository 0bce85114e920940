"""``grounded report``: a saved experiment for people and for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from grounded.cli.app import JsonOption, output_of
from grounded.errors import UsageError
from grounded.records import Experiment, Gate


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    context: typer.Context,
    experiment: Annotated[Path, typer.Argument(help="An experiment saved by: grounded evaluate.")],
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a summary as Markdown.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF 2.1.0.")] = None,
    dataset: Annotated[str, typer.Option(help="Path of the data set for the places in SARIF.")] = "",
    title: Annotated[str, typer.Option(help="Title of the page.")] = "",
    json: JsonOption = False,
) -> None:
    """Write the report of an experiment; without a file to write, its summary is printed."""
    from grounded.evaluation.gates import read_experiment
    from grounded.render.evaluation_files import experiment_markdown

    output = output_of(context, None, json)
    loaded = read_experiment(experiment)
    made = write_reports(loaded, html=html, markdown=markdown, junit=junit, sarif=sarif, dataset=dataset, title=title)
    if output.as_json:
        output.show_json(loaded.to_json())
    elif not made:
        from rich.markdown import Markdown

        output.result.print(Markdown(experiment_markdown(loaded)))


def write_reports(
    experiment: Experiment,
    gate: Gate | None = None,
    *,
    html: Path | None = None,
    markdown: Path | None = None,
    junit: Path | None = None,
    sarif: Path | None = None,
    dataset: str = "",
    title: str = "",
) -> int:
    """Write each report that has a place to go; gives back how many.

    Raises:
        UsageError: A file cannot be written.
    """
    from grounded.render.evaluation import experiment_html
    from grounded.render.evaluation_files import experiment_junit, experiment_markdown, experiment_sarif

    makers: list[tuple[Path | None, Callable[[], str]]] = [
        (html, lambda: experiment_html(experiment, title=title)),
        (markdown, lambda: experiment_markdown(experiment, gate)),
        (junit, lambda: experiment_junit(experiment, gate)),
        (sarif, lambda: experiment_sarif(experiment, gate, dataset=dataset)),
    ]
    return sum(_write(place, made()) for place, made in makers if place is not None)


def _write(path: Path, text: str) -> int:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return 1
