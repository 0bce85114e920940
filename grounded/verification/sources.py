"""Sources as people have them, made into passages; their order is what ``[n]`` counts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from grounded.errors import SchemaError, SourceNotFoundError, UsageError
from grounded.records import Passage, Prompt

_TEXT_KEYS = ("text", "page_content", "content")
_ALLOWED = "strings, mappings with 'text', passages, LangChain documents, LlamaIndex nodes, or a saved prompt"


@runtime_checkable
class _LangChainDocument(Protocol):
    page_content: str
    metadata: Mapping[str, Any]


@runtime_checkable
class _LlamaIndexNode(Protocol):
    metadata: Mapping[str, Any]

    def get_content(self) -> str: ...


def passages_from(sources: Any) -> tuple[Passage, ...]:
    """Passages from whatever ``verify`` accepts, in the order given; none is dropped, so that numbers hold.

    Args:
        sources: A ``Prompt``, a path to a saved prompt (``Path``, or a string ending in ``.json``), a prompt as a
            mapping, one text, or an iterable of texts, mappings, ``Passage``s, LangChain documents or LlamaIndex
            nodes. Mappings know ``text`` (or ``page_content``, ``content``), ``title``, ``uri``, ``id``,
            ``document_id``, ``version``, ``effective_from``, ``effective_to``, ``supersedes`` and ``metadata``.

    Raises:
        UsageError: A source is of another type, or a saved prompt is not one.
        SourceNotFoundError: The path of a saved prompt does not exist.
    """
    if isinstance(sources, Prompt):
        return sources.passages
    if isinstance(sources, os.PathLike) or (isinstance(sources, str) and _is_prompt_path(sources)):
        return _saved_prompt(Path(os.fspath(sources)))
    if isinstance(sources, Mapping):
        return _prompt_passages(sources) if "messages" in sources else (_from_mapping(sources, 1),)
    if isinstance(sources, str | Passage):
        return (_passage(sources, 1),)
    if isinstance(sources, bytes | bytearray) or not isinstance(sources, Iterable):
        raise _wrong(sources)
    return tuple(_passage(source, number) for number, source in enumerate(sources, start=1))


def _is_prompt_path(text: str) -> bool:
    return len(text) < 1024 and "\n" not in text and text.endswith(".json") and os.path.isfile(text)


def _saved_prompt(path: Path) -> tuple[Passage, ...]:
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"There is no saved prompt at {path}.", fix="Check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a saved prompt: {error}.") from error
    try:
        return Prompt.from_json(content).passages
    except SchemaError as error:
        raise UsageError(f"{path} is not a saved prompt: {error.message}", fix=error.fix) from error


def _prompt_passages(data: Mapping[str, Any]) -> tuple[Passage, ...]:
    try:
        return Prompt.from_dict(data).passages
    except SchemaError as error:
        raise UsageError(f"The mapping is not a saved prompt: {error.message}", fix=error.fix) from error


def _passage(source: Any, number: int) -> Passage:
    match source:
        case Passage():
            return source
        case str():
            return Passage.from_text(source, number=number)
        case Mapping():
            return _from_mapping(source, number)
        case _:
            return _from_object(source, number)


def _from_object(source: Any, number: int) -> Passage:
    node = getattr(source, "node", source)  # LlamaIndex wraps nodes together with their score
    if isinstance(node, _LangChainDocument):
        text, identity = node.page_content, getattr(node, "id", None)
    elif isinstance(node, _LlamaIndexNode):
        text, identity = node.get_content(), getattr(node, "node_id", None)
    else:
        raise _wrong(source, number)
    return _from_mapping({"text": text, "id": identity, "metadata": node.metadata or {}}, number)


def _from_mapping(source: Mapping[str, Any], number: int) -> Passage:
    text = next((source[key] for key in _TEXT_KEYS if isinstance(source.get(key), str)), None)
    if text is None:
        raise UsageError(
            f"Source {number} is a mapping without text.", fix=f"Give it one of the keys {', '.join(_TEXT_KEYS)}."
        )
    if "locators" in source or "span" in source:
        return _stored(source, number)
    more = source.get("metadata")
    values = {**(more if isinstance(more, Mapping) else {}), **source}
    title = _first(values, "title", "file_name", "filename", "name")
    uri = _first(values, "uri", "url", "source", "file_path")
    passage = Passage.from_text(text, title=title or uri, uri=uri, number=number)
    update: dict[str, Any] = {
        "id": _first(values, "id") or passage.id,
        **{key: str(values[key]) for key in ("document_id", "version", "supersedes") if values.get(key)},
        **{key: _day(values[key], key, number) for key in ("effective_from", "effective_to") if values.get(key)},
    }
    return passage.model_copy(update=update)


def _stored(source: Mapping[str, Any], number: int) -> Passage:
    try:
        return Passage.from_dict(source)
    except SchemaError as error:
        raise UsageError(f"Source {number} is not a passage: {error.message}", fix=error.fix) from error


def _first(values: Mapping[str, Any], *keys: str) -> str:
    return next((str(values[key]) for key in keys if values.get(key)), "")


def _day(value: Any, key: str, number: int) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise UsageError(f"{key} of source {number} is {value!r}.", fix="Write a day as YYYY-MM-DD.") from error


def _wrong(source: Any, number: int | None = None) -> UsageError:
    place = "Sources" if number is None else f"Source {number}"
    return UsageError(f"{place} cannot be a {type(source).__name__}.", fix=f"Allowed are {_ALLOWED}.")
