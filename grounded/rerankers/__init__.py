"""Rerankers by what they are given as: a folder, a LlamaIndex postprocessor, or any ``Reranker``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from grounded.errors import UnknownNameError
from grounded.protocols import Reranker

if TYPE_CHECKING:
    from grounded.rerankers.folder import FolderReranker as FolderReranker

FORMS = ("folder:PATH", "a LlamaIndex node postprocessor", "a Reranker")
"""What ``reranker`` takes."""


def reranker(given: object) -> Reranker | None:
    """What puts passages into its own order.

    Args:
        given: None for none, ``folder:PATH`` for a cross-encoder in ONNX form, a LlamaIndex node postprocessor that
            scores nodes, or a ``Reranker``, which is returned as it is.

    Raises:
        UnknownNameError: It is none of these.
        ModelFileError: A file of the folder is missing or damaged.
        ConfigurationError: The folder's settings are wrong.
        MissingExtraError: The package ``tokenizers``, which a folder needs, is not installed.
    """
    if given is None or isinstance(given, Reranker):
        return given
    if isinstance(given, str):
        scheme, _, path = given.strip().partition(":")
        if scheme != "folder" or not path:
            raise UnknownNameError("reranker", given, FORMS, fix="Write it as folder:PATH.")
        from grounded.rerankers.folder import opened

        return opened(path)
    # A LlamaIndex object exists only when LlamaIndex is loaded, so asking costs no import.
    if "llama_index.core" in sys.modules:
        from grounded.rerankers.llama import LlamaIndexReranker, is_postprocessor

        if is_postprocessor(given):
            return LlamaIndexReranker(given)
    raise UnknownNameError("reranker", type(given).__name__, FORMS)


__all__ = ["FORMS", "FolderReranker", "reranker"]


def __getattr__(name: str) -> object:
    """Load the reranker from a folder when it is first asked for."""
    if name == "FolderReranker":
        from grounded.rerankers.folder import FolderReranker

        return FolderReranker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
