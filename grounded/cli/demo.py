"""``grounded demo``: the main job in one minute, or two metaprompts compared, with nothing but the package itself."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, output_of
from grounded.errors import UsageError
from grounded.records import Answer, IngestReport, Report

if TYPE_CHECKING:
    from rich.console import Console

    from grounded.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    keep: Annotated[Path | None, typer.Option(help="Keep the demo's knowledge base in this folder.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Compare two metaprompts on recorded replies.")] = False,
    html: Annotated[Path | None, typer.Option(help="With --compare: write the report as one page.")] = None,
    out: Annotated[Path | None, typer.Option(help="With --compare: write the experiment as JSON.")] = None,
    json: JsonOption = False,
) -> None:
    """Catch a wrong answer, ingest a handbook, ask it, and see what it declines. No server, key or network."""
    output = output_of(context, None, json)
    if compare:
        _compare(output, html, out)
    elif html or out:
        raise UsageError("Only the comparison writes a report.", fix="Add --compare.")
    else:
        _story(output, keep)


def _story(output: Output, keep: Path | None) -> None:
    from grounded.demo import LAYOUT, QUESTIONS, UNANSWERABLE, VERSIONS, catch_report, handbook, scanned
    from grounded.ingestion.parsers import ocr
    from grounded.pipeline.knowledge_base import KnowledgeBase

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="grounded-demo-") as folder:
        place = keep or Path(folder) / "kb"
        with KnowledgeBase.open(place, create=True) as knowledge_base:
            if not output.as_json:
                output.side.print("Reading the handbook of a small shop …", style="dim")
            folders = (handbook(), scanned()) if ocr.is_available() else (handbook(),)
            ingested = knowledge_base.ingest(*folders)
            caught = catch_report(knowledge_base)
            asked = (*QUESTIONS, *LAYOUT[: len(folders)], UNANSWERABLE, VERSIONS)
            answers = [knowledge_base.ask(question) for question in asked]
    if output.as_json:
        output.show_records("answers", answers, ingest=ingested, catch=caught)
    else:
        _tell(output.result, ingested, caught, answers, keep, time.monotonic() - started)
    if not ingested.ok:
        raise typer.Exit(exits.PARTIAL_INGEST)


def _compare(output: Output, html: Path | None, out: Path | None) -> None:
    """Measure what a model replied under two metaprompts; exit code 4 when a reply is not in the recording."""
    from grounded.cli.evaluate import shown
    from grounded.cli.report import write_reports
    from grounded.demo.comparing import compare_metaprompts

    found = compare_metaprompts()
    if out is not None:
        out.write_text(found.to_json(indent=1) + "\n", encoding="utf-8")
    write_reports(found, html=html)
    if output.as_json:
        output.show_json(found.to_json())
    else:
        model = found.variants[0].generator
        asked = f"{len(found.rows)} questions about the handbook, each under two metaprompts"
        output.result.print(f"{asked}; {model.label if model else 'quotes'}.\n")
        for line in shown(found):
            output.result.print(line)
    if any(trial.answer is None for trial in found.trials):
        raise typer.Exit(exits.CHECK_FAILED)


def _tell(
    console: Console,
    ingested: IngestReport,
    caught: Report,
    answers: list[Answer],
    keep: Path | None,
    seconds: float,
) -> None:
    from grounded.demo import CATCH, LAYOUT, QUESTIONS, UNANSWERABLE, VERSIONS, handbook, scanned
    from grounded.render.terminal import answer_terminal, report_terminal

    plain, (*laid_out, declined, versions) = answers[: len(QUESTIONS)], answers[len(QUESTIONS) :]
    folders = (handbook(), scanned())[: len(laid_out)]
    _scene(console, "A plausible answer", "A language model may well have written this. One sentence is wrong.")
    _question(console, CATCH.question)
    console.print(report_terminal(caught))

    names = ", ".join(sorted(path.name for folder in folders for path in folder.iterdir()))
    _scene(
        console,
        "Ingest",
        f"What it was checked against, read without any server: {ingested.documents} files, "
        f"{ingested.chunks_embedded} chunks. {names}.",
    )

    _scene(console, "Four questions", "Each answer is a quote; each citation names the file and the place in it.")
    for question, answer in zip(QUESTIONS, plain, strict=True):
        _question(console, question)
        console.print(answer_terminal(answer))

    _scene(
        console, "Two columns, and a scan", "A page in two columns is read column by column, a picture by its letters."
    )
    for question, answer in zip(LAYOUT, laid_out, strict=False):
        _question(console, question)
        console.print(answer_terminal(answer))
    if len(laid_out) < len(LAYOUT):
        _question(console, LAYOUT[-1])
        console.print(
            f"Skipped: {next(scanned().iterdir()).name} is a scanned page; reading it needs the extra: "
            'pip install "grounded-rag[ocr]"',
            style="yellow",
            markup=False,
        )

    _scene(console, "A question the handbook does not answer", "Nothing supports an answer, so there is none.")
    _question(console, UNANSWERABLE)
    console.print(answer_terminal(declined))

    _scene(console, "Two versions disagree", "The terms of 2024 say otherwise; the ones in force decide.")
    _question(console, VERSIONS)
    console.print(answer_terminal(versions))

    _scene(console, "Your turn", f"This took {seconds:.0f} seconds.")
    where = f" --kb {keep}" if keep else ""
    # In a clone the command lies in .venv/bin, which no shell looks into unless it is told to.
    command = sys.argv[0] if Path(sys.argv[0]).name == "grounded" and which("grounded") is None else "grounded"
    for line in (
        "ingest YOUR_FOLDER",
        f'ask "Your question"{where}',
        "verify ANSWER.txt --against YOUR_FOLDER --html report.html",
        "doctor",
    ):
        console.print(f"  {command} {line}", style="bold", markup=False)


def _scene(console: Console, title: str, subtitle: str) -> None:
    from rich.rule import Rule
    from rich.text import Text

    console.print()
    console.print(Rule(Text(title, style="bold"), align="left", style="cyan"))
    console.print(Text(subtitle, style="dim"))


def _question(console: Console, question: str) -> None:
    from rich.text import Text

    console.print()
    console.print(Text.assemble(("? ", "bold cyan"), (question, "bold")))
