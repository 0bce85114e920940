"""From a spec such as ``ollama:NAME`` to a generator."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import quote, urlsplit

from grounded.answering.providers.chat import ChatGenerator
from grounded.answering.providers.failures import checked_key
from grounded.answering.providers.transport import Endpoint, Limits
from grounded.answering.providers.wires import OllamaWire, OpenAIWire, Wire
from grounded.errors import ConfigurationError, UnknownNameError, UsageError
from grounded.protocols import Generator

FORMS = ("ollama:NAME", "openai:NAME", "azure:DEPLOYMENT", "http(s)://HOST/v1#MODEL")
"""The forms a spec may take."""

OPENAI_URL = "https://api.openai.com/v1"
OLLAMA_URL = "http://127.0.0.1:11434"
OLLAMA_WINDOW = 8192
AZURE_API_VERSION = "2024-10-21"

TokenProvider = Callable[[], str]
_CHECK_SPEC = "Write it as one of: " + ", ".join(FORMS) + "."
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
            ``AZURE_OPENAI_API_VERSION``), ``http(s)://HOST/v1#MODEL`` (``GROUNDED_LLM_API_KEY``, optional), a
            LlamaIndex LLM, or a ``Generator``, which is returned as it is.
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
    sorted_options = _sorted(options)
    scheme, _, name = spec.strip().partition(":")
    if scheme in ("http", "https"):
        return _compatible(spec.strip(), sorted_options)
    makers = {"ollama": _ollama, "openai": _openai, "azure": _azure}
    if scheme not in makers or not name.strip():
        raise UnknownNameError("language model", spec, FORMS, fix=_CHECK_SPEC)
    return makers[scheme](name.strip(), sorted_options)


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


def _ollama(name: str, options: _Options) -> Generator:
    base = _ollama_url(options.environment.get("OLLAMA_HOST", ""))
    settings = {**options.settings, "window": options.settings["window"] or OLLAMA_WINDOW}
    fix = "Start it with: ollama serve. If it runs elsewhere, set OLLAMA_HOST."
    endpoint = Endpoint(f"{base}/api/chat", _bearer(None, options), fix, options.limits)
    missing = f"Run: ollama pull {name}"
    return _chat(endpoint, OllamaWire(), "ollama", name, settings, missing=missing)


def _ollama_url(host: str) -> str:
    """The server's address from ``OLLAMA_HOST``, which may lack scheme, host or port, or name all interfaces."""
    host = host.strip().rstrip("/")
    if not host:
        return OLLAMA_URL
    parts = _split(host if "://" in host else f"http://{host}", "OLLAMA_HOST")
    name = parts.hostname or "127.0.0.1"
    name = "127.0.0.1" if name in ("0.0.0.0", "::") else f"[{name}]" if ":" in name else name
    port = parts.port or (443 if parts.scheme == "https" else 11434)
    return f"{parts.scheme}://{name}:{port}{parts.path.rstrip('/')}"


def _openai(name: str, options: _Options) -> Generator:
    base = options.environment.get("OPENAI_BASE_URL", "").strip().rstrip("/") or OPENAI_URL
    _split(base, "OPENAI_BASE_URL")
    key = options.environment.get("OPENAI_API_KEY")
    if base == OPENAI_URL and not key and options.token_provider is None:
        raise ConfigurationError("OPENAI_API_KEY is not set.", fix="Set it, or use a local model: ollama:NAME.")
    headers = _bearer(checked_key(key, "OPENAI_API_KEY") if key else None, options)
    endpoint = Endpoint(f"{base}/chat/completions", headers, "Check the network and OPENAI_BASE_URL.", options.limits)
    denied = "Check OPENAI_API_KEY."
    return _chat(endpoint, OpenAIWire(), "openai", name, options.settings, missing="Check the name.", denied=denied)


def _azure(deployment: str, options: _Options) -> Generator:
    environment = options.environment
    base = environment.get("AZURE_OPENAI_ENDPOINT", "").strip().rstrip("/")
    if not base:
        raise ConfigurationError(
            "AZURE_OPENAI_ENDPOINT is not set.", fix="Set it to https://RESOURCE.openai.azure.com."
        )
    _split(base, "AZURE_OPENAI_ENDPOINT")
    key = environment.get("AZURE_OPENAI_API_KEY")
    if not key and options.token_provider is None:
        fix = "Set it, or pass token_provider=, a callable that returns a bearer token."
        raise ConfigurationError("AZURE_OPENAI_API_KEY is not set.", fix=fix)
    if options.token_provider is not None:
        headers = _bearer(None, options)
    else:
        sent = {"api-key": checked_key(key or "", "AZURE_OPENAI_API_KEY")}
        headers = lambda: sent  # noqa: E731
    version = quote(environment.get("AZURE_OPENAI_API_VERSION", "").strip() or AZURE_API_VERSION, safe="")
    url = f"{base}/openai/deployments/{quote(deployment, safe='')}/chat/completions?api-version={version}"
    endpoint = Endpoint(url, headers, "Check the network and AZURE_OPENAI_ENDPOINT.", options.limits)
    missing = "Check the deployment's name and AZURE_OPENAI_API_VERSION."
    denied = "Check AZURE_OPENAI_API_KEY, or the role of the account behind token_provider."
    return _chat(endpoint, OpenAIWire(), "azure", deployment, options.settings, missing=missing, denied=denied)


def _compatible(spec: str, options: _Options) -> Generator:
    base, _, model = spec.partition("#")
    _split(base, "the address of the model")
    if not model.strip():
        raise UnknownNameError("language model", spec, FORMS, fix="Add #MODEL: the name of the model at that address.")
    key = options.environment.get("GROUNDED_LLM_API_KEY")
    headers = _bearer(checked_key(key, "GROUNDED_LLM_API_KEY") if key else None, options)
    url = f"{base.rstrip('/')}/chat/completions"
    endpoint = Endpoint(url, headers, "Start the server, or check the address and port.", options.limits)
    missing = (
        f"Check the model's name and the path; most servers answer under /v1. {base.rstrip('/')}/models lists them."
    )
    denied = "Set GROUNDED_LLM_API_KEY."
    name = model.strip()
    return _chat(endpoint, OpenAIWire(), "openai-compatible", name, options.settings, missing=missing, denied=denied)


def _chat(
    endpoint: Endpoint, wire: Wire, provider: str, model: str, settings: Mapping[str, Any], **advice: str
) -> ChatGenerator:
    return ChatGenerator(endpoint, wire, provider=provider, model=model, settings=settings, **advice)


def _bearer(key: str | None, options: _Options) -> Callable[[], Mapping[str, str]]:
    provider = options.token_provider

    def headers() -> Mapping[str, str]:
        token = checked_key(provider(), "the token provider's answer") if provider is not None else key
        return {"Authorization": f"Bearer {token}"} if token else {}

    return headers


def _split(url: str, source: str) -> Any:
    """The parts of an address that may be called.

    Raises:
        ConfigurationError: It is not an http(s) address, or carries credentials.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or (not parts.hostname and source != "OLLAMA_HOST"):
        raise ConfigurationError(f"{source} is not an http or https address.")
    if parts.username or parts.password:
        raise ConfigurationError(f"{source} holds a user name or password.", fix="Use the key's variable instead.")
    return parts
