"""Sources as people have them, made into passages; their order is what ``[n]`` counts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

from grounded.errors import SchemaError, SourceNotFoundError, UsageError
from grounded.records import Message, Passage, Prompt, SourceKind

_TEXT_KEYS = ("text", "page_content", "content")
_ALLOWED = (
    "strings, mappings with 'text', passages, messages of the user or a tool, LangChain and Haystack documents, "
    "LlamaIndex nodes, or a saved prompt"
)
_TITLES: dict[str, str] = {"user": "The user's message", "tool": "Tool result"}


@runtime_checkable
class _LangChainDocument(Protocol):
    page_content: str
    metadata: Mapping[str, Any]


@runtime_checkable
class _HaystackDocument(Protocol):
    content: str | None
    meta: Mapping[str, Any]


@runtime_checkable
class _LlamaIndexNode(Protocol):
    metadata: Mapping[str, Any]

    def get_content(self) -> str: ...


def passages_from(sources: Any) -> tuple[Passage, ...]:
    """Passages from whatever ``verify`` accepts, in the order given; none is dropped, so that numbers hold.

    Args:
        sources: A ``Prompt``, a path to a saved prompt (``Path``, or a string ending in ``.json``), a prompt as a
            mapping, one text, or an iterable of texts, mappings, ``Passage``s, ``Message``s, LangChain or Haystack
            documents or LlamaIndex nodes. Mappings know ``text`` (or ``page_content``, ``content``), ``title``,
            ``uri``, ``id``, ``document_id``, ``version``, ``effective_from``, ``effective_to``, ``supersedes``,
            ``metadata`` (or ``meta``), ``kind`` (``document``, ``user`` for what the user said, ``tool`` for what a
            tool returned) and, as chat messages do, ``role`` with ``name``.

    Raises:
        UsageError: A source is of another type, or a saved prompt is not one; or it is a message of the assistant
            or the system, which are no evidence for what an answer says.
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
        case Message():
            return _from_mapping({"text": source.content, "role": source.role}, number)
        case str():
            return Passage.from_text(source, number=number)
        case Mapping():
            return _from_mapping(source, number)
        case _:
            return _from_object(source, number)


def _from_object(source: Any, number: int) -> Passage:
    node = getattr(source, "node", source)  # LlamaIndex wraps nodes together with their score
    match node:
        case _LangChainDocument():
            text, identity, metadata = node.page_content, getattr(node, "id", None), node.metadata
        case _LlamaIndexNode():
            text, identity, metadata = node.get_content(), getattr(node, "node_id", None), node.metadata
        case _HaystackDocument():
            # One without text (an image) keeps its number.
            text, identity, metadata = node.content or "", getattr(node, "id", None), node.meta
        case _:
            raise _wrong(source, number)
    return _from_mapping({"text": text, "id": identity, "metadata": metadata or {}}, number)


def _from_mapping(source: Mapping[str, Any], number: int) -> Passage:
    text = next((source[key] for key in _TEXT_KEYS if isinstance(source.get(key), str)), None)
    if text is None:
        raise UsageError(
            f"Source {number} is a mapping without text.", fix=f"Give it one of the keys {', '.join(_TEXT_KEYS)}."
        )
    if "locators" in source or "span" in source:
        return _stored(source, number)
    more = source.get("metadata") or source.get("meta")
    values = {**(more if isinstance(more, Mapping) else {}), **source}
    kind = _kind(source, number)
    title = _first(values, "title", "file_name", "filename", "name") or _TITLES.get(kind, "")
    uri = _first(values, "uri", "url", "source", "file_path")
    passage = Passage.from_text(text, title=title or uri, uri=uri, number=number)
    update: dict[str, Any] = {
        "kind": kind,
        "id": _first(values, "id") or passage.id,
        **{key: str(values[key]) for key in ("document_id", "version", "supersedes") if values.get(key)},
        **{key: _day(values[key], key, number) for key in ("effective_from", "effective_to") if values.get(key)},
    }
    return passage.model_copy(update=update)


def _kind(source: Mapping[str, Any], number: int) -> SourceKind:
    """What the caller says it is. Metadata has no say: it may come from whoever wrote the document."""
    role = source.get("role")
    if role in ("assistant", "system", "developer"):
        raise UsageError(
            f"Source {number} is a message of the {role}, which is no evidence for an answer.",
            fix="Pass only what the user said, what tools returned, and documents.",
        )
    given = source.get("kind") or (role if role in ("user", "tool") else "document")
    kind: SourceKind | None = next((each for each in get_args(SourceKind) if each == given), None)
    if kind is None:
        raise UsageError(f"Source {number} has the kind {given!r}.", fix=f"Allowed: {', '.join(get_args(SourceKind))}.")
    return kind


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
