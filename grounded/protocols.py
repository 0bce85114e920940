"""The seams: what a part must do to be plugged in.

``grounded.testing`` has contract tests for connectors and vector stores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from grounded.records import (
    Change,
    Condition,
    Delete,
    Document,
    Failed,
    Generation,
    GeneratorRef,
    KeyKind,
    Parsed,
    Prompt,
    Query,
    RawDocument,
    Upsert,
    VerifierRef,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A sparse vector: ``values[i]`` at position ``indices[i]``; indices ascending, unique, in [0, 2**32)."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """What a vector store keeps of a chunk: ids and filterable values, never text or spans.

    ``id`` is a UUID; ``dense`` has shape ``(dimension,)``, float32, unit length, finite.
    """

    id: str
    dense: Vector
    sparse: SparseVector
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scored:
    """A point found; ``score`` is cosine similarity or BM25, higher is better."""

    id: str
    score: float


@runtime_checkable
class Connector(Protocol):
    """Reads one place of one source.

    ``source`` names the source, stable over time; together with tenant and key it makes a document's identity. A
    plug-in is a callable that takes what names the place, and options as keywords, and returns a connector.

    Two more methods are used where they are there: ``total() -> int | None``, how many documents there are to read,
    and ``check() -> None``, which raises ``SourceError`` at once when nothing can be read.
    """

    @property
    def source(self) -> str:
        """The name of the source, such as ``files`` or ``postgresql://host/db``; no credentials."""
        ...

    @property
    def scope(self) -> str:
        """What part of the source this connector covers, for people and for checkpoints."""
        ...

    def covers(self, key: str) -> bool:
        """Whether a key lies in the part of the source that this connector lists."""
        ...

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        """Yield what is there now, or what changed since ``checkpoint``.

        A connector that lists everything it covers ends with a ``Listing``; only a complete one lets the
        ledger retire documents that were not named. One bad document is a ``Failed``, not an exception. An
        ``Offer`` names a document and its fingerprint, and its content is fetched only when that is another one.

        Raises:
            SourceError: The source as a whole cannot be read.
        """
        ...


@runtime_checkable
class Acknowledging(Protocol):
    """A connector whose source forgets what was acknowledged, and must not before it is stored."""

    def committed(self, state: Mapping[str, Any]) -> None:
        """Called when everything up to the ``Checkpoint`` with this state is committed; the time to acknowledge.

        A crash before it brings the same changes again: they need a ``Upsert.order``, or must do no harm twice.
        """
        ...


@runtime_checkable
class Computing(Connector, Protocol):
    """A connector that also runs allowed queries, read-only and within their limits."""

    def compute(self, name: str, query: Query, values: Mapping[str, str]) -> Document | None:
        """The rows as a document, each with its place; None when there are none.

        Args:
            name: Of the query, for citations.
            query: One SELECT.
            values: Of its parameters.

        Raises:
            SourceError: It failed, or exceeds its limits.
        """
        ...

    def values(self, name: str, sql: str, *, seconds: float) -> Sequence[str]:
        """What the first column of a SELECT gives: the values that a parameter of a query may have."""
        ...


@runtime_checkable
class Remaking(Protocol):
    """A connector that can make a change of what it received earlier and could not use then."""

    def made_again(self, received: RawDocument) -> Upsert | Delete | Failed:
        """What a ``Failed.received`` of this source means now; ``Failed`` while it still means nothing."""
        ...


class Parser(Protocol):
    """Makes canonical text of bytes."""

    def parse(self, raw: RawDocument) -> Parsed:
        """Parse one document.

        Raises:
            ParseError: The document cannot be read; the subclass and the message say why.
        """
        ...


