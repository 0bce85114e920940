"""``grounded ask``: an answer, every sentence checked."""

from __future__ import annotations

from typing import Annotated

import typer

from grounded.cli import exits
from grounded.cli.app import (
    JsonOption,
    KbOption,
    OnOption,
    ReaderOption,
    VerboseOption,
    WaitOption,
    WhereOption,
    output_of,
)
from grounded.cli.search import conditions
from grounded.records import Answer, Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ask")(ask)


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question.")],
    llm: Annotated[
        str | None, typer.Option(help="ollama:NAME, openai:NAME, azure:DEPLOYMENT or URL#MODEL; default: quotes.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="Name or path of a template.")] = None,
    where: WhereOption = None,
    principal: ReaderOption = None,
    on: OnOption = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Answer from the knowledge base, with citations and a verdict for every sentence.

    Exit code 0 when everything is supported, 3 when something is not, 4 when a check failed, 6 when the
    question was declined.
    """
    from grounded.prompting.labels import resolve

    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    settings = output.settings
    with output.open_knowledge_base() as knowledge_base:
        answer = knowledge_base.ask(
            question,
            llm=llm or settings.llm,
            template=resolve(template or settings.template),
            k=settings.k,
            where=conditions(where),
            tenant=settings.tenant,
            principals=tuple(principal or settings.principals),
            on=on.date() if on else None,
            policy=settings.policy,
            sufficiency_threshold=settings.sufficiency_threshold,
            record=settings.record_answers,
        )
    from grounded.render.terminal import answer_terminal

    output.show(answer, answer_terminal(answer))
    raise typer.Exit(exit_code_of_answer(answer))


def exit_code_of_answer(answer: Answer) -> int:
    """The exit code that says what became of a question."""
    if answer.outcome == "check_failed":
        return exits.CHECK_FAILED
    if not answer.answered or answer.report is None:
        return exits.DECLINED
    return exit_code_of_report(answer.report)


def exit_code_of_report(report: Report) -> int:
    """The exit code that says what the verifier found; a failed check weighs more than a wrong sentence."""
    if not report.complete:
        return exits.CHECK_FAILED
    return exits.UNSUPPORTED_CONTENT if report.contradicted or report.unsupported else exits.OK
