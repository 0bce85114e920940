"""Optional OpenTelemetry spans, one per stage; without the API package they cost nothing and do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def stage(name: str, *, across_yields: bool = False, **attributes: str | int | float | bool) -> Iterator[None]:
    """A span named ``grounded.<name>`` around a stage.

    Args:
        name: What the stage does.
        across_yields: The stage yields to its caller while it lasts; its span is then not the current one, since
            the caller's own spans are not part of it.
        attributes: Counts, identifiers and durations, never the text of a document, question or answer.
    """
    tracer = _tracer()
    if tracer is None:
        yield
        return
    keyed = {f"grounded.{key}": value for key, value in attributes.items()}
    if not across_yields:
        with tracer.start_as_current_span(f"grounded.{name}", attributes=keyed):
            yield
        return
    span = tracer.start_span(f"grounded.{name}", attributes=keyed)
    try:
        yield
    finally:
        span.end()


@cache
def _tracer() -> Any:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("grounded")
