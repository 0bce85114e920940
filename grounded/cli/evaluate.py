"""``grounded evaluate``: variants on a data set, what differs more than chance, and whether it may go out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, VerboseOption, WaitOption, output_of
from grounded.cli.report import write_reports
from grounded.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from grounded.evaluation.plans import Plan
    from grounded.records import Comparison, Experiment, Gate


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    context: typer.Context,
    plan: Annotated[Path, typer.Argument(help="TOML: the data set and the variants.")],
    out: Annotated[Path | None, typer.Option(help="Write the experiment as JSON.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="JSON of an earlier experiment to compare with.")] = None,
    gate: Annotated[Path | None, typer.Option(help="TOML: what must hold; exit code 7 when it does not.")] = None,
    manifest: Annotated[Path | None, typer.Option(help="With --gate: write what exactly was gated.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one self-contained page.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a summary as Markdown.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF 2.1.0.")] = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Ask every question of a data set in every variant, measure, and compare.

    What was answered is kept beside the plan: after an interruption the same command goes on, and a second run asks
    nothing again. Exit code 7 when a gate is not passed, 4 when an answer could not be had.
    """
    from grounded.evaluation.gates import GateRules, manifest_of, read_experiment
    from grounded.evaluation.gates import gate as passes
    from grounded.evaluation.plans import Plan

    del verbose  # its callback has set the level
    if gate is None and (baseline is not None or manifest is not None):
        raise UsageError("Only a gate uses a baseline and a manifest.", fix="Give --gate gate.toml.")
    output = output_of(context, kb, json, wait)
    asked = Plan.read(plan)
    if kb is not None:
        asked = asked.model_copy(update={"kb": kb})
    rules = GateRules.read(gate) if gate else None
    before = read_experiment(baseline) if baseline else None
    found = _run(asked, output.side, output.wait)
    written = found.to_json(indent=1)
    if out is not None:
        out.write_text(written + "\n", encoding="utf-8")
    decided = passes(found, rules, before) if rules else None
    if decided is not None and rules is not None and manifest is not None:
        made = manifest_of(found, decided, rules, written, created=datetime.now(UTC))
        manifest.write_text(made.to_json(indent=1) + "\n", encoding="utf-8")
    write_reports(found, decided, html=html, markdown=markdown, junit=junit, sarif=sarif)
    if output.as_json:
        output.show_json((decided or found).to_json())
    else:
        for line in shown(found, decided):
            output.result.print(line)
    if decided is not None and not decided.passed:
        raise typer.Exit(exits.GATE_FAILED)
    if decided is None and any(trial.answer is None for trial in found.trials):
        raise typer.Exit(exits.CHECK_FAILED)


def _run(plan: Plan, side: Console, wait: float) -> Experiment:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from grounded.evaluation.running import Progress
    from grounded.experiments.evaluating import evaluate_plan

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=side, transient=True, disable=not side.is_terminal) as bar:
        task = bar.add_task(plan.name)

        def told(state: Progress) -> None:
            kept = f", {state.cached} kept" if state.cached else ""
            lost = f", {state.failed} failed" if state.failed else ""
            spent = f", {state.cost:.4g} spent" if state.cost else ""
            bar.update(task, completed=state.done, total=state.of, description=f"{plan.name}{kept}{lost}{spent}")

        return evaluate_plan(plan, progress=told, wait=wait)


def shown(experiment: Experiment, gate: Gate | None = None) -> Iterator[RenderableType]:
    """An experiment as lines: figures by variant, what differs, and the gate."""
    from rich.table import Table
    from rich.text import Text

    names = [each.name for each in experiment.variants]
    table = Table("Metric", *names, box=None, padding=(0, 2, 0, 0), title_justify="left")
    for card in experiment.metrics:
        cells = [figure(experiment, name, card.name) for name in names]
        if any(cell != "–" for cell in cells):
            arrow = {"higher": "↑", "lower": "↓", "neither": " "}[card.better]
            judged = " (judge)" if card.source == "judge" else ""
            table.add_row(f"{arrow} {card.name}{judged}", *cells)
    yield table
    lost = [f"{trial.row} in {trial.variant}" for trial in experiment.trials if trial.answer is None]
    if lost:
        yield Text(f"No answer: {', '.join(lost[:5])}{' …' if len(lost) > 5 else ''} ({len(lost)})", "yellow")
    if experiment.stopped:
        yield Text(f"Not finished: {experiment.stopped}.", "bold yellow")
    for comparison in experiment.comparisons:
        if not comparison.tag and comparison.finding not in ("same", "not_available"):
            yield Text(said(comparison), {"better": "green", "worse": "red"}.get(comparison.finding, "dim"))
    if gate is not None:
        quiet = [check for check in gate.checks if check.passed and not check.value and check.kind == "regression"]
        if quiet:
            yield Text(f"✓ {len(quiet)} figures are as in the baseline.")
        for check in (each for each in gate.checks if each not in quiet):
            rows = f" Rows: {', '.join(check.rows)}." if check.rows and not check.passed else ""
            yield Text(f"{'✓' if check.passed else '✗'} {check.message}{rows}", "" if check.passed else "red")
        yield Text(f"{gate.variant}: the gate is {'passed' if gate.passed else 'not passed'}", "bold")


def figure(experiment: Experiment, variant: str, metric: str) -> str:
    """A summary for people: value, interval, rows, and what is missing."""
    summary = experiment.summary(variant, metric)
    if summary is None or summary.value is None:
        return f"– ({summary.failed} failed)" if summary is not None and summary.failed else "–"
    between = (
        "" if summary.low is None or summary.high is None else f" [{_number(summary.low)}, {_number(summary.high)}]"
    )
    failed = f", {summary.failed} failed" if summary.failed else ""
    return f"{_number(summary.value)}{between} n={summary.rows}{failed}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def said(comparison: Comparison) -> str:
    """A comparison in one sentence."""
    from grounded.render.evaluation_words import needed_words

    level = " by claim" if comparison.level == "claim" else ""
    what = f"{comparison.metric}{level}: {comparison.second} against {comparison.first}"
    change = f"{comparison.difference:+.3g}" if comparison.difference is not None else "no difference"
    if comparison.low is not None and comparison.high is not None:
        change += f" [{comparison.low:+.3g}, {comparison.high:+.3g}]"
    sure = "" if comparison.p_adjusted is None else f", p = {comparison.p_adjusted:.2g} after correction"
    if comparison.finding != "not_enough_data":
        return f"{what} is {comparison.finding}: {change}{sure}"
    needed = needed_words(comparison.more_needed)
    more = f"; {needed}" if needed else ""
    note = f" {comparison.note}" if comparison.note else ""
    return f"{what}: not enough data to tell ({change}{sure}{more}).{note}"
