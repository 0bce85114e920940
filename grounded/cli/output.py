"""Where output goes: results to standard output, progress and logs to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grounded.cli import streams
from grounded.errors import UsageError
from grounded.records import SCHEMA, Record
from grounded.settings import KB_FILE, ProjectSettings

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


@dataclass(frozen=True)
class Output:
    """What every command needs to speak: settings, the chosen knowledge base, and whether to print JSON."""

    settings: ProjectSettings
    kb: str
    as_json: bool
    wait: float

    @cached_property
    def result(self) -> Console:
        """Standard output."""
        from rich.console import Console

        return Console(soft_wrap=False, highlight=False)

    @cached_property
    def side(self) -> Console:
        """Standard error: progress, logs, hints."""
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    def show(self, record: Record, pretty: RenderableType) -> None:
        """Print the record as JSON or the pretty form of it."""
        if self.as_json:
            self.show_json(record.to_json())
        else:
            self.result.print(pretty)

    def show_records(self, name: str, records: Iterable[Record | Mapping[str, Any]], **others: Record) -> None:
        """Print several records as one JSON document, ``{"schema": 1, name: [...]}``.

        Args:
            name: The key of the list.
            records: What is in it.
            others: Single records beside it, by their key.
        """
        beside = {key: record.to_dict() for key, record in others.items()}
        listed = [record.to_dict() if isinstance(record, Record) else dict(record) for record in records]
        self.show_json(json.dumps({"schema": SCHEMA, **beside, name: listed}, ensure_ascii=False))

    def show_json(self, text: str) -> None:
        """Print a JSON document untouched by wrapping or colour."""
        sys.stdout.write(streams.valid_everywhere(text) + "\n")

    def open_knowledge_base(self, *, create: bool = False, embedder: str | None = None) -> Any:
        """The knowledge base, or the attached collection, that ``--kb``, ``GROUNDED_KB`` or ``grounded.toml`` names.

        Args:
            create: Make it when it is not there, with the embedding model of ``grounded.toml`` unless one is named.
            embedder: Names the embedding model; without it, one that exists uses its own.
        """
        from grounded.pipeline.attaching import ATTACHED_FILE, Attached
        from grounded.pipeline.knowledge_base import KnowledgeBase

        if (Path(self.kb).expanduser() / ATTACHED_FILE).exists():
            if create:
                raise UsageError(f"{self.kb} reads an attached collection, which is never written to.", fix="Use --kb.")
            return Attached.open(self.kb)

        is_new = create and not (Path(self.kb).expanduser() / KB_FILE).exists()
        model = embedder or (self.settings.embedder if is_new else None)
        return KnowledgeBase.open(self.kb, create=create, embedder=model, wait=self.wait)
