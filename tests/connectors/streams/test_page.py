"""The snippets of docs/streams.md that need servers run against real ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from grounded import KnowledgeBase
from tests.connectors.streams.servers import Kafka, Nats, Valkey

PAGE = Path(__file__).parents[3] / "docs" / "streams.md"
BLOCK = re.compile(r"^```py\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_snippets(
    nats_server: Nats, valkey_server: Valkey, kafka_cluster: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    order: dict[str, Any] = {"id": 7, "op": "c", "note": "A kettle was sold."}
    kafka_cluster.produce("orders", [{"key": "7", "value": json.dumps(order)}])
    nats_server.stream("ORDERS")
    nats_server.publish([("ORDERS.a", json.dumps(order).encode())])
    valkey_server.client().xadd("log", {"line": "A toaster was sold."})
    text = PAGE.read_text("utf-8").replace("localhost:9092", kafka_cluster.brokers)
    text = text.replace("localhost:4222", f"127.0.0.1:{nats_server.port}")
    text = text.replace("localhost:6379", f"127.0.0.1:{valkey_server.port}")
    (block,) = BLOCK.findall(text)
    exec(compile(block, str(PAGE), "exec"), {})
    with KnowledgeBase.open("kb") as kb:
        assert kb.status().documents == 3
        assert kb.search("toaster", k=1)[0].text == "A toaster was sold."
