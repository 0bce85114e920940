"""A passage inside another framework's metadata, so that evidence still names its exact place after the journey."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from grounded.errors import SchemaError
from grounded.records import Passage

KEY = "grounded_passage"
"""The metadata key that holds where a passage comes from, as JSON without its text; it is not for models to read."""

_LEFT_OUT = ("text", "principals", "score")


def metadata_of(passage: Passage) -> dict[str, Any]:
    """What a framework's document says of a passage: words for people and filters, and all of it under ``KEY``."""
    shown = {"title": passage.title, "uri": passage.uri, "place": passage.place()}
    stored = {name: value for name, value in passage.to_dict().items() if name not in _LEFT_OUT}
    return {**{name: value for name, value in shown.items() if value}, KEY: json.dumps(stored, ensure_ascii=False)}


def sources_from(documents: Iterable[Any]) -> list[Any]:
    """What ``verify`` takes, in the order given: the passages that the documents were, or else the documents."""
    return [_passage(document) or document for document in documents]


def _passage(document: Any) -> Passage | None:
    """The passage, if its text is still as long as its span says; otherwise it counts as any other document."""
    node = getattr(document, "node", document)
    metadata = getattr(node, "metadata", None) or getattr(node, "meta", None)
    stored = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    text = next((t for t in (getattr(node, n, None) for n in ("text", "page_content", "content")) if t), None)
    if not isinstance(stored, str) or not isinstance(text, str):
        return None
    try:
        return Passage.from_dict({**json.loads(stored), "text": text, "kind": "document"})
    except (SchemaError, ValueError, TypeError):
        return None
