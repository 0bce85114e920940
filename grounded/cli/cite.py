"""``grounded cite``: an answer with correct citation markers."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, VerboseOption, output_of
from grounded.cli.ask import exit_code_of_report
from grounded.cli.verify import read_reply, saved_prompt, sources_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cite")(cite)


def cite(
    context: typer.Context,
    answer: Annotated[str, typer.Argument(help="A file with the answer, or - for standard input.")],
    against: Annotated[list[str] | None, typer.Option(help="Files or folders the answer must rest on.")] = None,
    prompt: Annotated[Path | None, typer.Option(help="A prompt saved with: grounded prompt --json.")] = None,
    question: Annotated[str | None, typer.Option(help="The question it answers.")] = None,
    date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day it speaks of.")] = None,
    style: Annotated[str, typer.Option(help="[n], [^n], 【n】, ⁿ, [title], [title](uri) or (author year).")] = "[n]",
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write correct citation markers into an answer.

    The cited answer is written to standard output, with --json its report. Exit codes as for verify: 3 when something
    is not supported and so carries no marker, 4 when a check failed or a source could not be read.
    """
    from grounded.render.common import counts, harmless
    from grounded.verification import cite as cited

    del verbose  # its callback has set the level
    output = output_of(context, None, json)
    saved = saved_prompt(prompt)
    sources, unread = sources_of(against or [], saved)
    text, doubts = read_reply(answer, saved)
    question = question or (saved.question if saved else None)
    reference = date.date() if date else None
    chosen: Any = style  # cite refuses an unknown one
    report = cited(text, sources, question=question, reference_date=reference, style=chosen)
    report = report.model_copy(update={"warnings": (*report.warnings, *unread, *doubts)})
    if output.as_json:
        output.show_json(report.to_json())
    else:
        # Not through the console, which would wrap lines and read "[handbook.md]" as a style.
        sys.stdout.write(f"{harmless(report.text).rstrip()}\n")
    for problem in unread:
        output.side.print(problem, style="bold red", markup=False)
    output.side.print(counts(report), style="dim", markup=False)
    raise typer.Exit(exits.CHECK_FAILED if unread else exit_code_of_report(report))
