"""What a ledger tells readers: passages, texts and places, always of one committed state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, select

from grounded.errors import UnknownNameError
from grounded.ingestion.ledger import journal, reads
from grounded.ingestion.ledger.engine import reading
from grounded.ingestion.ledger.schema import meta
from grounded.ingestion.ledger.text import TextCache
from grounded.records import Passage, Segment, Viewer

_REVISION = select(meta.c.revision)


class Reader:
    """The side of a ledger that searches and answers ask. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._texts = TextCache()

    def passages(self, chunk_ids: Sequence[str], viewer: Viewer) -> dict[str, list[Passage]]:
        """Live occurrences of chunks that ``viewer`` may see on ``viewer.on``, text sliced from canonical text.

        In the order of ``chunk_ids``; chunks that are not live or not visible are left out.
        """
        with reading(self._engine) as connection:
            return reads.passages(connection, self._texts, chunk_ids, viewer)

    def near(self, document_id: str, version: str, start: int, end: int, *, viewer: Viewer) -> list[Passage]:
        """The passages of a live version that share text with ``[start, end)``, in order, as ``viewer`` sees them."""
        with reading(self._engine) as connection:
            return reads.near(connection, self._texts, (document_id, version, start, end), viewer)

    def document(self, document_id: str, version: str | None = None) -> str:
        """The canonical text of a version, superseded ones too; of the live one when none is named.

        It asks no viewer: call ``visible`` first on behalf of somebody.

        Raises:
            UnknownNameError: There is no such document or version.
        """
        with reading(self._engine) as connection:
            row = _found(reads.version_of(connection, document_id, version), document_id, version)
            return self._texts.read(connection, [(row.id, 0, row.characters)])[0]

    def slice_text(self, document_id: str, version: str, start: int, end: int) -> str:
        """Code points ``[start, end)`` of a version's canonical text; as for ``document``, no viewer is asked.

        Raises:
            UnknownNameError: There is no such document or version.
        """
        with reading(self._engine) as connection:
            row = _found(reads.version_of(connection, document_id, version), document_id, version)
            place = (row.id, min(start, row.characters), min(end, row.characters))
            return self._texts.read(connection, [place])[0]

    def segments(self, document_id: str, version: str | None = None) -> tuple[Segment, ...]:
        """Places in the origin of a version, sorted; of the live one when none is named.

        Raises:
            UnknownNameError: There is no such document or version.
        """
        with reading(self._engine) as connection:
            row = _found(reads.version_of(connection, document_id, version), document_id, version)
            return reads.segments_of(connection, row)

    def visible(self, document_ids: Sequence[str], viewer: Viewer) -> set[str]:
        """Those of the documents that are live and that ``viewer`` may see on ``viewer.on``."""
        with reading(self._engine) as connection:
            return reads.visible(connection, document_ids, viewer)

    def live_since(self, document_ids: Sequence[str]) -> dict[str, datetime]:
        """When the live version of each document became live, UTC."""
        with reading(self._engine) as connection:
            return reads.live_since(connection, document_ids)

    def watermark(self, document_ids: Sequence[str]) -> datetime | None:
        """The earliest watermark of the live sources these documents come from, UTC; None without any."""
        with reading(self._engine) as connection:
            return journal.watermark(connection, document_ids)

    def restricted(self) -> bool:
        """Whether any live document has principals."""
        with reading(self._engine) as connection:
            return reads.any_restricted(connection)

    @property
    def revision(self) -> int:
        """Grows with every transaction that changes what is live: equal before and after means nothing changed."""
        with reading(self._engine) as connection:
            return int(connection.execute(_REVISION).scalar_one())


def _found(row: reads.VersionRow | None, document_id: str, version: str | None) -> reads.VersionRow:
    if row is None:
        raise UnknownNameError("document", f"{document_id} {version or ''}".strip())
    return row
