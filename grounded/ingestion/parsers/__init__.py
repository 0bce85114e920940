"""From bytes to canonical text with places: the content decides how, risky formats are read in a process apart."""

from __future__ import annotations

from grounded.ingestion.parsers.formats import FORMATS, Format
from grounded.ingestion.parsers.reading import parse
from grounded.ingestion.parsers.source import Limits
from grounded.ingestion.parsers.worker import close_worker

PARSERS_VERSION = "3"
"""Raised when a parser reads the same bytes differently; documents are then parsed again."""

__all__ = ["PARSERS_VERSION", "Format", "Limits", "close_worker", "known_formats", "parse"]


def known_formats() -> tuple[Format, ...]:
    """The formats that are read, in the order of the documentation."""
    return tuple(FORMATS.values())
