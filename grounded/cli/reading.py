"""What the commands that read a knowledge base share: on whose behalf, under which conditions, in which form."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from grounded.cli.output import Output
from grounded.cli.pairs import pairs
from grounded.cli.variables import variables_of
from grounded.errors import SourceNotFoundError, UsageError
from grounded.records import Scalar

TemplateOption = Annotated[str | None, typer.Option(help="Name or path of a template.")]
LanguageOption = Annotated[str | None, typer.Option(help="Use the template's texts in this language, such as de.")]
LayoutOption = Annotated[str | None, typer.Option(help="How sources are laid out: xml, numbered or quote_first.")]
SpotlightOption = Annotated[
    str | None, typer.Option(help="How sources are marked as data: delimit, datamark or encode.")
]
QuarantineOption = Annotated[
    bool | None, typer.Option(help="Leave out untrusted sources in which something was flagged.", show_default=False)
]
PositionOption = Annotated[
    str | None, typer.Option(help="Where the question stands: after the sources, before them, or both.")
]
HistoryOption = Annotated[
    Path | None, typer.Option(help='A JSON file with earlier messages: [{"role": "user", "content": "…"}, …].')
]
SummaryOption = Annotated[str, typer.Option(help="What was said before the history, in short.", show_default=False)]
PolicyOption = Annotated[
    str | None, typer.Option(help="What to do about failing sentences: flag, strip, abstain or repair.")
]
ExpandOption = Annotated[
    str | None, typer.Option(help="Read each passage with what stands around it: none, neighbours or section.")
]
DiversityOption = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, help="How much a passage that is like a better one gives way [0].")
]
RerankOption = Annotated[
    str | None, typer.Option(metavar="folder:PATH", help="Reorder the best 20 with the cross-encoder in a folder.")
]


def reading(
    output: Output,
    where: list[str] | None,
    principal: list[str] | None,
    on: datetime | None,
    *,
    k: int | None = None,
    expand: str | None = None,
    diversity: float | None = None,
    rerank: str | None = None,
) -> dict[str, Any]:
    """What ``search`` takes, from the command line and else from the settings."""
    settings = output.settings
    return {
        "k": k or settings.k,
        "where": conditions(where),
        "tenant": settings.tenant,
        "principals": tuple(principal or settings.principals),
        "on": on.date() if on else None,
        "expand": expand or settings.expand,
        "diversity": settings.diversity if diversity is None else diversity,
        "rerank": rerank or settings.rerank,
    }


def prompting(
    output: Output,
    template: str | None,
    language: str | None,
    layout: str | None,
    spotlight: str | None,
    quarantine: bool | None,
    position: str | None = None,
    var: list[str] | None = None,
    history: Path | None = None,
    summary: str = "",
) -> dict[str, Any]:
    """What ``prompt`` takes besides, from the command line and else from the settings."""
    from grounded.prompting import load_template
    from grounded.prompting.labels import resolve

    settings = output.settings
    name = resolve(template or settings.template)
    loaded = load_template(name, language=language or settings.language)
    # Those of the settings are for the template of the settings; another takes what it knows of them.
    kept = {key: value for key, value in settings.variables.items() if template is None or key in loaded.variables}
    return {
        "template": name,
        "variables": variables_of(loaded, var, kept),
        "question_position": position or "after",
        "history": json_list(history, "the history") if history else (),
        "summary": summary,
        "language": language or settings.language,
        "layout": layout or settings.layout,
        "spotlight": spotlight or settings.spotlight,
        "quarantine": settings.quarantine if quarantine is None else quarantine,
        "queries": settings.queries,
    }


def json_list(path: Path, what: str) -> list[Any]:
    """The list in a JSON file.

    Raises:
        SourceNotFoundError: It cannot be read.
        UsageError: It holds no JSON list.
    """
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise SourceNotFoundError(f"{path}, {what}, cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{path}, {what}, is no JSON: {error}.") from error
    if not isinstance(content, list):
        raise UsageError(f"{path}, {what}, holds no list.", fix="Write a JSON list.")
    return content


def conditions(given: list[str] | None) -> dict[str, object]:
    """``KEY=VALUE`` pairs as filters; a JSON list or object is one of several values or a range."""
    return {key: _ranges(value) for key, value in pairs(given, "--where").items()}


def _ranges(value: Scalar) -> object:
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
