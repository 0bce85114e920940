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
from grounded.cli.reading import (
    DiversityOption,
    ExpandOption,
    HistoryOption,
    LanguageOption,
    LayoutOption,
    PolicyOption,
    PositionOption,
    QuarantineOption,
    RerankOption,
    SpotlightOption,
    SummaryOption,
    TemplateOption,
    prompting,
    reading,
)
from grounded.cli.variables import VariableOption
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
    policy: PolicyOption = None,
    template: TemplateOption = None,
    language: LanguageOption = None,
    layout: LayoutOption = None,
    spotlight: SpotlightOption = None,
    quarantine: QuarantineOption = None,
    question_position: PositionOption = None,
    var: VariableOption = None,
    history: HistoryOption = None,
    summary: SummaryOption = "",
    where: WhereOption = None,
    principal: ReaderOption = None,
    on: OnOption = None,
    expand: ExpandOption = None,
    diversity: DiversityOption = None,
    rerank: RerankOption = None,
    kb: KbOption = None,
    json: JsonOption = False,
    wait: WaitOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Answer from the knowledge base, with citations and a verdict for every sentence.

    Exit code 0 when everything shown is supported, 3 when something is not, 4 when a check failed, 6 when the
    question was declined or the policy withheld the answer.
    """
    del verbose  # its callback has set the level
    output = output_of(context, kb, json, wait)
    settings = output.settings
    with output.open_knowledge_base() as knowledge_base:
        answer = knowledge_base.ask(
            question,
            llm=llm or settings.llm,
            policy=policy or settings.policy,
            **reading(output, where, principal, on, expand=expand, diversity=diversity, rerank=rerank),
            **prompting(
                output, template, language, layout, spotlight, quarantine, question_position, var, history, summary
            ),
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
    written = report.original if report.original and report.is_withheld else report
    if not written.complete:
        return exits.CHECK_FAILED
    if report.is_withheld:
        return exits.DECLINED
    return exits.UNSUPPORTED_CONTENT if report.contradicted or report.unsupported else exits.OK
