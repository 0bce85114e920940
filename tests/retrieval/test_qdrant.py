"""The server store: the contract against a real server, and congruence with the embedded store."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from grounded.errors import (
    EmbedderMismatchError,
    KnowledgeBaseNotFoundError,
    StoreError,
    StoreUnavailableError,
    UsageError,
)
from grounded.protocols import Scored
from grounded.retrieval.edge import EdgeStore
from grounded.retrieval.qdrant import QdrantStore
from grounded.retrieval.server import Address
from grounded.testing.points import CONDITIONS, KEYS, make_points
from grounded.testing.stores import StoreContract

ROOT = Path(__file__).parents[2]


def _url(server: str) -> str:
    return f"qdrant://{server}/test-{uuid.uuid4()}"


class TestQdrantContract(StoreContract):
    @pytest.fixture
    def store(self, qdrant_server: str) -> Iterator[QdrantStore]:
        with QdrantStore(_url(qdrant_server), dimension=self.dimension, create=True) as store:
            yield store


def test_both_stores_rank_alike(qdrant_server: str, tmp_path: Path) -> None:
    points = make_points(400, 16, seed=21)
    edge = EdgeStore(tmp_path / "shard", dimension=16, create=True)
    with edge, QdrantStore(_url(qdrant_server), dimension=16, create=True) as server:
        for store in (edge, server):
            for key, kind in KEYS.items():
                store.declare(key, kind)
            store.upsert(points)
            store.upsert(points[:40])
            store.set_payload([point.id for point in points[80:120]], {"product": "lamp", "principals": ["bob"]})
        for query, condition in zip(make_points(len(CONDITIONS), 16, seed=22), CONDITIONS, strict=True):
            for limit in (3, 30):
                _assert_alike(
                    edge.dense(query.dense, limit=limit, condition=condition),
                    server.dense(query.dense, limit=limit, condition=condition),
                )
                _assert_alike(
                    edge.sparse(query.sparse, limit=limit, condition=condition),
                    server.sparse(query.sparse, limit=limit, condition=condition),
                )
        for store in (edge, server):
            store.delete([point.id for point in points[40:80]])
        _assert_alike(edge.dense(points[0].dense, limit=400), server.dense(points[0].dense, limit=400))
        # The server's statistics still count the deleted points: the scores differ, what is found does not.
        left, right = (store.sparse(points[0].sparse, limit=400) for store in (edge, server))
        assert {each.id for each in left} == {each.id for each in right}
        assert sorted(edge.ids()) == sorted(server.ids())


def _assert_alike(left: list[Scored], right: list[Scored]) -> None:
    """Same scores, and same ids wherever no neighbour in rank ties."""
    assert [each.score for each in left] == pytest.approx([each.score for each in right], abs=1e-4)
    scores = [each.score for each in left]
    for rank in range(len(left)):
        near = [abs(scores[rank] - other) for place, other in enumerate(scores) if place != rank]
        last = rank == len(left) - 1
        if not last and min(near, default=1.0) > 1e-4:
            assert left[rank].id == right[rank].id


def test_a_second_client_sees_writes_and_declarations(qdrant_server: str) -> None:
    url = _url(qdrant_server)
    points = make_points(5, 8, seed=30)
    with QdrantStore(url, dimension=8, create=True) as first, QdrantStore(url, dimension=8, create=False) as second:
        for key, kind in KEYS.items():
            first.declare(key, kind)
        second.upsert(points)
        assert first.count() == 5
        assert first.existing([point.id for point in points]) == {point.id for point in points}


def test_only_create_makes_a_collection(qdrant_server: str) -> None:
    with pytest.raises(KnowledgeBaseNotFoundError):
        QdrantStore(_url(qdrant_server), dimension=8, create=False)


def test_another_dimension_is_named(qdrant_server: str) -> None:
    url = _url(qdrant_server)
    QdrantStore(url, dimension=8, create=True).close()
    with pytest.raises(EmbedderMismatchError, match=r"dimension 8, not 16"):
        QdrantStore(url, dimension=16, create=True)


def test_a_foreign_collection_is_left_alone(qdrant_server: str) -> None:
    from qdrant_client import QdrantClient, models

    name = f"foreign-{uuid.uuid4()}"
    client = QdrantClient(url=f"http://{qdrant_server}", check_compatibility=False)
    client.create_collection(name, vectors_config=models.VectorParams(size=8, distance=models.Distance.DOT))
    with pytest.raises(StoreError, match="not made by this package"):
        QdrantStore(f"qdrant://{qdrant_server}/{name}", dimension=8, create=True)
    assert client.get_collection(name).payload_schema == {}
    client.close()


def test_a_collection_that_vanishes_is_a_store_error(qdrant_server: str) -> None:
    from qdrant_client import QdrantClient

    url = _url(qdrant_server)
    with QdrantStore(url, dimension=8, create=True) as store:
        client = QdrantClient(url=f"http://{qdrant_server}", check_compatibility=False)
        client.delete_collection(url.rsplit("/", 1)[1])
        client.close()
        with pytest.raises(StoreError, match="404"):
            store.count()


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1 "):
        QdrantStore("qdrant://127.0.0.1:1/name", dimension=8, create=True)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection:UserWarning")
def test_the_servers_key_is_asked_for(guarded_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QDRANT_API_KEY", raising=False)
    for key in (None, "wrong-key"):
        with pytest.raises(StoreError, match="QDRANT_API_KEY") as caught:
            QdrantStore(_url(guarded_server), dimension=8, create=True, api_key=key)
        assert "wrong-key" not in str(caught.value)
    QdrantStore(_url(guarded_server), dimension=8, create=True, api_key="right-key").close()
    monkeypatch.setenv("QDRANT_API_KEY", "right-key")
    QdrantStore(_url(guarded_server), dimension=8, create=True).close()


def test_the_key_is_never_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "s3cr3t-value")
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreUnavailableError) as caught:
        QdrantStore("https://127.0.0.1:1/name", dimension=8, create=True)
    assert "s3cr3t-value" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "server", "collection"),
    [
        ("qdrant://host/name", "http://host:6333", "name"),
        ("qdrants://host:1234/a%20b", "https://host:1234", "a b"),
        ("https://[::1]:7/name", "https://[::1]:7", "name"),
        ("qdrant://a,b:7,[::1]/name", "http://a:6333, http://b:7, http://[::1]:6333", "name"),
        ("qdrant://a:1/name?shards=6&replicas=2", "http://a:1", "name"),
    ],
)
def test_addresses(url: str, server: str, collection: str) -> None:
    address = Address.from_url(url)
    assert (address.server, address.collection) == (server, collection)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "name",
            "qdrant://host",
            "qdrant:///name",
            "ftp://host/name",
            "qdrant://host/a/b",
            "qdrant://host:x/name",
        ),
        *("qdrant://a,,b/name", "qdrant://a/name#part", "qdrant://a/name?shards=0", "qdrant://a/name?replicas=two"),
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="qdrant://host:6333/collection"):
        Address.from_url(url)


@pytest.mark.parametrize(
    "url",
    ["qdrant://user:s3cr3t@host/name", "qdrant://a,user:s3cr3t@b/name", "qdrant://host/name?api_key=s3cr3t"],
)
def test_secrets_in_an_address_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.from_url(url)
    assert "s3cr3t" not in str(caught.value)


def test_a_missing_client_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['qdrant_client'] = None\n"
        "from grounded.errors import MissingExtraError\n"
        "try:\n    import grounded.retrieval.qdrant\n"
        "except MissingExtraError as error:\n    print(error.extra, error.package)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout == "qdrant qdrant-client\n"
