"""What is said over the wire: the OpenAI-compatible form and Ollama's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

from grounded.answering.providers.transport import Reply
from grounded.records import Generation, Prompt, Usage

Finish = Literal["stop", "length", "filtered", "refused"]

_FINISH: dict[str, Finish] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "filtered",
    "content_filtered": "filtered",
    "refusal": "refused",
}


class Wire(Protocol):
    """One way to write a request and to read its reply."""

    def body(self, prompt: Prompt, model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The request; ``settings`` may hold ``temperature``, ``seed``, ``max_tokens``, ``window``, ``schema``."""
        ...

    def read(self, reply: Reply) -> Iterator[Generation]:
        """Pieces of text as they come; the last one is empty and carries how it ended.

        Raises:
            ProviderError: What comes is not an answer, or it broke off.
        """
        ...


def finish_of(reason: object) -> Finish:
    """Our word for a provider's finish reason; what is not known is a normal end."""
    return _FINISH.get(str(reason), "stop")


def messages_of(prompt: Prompt) -> list[dict[str, str]]:
    """The messages in the form that every endpoint takes; a tool's turn without a call is the user's."""
    return [
        {"role": "user" if message.role == "tool" else message.role, "content": message.content}
        for message in prompt.messages
    ]


class OpenAIWire:
    """Chat completions, streamed as server-sent events; also reads a reply that is not streamed."""

    def body(self, prompt: Prompt, model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The request body."""
        sent = {
            name: settings[name] for name in ("temperature", "seed", "max_tokens") if settings.get(name) is not None
        }
        if schema := settings.get("schema"):
            form = {"name": "reply", "strict": True, "schema": schema}
            sent["response_format"] = {"type": "json_schema", "json_schema": form}
        return {
            "model": model,
            "messages": messages_of(prompt),
            "stream": True,
            "stream_options": {"include_usage": True},
            **sent,
        }

    def read(self, reply: Reply) -> Iterator[Generation]:
        """The pieces of the answer."""
        ending = _Ending()
        if reply.media_type == "text/event-stream":
            for data in _events(reply):
                if data == "[DONE]":
                    break
                yield from self._piece(reply, reply.parsed(data), "delta", ending)
        else:
            yield from self._piece(reply, reply.json(), "message", ending)
        yield ending.generation(reply)

    def _piece(self, reply: Reply, data: Any, part: str, ending: _Ending) -> Iterator[Generation]:
        choices = data.get("choices") if isinstance(data, dict) else None
        if not isinstance(choices, list) or (isinstance(data, dict) and data.get("error")):
            reply.reject(data)
        ending.model = str(data.get("model") or ending.model)
        usage = data.get("usage")
        if isinstance(usage, dict):
            ending.usage = _usage(usage.get("prompt_tokens"), usage.get("completion_tokens"))
        for choice in choices[:1]:
            content = choice.get(part) if isinstance(choice, dict) else None
            if not isinstance(choice, dict) or not isinstance(content, dict | None):
                reply.reject(data)
            content = content or {}
            if content.get("refusal"):
                ending.finish = "refused"
            if choice.get("finish_reason") and ending.finish != "refused":
                ending.finish = finish_of(choice["finish_reason"])
            text = _text(content.get("content"))
            if text:
                yield Generation(text=text)


class OllamaWire:
    """Ollama's own chat form: the only one that says how large a context the server must keep.

    Through its OpenAI-compatible form the server silently cuts a prompt that is longer than its default.
    """

    def body(self, prompt: Prompt, model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The request body."""
        names = {"temperature": "temperature", "seed": "seed", "max_tokens": "num_predict", "window": "num_ctx"}
        options = {theirs: settings[ours] for ours, theirs in names.items() if settings.get(ours) is not None}
        form = {"format": settings["schema"]} if settings.get("schema") else {}
        return {"model": model, "messages": messages_of(prompt), "stream": True, "options": options, **form}

    def read(self, reply: Reply) -> Iterator[Generation]:
        """The pieces of the answer."""
        ending = _Ending()
        for line in reply.lines():
            if not line.strip():
                continue
            data = reply.parsed(line)
            message = data.get("message") if isinstance(data, dict) else None
            if not isinstance(message, dict) or data.get("error"):
                reply.reject(data)
            ending.model = str(data.get("model") or ending.model)
            if message.get("content"):
                yield Generation(text=_text(message["content"]))
            if data.get("done"):
                ending.finish = finish_of(data.get("done_reason"))
                ending.usage = _usage(data.get("prompt_eval_count"), data.get("eval_count"))
                break
        yield ending.generation(reply)


class _Ending:
    """What is known at the end of a reply."""

    def __init__(self) -> None:
        self.finish: Finish | None = None
        self.model = ""
        self.usage = Usage()

    def generation(self, reply: Reply) -> Generation:
        if self.finish is None:
            reply.reject("the reply ended before the answer did")
        return Generation(text="", finish=self.finish, model=self.model, usage=self.usage)


def _events(reply: Reply) -> Iterator[str]:
    """The data of each server-sent event; comments and other fields are left out."""
    data: list[str] = []
    for line in reply.lines():
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
        elif line.startswith("{"):  # some servers send an error in the stream without the prefix
            yield line
    if data:
        yield "\n".join(data)


def _text(content: Any) -> str:
    """Text that comes as a string, or as a list of parts of which only the text counts."""
    if isinstance(content, list):
        return "".join(
            str(part.get("text", "")) for part in content if isinstance(part, dict) and part.get("type") == "text"
        )
    return content if isinstance(content, str) else ""


def _usage(given: Any, written: Any) -> Usage:
    return Usage(
        input_tokens=given if isinstance(given, int) else None,
        output_tokens=written if isinstance(written, int) else None,
    )
