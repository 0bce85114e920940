"""From a spec such as ``ollama:NAME`` to a generator."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from grounded.answering.providers.addresses import FORMS, TokenProvider, address
from grounded.answering.providers.chat import ChatGenerator
from grounded.answering.providers.transport import Limits
from grounded.answering.providers.wires import OllamaWire, OpenAIWire
from grounded.errors import UnknownNameError, UsageError
from grounded.protocols import Generator

OLLAMA_WINDOW = 8192

_LIMITS = {"timeout": "timeout_seconds", "deadline": "deadline_seconds"}
_LIMITS |= {field.name: field.name for field in fields(Limits)}
_SETTINGS = ("temperature", "seed", "max_tokens", "window", "schema")


@dataclass(frozen=True, slots=True)
class _Options:
    """What a caller may set, sorted into the three places it goes to."""

    settings: dict[str, Any]
    limits: Limits
    token_provider: TokenProvider | None
    environment: Mapping[str, str]


def llm(spec: object, **options: Any) -> Generator:
    """A generator for a language model.

    Args:
        spec: ``ollama:NAME`` (``OLLAMA_HOST``), ``openai:NAME`` (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``),
            ``azure:DEPLOYMENT`` (``AZURE_OPENAI_ENDPOINT``, ``AZURE_OPENAI_API_KEY``,
            ``AZURE_OPENAI_API_VERSION``; ``AZURE_OPENAI_AUTH=entra`` instead of a key), ``http(s)://HOST/v1#MODEL``
            (``GROUNDED_LLM_API_KEY``, optional), a LlamaIndex LLM, or a ``Generator``, which is returned as it is.
        options: ``temperature`` (0 unless set; None for the endpoint's own), ``seed``, ``max_tokens``,
            ``window`` (tokens), ``schema`` (a JSON schema that the reply must have), ``token_provider``
            (returns a bearer token, instead of a key), ``timeout`` and ``deadline`` (seconds), the other fields of
            ``Limits``, and ``environment`` (instead of the process's).

    Raises:
        UnknownNameError: The spec takes none of the allowed forms.
        UsageError: An option does not exist, or does not fit the kind of model.
        ConfigurationError: A key or address is missing or wrong.
        MissingExtraError: A LlamaIndex LLM was given and LlamaIndex is gone.
    """
    if not isinstance(spec, str):
        return _from_object(spec, options)
    chosen = _sorted(options)
    found = address(spec, what="language model", environment=chosen.environment, token_provider=chosen.token_provider)
    is_ollama, settings = found.provider == "ollama", chosen.settings
    if is_ollama:
        settings = {**settings, "window": settings["window"] or OLLAMA_WINDOW}
    return ChatGenerator(
        found.endpoint("/api/chat" if is_ollama else "/chat/completions", chosen.limits),
        OllamaWire() if is_ollama else OpenAIWire(),
        provider=found.provider,
        model=found.model,
        settings=settings,
        missing=found.missing,
        denied=found.denied,
    )


def _from_object(spec: object, options: Mapping[str, Any]) -> Generator:
    # A LlamaIndex object exists only when LlamaIndex is loaded, so asking costs no import.
    if "llama_index.core" in sys.modules:
        from grounded.answering.llama import LlamaIndexGenerator, is_llm

        if is_llm(spec):
            return LlamaIndexGenerator(spec, window=options.get("window"))
    if isinstance(spec, Generator):
        return spec
    raise UnknownNameError("language model", type(spec).__name__, (*FORMS, "a LlamaIndex LLM", "a Generator"))


def _sorted(options: Mapping[str, Any]) -> _Options:
    known = {*_SETTINGS, *_LIMITS, "token_provider", "environment"}
    for name in options:
        if name not in known:
            raise UsageError(f"A language model has no option {name!r}; known: {', '.join(sorted(known))}.")
    settings = {name: options.get(name) for name in _SETTINGS}
    settings["temperature"] = options.get("temperature", 0.0)
    limits = Limits(**{_LIMITS[name]: value for name, value in options.items() if name in _LIMITS})
    environment = options.get("environment")
    return _Options(
        settings=settings,
        limits=limits,
        token_provider=options.get("token_provider"),
        environment=os.environ if environment is None else environment,
    )
