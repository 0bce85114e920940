"""What the adapter to ``qdrant_client`` says to it and hears from it: addresses, filters, points, errors."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np

from grounded.errors import MissingExtraError, StoreError, StoreUnavailableError, UsageError
from grounded.protocols import Point, SparseVector
from grounded.records import KeyKind

try:
    from qdrant_client import QdrantClient as QdrantClient
    from qdrant_client import models as models
    from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
except ImportError as error:
    raise MissingExtraError("A Qdrant server as vector store", package="qdrant-client", extra="qdrant") from error

log = logging.getLogger(__name__)

DENSE, SPARSE = "dense", "bm25"
DEFAULT_PORT = 6333
KEY_VARIABLE = "QDRANT_API_KEY"
OLDEST_SERVER = (1, 10)
"""The first version with the query interface and with inverse document frequencies."""

_SCHEMES = {"qdrant": "http", "http": "http", "qdrants": "https", "https": "https"}
SCHEMA_TYPES: Mapping[KeyKind, Any] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
}

_LAYOUT = ("shards", "replicas")
_FORM = "Write qdrant://host:6333/collection, or https://host:6333/collection for TLS."
_START_NODES = "Start the missing nodes, then run the same command again; nothing stored is lost."
_TOO_FEW_NODES = ("status: Unavailable", "consensus", "replicas are available", "status: DeadlineExceeded")
"""What a node of a cluster says, with status 500, when others that it needs are down."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a collection is; holds no secret.

    Attributes:
        servers: The nodes of a cluster, or the one server, as URLs; any of them leads to the collection.
        shards: Into how many parts a new collection is divided; None leaves it to the server.
        replicas: On how many nodes each part of a new collection is kept; None leaves it to the server.
    """

    servers: tuple[str, ...]
    collection: str
    shards: int | None = None
    replicas: int | None = None

    @classmethod
    def from_url(cls, url: str) -> Address:
        """Read ``qdrant://host:6333/collection``; ``qdrants`` and ``https`` use TLS.

        The nodes of a cluster are separated by commas, and ``?shards=6&replicas=2`` says how a new collection is laid
        out on them: ``qdrant://a:6333,b:6333,c:6333/collection?shards=6&replicas=2``.

        Raises:
            UsageError: The address is not one, or carries a password.
        """
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise UsageError("The address of a Qdrant collection must not carry secrets.", fix=f"Set {KEY_VARIABLE}.")
        layout = _layout(parts.query)
        collection = unquote(parts.path.strip("/"))
        if parts.scheme not in _SCHEMES or not collection or "/" in collection or parts.fragment:
            raise UsageError(f"{url!r} is not the address of a Qdrant collection.", fix=_FORM)
        servers = tuple(_server(_SCHEMES[parts.scheme], each) for each in parts.netloc.split(","))
        return cls(servers, collection, **layout)

    @property
    def server(self) -> str:
        """The servers' addresses, for people."""
        return ", ".join(self.servers)


def _server(scheme: str, netloc: str) -> str:
    try:
        parts = urlsplit(f"//{netloc.strip()}")
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError as error:
        raise UsageError(f"{netloc!r} is not the address of a Qdrant server.", fix=_FORM) from error
    if not host:
        raise UsageError("The address of a Qdrant collection names no server.", fix=_FORM)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _layout(query: str) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _LAYOUT:
            # Its value may be a key, so it is not repeated.
            raise UsageError(
                "The address of a Qdrant collection takes shards and replicas only, and no secrets.",
                fix=f"Write ?shards=6&replicas=2, and set {KEY_VARIABLE} for a key.",
            )
        if not value.isdecimal() or int(value) < 1:
            raise UsageError(f"{name} must be a whole number of at least 1, not {value!r}.", fix=_FORM)
        wanted[name] = int(value)
    return wanted


