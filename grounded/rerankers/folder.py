"""A cross-encoder from a local folder, as rerankers are published: question and text in, one number out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from grounded.errors import RerankerError
from grounded.verifiers.folder import BATCH_SIZE, LocalModel

_OPENED = 4


class FolderReranker:
    """Reads question and text together with a model in ONNX form. Thread-safe; runs on the processor.

    A text too long for the model is cut at its end.
    """

    def __init__(self, model: LocalModel, *, batch_size: int = BATCH_SIZE) -> None:
        self._model = model
        self._batch_size = max(1, batch_size)

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str], *, threads: int | None = None) -> Self:
        """Load ``model.onnx`` and ``tokenizer.json``; ``config.json`` or ``verifier.json`` may say more.

        Args:
            path: The folder. The model's first output is the score, unless one of its labels means support.
            threads: Threads of one call; None means ``GROUNDED_THREADS``, else the usable cores up to 8.

        Raises:
            ModelFileError: A file is missing or damaged.
            ConfigurationError: The settings are wrong, or those of a token classifier.
            MissingExtraError: The package ``tokenizers`` is not installed.
        """
        return cls(LocalModel.open(path, "cross-encoder", threads, defaults={"outputs": {"support": 0}}))

    @property
    def name(self) -> str:
        """The folder's name, or the one in its settings."""
        return self._model.settings.name

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """The model's number for each text.

        Raises:
            RerankerError: The question alone is longer than the model reads, or the model gives no such number.
        """
        encoded = [self._encoded(question, text) for text in texts]
        found, place = [0.0] * len(texts), self._model.settings.outputs["support"]
        for chosen, logits in self._model.batches(encoded, self._batch_size):
            rows = logits[:, 0] if logits.ndim == 3 else logits
            if place >= rows.shape[-1]:
                raise RerankerError(f"The model in {self._model.folder} has no output {place}.")
            for number, row in zip(chosen, rows, strict=True):
                found[number] = float(row[place])
        return found

    def _encoded(self, question: str, text: str) -> Any:
        model = self._model
        asked, read = model.plain(question), model.plain(text)
        whole = model.tokenizer.encode(asked, read)
        over = len(whole.ids) - model.settings.max_tokens
        if over <= 0:
            return whole
        alone = model.tokenizer.encode(read, add_special_tokens=False)
        kept = len(alone.ids) - over
        if kept < 1:
            raise RerankerError(f"A question of {len(question)} characters is longer than {self.name} reads.")
        cut = model.tokenizer.encode(asked, read[: alone.offsets[kept - 1][1]])
        # A word cut in two may have more pieces than it had; then a little more goes.
        return cut if len(cut.ids) <= model.settings.max_tokens else model.tokenizer.encode(asked, "")


@lru_cache(_OPENED)
def _loaded(path: Path) -> FolderReranker:
    return FolderReranker.from_folder(path)


def opened(path: str) -> FolderReranker:
    """The reranker in a folder, loaded once per process."""
    return _loaded(Path(path).expanduser().absolute())
