"""What names a source, and the connector that reads it: plug-ins of ``grounded.connectors``, named by scheme."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import ConfigDict, TypeAdapter, ValidationError

from grounded import registry
from grounded.credentials import fill
from grounded.errors import SourceNotFoundError, UsageError
from grounded.protocols import Connector

Source = str | Path | Connector | Iterable[Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """A source with what its ingests are given beside it, such as a table ``[sources.NAME]`` of ``grounded.toml``.

    Attributes:
        connector: Reads it.
        arguments: Those of ``ingest``: tenant, metadata, principals.
    """

    connector: Connector
    arguments: Mapping[str, Any]


FILES, RECORDS, READER = "files", "records", "llama-index"
"""The plug-ins for sources that have no scheme."""


def connector(source: Source, /, **options: Any) -> Connector:
    """The connector that reads a source.

    The scheme of a URI is the name of a plug-in: ``postgresql://host/shop``. What follows a ``+`` in a scheme is the
    plug-in's own business: ``postgresql+psycopg://``, ``delta+s3://``. ``${NAME}`` and ``${keyring:SERVICE/USER}``
    stand for secrets, in the URI and in options.

    Args:
        source: A path, folder, glob or URI; a connector; a LlamaIndex reader; or an iterable of documents.
        options: What the plug-in takes beside its source; texts are read as the type an option has.

    Raises:
        UnknownNameError: No installed plug-in reads such a scheme.
        UsageError: It is no source at all, or the plug-in has no such option.
        ConfigurationError: A secret is named that is not there.
    """
    if isinstance(source, Connector):
        if options:
            raise UsageError("A connector that is made already takes no options.", fix="Give them when making it.")
        return source
    if isinstance(source, str | Path):
        name, given = _by_scheme(str(source))
        return _plug_in(name, given, options)
    if hasattr(source, "load_data") or hasattr(source, "lazy_load_data"):
        return _plug_in(READER, source, options)
    if not isinstance(source, (bytes, Mapping)) and hasattr(source, "__iter__"):
        return _plug_in(RECORDS, source, options)
    raise UsageError(
        f"A {type(source).__name__} cannot be ingested.",
        fix="Give a path, a folder, a glob, a URI, a connector, or an iterable of documents or mappings with key and "
        "text.",
    )


def declared(source: Source | Declared, arguments: Mapping[str, Any]) -> Declared:
    """The source with these arguments of ``ingest``, unless it brings its own."""
    if isinstance(source, Declared):
        return Declared(source.connector, {**arguments, **source.arguments})
    return Declared(connector(source), arguments)


def answered_for(
    one: Declared, given: Sequence[Declared], keys: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that one of several connectors answers for, and the others."""
    source = one.connector.source
    if source != FILES and sum(each.connector.source == source for each in given) == 1:
        return tuple(keys), ()  # a connector may not know what it cannot list
    covered = tuple(key for key in keys if one.connector.covers(key))
    return covered, tuple(key for key in keys if key not in covered)


def file_again(key: str) -> Iterable[Connector]:
    """The connector of a file that is known by its key; none when the file is gone."""
    try:
        found = connector(key)
        next(iter(found.changes(None)), None)
    except SourceNotFoundError:
        return ()
    return (found,)


def as_sources(sources: Sequence[Any]) -> list[Any]:
    """A list of paths is several sources; mappings and documents given one by one belong together in one."""
    sources = [each for source in sources for each in (source if _is_paths(source) else (source,))]
    loose = [source for source in sources if isinstance(source, Mapping) or hasattr(source, "key")]
    rest = [source for source in sources if not any(source is each for each in loose)]
    return [*rest, loose] if loose else rest


def _is_paths(source: Source) -> TypeGuard[Sequence[str | Path]]:
    return isinstance(source, (list, tuple)) and bool(source) and all(isinstance(each, str | Path) for each in source)


def _by_scheme(source: str) -> tuple[str, str]:
    """The plug-in's name, and what it is given."""
    scheme, separator, _ = source.partition("://")
    if not separator:
        return FILES, source
    if scheme == "file":
        return FILES, url2pathname(urlsplit(source).path)
    scheme = scheme.lower()
    name = scheme if scheme in registry.names("connectors") else scheme.partition("+")[0]
    return name, fill(source, in_uri=True)


def _plug_in(name: str, given: Any, options: Mapping[str, Any]) -> Connector:
    factory = registry.load("connectors", name)
    connector: Connector = factory(given, **_checked(name, factory, options))
    return connector


def _checked(name: str, factory: Callable[..., Connector], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the types the plug-in declares."""
    known = list(inspect.signature(factory, eval_str=True).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known):
        return {option: _filled(value) for option, value in options.items()}
    types = {parameter.name: parameter.annotation for parameter in known}
    for option in options:
        if option not in types:
            allowed = ", ".join(types) or "none"
            raise UsageError(f"The connector {name!r} has no option {option!r}.", fix=f"It has: {allowed}.")
    return {option: _as_type(name, option, types[option], _filled(value)) for option, value in options.items()}


def _filled(value: Any) -> Any:
    if isinstance(value, str):
        return fill(value)
    return [_filled(each) for each in value] if isinstance(value, list) else value


def _as_type(name: str, option: str, wanted: Any, value: Any) -> Any:
    """The value, or what its text stands for: a number, true or false, JSON, one name where several may be."""
    if wanted is inspect.Parameter.empty or not isinstance(value, str | list):
        return value
    adapter = TypeAdapter(wanted, config=ConfigDict(arbitrary_types_allowed=True))
    candidates = [value, [value]]
    if isinstance(value, str) and value[:1] in "{[":
        with suppress(ValueError):
            candidates.insert(0, json.loads(value))
    problem = ""
    for candidate in candidates:
        try:
            return adapter.validate_python(candidate)
        except ValidationError as error:
            problem = problem or error.errors()[0]["msg"]
    raise UsageError(f"The option {option!r} of the connector {name!r} is wrong: {problem}.")
