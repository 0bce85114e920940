"""A cross-encoder from a local folder: HHEM, MiniCheck, or any model for natural-language inference."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

from grounded.errors import VerificationError
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.verifiers.folder import BATCH_SIZE, LocalModel, probabilities

TOO_LONG = "the source's words do not fit into the model"


class CrossEncoder:
    """An ``EntailmentModel`` that reads evidence and claim together. Thread-safe; runs on the processor.

    Two outputs say supported or not, three say contradicted as well. Nothing is cut: evidence that does not fit
    supports nothing, and a claim that does not fit is a failed check.
    """

    def __init__(self, model: LocalModel, *, batch_size: int = BATCH_SIZE) -> None:
        self._model = model
        self._batch_size = max(1, batch_size)

    @classmethod
    def from_folder(
        cls, path: str | os.PathLike[str], *, threads: int | None = None, batch_size: int = BATCH_SIZE
    ) -> Self:
        """Load ``model.onnx`` (or ``encoder_model.onnx`` and ``decoder_model.onnx``) and ``tokenizer.json``.

        Args:
            path: The folder; ``verifier.json`` in it says what ``config.json`` does not, above all which output
                means support.
            threads: Threads of one call; None means ``GROUNDED_THREADS``, else the usable cores up to 8.
            batch_size: Pairs judged at once.

        Raises:
            ModelFileError: A file is missing or damaged.
            ConfigurationError: The settings are wrong, or do not say what the outputs mean.
            MissingExtraError: The package ``tokenizers`` is not installed.
        """
        return cls(LocalModel.open(path, "cross-encoder", threads), batch_size=batch_size)

    @property
    def ref(self) -> VerifierRef:
        """The folder's name, a hash of its files, and the settings; raw numbers, not calibrated."""
        return self._model.ref

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """Judge ``(window, claim)`` pairs, in the order given.

        Raises:
            VerificationError: A claim alone is longer than the model reads, or the model failed.
        """
        encoded = self._encoded([(window, claim) for window, claim in pairs])
        limit = self._model.settings.max_tokens
        long = sorted({pairs[n][1] for n, each in enumerate(encoded) if len(each.ids) > limit})
        for claim, each in zip(long, self._encoded([("", claim) for claim in long]), strict=True):
            if len(each.ids) > limit:
                raise VerificationError(f"A claim of {len(claim)} characters is longer than the model reads.")
        found = [Judgement(0.0, 0.0, 1.0, reason=TOO_LONG)] * len(pairs)
        outputs = self._model.settings.outputs
        for chosen, logits in self._model.batches(encoded, self._batch_size):
            # Models that tag tokens, and those that write, say what they think at the first place.
            rows = probabilities(logits[:, 0] if logits.ndim == 3 else logits, list(outputs.values()))
            for number, row in zip(chosen, rows, strict=True):
                found[number] = self._judgement(dict(zip(outputs, map(float, row), strict=True)))
        return found

    def _encoded(self, pairs: Sequence[tuple[str, str]]) -> list[Any]:
        model, template = self._model, self._model.settings.template
        plain = [(model.plain(window), model.plain(claim)) for window, claim in pairs]
        if template:
            texts = [template.format(evidence=window, claim=claim, question="") for window, claim in plain]
            return list(model.tokenizer.encode_batch(texts))
        return list(model.tokenizer.encode_batch(plain))

    def _judgement(self, shares: dict[str, float]) -> Judgement:
        support, contradiction = shares["support"], shares.get("contradiction", 0.0)
        reason = f"{self._model.settings.name} gives support {support:.2f}"
        if "contradiction" in shares:
            reason += f" and contradiction {contradiction:.2f}"
        return Judgement(support, contradiction, max(0.0, 1.0 - support - contradiction), reason=reason)
