"""What a sync has done so far, and the report it ends with."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from grounded.ingestion.drafts import Draft
from grounded.records import Failure, IngestReport

MAX_WARNINGS = 1000


@dataclass(slots=True)
class Tally:
    """Counts of one run; everything but ``unchanged`` and ``failures`` is counted when it is committed."""

    run_id: str
    source: str
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.monotonic)
    done: int = 0
    embedded: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    late: int = 0
    barred: int = 0
    retired: int = 0
    reused: int = 0
    kept_principals: int = 0
    refused: str = ""
    failures: list[Failure] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    silenced: int = 0

    def warn(self, message: str) -> None:
        """Keep a warning once; beyond a thousand they are only counted."""
        if message in self.warnings:
            return
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings[message] = None
        else:
            self.silenced += 1

    def committed(self, draft: Draft) -> None:
        """Count what a draft brought."""
        self.embedded += len(draft.new)
        self.added += draft.added
        self.updated += draft.updated
        self.retired += len(draft.retired)
        self.reused += draft.reused

    def report(self, *, interrupted: bool, more: Iterable[str] = ()) -> IngestReport:
        """The report as of now."""
        if self.kept_principals:
            self.warn(
                f"{self.kept_principals} restricted documents keep their principals, since neither their source nor "
                "their content nor this ingest names any; an explicit principals=() makes them public."
            )
        if self.late:
            self.warn(f"{self.late} changes were older than what is stored of their documents and were ignored.")
        if self.barred:
            self.warn(f"{self.barred} documents were forgotten before and were not brought back.")
        for message in more:
            self.warn(message)
        silenced = [f"{self.silenced} more warnings."] if self.silenced else []
        return IngestReport(
            run_id=self.run_id,
            sources=(self.source,),
            documents_added=self.added,
            documents_updated=self.updated,
            documents_unchanged=self.unchanged,
            documents_retired=self.retired,
            chunks_embedded=self.embedded,
            chunks_reused=self.reused,
            failures=tuple(self.failures),
            warnings=(*self.warnings, *silenced),
            retirement_refused=self.refused,
            interrupted=interrupted,
            started=self.started,
            seconds=time.monotonic() - self.clock,
        )
