"""How chunks are cut for a model that is not ours: as the shipped one cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from grounded.errors import EmbedderMismatchError, ProviderError
from grounded.models.embedder import default_embedder

if TYPE_CHECKING:
    from grounded.protocols import Vector

MIN_TOKENS = 32
"""The smallest chunks that can be asked for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may follow the name of a model.

    Attributes:
        dimensions: Length of the vectors that are asked for; None takes the model's own.
        tokens: Most tokens of a chunk, of the shipped model's; None takes the shipped model's own.
        query: What goes before a question.
        document: What goes before a text.
    """

    dimensions: int | None = None
    tokens: int | None = None
    query: str = ""
    document: str = ""

    @property
    def suffix(self) -> str:
        """They as part of an identity: all but ``tokens``, which changes no vector."""
        given = {name: value for name, value in asdict(self).items() if value and name != "tokens"}
        return f"?{urlencode(given)}" if given else ""


class SplitsLikeOurs:
    """What embedders share whose own tokenizer is not known."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def max_tokens(self) -> int:
        """Most tokens of a chunk: as the shipped model, unless told otherwise."""
        return self._settings.tokens or default_embedder().max_tokens

    @property
    def splitting(self) -> str:
        """What chunks depend on: the shipped model's tokenizer, and the size."""
        ours = default_embedder().identity
        tokens = self._settings.tokens
        return ours if tokens in (None, default_embedder().max_tokens) else f"{ours}/{tokens}"

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Tokens of the shipped model."""
        return default_embedder().token_spans(text)

    def token_starts(self, text: str) -> Sequence[int]:
        """Where they start."""
        return default_embedder().token_starts(text)


def unit_vectors(rows: Sequence[Any], *, count: int, dimension: int | None, name: str) -> Vector:
    """What a model returned as vectors of length 1.

    Args:
        rows: One sequence of numbers for each text.
        count: How many texts there were.
        dimension: How long they must be; None when that is not known yet.
        name: The model's, for messages.

    Raises:
        ProviderError: It is not one vector of finite numbers, not all zero, for each text.
        EmbedderMismatchError: They have another length than they must.
    """
    import numpy as np

    try:
        found = np.asarray(rows, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise ProviderError(f"{name} returned something that is not a list of vectors: {error}") from error
    if found.ndim != 2 or len(found) != count or not found.shape[1]:
        raise ProviderError(f"{name} returned vectors of shape {found.shape} for {count} texts.")
    if dimension is not None and found.shape[1] != dimension:
        raise EmbedderMismatchError(
            f"{name} returned vectors of {found.shape[1]} numbers; {dimension} were expected.",
            fix="Name the model that was meant; with ?dimensions=N name one that can make shorter vectors.",
        )
    lengths = np.linalg.norm(found.astype(np.float64), axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ProviderError(f"{name} returned a vector without a direction, or numbers that are not finite.")
    return np.asarray(found / lengths, dtype=np.float32)
