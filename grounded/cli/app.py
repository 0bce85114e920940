"""The command tree, the options that every command shares, and errors turned into exit codes."""

from __future__ import annotations

import logging
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from grounded import __version__
from grounded.cli import exits
from grounded.cli.output import Output
from grounded.errors import GroundedError, MissingExtraError, UsageError
from grounded.settings import ProjectSettings

DEFAULT_KB = "./kb"


class _Commands(TyperGroup):
    """The command group; errors raised on purpose become a message on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            code = _complain("Interrupted; everything committed so far stays.", code=exits.INTERRUPTED)
        except GroundedError as error:
            usage = isinstance(error, (UsageError, MissingExtraError))
            code = _complain(error.message, error.fix, code=exits.USAGE if usage else exits.INTERNAL_ERROR)
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
    _register_commands()
    try:
        app(arguments)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else exits.OK
    return exits.OK


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
    wait: Annotated[float, typer.Option(help="Seconds to wait while another process holds it.")] = 0.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Options every command shares; they may also stand after the command."""
    del version
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    settings = ProjectSettings.find()
    context.obj = Output(settings=settings, kb=kb or settings.kb or DEFAULT_KB, as_json=json, wait=wait)


KbOption = Annotated[str | None, typer.Option("--kb", help="Folder of the knowledge base.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the record as JSON.", show_default=False)]


def output_of(context: typer.Context, kb: str | None = None, as_json: bool = False) -> Output:
    """The shared options, with those that a command was given after its name."""
    shared: Output = context.obj
    return Output(settings=shared.settings, kb=kb or shared.kb, as_json=as_json or shared.as_json, wait=shared.wait)


def _register_commands() -> None:
    from grounded.cli import ask, demo, doctor, ingest, prompt, search, status, templates, verify

    if not app.registered_commands:
        for module in (demo, ingest, search, prompt, ask, verify, status, doctor):
            module.register(app)
        templates.register(app)
