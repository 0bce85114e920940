from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from grounded.answering import llm
from grounded.errors import ProviderError, ProviderTimeoutError, ProviderUnavailableError
from grounded.protocols import Generator
from tests.answering.helpers import prompt
from tests.answering.loopback import delta, events, hangs, replies, serving, streams

pytest.importorskip("llama_index.core")
pytest.importorskip("llama_index.llms.openai")

ASKED = prompt("How long is the warranty?")


def parrot(said: str, error: Exception | None = None) -> Any:
    """A LlamaIndex LLM written as its documentation says; it gives only the text so far, as some do."""
    from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata

    class Parrot(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(context_window=777, model_name="parrot-1")

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            return CompletionResponse(text=said)

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
            if error is not None:
                raise error
            for end in range(1, len(said) + 1):
                yield CompletionResponse(text=said[:end])

    return Parrot()


def openai(url: str, **options: Any) -> Any:
    from llama_index.llms.openai import OpenAI

    return OpenAI(model="gpt-4o-mini", api_base=f"{url}/v1", api_key="sk-test-secret-1", max_retries=0, **options)


def test_a_llama_index_llm_is_a_generator() -> None:
    generator = llm(parrot("24 months [1]."))
    assert isinstance(generator, Generator)
    assert generator.window == 777
    assert generator.ref.label == "parrot-1 (LlamaIndex Parrot)"
    got = generator.generate(ASKED)
    assert (got.text, got.finish, got.model) == ("24 months [1].", "stop", "parrot-1")
    assert [piece.text for piece in generator.stream(ASKED)] == [*"24 months [1].", ""]


def test_empty_text_and_failures_are_our_errors() -> None:
    with pytest.raises(ProviderError, match="no text"):
        llm(parrot("<think>hm</think>")).generate(ASKED)
    with pytest.raises(ProviderError, match="KeyError") as caught:
        llm(parrot("x", KeyError("sk-secret-12345"))).generate(ASKED)
    assert "secret" not in str(caught.value)
    with pytest.raises(ProviderTimeoutError):
        llm(parrot("x", TimeoutError())).generate(ASKED)


def test_interruption_is_not_swallowed() -> None:
    stream = llm(parrot("a long answer")).stream(ASKED)
    next(stream)
    with pytest.raises(KeyboardInterrupt):
        stream.throw(KeyboardInterrupt())  # type: ignore[attr-defined]  # a generator


def test_the_openai_integration_streams_with_finish_model_and_messages() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    said = streams(*events(delta("24 "), delta("months"), {**delta(finish="length"), "usage": usage}))
    with serving(said) as server:
        got = llm(openai(server.url)).generate(ASKED)
        assert [message["role"] for message in server.asked[0].body["messages"]] == ["system", "user"]
    assert (got.text, got.finish, got.model) == ("24 months", "length", "served-1")
    assert got.usage.output_tokens == 3


def test_provider_failures_through_the_openai_integration() -> None:
    filtered = replies(400, {"error": {"code": "content_filter", "message": "content_filter", "param": None}})
    with serving(filtered) as server:
        assert llm(openai(server.url)).generate(ASKED).finish == "filtered"
    with serving(replies(503, {"error": {"message": "busy"}})) as server, pytest.raises(ProviderUnavailableError):
        llm(openai(server.url)).generate(ASKED)
    with serving(replies(401, {"error": {"message": "bad key sk-test-secret-1"}})) as server:
        with pytest.raises(ProviderError) as caught:
            llm(openai(server.url)).generate(ASKED)
        assert "sk-test" not in str(caught.value)
    with serving(hangs) as server, pytest.raises(ProviderTimeoutError):
        llm(openai(server.url, timeout=0.3)).generate(ASKED)


def test_llama_index_is_not_imported_for_anything_else() -> None:
    code = (
        "import sys; from grounded.answering import ExtractiveGenerator, llm; llm('ollama:m'); "
        "llm(ExtractiveGenerator()); sys.exit('llama_index.core' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
