"""A message as every system delivers it, and the place that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from grounded.records import Locator


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream.

    Attributes:
        topic: What the system calls its topic, stream or channel.
        position: Names the message within the topic and partition: an offset, a sequence or an id.
        content: The payload; None is a tombstone.
        key: What names the thing the message is about; None when the system or the sender gives none.
        partition: For systems that have them.
        time: When it was sent, by the system's clock or the sender's.
        subject: A finer address than the topic, where there is one.
        headers: Names and values as text.
        size: Bytes of the payload as it was sent, also when it was too large to be kept.
    """

    topic: str
    position: str
    content: bytes | None
    key: str | None = None
    partition: int | None = None
    time: datetime | None = None
    subject: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int = 0

    @property
    def place(self) -> str:
        """The message's own name: ``orders[3]@17``; the key of a document that has no other."""
        partition = "" if self.partition is None else f"[{self.partition}]"
        return f"{self.topic}{partition}@{self.position}"

    def locator(self, time: datetime | None) -> Locator:
        """Where a citation leads."""
        fields: dict[str, str | int] = {"topic": self.topic}
        if self.partition is not None:
            fields |= {"partition": self.partition, "offset": int(self.position)}
        else:
            fields["sequence"] = int(self.position) if self.position.isdecimal() else self.position
        if time is not None:
            fields["time"] = time.isoformat().replace("+00:00", "Z")
        return Locator(kind="stream", **fields)


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages that were gone at the source before they could be read.

    Attributes:
        topic: Of which topic, with its partition.
        since: The position up to which everything was read; empty when none was.
        until: The first position that is there; empty when that is not known.
        reason: What happened, a sentence.
    """

    topic: str
    since: str
    until: str
    reason: str
