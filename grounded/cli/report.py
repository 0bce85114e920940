"""``grounded report``: a saved experiment for people and for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grounded.cli.app import JsonOption, output_of
from grounded.errors import SourceNotFoundError, UsageError
from grounded.records import Experiment


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
    from grounded.render.evaluation_files import experiment_junit, experiment_markdown, experiment_sarif

    output = output_of(context, None, json)
    loaded = read_experiment(experiment)
    made = 0
    if html is not None:
        from grounded.render.evaluation import experiment_html

        made += _write(html, experiment_html(loaded, title=title))
    if markdown is not None:
        made += _write(markdown, experiment_markdown(loaded))
    if junit is not None:
        made += _write(junit, experiment_junit(loaded))
    if sarif is not None:
        made += _write(sarif, experiment_sarif(loaded, dataset=dataset))
    if output.as_json:
        output.show_json(loaded.to_json())
    elif not made:
        from rich.markdown import Markdown

        output.result.print(Markdown(experiment_markdown(loaded)))


def read_experiment(path: Path) -> Experiment:
    """The experiment in a file.

    Raises:
        SourceNotFoundError: It cannot be read.
        SchemaError: It is no experiment.
    """
    try:
        return Experiment.from_json(path.read_bytes())
    except OSError as error:
        raise SourceNotFoundError(
            f"The experiment {path} cannot be read: {error.strerror}.", fix="Make one with: grounded evaluate."
        ) from error


def _write(path: Path, text: str) -> int:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return 1
