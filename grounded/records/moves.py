"""What moving, backing up and restoring a knowledge base did."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from grounded.records.base import Record


class MoveReport(Record):
    """What a move of the vectors did. Until ``switched`` the knowledge base uses the old store, untouched.

    Attributes:
        source: The store they were in: ``edge``, or the address of a Qdrant collection.
        target: The store they are in now.
        points: Points in the target at the end.
        written: Points written by this run.
        found: Points that an interrupted run had written already.
        removed: Points that were in the target and are not in the source.
        compared: Points read back from both stores and found to be the same.
        switched: The knowledge base uses the target from now on.
        interrupted: The run was cancelled; the same call goes on from there.
        seconds: Wall time.
    """

    source: str
    target: str
    points: int = Field(ge=0)
    written: int = Field(ge=0)
    found: int = Field(ge=0)
    removed: int = Field(ge=0)
    compared: int = Field(ge=0)
    switched: bool
    interrupted: bool
    seconds: float = Field(ge=0)


class RebuildReport(Record):
    """What a change of the embedding model did. Until ``switched`` the knowledge base uses the old index, untouched.

    Attributes:
        source: Identity of the model before.
        target: Identity of the model after.
        store: Where the new index is: ``edge``, or the address of a Qdrant collection.
        points: Points in it at the end.
        embedded: Chunks embedded by this run.
        found: Chunks that an interrupted run had embedded already.
        long: Chunks embedded by this run that have more tokens than the model is meant for.
        switched: The knowledge base uses the new model from now on.
        interrupted: The run was cancelled; the same call goes on from there.
        seconds: Wall time.
    """

    source: str
    target: str
    store: str
    points: int = Field(ge=0)
    embedded: int = Field(ge=0)
    found: int = Field(ge=0)
    long: int = Field(ge=0)
    switched: bool
    interrupted: bool
    seconds: float = Field(ge=0)


class BackupMember(Record):
    """One file inside a backup.

    Attributes:
        sha256: Of its content, 64 hexadecimal digits.
    """

    name: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class BackupManifest(Record):
    """What a backup holds, written last into it.

    Attributes:
        created: When the state that it holds was the current one, UTC.
        release: The release that wrote it.
        embedder: Identity of the embedding model.
        chunks: Distinct live chunks of that state.
        points: Chunks whose vectors are in the backup; the others are embedded again when it is restored.
        members: Every other file in it.
    """

    created: datetime
    release: str
    embedder: str
    dimension: int = Field(gt=0)
    documents: int = Field(ge=0)
    chunks: int = Field(ge=0)
    points: int = Field(ge=0)
    members: tuple[BackupMember, ...]


class BackupReport(Record):
    """What a backup holds, and where it is.

    Attributes:
        path: The file.
        points: Chunks whose vectors are in it.
        note: Why vectors are missing; empty when none are.
        interrupted: It was cancelled, and there is no file.
    """

    path: str
    documents: int = Field(ge=0)
    chunks: int = Field(ge=0)
    points: int = Field(ge=0)
    size: int = Field(ge=0)
    note: str = ""
    interrupted: bool = False
    seconds: float = Field(ge=0)


class RestoreReport(Record):
    """What was restored, and where.

    Attributes:
        path: The folder of the knowledge base.
        created: When the backup was made, UTC.
        points: Vectors restored.
        missing: Live chunks without a vector in the backup; they are embedded when it is first opened.
    """

    path: str
    created: datetime
    documents: int = Field(ge=0)
    chunks: int = Field(ge=0)
    points: int = Field(ge=0)
    missing: int = Field(ge=0)
    seconds: float = Field(ge=0)
