"""``grounded attach``: somebody else's Qdrant collection, read-only."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from grounded.cli.app import EmbedderOption, JsonOption, KbOption, VerboseOption, output_of
from grounded.errors import UsageError

KINDS = ("keyword", "integer", "float", "bool")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("attach")(attach)


def attach(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="qdrant://host:6333/collection.")],
    vector: Annotated[str | None, typer.Option(help="Name of its dense vector.")] = None,
    text: Annotated[str | None, typer.Option(help="Payload key of the text; a dot leads into an object.")] = None,
    title: Annotated[str | None, typer.Option(help="Payload key of a title.")] = None,
    uri: Annotated[str | None, typer.Option(help="Payload key of an address.")] = None,
    principals: Annotated[str | None, typer.Option(help="Payload key of who may see it.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help=f"KEY={'|'.join(KINDS)}: a payload key to filter on; repeat it for more.")
    ] = None,
    embedder: EmbedderOption = None,
    kb: KbOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Answer from a Qdrant collection that something else made and fills. Nothing is ever written to it.

    A folder (--kb) keeps how it is read, no key; search, prompt, ask and verify then work with that --kb. --embedder
    names the model that made the collection's vectors.
    """
    from rich.text import Text

    from grounded.pipeline.attaching import attach as attach_collection

    del verbose  # its callback has set the level
    output = output_of(context, kb, json)
    with attach_collection(
        url,
        embedder=embedder,
        vector=vector,
        text=text,
        title=title,
        uri=uri,
        principals=principals,
        kinds=_kinds(kind),
    ) as attached:
        attached.save(output.kb)
        count = attached.count()
    output.show(attached.attachment, Text(f"{url}: {count} points, read by {output.kb}."))


def _kinds(given: list[str] | None) -> dict[str, Any]:
    found = {}
    for each in given or ():
        key, equals, kind = each.rpartition("=")
        if not equals or not key or kind not in KINDS:
            raise UsageError(f"{each!r} is no key with a kind.", fix=f"Write KEY={'|'.join(KINDS)}.")
        found[key] = kind
    return found
