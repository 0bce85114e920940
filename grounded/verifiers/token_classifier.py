"""A token classifier from a local folder, such as LettuceDetect: which words of the claim the evidence lacks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

from grounded.errors import ConfigurationError, VerificationError
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.verifiers.cross_encoder import TOO_LONG
from grounded.verifiers.folder import BATCH_SIZE, LocalModel, probabilities

_SHOWN = 3


class TokenClassifier:
    """An ``EntailmentModel`` that tags each token of the claim. Thread-safe; runs on the processor.

    A claim is supported as well as its worst token is: ``support = 1 - max P(token unsupported)``. The reason names
    the words that reached one half. It never says ``contradicted``, for these models do not tell the two apart.
    """

    def __init__(self, model: LocalModel, *, question: str = "", batch_size: int = BATCH_SIZE) -> None:
        self._model = model
        self._question = question
        self._batch_size = max(1, batch_size)

    @classmethod
    def from_folder(
        cls,
        path: str | os.PathLike[str],
        *,
        question: str = "",
        threads: int | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Self:
        """Load ``model.onnx`` and ``tokenizer.json``; in ``verifier.json``, ``outputs`` names that for ``support``.

        Args:
            path: The folder.
            question: What the answer answers, for templates with ``{question}``.
            threads: Threads of one call; None means ``GROUNDED_THREADS``, else the usable cores up to 8.
            batch_size: Pairs judged at once.

        Raises:
            ModelFileError: A file is missing or damaged.
            ConfigurationError: The settings are wrong, or the template wants a question and none is given.
            MissingExtraError: The package ``tokenizers`` is not installed.
        """
        model = LocalModel.open(path, "token-classifier", threads)
        if "{question}" in model.settings.template and not question.strip():
            raise ConfigurationError(f"The template of {path} asks for the question.", fix="Pass question=.")
        return cls(model, question=question, batch_size=batch_size)

    @property
    def ref(self) -> VerifierRef:
        """The folder's name, a hash of its files, and the settings; raw numbers, not calibrated."""
        return self._model.ref

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """Judge ``(window, claim)`` pairs, in the order given.

        Raises:
            VerificationError: A claim alone is longer than the model reads, or the model failed.
        """
        encoded, limit = self._encoded(pairs), self._model.settings.max_tokens
        for each, (_, claim) in zip(self._encoded([("", claim) for _, claim in pairs]), pairs, strict=True):
            if len(each.ids) > limit:
                raise VerificationError(f"A claim of {len(claim)} characters is longer than the model reads.")
        found = [Judgement(0.0, 0.0, 1.0, reason=TOO_LONG)] * len(pairs)
        supported = self._model.settings.outputs["support"]
        for chosen, logits in self._model.batches(encoded, self._batch_size):
            columns = list(range(logits.shape[-1]))
            if supported not in columns or len(columns) < 2:
                raise VerificationError(f"The model has {len(columns)} outputs; the settings name output {supported}.")
            shares = 1.0 - probabilities(logits, columns)[..., supported]
            for row, number in enumerate(chosen):
                found[number] = _judgement(encoded[number], shares[row], pairs[number][1])
        return found

    def _encoded(self, pairs: Sequence[tuple[str, str]]) -> list[Any]:
        model, template = self._model, self._model.settings.template or "{evidence}"
        question = model.plain(self._question)
        texts = [
            (template.format(evidence=model.plain(window), claim="", question=question), model.plain(claim))
            for window, claim in pairs
        ]
        return list(model.tokenizer.encode_batch(texts))


def _judgement(encoded: Any, shares: Any, claim: str) -> Judgement:
    tokens = [
        (start, end, float(share))
        for sequence, (start, end), share in zip(encoded.sequence_ids, encoded.offsets, shares, strict=False)
        if sequence == 1 and end > start
    ]
    if not tokens:
        raise VerificationError("The model's tokenizer finds nothing to read in a claim.")
    support = 1.0 - max(share for _, _, share in tokens)
    missing = _runs([(start, end) for start, end, share in tokens if share >= 0.5])
    words = ", ".join(repr(claim[start:end].strip()) for start, end in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    reason = f"not in the source: {words}{more}" if missing else "the source has all of it"
    return Judgement(support, 0.0, 1.0 - support, reason=reason)


def _runs(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring spans as one; a single space between them does not part them."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] <= 1:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined
