"""From a spec such as ``ollama:NAME`` to an embedder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from grounded.answering.providers.addresses import FORMS as ENDPOINTS
from grounded.answering.providers.addresses import TokenProvider, address
from grounded.answering.providers.transport import Limits
from grounded.embedders.splitting import MIN_TOKENS, Settings
from grounded.errors import ConfigurationError, UnknownNameError
from grounded.models.embedder import default_embedder
from grounded.protocols import Embedder

FORMS = (*ENDPOINTS, "fastembed:NAME")
"""The forms in which an embedding model is named; ``?dimensions=256&tokens=400&query=TEXT`` and more may follow."""

_NUMBERS = ("dimensions", "tokens")
_TEXTS = ("query", "document")
_PARTS = ("identity", "dimension", "max_tokens", "token_spans", "embed_documents", "embed_query")


def embedder(
    spec: object = None,
    *,
    token_provider: TokenProvider | None = None,
    environment: Mapping[str, str] | None = None,
) -> Embedder:
    """An embedder for a model.

    Nothing is asked of an endpoint before the first use. A model that is not ours reads chunks as the shipped one cuts
    them, of at most 254 of its tokens, so that changing to another one re-splits nothing.

    Args:
        spec: None for the shipped model; ``ollama:NAME``, ``openai:NAME``, ``azure:DEPLOYMENT`` or
            ``http(s)://HOST/v1#MODEL``, with keys and addresses as for ``llm``; ``fastembed:NAME``, which may download;
            a LlamaIndex embedding; or an ``Embedder``, which is returned as it is. After a name may follow
            ``?dimensions=N`` (shorter vectors, where the model makes them), ``tokens=N`` (chunks of at most so many
            tokens), ``query=TEXT`` and ``document=TEXT`` (what the model wants before questions and texts), joined by
            ``&`` and percent-encoded.
        token_provider: Returns a bearer token, instead of a key.
        environment: Instead of the process's.

    Raises:
        UnknownNameError: The spec takes none of these forms.
        ConfigurationError: A key, an address or an option is missing or wrong.
        MissingExtraError: FastEmbed or ``azure-identity`` is needed and not installed.
    """
    if spec is None:
        return default_embedder()
    if not isinstance(spec, str):
        return _from_object(spec)
    name, _, query = spec.strip().partition("?")
    settings = _settings(query, spec)
    if name.startswith("fastembed:") and name != "fastembed:":
        from grounded.embedders.fast import FastEmbedder

        return FastEmbedder(name.removeprefix("fastembed:"), settings)
    if not name.startswith(("ollama:", "openai:", "azure:", "http:", "https:")):
        raise UnknownNameError("embedding model", spec, FORMS, fix=f"Write it as one of: {', '.join(FORMS)}.")
    from grounded.embedders.remote import RemoteEmbedder

    values = os.environ if environment is None else environment
    found = address(name, what="embedding model", environment=values, token_provider=token_provider)
    return RemoteEmbedder(found, settings, Limits())


def _from_object(spec: object) -> Embedder:
    # A LlamaIndex object exists only when LlamaIndex is loaded, so asking costs no import.
    if "llama_index.core" in sys.modules:
        from grounded.embedders.llama import LlamaIndexEmbedder, is_embedding

        if is_embedding(spec):
            return LlamaIndexEmbedder(spec)
    if all(hasattr(spec, part) for part in _PARTS):
        known: Any = spec
        return known  # type: ignore[no-any-return]
    raise UnknownNameError("embedding model", type(spec).__name__, (*FORMS, "a LlamaIndex embedding", "an Embedder"))


def _settings(query: str, spec: str) -> Settings:
    given = dict(parse_qsl(query, keep_blank_values=True))
    allowed = f"Allowed: {', '.join((*_NUMBERS, *_TEXTS))}."
    for name, value in given.items():
        if name not in (*_NUMBERS, *_TEXTS):
            raise ConfigurationError(f"The embedding model {spec!r} has no option {name!r}.", fix=allowed)
        if name in _NUMBERS and not (value.isascii() and value.isdigit() and int(value) > 0):
            raise ConfigurationError(f"{name} is {value!r} in {spec!r}.", fix="Give a whole number from 1 up.")
    if "tokens" in given and int(given["tokens"]) < MIN_TOKENS:
        raise ConfigurationError(f"Chunks of {given['tokens']} tokens are too small.", fix=f"At least {MIN_TOKENS}.")
    return Settings(
        dimensions=int(given["dimensions"]) if "dimensions" in given else None,
        tokens=int(given["tokens"]) if "tokens" in given else None,
        query=given.get("query", ""),
        document=given.get("document", ""),
    )
