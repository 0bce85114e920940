"""Plain text: the canonical text is the text."""

from __future__ import annotations

from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed


def parse(source: Source) -> Parsed:
    """The text as it is.

    Raises:
        LimitExceededError: It is too long.
    """
    builder = TextBuilder(source.limits)
    builder.add(source.text or "")
    return builder.parsed(media_type="text/plain")
