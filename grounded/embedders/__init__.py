"""Embedding models by name: an endpoint, FastEmbed, a LlamaIndex object, or any ``Embedder``."""

from grounded.embedders.specs import FORMS, embedder

__all__ = ["FORMS", "embedder"]
