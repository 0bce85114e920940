"""A cluster of three real nodes on loopback, and servers that die, come back, are too old or are none."""

from __future__ import annotations

import http.server
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grounded import KnowledgeBase
from grounded.errors import StoreError, StoreUnavailableError
from grounded.retrieval.points import same_points
from grounded.retrieval.qdrant import QdrantStore
from grounded.testing.points import KEYS, make_points
from tests.qdrant import Node, cluster, running

TIMEOUT_SECONDS = 5


def _address(nodes: list[Node], name: str) -> str:
    return f"qdrant://{','.join(node.address for node in nodes)}/{name}?shards=6&replicas=2"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.mark.slow
def test_one_node_stops_and_ingest_and_search_go_on(nodes: list[Node], tmp_path: Path) -> None:
    """Also when it is the one that was talked to."""
    url = _address(nodes, f"kb-{uuid.uuid4()}")
    texts = [{"key": f"{n}", "text": f"Article {n} of the catalogue costs {n * 3} euros."} for n in range(60)]
    try:
        with KnowledgeBase.open(tmp_path / "kb", create=True, store=url) as kb:
            assert kb.ingest(texts[:30]).ok
            _assert_laid_out(nodes[0], url)
            nodes[0].kill()
            assert kb.ingest(texts).documents_added == 30
            (found, *_) = kb.search("What does article 47 cost?")
            assert "141 euros" in found.text
            assert not kb.status().drifted
        # A new process finds its way past the missing node as well.
        with KnowledgeBase.open(tmp_path / "kb") as kb:
            assert kb.status().points == 60
            assert kb.ingest(texts[:59]).documents_unchanged == 59
    finally:
        nodes[0].start()


def _assert_laid_out(node: Node, url: str) -> None:
    name = url.rsplit("/", 1)[1].partition("?")[0]
    parameters = node.result(f"/collections/{name}")["config"]["params"]
    assert (parameters["shard_number"], parameters["replication_factor"]) == (6, 2)


@pytest.mark.slow
def test_without_a_quorum_every_failure_is_typed_and_nothing_is_lost(nodes: list[Node]) -> None:
    points = make_points(120, 8, seed=60)
    url = _address(nodes, f"quorum-{uuid.uuid4()}")
    with QdrantStore(url, dimension=8, timeout=TIMEOUT_SECONDS) as store:
        for key, kind in KEYS.items():
            store.declare(key, kind)
        store.upsert(points[:80])
        for node in nodes[:2]:
            node.kill()
        try:
            with pytest.raises(StoreUnavailableError, match="Too few nodes"):
                store.count()
            with pytest.raises(StoreUnavailableError):
                store.upsert(points)
            with pytest.raises(StoreUnavailableError):
                store.declare("another", "keyword")
            with pytest.raises(StoreUnavailableError):
                QdrantStore(_address(nodes, "new"), dimension=8, timeout=TIMEOUT_SECONDS)
        finally:
            for node in nodes[:2]:
                node.start()
        # The same call again, once they are back, does the whole of it.
        store.upsert(points)
        assert same_points(store.points([point.id for point in points]), points)
        assert store.count() == len(points)


@pytest.mark.slow
def test_a_server_that_dies_mid_batch_loses_nothing(tmp_path: Path) -> None:
    documents = [{"key": f"{n}", "text": f"Rule {n}: the fee is {n} euros."} for n in range(400)]
    with running(tmp_path / "server") as node:
        url = f"qdrant://{node.address}/kb"
        with KnowledgeBase.open(tmp_path / "kb", create=True, store=url) as kb:
            assert kb.ingest(documents[:50]).ok

            def end(_: object) -> None:
                node.kill()

            with pytest.raises(StoreUnavailableError, match="cannot be reached"):
                kb.ingest(documents, progress=end)
            with pytest.raises(StoreUnavailableError):
                kb.search("fee")
            node.start()
            assert kb.search("What is the fee of rule 7?")
        with KnowledgeBase.open(tmp_path / "kb") as kb:
            report = kb.ingest(documents)
            assert report.documents == 400
            assert not kb.status().drifted
            assert kb.status().points == 400


@contextmanager
def _answering(answers: dict[str, object]) -> Iterator[str]:
    """A loopback server that says it is a Qdrant server and answers as told."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path, answers.get("*", {}))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"qdrant://127.0.0.1:{server.server_port}/name"
        finally:
            server.shutdown()


def test_a_server_that_is_too_old_is_named() -> None:
    with (
        _answering({"/": {"title": "qdrant - vector search engine", "version": "1.5.1"}}) as url,
        pytest.raises(StoreError, match=r"has version 1\.5\.1; needed is 1\.10 or newer"),
    ):
        QdrantStore(url, dimension=8)


@pytest.mark.parametrize(
    "answers", [{}, {"/": {"title": "x", "version": "9.0"}, "*": {"result": {"exists": "perhaps"}}}]
)
def test_answers_that_are_not_understood_are_no_outage(answers: dict[str, object]) -> None:
    """Another server behind the address, or one so new that the client cannot read it."""
    with _answering(answers) as url, pytest.raises(StoreError, match="is not understood") as caught:
        QdrantStore(url, dimension=8)
    assert not isinstance(caught.value, StoreUnavailableError)
