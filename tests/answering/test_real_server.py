"""Against a real local language model: slow, and skipped where its packages cannot be had."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from grounded.answering import discover_servers, llm
from grounded.answering.providers.discovery import Place
from grounded.errors import ProviderError, ProviderTimeoutError, ProviderUnavailableError
from tests.answering.helpers import prompt
from tests.llm_server import ServerMissingError, running_server

pytestmark = pytest.mark.slow

ASKED = prompt("Say hello.")
LONG = prompt("Write a very long story about a kettle, a king and a dragon.")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    try:
        context = running_server()
        url = context.__enter__()
    except ServerMissingError as error:
        pytest.skip(str(error))
    try:
        yield url
    finally:
        context.__exit__(None, None, None)


def is_working(url: str) -> bool:
    slots: list[dict[str, Any]] = requests.get(f"{url.removesuffix('/v1')}/slots", timeout=10).json()
    return any(slot["is_processing"] for slot in slots)


def test_chat_and_stream_say_the_same(server: str) -> None:
    generator = llm(f"{server}#smollm2", max_tokens=24, seed=1, environment={})
    whole = generator.generate(ASKED)
    pieces = list(generator.stream(ASKED))
    assert whole.text.strip()
    assert "".join(piece.text for piece in pieces) == whole.text
    assert len(pieces) > 3
    assert whole.finish in ("stop", "length")
    assert whole.usage.input_tokens is not None
    assert 0 < (whole.usage.output_tokens or 0) <= 24


def test_a_cut_answer_says_so(server: str) -> None:
    got = llm(f"{server}#smollm2", max_tokens=5, environment={}).generate(LONG)
    assert got.finish == "length"
    assert got.usage.output_tokens == 5


def test_the_model_that_answered_is_named_whatever_was_asked_for(server: str) -> None:
    got = llm(f"{server}#no-such-model", max_tokens=2, environment={}).generate(ASKED)
    assert "SmolLM2" in got.model


def test_cancelling_leaves_nothing_running(server: str) -> None:
    stream = llm(f"{server}#smollm2", max_tokens=1500, environment={}).stream(LONG)
    next(stream)
    assert is_working(server)
    stream.close()  # type: ignore[attr-defined]  # a generator
    deadline = time.monotonic() + 20
    while is_working(server):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_prompt_longer_than_the_window_is_an_error(server: str) -> None:
    with pytest.raises(ProviderError, match="context"):
        llm(f"{server}#smollm2", environment={}).generate(prompt("kettle " * 4000))


def test_a_wrong_path_and_a_short_timeout(server: str) -> None:
    with pytest.raises(ProviderError, match="/v1"):
        llm(f"{server.removesuffix('/v1')}/nowhere#m", environment={}).generate(ASKED)
    with pytest.raises(ProviderTimeoutError):
        llm(f"{server}#m", timeout=0.001, environment={}).generate(LONG)


def test_doctor_finds_it(server: str) -> None:
    found = discover_servers(5, places=[Place("llama.cpp", server, "/models", "data", "id")])
    assert [("SmolLM2" in one.models[0], one.url) for one in found] == [(True, server)]


def test_through_llama_index(server: str) -> None:
    openai = pytest.importorskip("llama_index.llms.openai")
    model = openai.OpenAI(model="gpt-4o-mini", api_base=server, api_key="none", max_tokens=8, temperature=0)
    generator = llm(model)
    pieces = list(generator.stream(ASKED))
    assert "".join(piece.text for piece in pieces).strip()
    assert "SmolLM2" in pieces[-1].model


def test_a_server_that_is_gone(server: str) -> None:
    try:
        with running_server() as url:
            gone = url
    except ServerMissingError as error:
        pytest.skip(str(error))
    with pytest.raises(ProviderUnavailableError):
        llm(f"{gone}#m", environment={}).generate(ASKED)
