"""``grounded feedback``: logged answers as evaluation rows, and what people say of claims."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli.app import JsonOption, KbOption, output_of
from grounded.errors import SchemaError, UsageError
from grounded.records import Experiment, Report

if TYPE_CHECKING:
    from rich.console import Console

    from grounded.experiments.feedback import Agreement

feedback = typer.Typer(help="From production and from people back into the evaluation.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    feedback.command("rows")(rows)
    feedback.command("label")(label)
    feedback.command("agreement")(agree)
    app.add_typer(feedback, name="feedback", no_args_is_help=True)


def rows(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="The data set to write, such as logged.jsonl.")],
    kb: KbOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of the newest answers.")] = 1000,
    contexts: Annotated[bool, typer.Option(help="Keep the texts each answer was checked against.")] = True,
    json: JsonOption = False,
) -> None:
    """Write the answers that a knowledge base has logged as rows of a data set, the newest of each question.

    Answers are logged only where that is switched on (record_answers in grounded.toml, or record=True), and redacted
    before they are kept. Look the rows over before you use them: add reference answers and tags.
    """
    from grounded.evaluation.datasets import write_dataset
    from grounded.experiments.feedback import rows_from

    output = output_of(context, kb, json)
    with output.open_knowledge_base() as base:
        found = rows_from(base.answers(limit=limit), contexts=contexts)
    if not found.rows:
        raise UsageError(
            "No answers are logged in this knowledge base.",
            fix="Switch it on with record_answers = true in grounded.toml, or kb.ask(…, record=True).",
        )
    write_dataset(found, out)
    if output.as_json:
        output.show_json(found.ref.to_json())
    else:
        output.result.print(f"{len(found.rows)} rows written to {out}.", markup=False)


def label(
    context: typer.Context,
    experiment: Annotated[Path, typer.Argument(help="An experiment saved by: grounded evaluate.")],
    labels: Annotated[list[Path], typer.Argument(help="Labels that the report's form saved, or CSV.")],
    out: Annotated[Path | None, typer.Option(help="Write it here instead of into the experiment's file.")] = None,
    reports: Annotated[Path | None, typer.Option(help="Write the labelled reports for: grounded calibrate.")] = None,
    json: JsonOption = False,
) -> None:
    """Put what people say of claims beside the verdicts, and say how far the verifier agrees with them.

    A label has row, variant, claim (its number), label (supported, contradicted, unsupported, not_a_claim), by and
    reason. Verdicts and figures stay as they are.
    """
    from grounded.evaluation.gates import read_experiment
    from grounded.experiments.feedback import agreement, labelled, read_labels

    output = output_of(context, None, json)
    loaded = read_experiment(experiment)
    given = [each for path in labels for each in read_labels(path)]
    reviewed = labelled(loaded, given)
    _replace(out or experiment, reviewed.to_json() + "\n")
    if reports is not None:
        _replace(reports, "".join(each.to_json() + "\n" for each in _reviewed(reviewed)))
    found = agreement([reviewed])
    if output.as_json:
        output.show_json(found.to_json())
    else:
        _show(found, output.result)


def agree(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Experiments with labels, or reports with reviews.")],
    json: JsonOption = False,
) -> None:
    """How far the verifier agrees with your reviewers: Cohen's kappa with its interval, and the four cells."""
    from grounded.experiments.feedback import agreement

    output = output_of(context, None, json)
    experiments, reports = _read(files)
    found = agreement(experiments, reports)
    if not found.claims:
        raise UsageError("Nobody has reviewed a claim in these files.", fix="Use the form in the report's page.")
    if output.as_json:
        output.show_json(found.to_json())
    else:
        _show(found, output.result)


def _show(found: Agreement, console: Console) -> None:
    console.print(f"Our groundedness agrees with your reviewers: {found}.", markup=False)
    console.print(
        f"Both call supported {found.both}, the verifier alone {found.verifier_only}, people alone "
        f"{found.people_only}, neither {found.neither}."
    )
    for metric, value in found.metrics.items():
        console.print(f"{metric}: rank correlation with your reviewers {value:.2f} over answers", style="dim")


def _reviewed(experiment: Experiment) -> list[Report]:
    answers = (experiment.answer_of(trial) for trial in experiment.trials)
    reports = (answer.report for answer in answers if answer is not None)
    return [each for each in reports if each is not None and any(claim.reviews for claim in each.claims)]


def _read(files: Sequence[Path]) -> tuple[list[Experiment], list[Report]]:
    from grounded.evaluation.gates import read_experiment

    experiments: list[Experiment] = []
    reports: list[Report] = []
    for path in files:
        try:
            experiments.append(read_experiment(path))
        except SchemaError as error:
            try:
                reports.append(Report.from_json(path.read_bytes()))
            except SchemaError:
                raise UsageError(f"{path} is neither an experiment nor a report.") from error
    return experiments, reports


def _replace(path: Path, text: str) -> None:
    """Write in one step, so that an interruption leaves the old file."""
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
