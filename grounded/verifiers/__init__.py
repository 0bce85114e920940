"""Larger verifiers behind the same seam as the shipped one: models from a local folder, and a language model.

Their figures are their makers' and are not ours. They judge windows of one or two sentences, as every
``EntailmentModel`` does, and what no model may overrule (numbers, negation, plain containment) stands for them too.
"""

from __future__ import annotations

import os

from grounded.errors import UsageError
from grounded.verifiers.cross_encoder import CrossEncoder
from grounded.verifiers.folder import read_settings
from grounded.verifiers.llm_judge import LLMJudge
from grounded.verifiers.token_classifier import TokenClassifier

__all__ = ["CrossEncoder", "LLMJudge", "TokenClassifier", "from_folder"]


def from_folder(path: str | os.PathLike[str] = "") -> CrossEncoder | TokenClassifier:
    """The verifier that a folder holds; its ``verifier.json`` or ``config.json`` says of which kind.

    Raises:
        UsageError: No folder is named.
        ModelFileError: A file is missing or damaged.
        ConfigurationError: The settings are wrong, or do not say what the outputs mean.
        MissingExtraError: The package ``tokenizers`` is not installed.
    """
    if not os.fspath(path):
        raise UsageError("In which folder is the verifier?", fix="Write folder:PATH.")
    is_encoder = read_settings(path).kind == "cross-encoder"
    return CrossEncoder.from_folder(path) if is_encoder else TokenClassifier.from_folder(path)
