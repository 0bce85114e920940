"""``grounded show``: a citation opened at its place."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from grounded.cli.app import VerboseOption, output_of
from grounded.errors import GroundedError, UsageError
from grounded.records import Answer, Evidence, Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="A document, or an answer or report saved with --json.")],
    quote: Annotated[str, typer.Argument(help="The words to show in a document.")] = "",
    claim: Annotated[int | None, typer.Option(min=1, help="Only the evidence of this sentence, from 1.")] = None,
    to: Annotated[Path, typer.Option(help="The page to write.")] = Path("citations.html"),
    look: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    verbose: VerboseOption = False,
) -> None:
    """Open a citation: the PDF page with the quote marked, the row among its rows, the part of the mail.

    Write a page without scripts that needs nothing else. What cannot be opened any more is shown with its stored words
    and the reason.
    """
    from grounded.pipeline.showing import show_evidence, show_quote
    from grounded.render.citation import citations_html

    del verbose  # its callback has set the level
    output = output_of(context)
    if not source.is_file():
        raise UsageError(f"There is no file {source}.", fix="Name a document, or an answer saved with --json.")
    if quote:
        shown = [show_quote(source, quote)]
    else:
        shown = [show_evidence(each) for each in dict.fromkeys(_evidence(source, claim))]
    to.write_text(citations_html(shown), "utf-8")
    for each in shown:
        output.result.print(f"{each.place or each.uri}{f' ({each.note})' if each.note else ''}", markup=False)
    output.side.print(f"Written to {to}", style="dim", markup=False)
    if look:
        webbrowser.open(to.absolute().as_uri())


def _evidence(source: Path, claim: int | None) -> list[Evidence]:
    """The evidence of a saved answer or report."""
    report = _report(source)
    if claim is not None and claim > len(report.claims):
        raise UsageError(f"The report has {len(report.claims)} sentences; there is no sentence {claim}.")
    claims = report.claims if claim is None else report.claims[claim - 1 : claim]
    return [evidence for each in claims for evidence in each.evidence]


def _report(source: Path) -> Report:
    try:
        text = source.read_text("utf-8")
        try:
            report = Answer.from_json(text).report
        except GroundedError:
            report = Report.from_json(text)
    except (GroundedError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{source} is no saved answer or report.", fix='For a document add the words: grounded show FILE "WORDS".'
        ) from error
    if report is None:
        raise UsageError(f"The answer in {source} was not checked, so it has no evidence.")
    return report
