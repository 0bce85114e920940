from __future__ import annotations

import json
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from grounded.answering import llm
from grounded.answering.providers.chat import ChatGenerator
from grounded.errors import (
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    Retryable,
)
from grounded.records import Generation
from tests.answering.helpers import prompt
from tests.answering.loopback import Answering, Handler, Loopback, delta, events, hangs, replies, serving, streams

KEY = "4f1c9d-very-secret-0123456789"
ASKED = prompt("How long is the warranty?")
USAGE = {"model": "served-1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
GOOD = streams(*events(delta("It is "), delta("24 months [1]."), delta(finish="stop"), USAGE))
FAST: dict[str, Any] = {"attempts": 3, "max_wait_seconds": 0.01, "timeout": 5}


def model(server: Loopback, **options: Any) -> ChatGenerator:
    made = llm(f"{server.url}/v1#m", environment={"GROUNDED_LLM_API_KEY": KEY}, **{**FAST, **options})
    assert isinstance(made, ChatGenerator)
    return made


def answer(*answers: Answering, **options: Any) -> Generation:
    with serving(*answers) as server:
        return model(server, **options).generate(ASKED)


def test_a_streamed_answer() -> None:
    with serving(GOOD) as server:
        generator = model(server, seed=7, max_tokens=50)
        pieces = list(generator.stream(ASKED))
        assert [piece.text for piece in pieces] == ["It is ", "24 months [1].", ""]
        assert (pieces[-1].finish, pieces[-1].model) == ("stop", "served-1")
        assert (pieces[-1].usage.input_tokens, pieces[-1].usage.output_tokens) == (7, 3)
        assert generator.generate(ASKED).text == "It is 24 months [1]."
        first = server.asked[0]
    assert first.path == "/v1/chat/completions"
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How long is the warranty?"},
    ]
    assert (first.body["temperature"], first.body["seed"], first.body["max_tokens"]) == (0.0, 7, 50)


def test_pieces_come_while_the_model_still_writes() -> None:
    def slow(handler: Handler) -> None:
        handler.begin(200, "text/event-stream")
        handler.wfile.write(events(delta("first"), done=False)[0].encode())
        handler.wfile.flush()
        hangs(handler)

    with serving(slow) as server:
        stream = model(server).stream(ASKED)
        assert next(stream).text == "first"


def test_events_may_be_cut_anywhere_and_carry_comments() -> None:
    whole = ": ping\r\n\r\n" + "".join(events(delta("für "), delta("dich"), delta(finish="stop"))).replace("\n", "\r\n")
    data = whole.encode()
    assert answer(streams(*(data[i : i + 1] for i in range(len(data))))).text == "für dich"


def test_a_reply_that_is_not_streamed_is_read_too() -> None:
    whole = {"model": "x", "choices": [{"message": {"content": "24 months"}, "finish_reason": "length"}]}
    got = answer(replies(200, whole))
    assert (got.text, got.finish, got.model) == ("24 months", "length", "x")
    parts = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "24 "}, {"type": "text", "text": "months"}]
    listed = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    assert answer(replies(200, listed)).text == "24 months"


@pytest.mark.parametrize(
    ("answering", "finish"),
    [
        (streams(*events(delta("It"), delta(finish="content_filter"))), "filtered"),
        (streams(*events(delta(finish="content_filter"))), "filtered"),
        (streams(*events(delta(refusal="I can't"), delta(refusal=" help."), delta(finish="stop"))), "refused"),
        (replies(200, {"choices": [{"message": {"refusal": "No."}, "finish_reason": "stop"}]}), "refused"),
        (replies(400, {"error": {"code": "content_filter", "message": "policy", "param": "prompt"}}), "filtered"),
        (
            replies(400, {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
            "filtered",
        ),
        (streams(*events(delta("It is"), delta(finish="length"))), "length"),
    ],
)
def test_filters_and_refusals_are_not_errors(answering: Answering, finish: str) -> None:
    assert answer(answering).finish == finish


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        (replies(200, "<html>Please log in</html>", "text/html"), "Please log in"),
        (replies(200, "{not json"), "{not json"),
        (replies(200, []), "not an answer"),
        (replies(200, {"choices": "none"}), "not an answer"),
        (replies(200, {"choices": ["x"]}), "not an answer"),
        (replies(200, b""), "not an answer"),
        (replies(200, b"\xff\xfe\x00rubbish"), "rubbish"),
        (streams("data: {broken\n\n"), "{broken"),
        (streams(*events({"error": {"message": "out of memory"}})), "out of memory"),
        (streams('{"error": "plain"}\n'), "plain"),
        (streams(*events(delta("It is"), done=False)), "ended before the answer did"),
        (streams("garbage\n\n"), "ended before the answer did"),
        (streams(*events(delta(finish="stop"))), "without any text"),
        (streams(*events(delta(" \n"), delta(finish="stop"))), "without any text"),
        (streams(*events(delta("<think>hm"), delta(finish="length"))), "finish: length"),
        (replies(400, {"error": {"message": "context too long"}}), "context too long"),
        (replies(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}), "GROUNDED_LLM_API_KEY"),
        (replies(404, {"error": {"message": "no such model"}}), "/models lists them"),
        (replies(302, "", Location="http://127.0.0.1:9/"), "redirect"),
        (replies(429, {"error": {"code": "insufficient_quota", "message": "pay"}}), "no credit"),
    ],
)
def test_what_is_no_answer_names_the_endpoint_and_what_came(answering: Answering, said: str) -> None:
    with serving(answering) as server:
        with pytest.raises(ProviderError) as caught:
            model(server).generate(ASKED)
        assert len(server.asked) == 1
        assert f"{server.url}/v1/chat/completions" in str(caught.value)
    assert said in str(caught.value)
    assert KEY not in str(caught.value)


