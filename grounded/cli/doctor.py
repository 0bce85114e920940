"""``grounded doctor``: is everything there, and what would help."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from pathlib import Path
from typing import Annotated, Literal

import typer

from grounded.cli import exits, streams
from grounded.cli.app import JsonOption, KbOption, VerboseOption, output_of
from grounded.cli.output import Output
from grounded.errors import GroundedError

SERVER_ADVISED_FROM_CHUNKS = 250_000
"""Exact search in the embedded store takes about 23 ms there; a server with an index stays flat."""

EXTRAS = {
    "llama-index": ("llama-index-core", "LlamaIndex models, evaluator, query engine and retriever"),
    "langchain": ("langchain-core", "LangChain verifier and retriever"),
    "haystack": ("haystack-ai", "Haystack verifier"),
    "qdrant": ("qdrant-client", "a Qdrant server or cluster as the store"),
    "unstructured": ("unstructured", "RTF files"),
    "postgresql": ("psycopg", "PostgreSQL as the ledger"),
    "tokenizers": ("tokenizers", "exact token counts for other models, and verifiers and rerankers from a folder"),
    "fastembed": ("fastembed", "embedding models of FastEmbed's list"),
    "entra": ("azure-identity", "signing in to Azure OpenAI with Entra"),
    "telemetry": ("opentelemetry-api", "OpenTelemetry spans"),
}
MEBIBYTE = 1024 * 1024
CORE = ("pydantic", "qdrant-edge-py", "onnxruntime", "numpy", "sqlalchemy", "tiktoken", "pypdfium2")


@dataclass(frozen=True)
class Finding:
    """One line of the check-up."""

    state: Literal["ok", "note", "problem"]
    subject: str
    message: str
    fix: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    kb: KbOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
    network: Annotated[bool, typer.Option(help="Look for model servers on this machine (loopback only).")] = True,
) -> None:
    """Check versions, shipped models, extras, model servers on this machine and the knowledge base."""
    del verbose  # its callback has set the level
    output = output_of(context, kb, json)
    findings = [
        *_installation(),
        _size(),
        *_models(),
        *_extras(),
        *(_servers() if network else []),
        *_knowledge_base(output),
    ]
    if output.as_json:
        output.show_records("findings", [asdict(each) for each in findings])
    else:
        _print(output, findings)
    if any(each.state == "problem" for each in findings):
        raise typer.Exit(exits.INTERNAL_ERROR)


def _installation() -> list[Finding]:
    found = [Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")]
    for package in ("grounded-rag", *CORE):
        try:
            found.append(Finding("ok", package, version(package)))
        except PackageNotFoundError:
            found.append(Finding("problem", package, "is not installed.", 'Run: pip install "grounded-rag"'))
    return [*found, *_name_clash()]


def _size() -> Finding:
    import grounded

    folder = Path(grounded.__file__).parent
    shipped = f"{_mebibytes(folder / 'models')} of them the shipped models"
    return Finding("ok", "package size", f"{_mebibytes(folder)}, {shipped}; dependencies not counted")


def _mebibytes(folder: Path) -> str:
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return f"{size / MEBIBYTE:.1f} MiB"


def _name_clash() -> list[Finding]:
    """Another distribution on the index owns the import name and the command ``grounded``."""
    owners = set(packages_distributions().get("grounded", [])) - {"grounded-rag"}
    try:
        distribution("grounded")
        owners.add("grounded")
    except PackageNotFoundError:
        pass
    return [
        Finding(
            "problem",
            "name clash",
            f"The package {owner!r} uses the same import name and command.",
            f"Run: pip uninstall {owner} && pip install --force-reinstall --no-deps grounded-rag",
        )
        for owner in sorted(owners)
    ]


def _models() -> list[Finding]:
    from grounded.models.embedder import default_embedder

    try:
        embedder = default_embedder()
        embedder.embed_query("ready")
    except GroundedError as error:
        return [Finding("problem", "embedding model", error.message, error.fix)]
    return [Finding("ok", "embedding model", f"{embedder.identity}, {embedder.dimension} dimensions, runs")]


def _extras() -> list[Finding]:
    found = []
    for extra, (package, purpose) in EXTRAS.items():
        try:
            found.append(Finding("ok", f"extra {extra}", f"{package} {version(package)}"))
        except PackageNotFoundError:
            install = f'Run: pip install "grounded-rag[{extra}]"'
            found.append(Finding("note", f"extra {extra}", f"not installed; it brings {purpose}.", install))
    return found


def _servers() -> list[Finding]:
    from grounded.answering import discover_servers

    servers = discover_servers()
    if not servers:
        return [
            Finding(
                "note",
                "model server",
                "none found on this machine; answers are quotes until one is named.",
                "Start Ollama or any OpenAI-compatible server, or use --llm openai:NAME.",
            )
        ]
    return [
        Finding("ok", "model server", f"{server.kind} at {server.url}: {', '.join(server.models) or 'no models'}")
        for server in servers
    ]


def _knowledge_base(output: Output) -> list[Finding]:
    from grounded.pipeline.knowledge_base import KnowledgeBase

    if not Path(output.kb).expanduser().exists():
        return [Finding("note", "knowledge base", f"none at {output.kb} yet.", "Make one with: grounded ingest PATH")]
    try:
        status = KnowledgeBase.status_of(output.kb)
    except GroundedError as error:
        return [Finding("problem", "knowledge base", error.message, error.fix)]
    size = f"{status.bytes_on_disk / MEBIBYTE:.1f} MiB"
    found = [Finding("ok", "knowledge base", f"{status.documents} documents, {status.chunks} chunks, {size}")]
    if status.chunks > SERVER_ADVISED_FROM_CHUNKS:
        advice = "Use a Qdrant server: KnowledgeBase.open(path, create=True, store='qdrant://host:6333/name')."
        found.append(Finding("note", "size", f"{status.chunks} chunks are many for the embedded store.", advice))
    return found


def _print(output: Output, findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    marks = ("✓", "·", "✗") if streams.writes_unicode() else ("ok", "note", "problem")
    signs = dict(zip(("ok", "note", "problem"), zip(marks, ("green", "yellow", "bold red"), strict=True), strict=True))
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for each in findings:
        sign, style = signs[each.state]
        message = Text(each.message)
        if each.fix:
            message.append(f"\n{each.fix}", style="dim")
        table.add_row(Text(sign, style=style), Text(each.subject, style="bold"), message)
    output.result.print(table)
    if sys.prefix == sys.base_prefix:
        output.side.print("Tip: a virtual environment keeps this apart from the system's packages.", style="dim")
