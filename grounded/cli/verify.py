"""``grounded verify``: the truth about an answer that came from anywhere."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from grounded.cli.app import JsonOption, output_of
from grounded.cli.ask import exit_code_of_report
from grounded.errors import SourceNotFoundError, UsageError
from grounded.records import Passage, Prompt, RawDocument


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    context: typer.Context,
    answer: Annotated[str, typer.Argument(help="A file with the answer, or - for standard input.")],
    against: Annotated[list[str] | None, typer.Option(help="Files or folders the answer must rest on.")] = None,
    prompt: Annotated[Path | None, typer.Option(help="A prompt saved with: grounded prompt --json.")] = None,
    question: Annotated[str | None, typer.Option(help="The question it answers.")] = None,
    date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day it speaks of.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page as well.")] = None,
    json: JsonOption = False,
) -> None:
    """Check each sentence of an answer against its sources.

    Exit code 0 when everything is supported, 3 when something is not, 4 when a check failed. Markers such as
    [2] count the sources of --against in the order given, folders by name.
    """
    from grounded.verification import verify as check

    output = output_of(context, None, json)
    sources = _sources(against or [], prompt)
    reference = date.date() if date else None
    report = check(_read_answer(answer), sources, question=question, reference_date=reference)
    if html is not None:
        from grounded.render.html import report_html

        html.write_text(report_html(report), encoding="utf-8")
    from grounded.render.terminal import report_terminal

    output.show(report, report_terminal(report))
    raise typer.Exit(exit_code_of_report(report))


def _read_answer(answer: str) -> str:
    if answer == "-":
        return sys.stdin.read()
    try:
        return Path(answer).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{answer} is not UTF-8 text.", fix="Save the answer as plain text.") from error
    except OSError as error:
        raise SourceNotFoundError(
            f"The answer {answer!r} cannot be read: {error.strerror}.", fix="Name a file, or - to read it from a pipe."
        ) from error


def _sources(against: list[str], prompt: Path | None) -> list[Any]:
    if prompt is not None:
        try:
            return list(Prompt.from_json(prompt.read_bytes()).passages)
        except OSError as error:
            raise SourceNotFoundError(f"The prompt {prompt} cannot be read: {error.strerror}.") from error
    if not against:
        raise UsageError("There is nothing to check the answer against.", fix="Give --against FILE or --prompt FILE.")
    return [passage for place in against for passage in passages_at(place)]


def passages_at(place: str) -> list[Passage]:
    """Each document of a place as one passage over its whole canonical text."""
    from grounded import registry
    from grounded.ingestion.parsers import parse
    from grounded.records import Failed, Span, Upsert, document_id

    found = []
    for change in registry.load("connectors", "files")(place).changes(None):
        if isinstance(change, Failed):
            raise UsageError(f"{change.key}: {change.message}", fix=change.fix)
        if isinstance(change, Upsert) and isinstance(change.document, RawDocument):
            raw = change.document
            parsed = parse(raw)
            identity = document_id("default", "files", raw.key)
            found.append(
                Passage(
                    id=identity,
                    document_id=identity,
                    title=parsed.title or raw.title or raw.name,
                    uri=raw.uri,
                    text=parsed.text,
                    span=Span(start=0, end=len(parsed.text)),
                    effective_from=parsed.effective_from,
                    effective_to=parsed.effective_to,
                )
            )
    return found
