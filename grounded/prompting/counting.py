"""Counters for models whose encoding does not ship: a ``tokenizer.json`` file, or the tokenizer of a local server."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from grounded.errors import MissingExtraError, ModelFileError, ProviderError, ProviderUnavailableError
from grounded.prompting.budget import Overhead

TIMEOUT_SECONDS = 60.0
"""Longest wait for a server to count one text."""

# A text that begins or ends with white space is where a tokenizer may join it with what the chat template puts beside.
_PROBES = ("a", "b c.\n", "<d>\ne", "\u00e9")


class TokenizerFile:
    """Counts as a ``tokenizer.json`` of the ``tokenizers`` package does. Thread-safe.

    The file says nothing of what a chat template puts around messages, so that ``overhead`` is None and a bound is
    used.

    Raises:
        MissingExtraError: The extra ``tokenizers`` is not installed.
        ModelFileError: The file is missing or no tokenizer.
    """

    def __init__(self, path: Path | str) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtraError("Counting by tokenizer.json", package="tokenizers", extra="tokenizers") from error
        path = Path(path)
        try:
            self._tokenizer: Any = Tokenizer.from_str(path.read_text("utf-8"))
        except Exception as error:
            raise ModelFileError(
                f"{path} is no tokenizer: {error}", fix="Use the tokenizer.json that comes with the model."
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.name = f"{path.parent.name}/{path.name}" if path.parent.name else path.name
        self.overhead: Overhead | None = None

    def count(self, text: str) -> int:
        """Tokens of ``text``; a lone surrogate counts as U+FFFD."""
        return len(self._tokenizer.encode(_sendable(text), add_special_tokens=False))


class ServerTokenizer:
    """Counts by asking a llama.cpp server, which also tells what its chat template puts around messages. Thread-safe.

    Args:
        url: The server's address; ``/v1`` at its end and ``#MODEL`` are ignored.

    Raises:
        ProviderUnavailableError: Nobody answers there.
        ProviderError: The server has no tokenizer to ask.
    """

    def __init__(self, url: str) -> None:
        self._url = url.partition("#")[0].rstrip("/").removesuffix("/v1")
        self.name = f"tokenizer of {self._url}"
        self.count("")

    def count(self, text: str) -> int:
        """Tokens of ``text`` as the server reads it within a message."""
        body = {"content": _sendable(text), "add_special": False, "parse_special": True}
        tokens = self._ask("tokenize", body).get("tokens")
        if not isinstance(tokens, list):
            raise ProviderError(f"{self._url}/tokenize gave no tokens.", fix="Use a llama.cpp server.")
        return len(tokens)

    @cached_property
    def overhead(self) -> Overhead | None:
        """What the server's chat template puts around texts; None when it depends on them or is not told."""
        try:
            found = {self._overhead(*texts) for texts in zip(_PROBES, _PROBES[::-1], strict=True)}
        except ProviderError:
            return None
        return found.pop() if len(found) == 1 else None

    def _overhead(self, one: str, other: str) -> Overhead:
        base = self._around(("system", one), ("user", other))
        user = self._around(("system", one), ("user", other), ("user", one)) - base
        pair = self._around(("system", one), ("user", other), ("assistant", one), ("user", other)) - base
        return Overhead(base, user, pair - user)

    def _around(self, *said: tuple[str, str]) -> int:
        """Tokens of a conversation, in which the user speaks last, beyond those of its texts."""
        messages = [{"role": role, "content": text} for role, text in said]
        prompt = self._ask("apply-template", {"messages": messages}).get("prompt")
        if not isinstance(prompt, str):
            raise ProviderError(f"{self._url}/apply-template gave no prompt.")
        body = {"content": prompt, "add_special": True, "parse_special": True}
        return len(self._ask("tokenize", body)["tokens"]) - sum(self.count(text) for _, text in said)

    def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        import requests

        fix = "Start a llama.cpp server there, or count with a tokenizer.json."
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy has no business between a program and its own server
                reply = session.post(f"{self._url}/{what}", json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False)
                content = reply.json() if reply.status_code == 200 else None
        except requests.JSONDecodeError as error:
            raise ProviderError(f"{self._url}/{what} gave no JSON.", fix=fix) from error
        except (requests.RequestException, ValueError) as error:
            raise ProviderUnavailableError(f"{self._url} does not answer: {error}", fix=fix) from error
        if not isinstance(content, dict):
            raise ProviderError(f"{self._url}/{what} refused ({reply.status_code}).", fix=fix)
        return content


def counter_at(place: str) -> TokenizerFile | ServerTokenizer | None:
    """The counter of a ``tokenizer.json`` or an address; None when ``place`` is neither.

    Raises:
        GroundedError: It is one of them and cannot be used.
    """
    if place.startswith(("http://", "https://")):
        return _server(place)
    if place.endswith(".json"):
        path = Path(place)
        return _file(place, path.stat().st_mtime_ns if path.is_file() else 0)
    return None


@lru_cache(maxsize=8)
def _server(url: str) -> ServerTokenizer:
    return ServerTokenizer(url)


@lru_cache(maxsize=8)
def _file(path: str, changed: int) -> TokenizerFile:
    del changed
    return TokenizerFile(path)


def _sendable(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text