class Embedder(Protocol):
    """Makes vectors of text. Thread-safe.

    Three more members are used where they are there: ``reads(text) -> bool``, whether it was trained on such text;
    ``token_starts(text) -> Sequence[int]``, where the tokens of ``token_spans`` start, when that is found faster alone;
    and ``splitting: str``, what chunks depend on when that is not the model itself: two embedders of one ``splitting``
    cut alike, and changing from one to the other splits nothing again.
    """

    @property
    def identity(self) -> str:
        """Model name and weights hash; vectors of different identities are never compared."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of this embedder's own tokenizer that fit one text, special tokens not counted."""
        ...

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """``(start, end)`` in code points of every token of ``text``, in order, without special tokens."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        """Vectors of shape ``(len(texts), dimension)``, float32, unit length, in the order given."""
        ...

    def embed_query(self, text: str) -> Vector:
        """The vector of a question: shape ``(dimension,)``, float32, unit length."""
        ...


class VectorStore(Protocol):
    """Keeps points and finds the nearest. Exact search; an acknowledged write is found by the next call."""

    def declare(self, key: str, kind: KeyKind) -> None:
        """Make a payload key filterable; declaring it again changes nothing."""
        ...

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points; all are validated before any is written.

        Raises:
            StoreError: A point is malformed, or the store failed.
        """
        ...

    def set_payload(self, ids: Sequence[str], payload: Mapping[str, Any]) -> None:
        """Replace the given payload keys of existing points; other keys stay, vectors are not touched."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored."""
        ...

    def dense(self, vector: Vector, *, limit: int, condition: Condition | None = None) -> list[Scored]:
        """The nearest points by cosine similarity: highest first, ties by id."""
        ...

    def sparse(self, vector: SparseVector, *, limit: int, condition: Condition | None = None) -> list[Scored]:
        """The best points by inner product with inverse document frequency; highest first, ties by id."""
        ...

    def ids(self) -> Iterator[str]:
        """Every id in the store, in no promised order."""
        ...

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that the store holds."""
        ...

    def points(self, ids: Sequence[str]) -> list[Point]:
        """Those of ``ids`` that the store holds, with vectors and payloads, in no promised order."""
        ...

    def count(self, condition: Condition | None = None) -> int:
        """How many points there are."""
        ...

    def flush(self) -> None:
        """Return when everything written so far survives a crash."""
        ...

    def close(self) -> None:
        """Flush and release; the store cannot be used afterwards."""
        ...


@runtime_checkable
class Reranker(Protocol):
    """Reads a question and texts together and says how well each answers. Thread-safe."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """One finite number for each text, in the order given; higher is better, on a scale of its own.

        A text begins with its title on a line of its own, where it has one. The number of a text does not depend on
        the others.

        Raises:
            RerankerError: It failed.
        """
        ...


@runtime_checkable
class Generator(Protocol):
    """Writes an answer to a prompt. Thread-safe."""

    @property
    def ref(self) -> GeneratorRef:
        """Name, label and arguments, for the answer and its record."""
        ...

    @property
    def window(self) -> int | None:
        """Tokens of the model's context window; None when unknown."""
        ...

    def generate(self, prompt: Prompt) -> Generation:
        """Write the whole answer.

        Raises:
            GenerationError: The model cannot be reached, failed, or returned rubbish. A provider's filter or
                refusal is not an error: it is ``Generation.finish``.
        """
        ...

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        """Write the answer in pieces; each carries new text only, the last one ``finish``, model and usage."""
        ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an entailment model says of one (window, claim) pair.

    ``support``, ``contradiction`` and ``neither`` lie in [0, 1] and add up to 1. ``span`` is the deciding part
    of the window (code points in the window); None means the whole window.
    """

    support: float
    contradiction: float
    neither: float
    span: tuple[int, int] | None = None
    reason: str = ""


class EntailmentModel(Protocol):
    """Judges whether a window of evidence supports or contradicts a claim. Thread-safe.

    A model that cannot judge every claim may have a method ``cannot_read(claim: str) -> str`` that says why not, and
    nothing when it can; such a claim is ``check_failed`` unless it is decided without a model.
    """

    @property
    def ref(self) -> VerifierRef:
        """Name, version, arguments and whether its numbers are calibrated probabilities."""
        ...

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """Judge ``(window, claim)`` pairs, in the order given.

        A window has at most about 120 words; sentences of different places stand on different lines.
        """
        ...
