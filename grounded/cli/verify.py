"""``grounded verify``: the truth about an answer that came from anywhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, cast

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, VerboseOption, output_of
from grounded.cli.ask import exit_code_of_report
from grounded.cli.reading import PolicyOption
from grounded.errors import ParseError, SourceNotFoundError, UsageError
from grounded.records import Failed, Passage, Policy, Prompt, RawDocument, Report, Span, Upsert, document_id

if TYPE_CHECKING:
    from grounded.protocols import EntailmentModel
    from grounded.verification import Rewrite


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
    policy: PolicyOption = None,
    llm: Annotated[
        str | None, typer.Option(help="Who rewrites under the policy repair: ollama:NAME or the like.")
    ] = None,
    verifier: Annotated[
        str | None, typer.Option(help="Another verifier: NAME, NAME:ARGUMENT, or a folder with a model.")
    ] = None,
    calibration: Annotated[Path | None, typer.Option(help="What grounded calibrate wrote of this verifier.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page as well.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the report as Markdown.")] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Check each sentence of an answer against its sources.

    Exit code 0 when everything returned is supported, 3 when something is not, 4 when a check failed, a source could
    not be read or the answer is empty, 6 when the policy withholds the answer.
    Markers such as [2] count the sources of --against in the order given, folders by name.
    """
    from grounded.verification import verify as check

    del verbose  # its callback has set the level
    output = output_of(context, None, json)
    if output.as_json and markdown:
        raise UsageError("The report can be printed as JSON or as Markdown, not as both.", fix="Drop one of them.")
    saved = saved_prompt(prompt)
    sources, unread = sources_of(against or [], saved)
    text, doubts = read_reply(answer, saved)
    question = question or (saved.question if saved else None)
    reference = date.date() if date else None
    report = check(
        text,
        sources,
        question=question,
        reference_date=reference,
        policy=cast(Policy, policy or "flag"),
        verifier=_verifier(verifier),
        rewrite=_rewriter(llm, question) if policy == "repair" else None,
        calibration=calibration,
    )
    problems = [*unread, *_nothing_said(report)]
    report = report.model_copy(update={"warnings": (*report.warnings, *doubts, *problems)})
    if html is not None:
        html.write_text(report.to_html(), encoding="utf-8")
    if markdown:
        sys.stdout.write(report.to_markdown())
    else:
        from grounded.render.terminal import report_terminal

        output.show(report, report_terminal(report))
    for problem in problems:
        output.side.print(problem, style="bold red", markup=False)
    if report.groundedness is None and not report.is_withheld and not problems:
        output.side.print("The answer states nothing that could be checked.", style="yellow")
    raise typer.Exit(exits.CHECK_FAILED if problems else exit_code_of_report(report))


def _rewriter(llm: str | None, question: str | None) -> Rewrite | None:
    if llm is None:
        return None
    from grounded.pipeline.repairing import rewriter

    return rewriter(llm, question=question or "")


def _nothing_said(report: Report) -> list[str]:
    return [] if (report.original or report).claims else ["The answer is empty: there is nothing to check."]


def read_answer(answer: str) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises:
        UsageError: It is not UTF-8 text.
        SourceNotFoundError: It cannot be read.
    """
    try:
        return (sys.stdin.buffer.read() if answer == "-" else Path(answer).read_bytes()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{'Standard input' if answer == '-' else answer} is not UTF-8 text.", fix="Save the answer as plain text."
        ) from error
    except OSError as error:
        raise SourceNotFoundError(
            f"The answer {answer!r} cannot be read: {error.strerror}.", fix="Name a file, or - to read it from a pipe."
        ) from error


def read_reply(answer: str, saved: Prompt | None) -> tuple[str, list[str]]:
    """The answer, read as the prompt's layout asks, and a line for every quotation before it that no source holds."""
    text = read_answer(answer)
    if saved is None:
        return text, []
    from grounded.prompting import parse_answer

    parsed = parse_answer(text, saved)
    doubts = [
        f"Before its answer the reply quotes words that source {quote.number} does not hold: {quote.text!r}."
        for quote in parsed.quotes
        if quote.span is None
    ]
    return parsed.text, doubts


def saved_prompt(prompt: Path | None) -> Prompt | None:
    """The prompt in a file.

    Raises:
        SourceNotFoundError: It cannot be read.
    """
    if prompt is None:
        return None
    try:
        return Prompt.from_json(prompt.read_bytes())
    except OSError as error:
        raise SourceNotFoundError(f"The prompt {prompt} cannot be read: {error.strerror}.") from error


def _verifier(named: str | None) -> EntailmentModel | str | None:
    if named is None or not Path(named).is_dir():
        return named
    from grounded.verifiers import from_folder

    return from_folder(named)


def sources_of(against: list[str], saved: Prompt | None) -> tuple[list[Passage], list[str]]:
    """The passages, those of the prompt first, and a line for every source that could not be read."""
    if saved is None and not against:
        raise UsageError("There is nothing to check the answer against.", fix="Give --against FILE or --prompt FILE.")
    passages: list[Passage] = list(saved.passages) if saved else []
    unread = []
    for found in (each for place in against for each in _documents_at(place)):
        if isinstance(found, Failed):
            unread.append(f"{found.key} could not be read: {found.message} {found.fix}".rstrip())
            # It keeps its number, so that a marker in the answer still counts the sources as they were given.
            found = Passage.from_text("", title=PurePath(found.key).name, number=len(passages) + 1)
        passages.append(found)
    return passages, unread


def passages_at(place: str) -> list[Passage]:
    """Each document of a place as one passage over its whole canonical text.

    Raises:
        UsageError: A document there cannot be read.
    """
    passages = []
    for found in _documents_at(place):
        if isinstance(found, Failed):
            raise UsageError(f"{found.key}: {found.message}", fix=found.fix)
        passages.append(found)
    return passages


def _documents_at(place: str) -> Iterator[Passage | Failed]:
    from grounded import registry

    for change in registry.load("connectors", "files")(place).changes(None):
        if isinstance(change, Failed):
            yield change
        elif isinstance(change, Upsert) and isinstance(change.document, RawDocument):
            yield _whole(change.document)


def _whole(raw: RawDocument) -> Passage | Failed:
    """A document as one passage over its whole canonical text, or why it cannot be read."""
    from grounded.ingestion.parsers import parse

    try:
        parsed = parse(raw)
    except ParseError as error:
        return Failed(key=raw.key, uri=raw.uri, error=type(error).__name__, message=error.message, fix=error.fix)
    identity = document_id("default", "files", raw.key)
    return Passage(
        id=identity,
        document_id=identity,
        title=parsed.title or raw.title or raw.name,
        uri=raw.uri,
        text=parsed.text,
        span=Span(start=0, end=len(parsed.text)),
        effective_from=parsed.effective_from,
        effective_to=parsed.effective_to,
    )
