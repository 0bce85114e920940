"""Reading a Qdrant collection that was not made by this package; nothing is ever written to it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from grounded.errors import EmbedderMismatchError, KnowledgeBaseNotFoundError, StoreError, UnknownNameError
from grounded.records import Condition, KeyKind, Locator, Passage
from grounded.retrieval.filters import translate
from grounded.retrieval.points import check_dense
from grounded.retrieval.server import KEY_VARIABLE, SCHEMA_TYPES, Address, Nodes, ServerDialect

if TYPE_CHECKING:
    from grounded.protocols import Vector

TEXT_KEYS = ("text", "page_content", "content", "document", "chunk", "body")
"""Where a text is looked for when no key is named: the usual key of most tools, LangChain's, and others'."""
LLAMA_INDEX_KEY = "_node_content"
"""Where LlamaIndex keeps a node as JSON with its text."""
TITLE_KEYS = ("title", "file_name", "metadata.title", "source", "metadata.source")
URI_KEYS = ("url", "uri", "metadata.url", "metadata.source", "file_path", "source")
SAMPLE_POINTS = 20
TIMEOUT_SECONDS = 30


class Keys(NamedTuple):
    """Under which payload keys things stand; a dot leads into an object."""

    text: str
    title: str | None = None
    uri: str | None = None


class Near(NamedTuple):
    """A passage found, and the cosine of its vector to the question's, in [-1, 1]."""

    passage: Passage
    cosine: float


class ForeignCollection:
    """A collection of somebody else's, read-only. Thread-safe.

    Args:
        url: ``qdrant://host:6333/collection``, several nodes separated by commas.
        dimension: Length of the question's vectors.
        vector: Name of the dense vector; None takes the only one.
        text: Payload key of the text; None looks where LangChain, LlamaIndex and others keep it.
        title: Payload key of a title for people; None looks for a usual one.
        uri: Payload key of an address for people; None looks for a usual one.
        kinds: Kinds of payload keys to filter on, beside those that the collection has an index for.
        api_key: The server's key, a read-only one will do; ``QDRANT_API_KEY`` when left out.
        timeout: Seconds for one request.

    Raises:
        KnowledgeBaseNotFoundError: There is no such collection.
        EmbedderMismatchError: Its vectors have another length than ``dimension``.
        UnknownNameError: It has no such vector, or no point of a sample has a text where it is looked for.
        StoreUnavailableError: The server cannot be reached.
        StoreError: The server refused.
    """

    def __init__(
        self,
        url: str,
        *,
        dimension: int,
        vector: str | None = None,
        text: str | None = None,
        title: str | None = None,
        uri: str | None = None,
        kinds: Mapping[str, KeyKind] | None = None,
        api_key: str | None = None,
        timeout: int = TIMEOUT_SECONDS,
    ) -> None:
        self._address = Address.from_url(url)
        self._dimension = dimension
        self._nodes = Nodes(self._address, api_key=api_key or os.environ.get(KEY_VARIABLE) or None, timeout=timeout)
        try:
            self._nodes.check_version()
            if not self._call("collection_exists"):
                raise KnowledgeBaseNotFoundError(
                    f"There is no collection {self.name!r} at {self._address.server}.", fix="Check its name."
                )
            information = self._call("get_collection")
            self._vector = self._chosen(information.config.params.vectors, vector)
            self.kinds = {**_indexed(information.payload_schema), **(kinds or {})}
            self.keys = self._found(text, title, uri)
        except BaseException:
            self._nodes.close()
            raise

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._address.collection

    def nearest(self, vector: Vector, *, limit: int, condition: Condition | None = None) -> list[Near]:
        """Passages in the collection's own order, best first; points without a text are left out.

        Raises:
            UnknownNameError: The condition mentions a key whose kind is not known.
            StoreError: The vector is malformed, or the server failed.
        """
        query = check_dense(vector, self._dimension, unit=False)
        wanted = None if condition is None else translate(condition, ServerDialect(), self.kinds, str)
        response = self._call(
            "query_points",
            query=query.tolist(),
            using=self._vector,
            query_filter=wanted,
            limit=limit,
            with_payload=True,
            with_vectors=[self._vector] if self._vector else True,
        )
        found = [(self._passage(point), point) for point in response.points]
        return [Near(passage, _cosine(query, self._dense(point))) for passage, point in found if passage is not None]

    def count(self) -> int:
        """How many points it has, exactly."""
        return int(self._call("count", exact=True).count)

    def close(self) -> None:
        """Let go of the connection; closing twice changes nothing."""
        self._nodes.close()

    def _chosen(self, vectors: Any, wanted: str | None) -> str | None:
        """The name of the vector to search; None for one without a name."""
        named = dict(vectors) if isinstance(vectors, Mapping) else {"": vectors} if vectors is not None else {}
        choice = wanted if wanted is not None else next(iter(named), "") if len(named) == 1 else None
        if choice is None or choice not in named:
            fix = "Name one with vector= (--vector)." if named else "It has no dense vectors, so it cannot be searched."
            raise UnknownNameError("dense vector", wanted or "", tuple(named), fix=fix)
        if named[choice].size != self._dimension:
            raise EmbedderMismatchError(
                f"The collection {self.name!r} holds vectors of dimension {named[choice].size}; the embedding model "
                f"makes {self._dimension}.",
                fix="Give the embedding model that the collection was made with.",
            )
        return choice or None

    def _found(self, text: str | None, title: str | None, uri: str | None) -> Keys:
        points, _ = self._call("scroll", limit=SAMPLE_POINTS, with_payload=True, with_vectors=False)
        payloads = [point.payload or {} for point in points]
        found = next((key for key in (text,) if key), None) or _first(payloads, (*TEXT_KEYS, LLAMA_INDEX_KEY))
        if payloads and (found is None or not any(_text_of(payload, found) for payload in payloads)):
            seen = tuple(sorted({key for payload in payloads for key in payload}))
            raise UnknownNameError("payload key with a text", text or "", seen, fix="Name it with text= (--text).")
        return Keys(found or TEXT_KEYS[0], title or _first(payloads, TITLE_KEYS), uri or _first(payloads, URI_KEYS))

    def _passage(self, point: Any) -> Passage | None:
        payload = point.payload or {}
        text = _text_of(payload, self.keys.text)
        if not text:
            return None
        return Passage(
            id=str(point.id),
            text=text,
            title=_shown(payload, self.keys.title) or self.name,
            uri=_shown(payload, self.keys.uri),
            locators=(Locator(kind="chunk", id=str(point.id)),),
        )

    def _dense(self, point: Any) -> Any:
        return point.vector[self._vector] if self._vector else point.vector

    def _call(self, method: str, **named: Any) -> Any:
        return self._nodes.call(method, collection_name=self.name, **named)


