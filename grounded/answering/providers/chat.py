"""The generator that talks to an endpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from grounded.answering.providers.failures import Failure, refused_request
from grounded.answering.providers.transport import Endpoint, Reply
from grounded.answering.providers.wires import Wire
from grounded.answering.streaming import visible_text
from grounded.errors import ProviderError
from grounded.records import Generation, GeneratorRef, Prompt

_log = logging.getLogger(__name__)

_NEGOTIABLE = ("stream_options", "temperature", "seed", "max_tokens", "response_format")
"""Settings that some models refuse; they are left out, or renamed, when the endpoint names them as the reason."""


class ChatGenerator:
    """A language model behind an HTTP endpoint. Thread-safe; each call opens its own connection.

    Args:
        endpoint: Where it answers.
        wire: How it is spoken to.
        provider: ``ollama``, ``openai``, ``azure`` or ``openai-compatible``.
        model: The model's name, or the deployment's.
        settings: ``temperature``, ``seed``, ``max_tokens``, ``window``, ``schema``; None means the
            endpoint's default, and for ``max_tokens`` what the prompt keeps free for the answer.
        missing: What to do when the endpoint does not know the model.
        denied: What to do when the endpoint refuses the key.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        wire: Wire,
        *,
        provider: str,
        model: str,
        settings: Mapping[str, Any],
        missing: str = "",
        denied: str = "",
    ) -> None:
        self._endpoint = endpoint
        self._wire = wire
        self._provider = provider
        self._model = model
        self._settings = dict(settings)
        self._missing = missing
        self._denied = denied
        self._refused: frozenset[str] = frozenset()

    @property
    def ref(self) -> GeneratorRef:
        """Provider, model and settings; nothing secret. ``not_sent`` are settings the endpoint refused."""
        arguments = {name: value for name, value in self._settings.items() if value is not None and name != "schema"}
        if self._refused:
            arguments["not_sent"] = sorted(self._refused)
        return GeneratorRef(
            name=self._provider,
            label=f"{self._model} ({self._provider})",
            model=self._model,
            arguments={"model": self._model, "endpoint": self._endpoint.name, **arguments},
        )

    @property
    def window(self) -> int | None:
        """Tokens of the context window as given; None when unknown."""
        window = self._settings.get("window")
        return int(window) if window is not None else None

    def generate(self, prompt: Prompt) -> Generation:
        """Write the whole answer; see ``stream`` for what is raised."""
        pieces = list(self.stream(prompt))
        return pieces[-1].model_copy(update={"text": "".join(piece.text for piece in pieces)})

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        """Write the answer in pieces; closing the iterator drops the connection, which stops the model.

        Raises:
            ProviderError: The endpoint refused, or what came is not an answer or holds no text.
            ProviderTimeoutError: It took too long.
            ProviderUnavailableError: Nobody answers there, or it is overloaded.
        """
        started = time.monotonic()
        opened = self._open(prompt)
        if isinstance(opened, Failure):
            yield Generation(text="", finish="filtered", model=self._model)
            return
        with opened as reply:
            written: list[str] = []
            for piece in self._wire.read(reply):
                written.append(piece.text)
                is_over = not piece.text
                if is_over and piece.finish in ("stop", "length") and not visible_text("".join(written)):
                    raise ProviderError(
                        f"{self._endpoint.name} answered without any text (finish: {piece.finish}).",
                        fix="Allow a longer answer, or use another model." if piece.finish == "length" else "",
                    )
                yield piece
        _log.info("%s wrote %d pieces in %.2f s", self._provider, len(written), time.monotonic() - started)

    def _open(self, prompt: Prompt) -> Reply | Failure:
        """A reply that is an answer, or the failure that says the provider's filter stopped the prompt."""
        # The answer may take what the prompt keeps free for it; a model that runs on would never end.
        settings = {**self._settings, "max_tokens": self._settings.get("max_tokens") or prompt.budget.reserved or None}
        for _ in range(len(_NEGOTIABLE) + 1):
            body = self._negotiated(self._wire.body(prompt, self._model, settings))
            reply = self._endpoint.post(body)
            if reply.status == 200:
                return reply
            failure = reply.failure()
            if failure.is_filter:
                return failure
            refused = _refused_setting(failure, body)
            if refused is None:
                raise refused_request(self._endpoint.name, failure, missing=self._missing, denied=self._denied)
            _log.info("%s does not take %r; asking again without it", self._endpoint.name, refused)
            self._refused |= {refused}
        raise ProviderError(f"{self._endpoint.name} refused every form of the request.")

    def _negotiated(self, body: dict[str, Any]) -> dict[str, Any]:
        refused = self._refused
        if "max_tokens" in refused and "max_tokens" in body:
            body["max_completion_tokens"] = body["max_tokens"]
        return {name: value for name, value in body.items() if name not in refused}


def _refused_setting(failure: Failure, body: Mapping[str, Any]) -> str | None:
    """The setting that the endpoint names as the reason for a 400 or 422."""
    if failure.status not in (400, 422):
        return None
    named = (name for name in _NEGOTIABLE if name == failure.parameter.split(".")[0] or name in failure.message)
    return next((name for name in named if name in body), None)
