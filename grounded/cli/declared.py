"""What the sources that ``grounded.toml`` names stand for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from grounded.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from grounded.pipeline.connecting import Declared
    from grounded.pipeline.watching import Watched
    from grounded.protocols import Connector
    from grounded.settings import ProjectSettings, SourceSettings


def watched(settings: ProjectSettings, names: Sequence[str]) -> list[Watched]:
    """The sources of ``grounded.toml``, or those that are named; a path or a URI names itself.

    Raises:
        UsageError: There is none, or no source of that name.
    """
    from grounded.pipeline.connecting import connector
    from grounded.pipeline.watching import Watched

    if not names and not settings.sources:
        raise UsageError(
            "grounded.toml names no sources.", fix='Add a table: [sources.docs] with uri = "docs/", or name a URI.'
        )
    found = []
    for name in names or settings.sources:
        if name in settings.sources:
            found.append(_watched(name, settings.sources[name], settings.tenant))
        elif "://" in name or os.path.exists(name):
            found.append(Watched(connector(name), name=name, arguments={"tenant": settings.tenant}))
        else:
            raise UnknownNameError("source", name, tuple(settings.sources), fix="Name one of grounded.toml, or a URI.")
    return found


def read_again(
    settings: ProjectSettings, names: Sequence[str], options: Mapping[str, str | list[str]], *, every: bool
) -> list[Connector | Declared]:
    """Sources to compare or to read again: names of ``grounded.toml`` with what is declared there, paths and URIs.

    Args:
        settings: Those of the project.
        names: What was named; a name of ``grounded.toml`` wins over a path.
        options: For the connectors of paths and URIs.
        every: All of ``grounded.toml`` when nothing was named.

    Raises:
        UsageError: No plug-in reads such a source, or it has no such option.
        SourceError: A path or URI is not there or cannot be read.
    """
    from grounded.cli.ingest import found
    from grounded.pipeline.connecting import Declared

    ours = [name for name in names if name in settings.sources]
    if not names and every:
        ours = list(settings.sources)
    written = watched(settings, ours) if ours else []
    others = found([name for name in names if name not in settings.sources], dict(options))
    return [*(Declared(each.connector, each.arguments) for each in written), *others]


def _watched(name: str, source: SourceSettings, tenant: str) -> Watched:
    from grounded.pipeline.connecting import connector
    from grounded.pipeline.watching import EVERY_SECONDS, Polled, Watched

    uri = f"watch://{source.uri}" if source.is_path and source.live else source.uri
    made: Any = connector(uri, **source.options)
    scheduled = source.every is not None or source.at is not None
    if source.live is False or (source.live is None and scheduled):
        made = Polled(made)
    return Watched(
        made, name=name, every=source.every or EVERY_SECONDS, at=source.at, arguments=source.arguments(tenant)
    )
