"""The ledger of a knowledge base: SQLite in a file, or a schema in PostgreSQL."""

from grounded.ingestion.ledger.ledger import Ledger
from grounded.ingestion.ledger.upkeep import Doomed, Held, Upkeep
from grounded.ingestion.ledger.values import (
    Attributes,
    Batch,
    Checkpointed,
    Content,
    Details,
    Kept,
    Known,
    Stored,
    Write,
)

__all__ = [
    "Attributes",
    "Batch",
    "Checkpointed",
    "Content",
    "Details",
    "Doomed",
    "Held",
    "Kept",
    "Known",
    "Ledger",
    "Stored",
    "Upkeep",
    "Write",
]
