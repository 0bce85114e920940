"""Any LlamaIndex LLM as a generator."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from grounded.answering.providers.failures import excerpt
from grounded.answering.providers.wires import finish_of
from grounded.answering.streaming import visible_text
from grounded.errors import MissingExtraError, ProviderError, ProviderTimeoutError, ProviderUnavailableError
from grounded.records import Generation, GeneratorRef, Prompt, Usage

try:
    from llama_index.core.base.llms.types import ChatMessage, MessageRole
    from llama_index.core.llms import LLM
except ImportError as error:  # pragma: no cover - the extra is installed where this is tested
    raise MissingExtraError("A LlamaIndex LLM", package="llama-index", extra="llama-index") from error

_UNAVAILABLE = ("Connect", "RateLimit", "Overloaded", "Unavailable", "InternalServer")


def is_llm(value: object) -> bool:
    """Whether ``value`` is a LlamaIndex LLM."""
    return isinstance(value, LLM)


class LlamaIndexGenerator:
    """Writes answers with a LlamaIndex LLM.

    Args:
        model: The LLM.
        window: Tokens of its context; None asks the LLM's own metadata.
    """

    def __init__(self, model: Any, *, window: int | None = None) -> None:
        self._llm = model
        self._window = window

    @property
    def ref(self) -> GeneratorRef:
        """The LLM's class and model name."""
        name = str(self._llm.metadata.model_name or "unknown")
        kind = type(self._llm).__name__
        arguments = {"model": name, "class": kind}
        return GeneratorRef(name="llama-index", label=f"{name} (LlamaIndex {kind})", model=name, arguments=arguments)

    @property
    def window(self) -> int | None:
        """Tokens of the context window."""
        return self._window or self._llm.metadata.context_window or None

    def generate(self, prompt: Prompt) -> Generation:
        """Write the whole answer; see ``stream`` for what is raised."""
        pieces = list(self.stream(prompt))
        return pieces[-1].model_copy(update={"text": "".join(piece.text for piece in pieces)})

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        """Write the answer in pieces; closing the iterator closes the LLM's own stream.

        Raises:
            ProviderError: The LLM failed or returned no text.
            ProviderTimeoutError: It took too long.
            ProviderUnavailableError: It cannot be reached or is overloaded.
        """
        seen, last = "", Generation(text="", model=self.ref.model)
        boundary = _Boundary(self.ref.label)
        with boundary:
            replies = self._llm.stream_chat(_messages(prompt))
            try:
                for reply in replies:
                    whole = reply.message.content or ""
                    # Some LLMs give only the text so far, not what is new.
                    piece = reply.delta if reply.delta is not None else whole.removeprefix(seen)
                    seen += piece
                    last = _ending(reply.raw, last)
                    if piece:
                        yield Generation(text=piece)
            finally:
                if hasattr(replies, "close"):
                    replies.close()
        if boundary.filtered:
            last = last.model_copy(update={"finish": "filtered"})
        if last.finish in ("stop", "length") and not visible_text(seen):
            raise ProviderError(f"{self.ref.label} returned no text (finish: {last.finish}).")
        yield last


def _messages(prompt: Prompt) -> list[Any]:
    roles = {"system": MessageRole.SYSTEM, "assistant": MessageRole.ASSISTANT}
    return [ChatMessage(role=roles.get(m.role, MessageRole.USER), content=m.content) for m in prompt.messages]


def _ending(raw: Any, last: Generation) -> Generation:
    """What the provider's own reply says of model, finish and usage, as far as it has the usual form."""
    changes: dict[str, Any] = {}
    choices = _get(raw, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    reason = _get(choice, "finish_reason")
    if reason:
        changes["finish"] = finish_of(reason)
    if _get(_get(choice, "delta"), "refusal") or _get(_get(choice, "message"), "refusal"):
        changes["finish"] = "refused"
    if last.finish == "refused":
        changes.pop("finish", None)
    if _get(raw, "model"):
        changes["model"] = str(_get(raw, "model"))
    usage = _get(raw, "usage")
    if usage:
        given, written = _get(usage, "prompt_tokens"), _get(usage, "completion_tokens")
        changes["usage"] = Usage(input_tokens=given, output_tokens=written)
    return last.model_copy(update=changes)


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


class _Boundary:
    """Turns whatever an LLM integration raises into this package's errors; their kinds cannot be listed."""

    def __init__(self, label: str) -> None:
        self._label = label
        self.filtered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        if "content_filter" in str(error):
            self.filtered = True
            return True
        names = " ".join(cls.__name__ for cls in type(error).__mro__)
        if "Timeout" in names:
            raise ProviderTimeoutError(f"{self._label} did not answer in time.", fix="Try again.") from error
        if any(name in names for name in _UNAVAILABLE):
            raise ProviderUnavailableError(
                f"{self._label} cannot be reached or is overloaded ({type(error).__name__}).", fix="Try again later."
            ) from error
        raise ProviderError(f"{self._label} failed: {type(error).__name__}: {excerpt(str(error))}") from error
