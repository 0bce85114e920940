from __future__ import annotations

from typing import Any

import pytest

from grounded.answering import FORMS, ExtractiveGenerator, discover_servers, llm
from grounded.answering.providers.discovery import Place, Server
from grounded.errors import ConfigurationError, UnknownNameError, UsageError
from tests.answering.loopback import hangs, replies, serving


@pytest.mark.parametrize(
    "spec", ["gpt-4", "foo:bar", "", "ollama:", "openai", "http://127.0.0.1/v1", "file:///x#m", 5, None]
)
def test_an_unknown_spec_lists_the_allowed_forms(spec: object) -> None:
    with pytest.raises(UnknownNameError) as caught:
        llm(spec, environment={})
    assert all(form in str(caught.value) for form in FORMS)


def test_a_generator_passes_through() -> None:
    generator = ExtractiveGenerator()
    assert llm(generator) is generator


@pytest.mark.parametrize(
    ("spec", "environment", "said"),
    [
        ("openai:gpt", {}, "OPENAI_API_KEY is not set"),
        ("openai:gpt", {"OPENAI_API_KEY": "sk-with\nnewline"}, "characters that no key has"),
        ("openai:gpt", {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "ftp://h"}, "OPENAI_BASE_URL"),
        ("azure:d", {}, "AZURE_OPENAI_ENDPOINT is not set"),
        ("azure:d", {"AZURE_OPENAI_ENDPOINT": "https://r"}, "AZURE_OPENAI_API_KEY is not set"),
        ("http://user:secret@127.0.0.1/v1#m", {}, "user name or password"),
        ("http://127.0.0.1:99999/v1#m", {}, "not an http"),
        ("http://#m", {}, "not an http"),
        ("ollama:m", {"OLLAMA_HOST": "ftp://x"}, "OLLAMA_HOST"),
    ],
)
def test_what_is_missing_is_named(spec: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        llm(spec, environment=environment)
    assert "secret" not in str(caught.value)
    assert "newline" not in str(caught.value)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(UsageError, match="no option 'temprature'"):
        llm("ollama:m", temprature=1)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        (":12000", "http://127.0.0.1:12000"),
        ("gpu:12000", "http://gpu:12000"),
        ("https://gpu/ollama/", "https://gpu:443/ollama"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_ollama_host_in_all_its_forms(host: str, url: str) -> None:
    generator = llm("ollama:m", environment={"OLLAMA_HOST": host})
    assert generator.ref.arguments["endpoint"] == f"{url}/api/chat"


def test_settings_are_in_the_reference_and_temperature_is_zero() -> None:
    ref = llm("openai:gpt", environment={"OPENAI_API_KEY": "sk-secret-123"}, seed=3).ref
    assert (ref.name, ref.model, ref.label) == ("openai", "gpt", "gpt (openai)")
    assert ref.arguments["temperature"] == 0.0
    assert ref.arguments["seed"] == 3
    assert "secret" not in repr(ref)
    assert llm("ollama:m", environment={}).window == 8192
    assert llm("openai:gpt", environment={"OPENAI_API_KEY": "k-123"}).window is None


def place(url: str) -> Place:
    return Place(kind="vLLM", base=url + "/v1", listing="/models", items="data", name="id")


def test_servers_are_found_by_what_they_list() -> None:
    models = replies(200, {"data": [{"id": "b"}, {"id": "a"}, {"other": 1}]})
    with serving(models) as server:
        assert discover_servers(places=[place(server.url)]) == [Server("vLLM", f"{server.url}/v1", ("a", "b"))]
        assert server.asked[0].path == "/v1/models"


@pytest.mark.parametrize(
    "answering",
    [
        hangs,
        replies(200, "<html>a web site</html>", "text/html"),
        replies(200, {"data": 3}),
        replies(200, []),
        replies(404, {"data": []}),
        replies(301, "", Location="/x"),
    ],
)
def test_what_is_no_model_server_is_passed_over(answering: Any) -> None:
    with serving(answering) as server:
        assert discover_servers(0.1, places=[place(server.url)]) == []
    assert discover_servers(0.1, places=[place(server.url)]) == []