def _indexed(schema: Mapping[str, Any]) -> dict[str, KeyKind]:
    kinds = {kind: name for name, kind in SCHEMA_TYPES.items()}
    return {path: kinds[each.data_type] for path, each in schema.items() if each.data_type in kinds}


def _first(payloads: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str | None:
    """The first of the keys that any payload has a text under."""
    return next((key for key in keys if any(_text_of(payload, key) for payload in payloads)), None)


def _text_of(payload: Mapping[str, Any], key: str) -> str:
    value = _at(payload, key)
    if key == LLAMA_INDEX_KEY and isinstance(value, str):
        try:
            value = json.loads(value).get("text")
        except (ValueError, AttributeError):
            return ""
    return value if isinstance(value, str) and value.strip() else ""


def _shown(payload: Mapping[str, Any], key: str | None) -> str:
    value = None if key is None else _at(payload, key)
    return str(value) if isinstance(value, (str, int, float)) else ""


def _at(payload: Mapping[str, Any], key: str) -> Any:
    if key in payload:
        return payload[key]
    head, dot, rest = key.partition(".")
    inner = payload.get(head)
    return _at(inner, rest) if dot and isinstance(inner, Mapping) else None


def _cosine(query: Vector, vector: Any) -> float:
    """Ours, whatever distance the collection was made with."""
    other = np.asarray(vector, dtype=np.float32)
    if other.shape != query.shape:
        raise StoreError(f"A vector has shape {other.shape}, not {query.shape}.")
    length = float(np.linalg.norm(query) * np.linalg.norm(other))
    return float(np.clip(query @ other / length, -1.0, 1.0)) if length else 0.0
