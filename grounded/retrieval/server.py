"""What the adapter to ``qdrant_client`` says to it and hears from it: addresses, filters, points, errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from grounded.errors import MissingExtraError, StoreError, StoreUnavailableError, UsageError
from grounded.protocols import Point, SparseVector
from grounded.records import KeyKind

try:
    from qdrant_client import QdrantClient as QdrantClient
    from qdrant_client import models as models
    from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
except ImportError as error:
    raise MissingExtraError("A Qdrant server as vector store", package="qdrant-client", extra="qdrant") from error

DENSE, SPARSE = "dense", "bm25"
DEFAULT_PORT = 6333
KEY_VARIABLE = "QDRANT_API_KEY"

_SCHEMES = {"qdrant": "http", "http": "http", "qdrants": "https", "https": "https"}
SCHEMA_TYPES: Mapping[KeyKind, Any] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a collection is; holds no secret."""

    scheme: str
    host: str
    port: int
    collection: str

    @classmethod
    def from_url(cls, url: str) -> Address:
        """Read ``qdrant://host:6333/collection``; ``qdrants`` and ``https`` use TLS.

        Raises:
            UsageError: The address is not one, or carries a password.
        """
        form = "Write qdrant://host:6333/collection, or https://host:6333/collection for TLS."
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or DEFAULT_PORT
        except ValueError as error:
            raise UsageError("This is not the address of a Qdrant collection.", fix=form) from error
        if parts.username or parts.password or parts.query:
            raise UsageError("The address of a Qdrant collection must not carry secrets.", fix=f"Set {KEY_VARIABLE}.")
        collection = unquote(parts.path.strip("/"))
        if parts.scheme not in _SCHEMES or not host or not collection or "/" in collection:
            raise UsageError(f"{url!r} is not the address of a Qdrant collection.", fix=form)
        return cls(_SCHEMES[parts.scheme], host, port, collection)

    @property
    def server(self) -> str:
        """The server's address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class ServerDialect:
    """Filters as objects of ``qdrant_client``."""

    def combine(self, *, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> Any:
        """A filter of filters."""
        return models.Filter(must=list(must), should=list(should), must_not=list(must_not))

    def among(self, key: str, values: list[str] | list[int]) -> Any:
        """One of the values."""
        return models.FieldCondition(key=key, match=models.MatchAny(any=values))

    def is_bool(self, key: str, value: bool) -> Any:
        """This boolean."""
        return models.FieldCondition(key=key, match=models.MatchValue(value=value))

    def between(self, key: str, *, gte: float | None = None, lt: float | None = None) -> Any:
        """A number in ``[gte, lt)``."""
        return models.FieldCondition(key=key, range=models.Range(gte=gte, lt=lt))

    def number(self, key: str, value: float) -> Any:
        """This number."""
        return models.FieldCondition(key=key, range=models.Range(gte=value, lte=value))

    def absent(self, key: str) -> Any:
        """No value, or an empty list."""
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))


@contextlib.contextmanager
def translated(address: Address, doing: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except UnexpectedResponse as error:
        raise _refused(address, doing, error) from error
    except ResponseHandlingException as error:
        raise StoreUnavailableError(
            f"The Qdrant server at {address.server} cannot be reached: {error}",
            fix="Check that it runs and that the address is right, then run the same command again.",
        ) from error
    except (ApiException, ValueError) as error:
        raise StoreError(f"The Qdrant server at {address.server} failed to {doing}: {error}") from error


def _refused(address: Address, doing: str, error: UnexpectedResponse) -> StoreError:
    status = error.status_code
    text = error.content.decode("utf-8", "replace")[:500]
    if status in {401, 403}:
        return StoreError(f"The Qdrant server at {address.server} refused the key.", fix=f"Set {KEY_VARIABLE}.")
    if status in {429, 502, 503, 504}:
        return StoreUnavailableError(f"The Qdrant server at {address.server} answered {status}: {text}")
    full = "The server's disk is full: free some space there." if "no space left" in text.lower() else ""
    return StoreError(f"The Qdrant server at {address.server} failed to {doing} ({status}): {text}", fix=full)


def server_point(point: Point) -> Any:
    """A checked point as the client's."""
    vector: dict[str, Any] = {DENSE: point.dense.tolist()}
    if point.sparse.indices:
        vector[SPARSE] = server_sparse(point.sparse)
    return models.PointStruct(id=point.id, vector=vector, payload=dict(point.payload))


def server_sparse(vector: SparseVector) -> Any:
    """A checked sparse vector as the client's."""
    return models.SparseVector(indices=list(vector.indices), values=list(vector.values))
