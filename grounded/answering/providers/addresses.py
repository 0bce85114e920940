"""Where a model answers and how it is asked: from ``ollama:NAME`` and the environment to URLs and headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from grounded.answering.providers.failures import checked_key
from grounded.answering.providers.transport import Endpoint, Limits
from grounded.errors import ConfigurationError, MissingExtraError, UnknownNameError

FORMS = ("ollama:NAME", "openai:NAME", "azure:DEPLOYMENT", "http(s)://HOST/v1#MODEL")
"""The forms in which a model at an endpoint is named."""

OPENAI_URL = "https://api.openai.com/v1"
OLLAMA_URL = "http://127.0.0.1:11434"
AZURE_API_VERSION = "2024-10-21"
ENTRA = "entra"
"""The value of ``AZURE_OPENAI_AUTH`` that signs in with Entra instead of a key."""
_ENTRA_SCOPE = "https://cognitiveservices.azure.com/.default"

TokenProvider = Callable[[], str]
Headers = Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model answers; nothing secret in it but what ``headers`` return.

    Attributes:
        provider: ``ollama``, ``openai``, ``azure`` or ``openai-compatible``.
        model: The model's name, or the deployment's.
        base: What every URL of it begins with.
        query: What every URL of it ends with.
        headers: Asked for before every attempt.
        fix: What a person can do when nothing answers there.
        missing: When it does not know the model.
        denied: When it refuses the key.
    """

    provider: str
    model: str
    base: str
    headers: Headers
    query: str = ""
    fix: str = ""
    missing: str = ""
    denied: str = ""

    def endpoint(self, path: str, limits: Limits) -> Endpoint:
        """What takes requests of one kind, such as ``/chat/completions``."""
        return Endpoint(f"{self.base}{path}{self.query}", self.headers, self.fix, limits)


def address(
    spec: str, *, what: str, environment: Mapping[str, str], token_provider: TokenProvider | None = None
) -> Address:
    """Where the model of a spec answers.

    Args:
        spec: One of ``FORMS``.
        what: What is looked for, for messages: ``language model``.
        environment: Holds keys and addresses.
        token_provider: Returns a bearer token, instead of a key.

    Raises:
        UnknownNameError: The spec takes none of the allowed forms.
        ConfigurationError: A key or address is missing or wrong.
        MissingExtraError: ``AZURE_OPENAI_AUTH=entra`` without the package ``azure-identity``.
    """
    scheme, _, name = spec.strip().partition(":")
    if scheme in ("http", "https"):
        return _compatible(spec.strip(), what, environment, token_provider)
    makers = {"ollama": _ollama, "openai": _openai, "azure": _azure}
    if scheme not in makers or not name.strip():
        raise UnknownNameError(what, spec, FORMS, fix=f"Write it as one of: {', '.join(FORMS)}.")
    return makers[scheme](name.strip(), environment, token_provider)


def entra_tokens() -> TokenProvider:
    """Bearer tokens for Azure OpenAI from Entra: environment, workload or managed identity, or who is signed in.

    Nothing is asked before the first request; a token is kept until it is about to expire.

    Raises:
        MissingExtraError: The package ``azure-identity`` is not installed.
    """
    try:
        from azure.identity import DefaultAzureCredential, get_bearer_token_provider
    except ImportError as error:
        raise MissingExtraError("Signing in with Entra", package="azure-identity", extra="entra") from error
    return partial(_entra_token, get_bearer_token_provider(DefaultAzureCredential(), _ENTRA_SCOPE))


def _entra_token(provider: Callable[[], str]) -> str:
    from azure.core.exceptions import ClientAuthenticationError

    try:
        return provider()
    except ClientAuthenticationError as error:
        # Its message lists every way that was tried, over many lines.
        raise ConfigurationError(
            f"Entra gave no token: {str(error).splitlines()[0]}",
            fix="Sign in with: az login; or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET.",
        ) from error


