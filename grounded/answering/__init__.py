"""Answers: quoting and language-model generators, streaming, and when not to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grounded.answering.aggregates import needs_every_row
from grounded.answering.declared import RowsGenerator, matches, same_value
from grounded.answering.extractive import LABEL, ExtractiveGenerator
from grounded.answering.outcomes import (
    after_checking,
    after_generating,
    before_generating,
    declines,
    explanation,
    said_out_of_force,
)
from grounded.answering.streaming import Shown, VisibleText, Withdrawn, visible_text
from grounded.answering.sufficiency import SUFFICIENCY_THRESHOLD, sufficiency

if TYPE_CHECKING:
    from grounded.answering.providers.addresses import FORMS
    from grounded.answering.providers.discovery import Server, discover_servers
    from grounded.answering.providers.specs import llm

__all__ = [
    "FORMS",
    "LABEL",
    "SUFFICIENCY_THRESHOLD",
    "ExtractiveGenerator",
    "RowsGenerator",
    "Server",
    "Shown",
    "VisibleText",
    "Withdrawn",
    "after_checking",
    "after_generating",
    "before_generating",
    "declines",
    "discover_servers",
    "explanation",
    "llm",
    "matches",
    "needs_every_row",
    "said_out_of_force",
    "same_value",
    "sufficiency",
    "visible_text",
]

_LAZY = {"FORMS": "addresses", "llm": "specs", "Server": "discovery", "discover_servers": "discovery"}


def __getattr__(name: str) -> Any:
    """Import the HTTP side only when a language model is asked for; quotes need none of it."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"grounded.answering.providers.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
