"""Questions over all rows, answered by an allowed query instead of by the rows that a search happens to find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from grounded.answering import matches, same_value
from grounded.errors import ConfigurationError
from grounded.pipeline.connecting import connector
from grounded.protocols import Computing
from grounded.records import Document, Freshness, Passage, Query, Segment, Viewer, document_id


@dataclass(frozen=True)
class Computed:
    """What a query gave.

    Attributes:
        passages: One that holds all rows; empty when there are none.
        segments: The place of each row in its text.
        freshness: The rows are as they were then.
        note: Which query it was, of which database, when, in full.
    """

    passages: tuple[Passage, ...]
    segments: tuple[Segment, ...]
    freshness: Freshness
    note: str


def compute(question: str, queries: Mapping[str, Query], viewer: Viewer) -> Computed | None:
    """The rows of the query that answers the question; None when no query is meant for it.

    Args:
        question: As the caller asked it; it decides which query runs and with which allowed values, nothing else.
        queries: By name. One that the viewer may not ask is as if it were not there.
        viewer: On whose behalf.

    Raises:
        SourceError: The database cannot be read, or the query exceeds its limits.
        UsageError: The query is not one SELECT.
        ConfigurationError: The database is none that can be queried.
    """
    permitted = {name: query for name, query in queries.items() if query.may_be_asked_by(viewer)}
    for name, query, given in matches(question, permitted):
        source = connector(query.uri)
        if not isinstance(source, Computing):
            raise ConfigurationError(f"The query {name!r} is of {source.source}, which runs no queries.")
        values = {}
        for parameter, written in given.items():
            found = same_value(written, _allowed(source, name, query, parameter))
            if found is not None:
                values[parameter] = found
        if len(values) < len(given):
            continue
        time = datetime.now(UTC).replace(microsecond=0)
        rows = source.compute(name, query, values)
        note = f"Computed by the query {name!r} of {source.source} at {time:%Y-%m-%d %H:%M:%S} UTC: {query.sql.strip()}"
        if values:
            note += f" ({', '.join(f'{parameter}={value}' for parameter, value in values.items())})"
        passages = () if rows is None else (_passage(rows, source.source, question, query),)
        return Computed(passages, rows.segments if rows else (), Freshness(watermark=time), note)
    return None


def _allowed(source: Computing, name: str, query: Query, parameter: str) -> Sequence[str]:
    allowed = query.parameters[parameter]
    return source.values(name, allowed, seconds=query.seconds) if isinstance(allowed, str) else allowed


def _passage(rows: Document, source: str, question: str, query: Query) -> Passage:
    return Passage(
        id=document_id(query.tenant, source, f"{rows.key}\0{rows.version}"),
        document_id=document_id(query.tenant, source, rows.key),
        version=rows.version,
        title=question.strip(),
        uri=rows.uri,
        text=rows.text,
        locators=tuple(segment.locator for segment in rows.segments),
        principals=query.principals,
    )