def test_keys_are_in_no_error_record_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = replies(500, {"error": f"token {KEY} of Bearer {KEY} and sk-other-987654321 failed"})
    with serving(echo) as server:
        generator = model(server)
        with pytest.raises(ProviderUnavailableError) as caught:
            generator.generate(ASKED)
    assert "***" in str(caught.value)
    seen = str(caught.value) + repr(generator.ref) + caplog.text
    assert not any(secret in seen for secret in (KEY, "sk-other"))
    assert ASKED.question not in caplog.text


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_overloaded_endpoint_is_asked_again(status: int) -> None:
    with serving(replies(status, {"error": "busy"}), replies(status, "busy", "text/plain"), GOOD) as server:
        assert model(server).generate(ASKED).text == "It is 24 months [1]."
        assert len(server.asked) == 3


def test_it_gives_up_after_the_last_attempt() -> None:
    with serving(replies(503, {"error": {"message": "loading model"}})) as server:
        with pytest.raises(ProviderUnavailableError, match="after 3 attempts: loading model") as caught:
            model(server).generate(ASKED)
        assert len(server.asked) == 3
    assert isinstance(caught.value, Retryable)


def test_what_the_endpoint_asks_to_wait_is_capped() -> None:
    with serving(replies(429, "slow down", "text/plain", Retry_After="3600"), GOOD) as server:
        started = time.monotonic()
        assert model(server, max_wait_seconds=0.2).generate(ASKED).text
        assert 0.2 <= time.monotonic() - started < 3


def test_it_does_not_wait_past_the_deadline() -> None:
    with serving(replies(429, "slow down", "text/plain", Retry_After="30")) as server:
        started = time.monotonic()
        with pytest.raises(ProviderUnavailableError):
            model(server, max_wait_seconds=60, deadline=1).generate(ASKED)
        assert time.monotonic() - started < 5
        assert len(server.asked) == 1


def test_silence_is_a_timeout() -> None:
    def half(handler: Handler) -> None:
        handler.begin(200, "text/event-stream")
        handler.wfile.write(events(delta("It"), done=False)[0].encode())
        hangs(handler)

    for behaviour in (hangs, half):
        with serving(behaviour) as server, pytest.raises(ProviderTimeoutError, match=r"did not answer within 0\.2 s"):
            model(server, timeout=0.2).generate(ASKED)


def test_a_trickle_is_stopped_at_the_deadline() -> None:
    def trickle(handler: Handler) -> None:
        handler.begin(200, "text/event-stream")
        while not handler.server.release.wait(0.02):
            handler.wfile.write(b": still here\n\n")

    with serving(trickle) as server, pytest.raises(ProviderTimeoutError, match="not done after"):
        model(server, deadline=0.3).generate(ASKED)


def test_a_huge_reply_is_dropped() -> None:
    def endless(handler: Handler) -> None:
        handler.begin(200, "text/event-stream")
        while not handler.server.release.is_set():
            handler.wfile.write(b": " + b"x" * 65_536)

    with serving(endless) as server:
        with pytest.raises(ProviderError, match="more than 1000000 bytes"):
            model(server, max_bytes=1_000_000).generate(ASKED)
        assert server.hung_up.wait(5)


def test_a_connection_that_breaks_is_an_error() -> None:
    def cut(handler: Handler) -> None:
        handler.begin(200, "application/json", Content_Length="1000")
        handler.wfile.write(b'{"choices"')

    with serving(cut) as server, pytest.raises(ProviderError, match="broke off"):
        model(server).generate(ASKED)


def test_nobody_there_names_what_to_do() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ProviderUnavailableError, match="Start the server") as caught:
        llm(f"http://127.0.0.1:{port}/v1#m", environment={}).generate(ASKED)
    assert isinstance(caught.value, ConnectionError)
    with pytest.raises(ProviderUnavailableError, match="ollama serve"):
        llm("ollama:m", environment={"OLLAMA_HOST": f"127.0.0.1:{port}"}).generate(ASKED)


