"""Spans per stage when the OpenTelemetry API is installed: names and numbers, never content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

trace = pytest.importorskip("opentelemetry.trace", reason="the OpenTelemetry API is not installed")
sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="the OpenTelemetry SDK is not installed")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

from grounded import KnowledgeBase, telemetry  # noqa: E402

SECRET = "The vault opens with 4711."


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    telemetry._tracer.cache_clear()
    return exporter


@pytest.fixture
def vault(tmp_path: Path, exporter: InMemorySpanExporter) -> Iterator[KnowledgeBase]:
    exporter.clear()
    with KnowledgeBase.open(tmp_path / "kb", create=True) as knowledge_base:
        knowledge_base.ingest([{"key": "vault", "text": SECRET}])
        yield knowledge_base


def test_every_stage_has_a_span_without_content(vault: KnowledgeBase, exporter: InMemorySpanExporter) -> None:
    assert vault.ask("How does the vault open?").answered
    spans = exporter.get_finished_spans()
    names = {span.name for span in spans}
    assert {"grounded.ingest", "grounded.search", "grounded.prompt", "grounded.generate", "grounded.verify"} <= names
    assert all("vault" not in str(span.attributes) and "4711" not in str(span.attributes) for span in spans)


def test_the_callers_spans_are_not_inside_ours(vault: KnowledgeBase, exporter: InMemorySpanExporter) -> None:
    tracer = trace.get_tracer("caller")
    for _ in vault.stream("How does the vault open?"):
        with tracer.start_as_current_span("mine"):
            pass
    mine = [span for span in exporter.get_finished_spans() if span.name == "mine"]
    assert mine
    assert all(span.parent is None for span in mine)


def test_asynchronous_streams_keep_their_context(
    vault: KnowledgeBase, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async for _ in vault.astream("How does the vault open?"):
            pass

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert caplog.records == []


def test_logs_carry_no_content(vault: KnowledgeBase, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        vault.ask("How does the vault open?")
        vault.ingest([{"key": "other", "text": "Another secret: 1234."}])
    assert caplog.records
    assert "vault open" not in caplog.text
    assert "4711" not in caplog.text
    assert "1234" not in caplog.text
