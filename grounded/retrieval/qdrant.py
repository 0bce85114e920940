"""The vector store of a Qdrant server or cluster: what several processes share, and beyond one machine.

Needs the extra ``qdrant``. Points are checked by the same code as in the embedded store and searched exactly
unless asked otherwise, so both stores rank alike. On a collection of several shards each shard counts the
rarity of words by itself, and a server counts deleted points until it tidies up, so lexical scores may differ
a little from the embedded store's there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from grounded.errors import (
    EmbedderMismatchError,
    KnowledgeBaseNotFoundError,
    StoreError,
    UsageError,
)
from grounded.protocols import Point, Scored, SparseVector
from grounded.records import SYSTEM_KEYS, Condition, KeyKind, keys_of
from grounded.retrieval.filters import key_of, path_of, translate
from grounded.retrieval.points import (
    check_declaration,
    check_dense,
    check_ids,
    check_payload,
    check_points,
    check_sparse,
)
from grounded.retrieval.ranking import ranked
from grounded.retrieval.server import (
    DENSE,
    KEY_VARIABLE,
    SCHEMA_TYPES,
    SPARSE,
    Address,
    Nodes,
    ServerDialect,
    models,
    point_of,
    server_point,
    server_sparse,
)

if TYPE_CHECKING:
    from grounded.protocols import Vector

BATCH_POINTS = 128
"""Points per request: about 1 MB for 384 dimensions, 8 MB for 3,072; a server takes 32 MB."""
PAGE_IDS = 1000
TIMEOUT_SECONDS = 30


class QdrantStore:
    """A vector store in a collection of a Qdrant server. Thread-safe; implements ``VectorStore``.

    Args:
        url: ``qdrant://host:6333/collection``, or ``https://…`` for TLS. The nodes of a cluster are separated by
            commas: when one stops, the next is asked. ``?shards=6&replicas=2`` lays a new collection out on them.
        dimension: Length of the dense vectors.
        create: Make the collection when there is none; an existing one is used as it is.
        api_key: The server's key; ``QDRANT_API_KEY`` when left out. Never logged.
        timeout: Seconds for one request.
        exact: Compare with every point. False uses the server's approximate index: faster above a few
            hundred thousand points, may miss a near neighbour.

    Raises:
        UsageError: The address is not one.
        KnowledgeBaseNotFoundError: There is no collection and ``create`` is false.
        EmbedderMismatchError: The collection holds vectors of another dimension.
        StoreUnavailableError: No server can be reached, or too few nodes of a cluster.
        StoreError: The server refused or is too old, or the collection was not made by this package.
    """

    def __init__(
        self,
        url: str,
        *,
        dimension: int,
        create: bool = True,
        api_key: str | None = None,
        timeout: int = TIMEOUT_SECONDS,
        exact: bool = True,
    ) -> None:
        if dimension < 1:
            raise UsageError(f"A vector has at least one dimension, not {dimension}.")
        self._address = Address.from_url(url)
        self._dimension = dimension
        self._exact = exact
        self._kinds: dict[str, KeyKind] = {}
        self._nodes = Nodes(self._address, api_key=api_key or os.environ.get(KEY_VARIABLE) or None, timeout=timeout)
        try:
            self._open(create)
        except BaseException:
            self.close()
            raise

    @property
    def dimension(self) -> int:
        """Length of the dense vectors."""
        return self._dimension

    def declare(self, key: str, kind: KeyKind) -> None:
        """Make a payload key filterable; declaring it again changes nothing.

        Raises:
            UsageError: The key is reserved, unusable, or was declared with another kind.
            StoreError: The store is closed or failed.
        """
        if check_declaration(key, kind, self._known({key})):
            self._call("create_payload_index", field_name=path_of(key), field_schema=SCHEMA_TYPES[kind], wait=True)
            self._refresh()

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points; all are validated before any is sent, and acknowledged when they can be found.

        Raises:
            StoreError: A point is malformed, or the server failed.
        """
        kinds = self._known(key for point in points for key in point.payload)
        checked = check_points(points, self._dimension, kinds)
        for start in range(0, len(checked), BATCH_POINTS):
            batch = [server_point(point) for point in checked[start : start + BATCH_POINTS]]
            self._call("upsert", points=batch, wait=True)

    def set_payload(self, ids: Sequence[str], payload: Mapping[str, Any]) -> None:
        """Replace the given payload keys of existing points; unknown ids are ignored.

        Raises:
            StoreError: The payload is malformed, or the server failed.
        """
        values = check_payload(payload, self._known(payload))
        present = self.existing(ids)
        known = [each for each in check_ids(ids) if each in present]
        for start in range(0, len(known), PAGE_IDS):
            self._call("set_payload", payload=values, points=known[start : start + PAGE_IDS], wait=True)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored.

        Raises:
            StoreError: An id is malformed, or the server failed.
        """
        wanted = check_ids(ids)
        for start in range(0, len(wanted), PAGE_IDS):
            selector = models.PointIdsList(points=list(wanted[start : start + PAGE_IDS]))
            self._call("delete", points_selector=selector, wait=True)

    def dense(self, vector: Vector, *, limit: int, condition: Condition | None = None) -> list[Scored]:
        """The nearest points by cosine similarity in [-1, 1]: highest first, ties by id.

        Raises:
            StoreError: The vector is malformed, or the server failed.
            UnknownNameError: The condition mentions an undeclared key.
        """
        query = check_dense(vector, self._dimension, unit=False).tolist()
        return self._nearest(query, DENSE, limit, condition)

    def sparse(self, vector: SparseVector, *, limit: int, condition: Condition | None = None) -> list[Scored]:
        """The best points by inner product with inverse document frequency; highest first, ties by id.

        Raises:
            StoreError: The vector is malformed, or the server failed.
            UnknownNameError: The condition mentions an undeclared key.
        """
        query = server_sparse(check_sparse(vector))
        return self._nearest(query, SPARSE, limit, condition) if vector.indices else []

    def ids(self) -> Iterator[str]:
        """Every id in the store, in no promised order; points written meanwhile may or may not be among them."""
        offset: Any = None
        while True:
            records, offset = self._call(
                "scroll", limit=PAGE_IDS, offset=offset, with_payload=False, with_vectors=False
            )
            yield from (str(record.id) for record in records)
            if offset is None:
                return

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that the store holds.

        Raises:
            StoreError: An id is malformed, or the server failed.
        """
        wanted = check_ids(ids)
        found: set[str] = set()
        for start in range(0, len(wanted), PAGE_IDS):
            part = wanted[start : start + PAGE_IDS]
            records = self._call("retrieve", ids=part, with_payload=False, with_vectors=False)
            found.update(str(record.id) for record in records)
        return found

    def points(self, ids: Sequence[str]) -> list[Point]:
        """Those of ``ids`` that the store holds, with vectors and payloads, in no promised order.

        Raises:
            StoreError: An id is malformed, or the server failed.
        """
        wanted = check_ids(ids)
        found: list[Point] = []
        for start in range(0, len(wanted), BATCH_POINTS):
            part = wanted[start : start + BATCH_POINTS]
            records = self._call("retrieve", ids=part, with_payload=True, with_vectors=True)
            found.extend(point_of(record) for record in records)
        return found

    def count(self, condition: Condition | None = None) -> int:
        """How many points there are, exactly."""
        return int(self._call("count", count_filter=self._filter(condition), exact=True).count)

    def flush(self) -> None:
        """Return when everything acknowledged survives a crash of the server's process.

        Every write here waits for the server's log and for its effect, so there is nothing left to do. How
        soon the log reaches the disk is the server's own setting, five seconds at most by default.
        """
        self._call("collection_exists")

    def close(self) -> None:
        """Let go of the connection; closing twice changes nothing."""
        self._nodes.close()

    def __enter__(self) -> QdrantStore:
        """The store itself; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _open(self, create: bool) -> None:
        self._nodes.check_version()
        if not self._call("collection_exists"):
            if not create:
                raise KnowledgeBaseNotFoundError(
                    f"There is no collection {self._address.collection!r} at {self._address.server}."
                )
            self._create()
        self._refresh()
        for key, kind in SYSTEM_KEYS.items():
            self.declare(key, kind)

    def _create(self) -> None:
        try:
            self._call(
                "create_collection",
                vectors_config={DENSE: models.VectorParams(size=self._dimension, distance=models.Distance.COSINE)},
                sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                shard_number=self._address.shards,
                replication_factor=self._address.replicas,
            )
        except StoreError:
            # Another process may have made it in the meantime.
            if not self._call("collection_exists"):
                raise

    def _refresh(self) -> None:
        """Read what the server says of the collection: other processes declare keys too."""
        info = self._call("get_collection")
        vectors = info.config.params.vectors
        sparse = info.config.params.sparse_vectors or {}
        if not isinstance(vectors, dict) or DENSE not in vectors or SPARSE not in sparse:
            raise StoreError(
                f"The collection {self._address.collection!r} was not made by this package.",
                fix="Use another collection name.",
            )
        if vectors[DENSE].size != self._dimension:
            raise EmbedderMismatchError(
                f"The collection {self._address.collection!r} holds vectors of dimension {vectors[DENSE].size}, "
                f"not {self._dimension}.",
                fix="Use the embedding model it was built with, or another collection.",
            )
        kinds = {schema: kind for kind, schema in SCHEMA_TYPES.items()}
        self._kinds = {
            key_of(path): kinds[schema.data_type]
            for path, schema in info.payload_schema.items()
            if schema.data_type in kinds
        }

    def _known(self, keys: Iterator[str] | Mapping[str, Any] | set[str] | frozenset[str]) -> dict[str, KeyKind]:
        if not self._kinds.keys() >= set(keys):
            self._refresh()
        return self._kinds

    def _nearest(self, query: Any, using: str, limit: int, condition: Condition | None) -> list[Scored]:
        wanted = self._filter(condition)

        def fetch(count: int) -> list[Scored]:
            response = self._call(
                "query_points",
                query=query,
                using=using,
                query_filter=wanted,
                limit=count,
                search_params=models.SearchParams(exact=self._exact),
                with_payload=False,
                with_vectors=False,
            )
            return [Scored(id=str(each.id), score=float(each.score)) for each in response.points]

        return ranked(fetch, limit)

    def _filter(self, condition: Condition | None) -> Any:
        if condition is None:
            return None
        return translate(condition, ServerDialect(), self._known(keys_of(condition)))

    def _call(self, method: str, **named: Any) -> Any:
        return self._nodes.call(method, collection_name=self._address.collection, **named)