@pytest.mark.parametrize(
    ("refusal", "left_out"),
    [
        ({"message": "Unsupported value: 'temperature' does not support 0", "param": "temperature"}, "temperature"),
        ({"message": "unknown field stream_options"}, "stream_options"),
        ({"message": "'max_tokens' is not supported, use 'max_completion_tokens'"}, "max_tokens"),
    ],
)
def test_a_setting_the_model_refuses_is_left_out_and_said(refusal: dict[str, str], left_out: str) -> None:
    with serving(replies(400, {"error": refusal}), GOOD) as server:
        generator = model(server, max_tokens=9)
        assert generator.generate(ASKED).text
        assert left_out in server.asked[0].body
        assert left_out not in server.asked[1].body
        assert server.asked[1].body.get("max_completion_tokens") == (9 if left_out == "max_tokens" else None)
        assert generator.ref.arguments["not_sent"] == [left_out]
        generator.generate(ASKED)
        assert len(server.asked) == 3


def test_an_endpoint_that_refuses_everything_is_not_asked_for_ever() -> None:
    with serving(replies(400, {"error": "temperature seed max_tokens stream_options"})) as server:
        with pytest.raises(ProviderError):
            model(server, seed=1, max_tokens=5).generate(ASKED)
        assert len(server.asked) == 5


def test_closing_the_stream_hangs_up() -> None:
    def endless(handler: Handler) -> None:
        handler.begin(200, "text/event-stream")
        while not handler.server.release.is_set():
            handler.wfile.write(events(delta("on and on "), done=False)[0].encode())

    with serving(endless) as server:
        before = threading.active_count()
        stream = model(server).stream(ASKED)
        assert next(stream).text == "on and on "
        stream.close()  # type: ignore[attr-defined]  # a generator
        assert server.hung_up.wait(5)
        assert threading.active_count() <= before + 1


def test_a_netrc_file_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(GOOD) as server:
        # A name that does not count as this machine, so that the environment is looked at.
        url = server.url.replace("127.0.0.1", "127.1")
        monkeypatch.setenv("NO_PROXY", "*")
        netrc.write_text("machine 127.1 login someone password else\n")
        generator = llm(f"{url}/v1#m", environment={"GROUNDED_LLM_API_KEY": KEY}, **FAST)
        assert generator.generate(ASKED).text
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_proxy_of_the_environment_is_not_used_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert answer(GOOD).text == "It is 24 months [1]."


def ollama_lines(*items: dict[str, object]) -> Answering:
    return replies(200, "".join(json.dumps(item) + "\n" for item in items), "application/x-ndjson")


def test_ollama_is_told_how_large_the_context_is() -> None:
    said = ollama_lines(
        {"model": "q", "message": {"role": "assistant", "content": "24 "}, "done": False},
        {"model": "q", "message": {"role": "assistant", "content": "months"}, "done": False},
        {
            "model": "q",
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "length",
            "prompt_eval_count": 5,
            "eval_count": 2,
        },
    )
    with serving(said) as server:
        generator = llm("ollama:q:0.5b", window=4096, environment={"OLLAMA_HOST": server.url})
        got = generator.generate(ASKED)
        asked = server.asked[0]
    assert (got.text, got.finish, got.usage.input_tokens, got.usage.output_tokens) == ("24 months", "length", 5, 2)
    assert (asked.path, asked.body["model"]) == ("/api/chat", "q:0.5b")
    assert asked.body["options"] == {"temperature": 0.0, "num_ctx": 4096, "num_predict": 512}
    assert "authorization" not in asked.headers
    assert generator.window == 4096


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        (replies(404, {"error": "model 'q' not found"}), "ollama pull q"),
        (ollama_lines({"error": "out of memory"}), "out of memory"),
        (ollama_lines({"model": "q", "message": {"content": "24"}, "done": False}), "ended before"),
        (replies(200, "<html>", "text/html"), "<html>"),
    ],
)
def test_ollama_failures(answering: Answering, said: str) -> None:
    with serving(answering) as server, pytest.raises(ProviderError, match=said):
        llm("ollama:q", environment={"OLLAMA_HOST": server.url}).generate(ASKED)


def test_azure_takes_a_key_or_a_renewed_token() -> None:
    with serving(GOOD) as server:
        place = {"AZURE_OPENAI_ENDPOINT": server.url + "/", "AZURE_OPENAI_API_VERSION": "2025-01-01"}
        assert llm("azure:my gpt", environment={**place, "AZURE_OPENAI_API_KEY": KEY}).generate(ASKED).text
        tokens = iter(["token-aaaaaaaa", "token-bbbbbbbb"])
        renewed = llm("azure:gpt", token_provider=lambda: next(tokens), environment=place)
        assert renewed.generate(ASKED).text
        assert renewed.generate(ASKED).text
    first, second, third = server.asked
    assert first.path == "/openai/deployments/my%20gpt/chat/completions?api-version=2025-01-01"
    assert first.headers["api-key"] == KEY
    assert "authorization" not in first.headers
    assert [r.headers["authorization"] for r in (second, third)] == ["Bearer token-aaaaaaaa", "Bearer token-bbbbbbbb"]


def test_openai_at_another_address_needs_no_key() -> None:
    with serving(GOOD) as server:
        generator = llm("openai:gpt", environment={"OPENAI_BASE_URL": f"{server.url}/v1/"})
        assert generator.generate(ASKED).text
        assert server.asked[0].path == "/v1/chat/completions"
        assert "authorization" not in server.asked[0].headers
