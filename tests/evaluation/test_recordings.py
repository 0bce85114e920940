"""Recordings of real replies, made from a real server on the loopback interface."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from grounded import build_prompt, llm
from grounded.errors import ExperimentError, GenerationError, ProviderError, SourceNotFoundError
from grounded.evaluation.recordings import Recorded, Recorder
from tests.answering.loopback import Loopback, delta, events, replies, serving, streams
from tests.evaluation.generators import always

DAY = date(2026, 1, 2)
ONE, OTHER = (build_prompt(question, ["It lasts 24 months."], nonce="0" * 16) for question in ("How long?", "Why?"))


def recorder(server: Loopback, path: Path, model: str = "small-1") -> Recorder:
    return Recorder(llm(f"{server.url}/v1#some", window=4096), path, model=model, weights="f" * 64, today=DAY)


def test_a_reply_is_asked_for_once_and_given_again_without_the_model(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    with serving(streams(*events(delta("24 months [1]."), delta(finish="stop")))) as server:
        asking = recorder(server, path)
        first = asking.generate(ONE)
        assert asking.generate(ONE) == first
        again = recorder(server, path).generate(ONE)
        assert len(server.asked) == 1
    kept = Recorded(path)
    assert first == again == kept.generate(ONE) == next(kept.stream(ONE))
    assert first.text == "24 months [1]."
    assert (kept.recorded.model, kept.recorded.weights, kept.recorded.recorded) == ("small-1", "f" * 64, DAY)
    assert (kept.window, kept.ref.name) == (4096, "recorded")
    assert "127.0.0.1" not in path.read_text("utf-8")


def test_a_prompt_that_differs_in_one_character_was_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    with serving(streams(*events(delta("24 months [1]."), delta(finish="stop")))) as server:
        recorder(server, path).generate(ONE)
    last = ONE.messages[-1]
    changed = last.model_copy(update={"content": last.content.replace("24", "25")})
    for prompt in (OTHER, ONE.model_copy(update={"messages": (*ONE.messages[:-1], changed)})):
        with pytest.raises(GenerationError, match="recorded"):
            Recorded(path).generate(prompt)


def test_what_the_model_did_not_answer_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    with serving(replies(400, {"error": {"message": "no"}})) as server, pytest.raises(ProviderError):
        recorder(server, path).generate(ONE)
    with pytest.raises(GenerationError):
        Recorded(path).generate(ONE)


def test_files_that_are_no_recordings_or_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    Recorder(always("x"), path, model="small-1", today=DAY)
    with pytest.raises(ExperimentError, match="another model"):
        Recorder(always("x"), path, model="large-1", today=DAY)
    with pytest.raises(SourceNotFoundError):
        Recorded(tmp_path / "none.jsonl")
    for content in (b"", b"{}", b"\xff", path.read_bytes() + b'{"text": "no hash"}', path.read_bytes() + b"[]"):
        (tmp_path / "broken.jsonl").write_bytes(content)
        with pytest.raises(ExperimentError):
            Recorded(tmp_path / "broken.jsonl")
