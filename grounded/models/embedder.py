"""The default embedder: a small English model inside the package, run by onnxruntime, offline."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grounded.models import runtime
from grounded.models.bytepair import BytePair
from grounded.models.wordpiece import WordPiece

if TYPE_CHECKING:
    from grounded.protocols import Vector

FOLDER = Path(__file__).parent / "granite"
_SPECIAL_TOKENS = 2
_BEYOND_LATIN = "\u0250"


class OnnxEmbedder:
    """Embeds text with a BERT-like model in ONNX form. Thread-safe; nothing is loaded before first use.

    Every text is one call of the model, and ``threads`` calls run at the same time. Batches would be slower
    on a processor (padding, and activations that no longer fit its cache: 51 against 65 texts per second of
    processor time) and would make a vector depend on what else was in the batch, because integer activations
    share one scale. So a text has the same vector whenever and with whatever it is embedded.
    """

    def __init__(self, folder: Path = FOLDER, *, threads: int | None = None) -> None:
        self._folder = folder
        self._threads = runtime.threads_to_use(threads)
        self._manifest = runtime.manifest(folder)

    @property
    def identity(self) -> str:
        """Model name and a hash over weights and tokenizer files."""
        return str(self._manifest["identity"])

    @property
    def dimension(self) -> int:
        """Length of a vector: 384."""
        return int(self._manifest["dimension"])

    @property
    def max_tokens(self) -> int:
        """Tokens that a text should have at most: 254."""
        return int(self._manifest["window_tokens"]) - _SPECIAL_TOKENS

    @property
    def most_tokens(self) -> int:
        """Tokens that are read: 510, as line ends count here and not in ``token_spans``. The rest is ignored."""
        return int(self._manifest["positions"]) - _SPECIAL_TOKENS

    @property
    def threads(self) -> int:
        """How many texts are embedded at the same time."""
        return self._threads

    def reads(self, text: str) -> bool:
        """Whether this model was trained on such text: at least half of its letters are Latin, or it has none."""
        letters = [letter for letter in text if letter.isalpha()]
        return 2 * sum(letter < _BEYOND_LATIN for letter in letters) >= len(letters)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """``(start, end)`` in code points of every token of ``text``, in order, without special tokens."""
        return byte_pairs_of(self._folder).spans(text)

    def token_starts(self, text: str) -> Sequence[int]:
        """Where every token of ``token_spans`` starts."""
        return byte_pairs_of(self._folder).starts(text)

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        """Vectors of shape ``(len(texts), 384)``, float32, unit length, in the order given.

        Raises:
            ModelFileError: A model file is missing or corrupted.
        """
        import numpy as np

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        encoded = [self._encode(text) for text in texts]
        # Longest first: the threads then finish together. Equal texts are computed once.
        order = sorted(set(encoded), key=len, reverse=True)
        if self._threads == 1 or len(order) < 2:
            made = {ids: self._run(ids) for ids in order}
        else:
            with ThreadPoolExecutor(min(self._threads, len(order)), "grounded-embed") as pool:
                made = dict(zip(order, pool.map(self._run, order), strict=True))
        for row, ids in enumerate(encoded):
            vectors[row] = made[ids]
        return vectors

    def embed_query(self, text: str) -> Vector:
        """The vector of a question: shape ``(384,)``, float32, unit length; this model has no query prefix.

        Raises:
            ModelFileError: A model file is missing or corrupted.
        """
        vector: Vector = self.embed_documents([text])[0]
        return vector

    def _encode(self, text: str) -> tuple[int, ...]:
        tokenizer = byte_pairs_of(self._folder)
        return (tokenizer.first_id, *tokenizer.ids(text, self.most_tokens), tokenizer.last_id)

    def _run(self, ids: tuple[int, ...]) -> Any:
        import numpy as np

        session = runtime.session(self._folder)
        return session.run(["embedding"], {"input_ids": np.array([ids], dtype=np.int64)})[0][0]


@cache
def default_embedder(threads: int | None = None) -> OnnxEmbedder:
    """The embedder that comes with the package; made once per process, loaded at first use.

    Args:
        threads: How many texts to embed at the same time; None means ``GROUNDED_THREADS``, else the usable
            cores up to 8.

    Raises:
        ModelFileError: The package's model files are missing or damaged.
        UsageError: ``threads`` is below 1.
        ConfigurationError: ``GROUNDED_THREADS`` is not a whole number from 1 up.
    """
    return OnnxEmbedder(threads=threads)


@cache
def byte_pairs_of(folder: Path) -> BytePair:
    """The byte-pair tokenizer whose files are in ``folder``; made once per process."""
    for name in ("vocabulary.bin", "tokens.json"):
        runtime.checked_bytes(folder, name)
    return BytePair.load(folder)


@cache
def tokenizer_of(folder: Path) -> WordPiece:
    """The word-piece tokenizer whose files are in ``folder``; made once per process."""
    for name in ("vocab.txt", "characters.json"):
        runtime.checked_bytes(folder, name)
    return WordPiece.load(folder)