def _ollama(name: str, environment: Mapping[str, str], token_provider: TokenProvider | None) -> Address:
    return Address(
        provider="ollama",
        model=name,
        base=_ollama_url(environment.get("OLLAMA_HOST", "")),
        headers=_bearer(None, token_provider),
        fix="Start it with: ollama serve. If it runs elsewhere, set OLLAMA_HOST.",
        missing=f"Run: ollama pull {name}",
    )


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


def _openai(name: str, environment: Mapping[str, str], token_provider: TokenProvider | None) -> Address:
    base = environment.get("OPENAI_BASE_URL", "").strip().rstrip("/") or OPENAI_URL
    _split(base, "OPENAI_BASE_URL")
    key = environment.get("OPENAI_API_KEY")
    if base == OPENAI_URL and not key and token_provider is None:
        raise ConfigurationError("OPENAI_API_KEY is not set.", fix="Set it, or use a local model: ollama:NAME.")
    return Address(
        provider="openai",
        model=name,
        base=base,
        headers=_bearer(checked_key(key, "OPENAI_API_KEY") if key else None, token_provider),
        fix="Check the network and OPENAI_BASE_URL.",
        missing="Check the name.",
        denied="Check OPENAI_API_KEY.",
    )


def _azure(deployment: str, environment: Mapping[str, str], token_provider: TokenProvider | None) -> Address:
    base = environment.get("AZURE_OPENAI_ENDPOINT", "").strip().rstrip("/")
    if not base:
        raise ConfigurationError(
            "AZURE_OPENAI_ENDPOINT is not set.", fix="Set it to https://RESOURCE.openai.azure.com."
        )
    _split(base, "AZURE_OPENAI_ENDPOINT")
    key = environment.get("AZURE_OPENAI_API_KEY")
    if token_provider is None and environment.get("AZURE_OPENAI_AUTH", "").strip().lower() == ENTRA:
        token_provider = entra_tokens()
    if not key and token_provider is None:
        raise ConfigurationError(
            "AZURE_OPENAI_API_KEY is not set.",
            fix="Set it, or AZURE_OPENAI_AUTH=entra to sign in with Entra, or pass token_provider=, a callable that "
            "returns a bearer token.",
        )
    headers = _bearer(None, token_provider)
    if token_provider is None:
        sent = {"api-key": checked_key(key or "", "AZURE_OPENAI_API_KEY")}
        headers = lambda: sent  # noqa: E731
    version = quote(environment.get("AZURE_OPENAI_API_VERSION", "").strip() or AZURE_API_VERSION, safe="")
    return Address(
        provider="azure",
        model=deployment,
        base=f"{base}/openai/deployments/{quote(deployment, safe='')}",
        query=f"?api-version={version}",
        headers=headers,
        fix="Check the network and AZURE_OPENAI_ENDPOINT.",
        missing="Check the deployment's name and AZURE_OPENAI_API_VERSION.",
        denied="Check AZURE_OPENAI_API_KEY, or the role of the account behind Entra or token_provider.",
    )


def _compatible(spec: str, what: str, environment: Mapping[str, str], token_provider: TokenProvider | None) -> Address:
    base, _, model = spec.partition("#")
    _split(base, "the address of the model")
    base, model = base.rstrip("/"), model.strip()
    if not model:
        raise UnknownNameError(what, spec, FORMS, fix="Add #MODEL: the name of the model at that address.")
    key = environment.get("GROUNDED_LLM_API_KEY")
    return Address(
        provider="openai-compatible",
        model=model,
        base=base,
        headers=_bearer(checked_key(key, "GROUNDED_LLM_API_KEY") if key else None, token_provider),
        fix="Start the server, or check the address and port.",
        missing=f"Check the model's name and the path; most servers answer under /v1. {base}/models lists them.",
        denied="Set GROUNDED_LLM_API_KEY.",
    )


def _bearer(key: str | None, provider: TokenProvider | None) -> Headers:
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
