from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.streams.servers import Kafka, Nats, Valkey


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    pytest.importorskip("nats", reason="the NATS client is not installed")
    server = Nats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    pytest.importorskip("redis", reason="the Redis client is not installed")
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_cluster() -> Iterator[Kafka]:
    cluster = Kafka()
    yield cluster
    cluster.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
