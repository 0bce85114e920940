"""The command tree, the options that every command shares, and errors turned into exit codes."""

from __future__ import annotations

import errno
import logging
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from grounded import __version__
from grounded.cli import exits, streams
from grounded.cli.output import Output
from grounded.errors import (
    ConfigurationError,
    GroundedError,
    KnowledgeBaseExistsError,
    KnowledgeBaseNotFoundError,
    MissingExtraError,
    SourceNotFoundError,
    UsageError,
)
from grounded.settings import ProjectSettings

DEFAULT_KB = "./kb"


WRONG_USE = (
    UsageError,
    ConfigurationError,
    MissingExtraError,
    KnowledgeBaseNotFoundError,
    KnowledgeBaseExistsError,
    SourceNotFoundError,
)
"""Errors that another command line, setting or installation avoids; every other one is an internal error."""


class _Commands(TyperGroup):
    """The command group; errors become a message on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            code = _complain("Interrupted; everything committed so far stays.", code=exits.INTERRUPTED)
        except GroundedError as error:
            wrong_use = isinstance(error, WRONG_USE)
            code = _complain(error.message, error.fix, code=exits.USAGE if wrong_use else exits.INTERNAL_ERROR)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read the output has gone; typer leaves without a word
                raise
            code = _complain(_said_by_the_system(error), code=exits.INTERNAL_ERROR)
        raise typer.Exit(code)


app = typer.Typer(
    name="grounded",
    cls=_Commands,
    help="Make any LLM answer from your data, and prove each sentence against the exact place in the source.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: list[str] | None = None) -> int:
    """Run one command line.

    Returns:
        The exit code; see ``grounded.cli.exits``.
    """
    streams.prepare()
    _register_commands()
    code = exits.OK
    try:
        app(arguments)
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else exits.OK
    lost = streams.flush()
    if lost is not None and code != exits.INTERNAL_ERROR:
        return _complain(f"Standard output: {_said_by_the_system(lost)}", code=exits.INTERNAL_ERROR)
    return code


def _said_by_the_system(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."


def _complain(message: str, fix: str = "", *, code: int) -> int:
    from rich.console import Console
    from rich.text import Text

    line = Text.assemble((message, "bold red" if code != exits.INTERRUPTED else "yellow"), (f"\n{fix}" if fix else ""))
    Console(stderr=True, highlight=False).print(line)
    return code


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"grounded-rag {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    kb: Annotated[
        str | None, typer.Option("--kb", envvar="GROUNDED_KB", help="Folder of the knowledge base [default: ./kb].")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds to wait while another process holds it.")] = 0.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Options that commands share; each may also stand after a command that uses it."""
    del version
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    _log_more(verbose)
    settings = ProjectSettings.find()
    chosen = kb or _at_home(settings.kb) or DEFAULT_KB
    context.obj = Output(settings=settings, kb=chosen, as_json=json, wait=wait)


def _log_more(wanted: bool) -> None:
    if wanted:
        logging.getLogger().setLevel(logging.INFO)


def _at_home(kb: str | None) -> str | None:
    """A path of ``grounded.toml`` that starts with ``~``; settings put the folder of the file before it."""
    if kb is None:
        return None
    before, home, below = kb.replace("\\", "/").rpartition("/~/")
    del before
    return str(Path.home() / below) if home else kb


WhereOption = Annotated[
    list[str] | None, typer.Option("--where", "-w", help="KEY=VALUE; repeat it for more.", show_default=False)
]
ReaderOption = Annotated[
    list[str] | None, typer.Option("--principal", help="On whose behalf; repeat it for several.", show_default=False)
]
EmbedderOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Embedding model: ollama:NAME, openai:NAME, azure:DEPLOYMENT, URL#MODEL or "
        "fastembed:NAME; default: the shipped one.",
    ),
]
KbOption = Annotated[str | None, typer.Option("--kb", help="Folder of the knowledge base.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the record as JSON.", show_default=False)]
WaitOption = Annotated[
    float | None,
    typer.Option("--wait", min=0.0, help="Seconds to wait while another process holds it.", show_default=False),
]
VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", "-v", callback=_log_more, help="Log what happens to standard error.", show_default=False),
]
OnOption = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], metavar="DATE", help="Only what is in force that day: YYYY-MM-DD."),
]


def output_of(
    context: typer.Context, kb: str | None = None, as_json: bool = False, wait: float | None = None
) -> Output:
    """The shared options, with those that a command was given after its name."""
    shared: Output = context.obj
    return Output(
        settings=shared.settings,
        kb=kb or shared.kb,
        as_json=as_json or shared.as_json,
        wait=shared.wait if wait is None else wait,
    )


def _register_commands() -> None:
    from grounded.cli import (
        ask,
        attach,
        backup,
        benchmark,
        calibrate,
        cite,
        compact,
        dataset,
        demo,
        doctor,
        evaluate,
        feedback,
        forget,
        ingest,
        models,
        move,
        prompt,
        rebuild,
        reconcile,
        report,
        retry,
        review,
        search,
        show,
        status,
        templates,
        verify,
        watch,
    )

    if app.registered_commands:
        return
    panels = {
        "Begin": (demo, doctor),
        "Ingest and ask": (ingest, watch, search, show, prompt, ask),
        "Check answers": (verify, cite, review, calibrate),
        "Evaluate": (evaluate, dataset, report, feedback, benchmark, models, templates),
        "Look after a knowledge base": (
            status, reconcile, retry, forget, compact, attach, move, rebuild, backup,
        ),
    }  # fmt: skip
    for panel, modules in panels.items():
        for module in modules:
            known = len(app.registered_commands), len(app.registered_groups)
            module.register(app)
            for command in app.registered_commands[known[0] :]:
                command.rich_help_panel = panel
            for group in app.registered_groups[known[1] :]:
                group.rich_help_panel = panel
