"""What an error reply says, without anything secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from grounded.errors import ConfigurationError, ProviderError

_EXCERPT = 200
_SECRET_LENGTH = 8
_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|key)-[\w*.…-]{6,}|(?i:bearer\s+)[\w.~+/*-]{6,}=*")


@dataclass(frozen=True, slots=True)
class Failure:
    """An error reply. ``code`` and ``parameter`` are the endpoint's own words; ``message`` is safe to show."""

    status: int
    message: str
    code: str = ""
    parameter: str = ""
    retry_after: float | None = None

    @classmethod
    def of(cls, status: int, text: str, excerpt: Callable[[str], str], retry_after: str | None) -> Failure:
        """Read the usual forms: ``{"error": {...}}``, ``{"error": "..."}`` or plain text."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        error = data.get("error", data) if isinstance(data, dict) else None
        details = error if isinstance(error, dict) else {}
        message = details.get("message") if details else error
        inner = details.get("innererror")
        codes = [details.get("code"), details.get("type"), inner.get("code") if isinstance(inner, dict) else None]
        return cls(
            status=status,
            message=excerpt(message if isinstance(message, str) else text),
            code=" ".join(str(code) for code in codes if code),
            parameter=str(details.get("param") or ""),
            retry_after=_seconds(retry_after),
        )

    @property
    def is_filter(self) -> bool:
        """Whether the provider's content filter stopped the prompt."""
        return self.status == 400 and bool(re.search(r"content_filter|ResponsibleAIPolicyViolation", self.code))

    @property
    def is_out_of_credit(self) -> bool:
        """Whether trying again is pointless although the status says otherwise."""
        return self.status == 429 and "insufficient_quota" in self.code


def refused_request(endpoint: str, failure: Failure, *, missing: str, denied: str) -> ProviderError:
    """The error for a request that was refused.

    Args:
        endpoint: Its name.
        failure: What it said.
        missing: What to do when it does not know the model.
        denied: What to do when it refuses the key.
    """
    advice = {401: denied, 403: denied, 404: missing}
    what = f"{endpoint} refused the request ({failure.status}): {failure.message}"
    return ProviderError(what, fix=advice.get(failure.status, ""))


def excerpt(text: str, secrets: Sequence[str] = ()) -> str:
    """The beginning of ``text`` on one line, without the given secrets and without anything that looks like a key."""
    for secret in secrets:
        for part in secret.split():
            if len(part) >= _SECRET_LENGTH:
                text = text.replace(part, "***")
    short = " ".join(_LOOKS_LIKE_A_KEY.sub("***", text).split())
    return short if len(short) <= _EXCERPT else short[:_EXCERPT] + "…"


def checked_key(key: str, source: str) -> str:
    """A key without surrounding white space.

    Raises:
        ConfigurationError: It cannot be sent in a header; the message does not show it.
    """
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(f"The key in {source} is empty or holds characters that no key has.")
    return key


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:  # an HTTP date: the usual back-off is good enough
        return None