class Nodes:
    """The servers of one address: a call goes to the one that answered last, and to the next when it does not.

    Every call that is made here may be made twice with the effect of one. Thread-safe.

    Args:
        address: Where the servers are.
        api_key: Their key.
        timeout: Seconds for one request to one of them.
    """

    def __init__(self, address: Address, *, api_key: str | None, timeout: int) -> None:
        self.address = address
        self._clients = [
            QdrantClient(
                url=server,
                port=urlsplit(server).port,
                api_key=api_key,
                timeout=timeout,
                check_compatibility=False,  # it prints; ``check_version`` raises
            )
            for server in address.servers
        ]
        self._first = 0
        self._closed = False

    def call(self, method: str, **named: Any) -> Any:
        """What a method of the client returns, from the first server that can be reached.

        Raises:
            StoreUnavailableError: None can be reached, or too many of a cluster's nodes are down.
            StoreError: The connection is closed, or the server refused.
        """
        if self._closed:
            raise StoreError(f"The connection to {self.address.server} is closed.", fix="Open it again.")
        failures: list[StoreUnavailableError] = []
        for tried in range(len(self._clients)):
            number = (self._first + tried) % len(self._clients)
            try:
                with translated(self.address.servers[number], method):
                    answer = getattr(self._clients[number], method)(**named)
            except StoreUnavailableError as error:
                log.warning("the Qdrant server %s did not answer to %s", self.address.servers[number], method)
                failures.append(error)
            else:
                self._first = number
                return answer
        raise _joined(failures)

    def check_version(self) -> str:
        """The server's version.

        Raises:
            StoreError: It is older than ``OLDEST_SERVER``, or no Qdrant server answers there.
        """
        version = str(self.call("info").version)
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_SERVER:
            oldest = ".".join(map(str, OLDEST_SERVER))
            raise StoreError(
                f"The Qdrant server at {self.address.server} has version {version}; needed is {oldest} or newer.",
                fix="Upgrade the server; its collections stay.",
            )
        return version

    def close(self) -> None:
        """Let go of the connections; closing twice changes nothing."""
        if not self._closed:
            self._closed = True
            for client in self._clients:
                client.close()


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
def translated(server: str, doing: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except UnexpectedResponse as error:
        raise _refused(server, doing, error) from error
    except ResponseHandlingException as error:
        if isinstance(error.source, ValueError):
            raise StoreError(
                f"The answer of the server at {server} to {doing} is not understood: {str(error.source)[:300]}",
                fix="Check that it is a Qdrant server and that its version fits the installed qdrant-client.",
            ) from error
        raise StoreUnavailableError(
            f"The Qdrant server at {server} cannot be reached: {error}",
            fix="Check that it runs and that the address is right, then run the same command again.",
        ) from error
    except (ApiException, ValueError) as error:
        raise StoreError(f"The Qdrant server at {server} failed to {doing}: {error}") from error


def _joined(failures: Sequence[StoreUnavailableError]) -> StoreUnavailableError:
    """What the nodes of a cluster said, each in its own words."""
    if len(failures) == 1:
        return failures[0]
    said = " ".join(failure.message for failure in failures)
    return StoreUnavailableError(f"No node of the Qdrant cluster could do it. {said}", fix=_START_NODES)


def _refused(server: str, doing: str, error: UnexpectedResponse) -> StoreError:
    status = error.status_code
    text = error.content.decode("utf-8", "replace")[:500]
    if status in {401, 403}:
        return StoreError(f"The Qdrant server at {server} refused the key.", fix=f"Set {KEY_VARIABLE}.")
    if any(sign in text for sign in _TOO_FEW_NODES):
        return StoreUnavailableError(
            f"Too few nodes of the Qdrant cluster answer to {doing}; {server} says: {text}",
            fix=_START_NODES,
        )
    if status in {429, 502, 503, 504}:
        return StoreUnavailableError(f"The Qdrant server at {server} answered {status}: {text}")
    full = "The server's disk is full: free some space there." if "no space left" in text.lower() else ""
    return StoreError(f"The Qdrant server at {server} failed to {doing} ({status}): {text}", fix=full)


def server_point(point: Point) -> Any:
    """A checked point as the client's."""
    vector: dict[str, Any] = {DENSE: point.dense.tolist()}
    if point.sparse.indices:
        vector[SPARSE] = server_sparse(point.sparse)
    return models.PointStruct(id=point.id, vector=vector, payload=dict(point.payload))


def server_sparse(vector: SparseVector) -> Any:
    """A checked sparse vector as the client's."""
    return models.SparseVector(indices=list(vector.indices), values=list(vector.values))


def point_of(record: Any) -> Point:
    """One of our points as the client returns it, with vectors and payload."""
    sparse = record.vector.get(SPARSE)
    words = SparseVector((), ())
    if sparse is not None:
        # A server need not return them in order.
        pairs = sorted(zip(sparse.indices, sparse.values, strict=True))
        words = SparseVector(tuple(index for index, _ in pairs), tuple(value for _, value in pairs))
    dense = np.asarray(record.vector[DENSE], dtype=np.float32)
    return Point(str(record.id), dense, words, dict(record.payload or {}))
