"""Judges and variants behind a real endpoint: an OpenAI-protocol server on the loopback interface that misbehaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grounded import evaluate, llm
from grounded.evaluation.judges import SCHEMA, Judge, coherence
from grounded.evaluation.metrics import Sample
from grounded.records import Answer, DataSet, Experiment, GeneratorRef, MetricValue, Row
from tests.answering.loopback import Answering, Loopback, delta, events, hangs, replies, serving, streams

ROW = Row(id="1", question="How long is the warranty?")
SOURCE = "The warranty on kettles lasts 24 months."
BUSY = replies(429, {"error": {"message": "slow down"}}, Retry_After="0")
FILTERED = replies(400, {"error": {"code": "content_filter", "message": "policy", "param": "prompt"}})


def says(text: str, finish: str = "stop") -> Answering:
    return streams(*events(delta(text), delta(finish=finish)))


def rating(score: object) -> str:
    return json.dumps({"reason": "It reads well.", "score": score})


def judge(server: Loopback, repeats: int = 1, **options: Any) -> Judge:
    return Judge(llm(f"{server.url}/v1#judge", schema=SCHEMA, **options), repeats=repeats)


def rated(server: Loopback, repeats: int = 1, **options: Any) -> MetricValue:
    answer = Answer(text=SOURCE, outcome="answered", generator=GeneratorRef(name="g", label="g"), request_id="1")
    return coherence().asking(judge(server, repeats, **options)).measure(Sample(ROW, answer))


def test_a_rating_is_asked_for_by_schema_and_without_sampling() -> None:
    with serving(says(rating(4))) as server:
        found = rated(server)
    assert (found.value, found.reason, found.by) == (4.0, "It reads well.", "judge")
    (asked,) = server.asked
    assert asked.body["temperature"] == 0.0
    assert asked.body["response_format"]["json_schema"]["schema"] == json.loads(json.dumps(SCHEMA))


@pytest.mark.parametrize(
    ("answering", "calls", "said"),
    [
        (says("I would say four out of five."), 3, "not the JSON object"),
        (says(rating(9)), 3, "not the JSON object"),
        (says(rating(4), finish="length"), 3, "cut off"),
        (FILTERED, 1, "filtered"),
        (streams(*events(delta(refusal="I can't help."), delta(finish="stop"))), 1, "refused"),
        (replies(401, {"error": {"message": "no such key"}}), 1, "failed"),
        (replies(200, "<html>maintenance</html>", "text/html"), 1, "failed"),
    ],
)
def test_no_rating_is_a_counted_failure_and_never_a_number(answering: Answering, calls: int, said: str) -> None:
    with serving(answering) as server:
        found = rated(server)
    assert (found.value, found.status) == (None, "failed")
    assert said in found.reason
    assert len(server.asked) == calls


def test_a_judge_that_is_too_slow_is_asked_again_and_then_missing() -> None:
    with serving(hangs) as server:
        found = rated(server, timeout=0.1)
        assert len(server.asked) == 3
    assert (found.value, found.status) == (None, "failed")
    assert "did not answer within 0.1 s" in found.reason


def test_rate_limits_are_waited_out() -> None:
    with serving(BUSY, says(rating(5))) as server:
        assert rated(server).value == 5.0
    assert len(server.asked) == 2


def test_repeats_agree_by_share_and_one_that_fails_spoils_them_all() -> None:
    with serving(says(rating(4)), says(rating(5)), says(rating(4))) as server:
        found = rated(server, repeats=3)
    assert found.value == 4.0
    assert found.agreement == pytest.approx(2 / 3)
    with serving(says(rating(4)), FILTERED, says(rating(4))) as server:
        assert rated(server, repeats=3).status == "failed"


def asked(server: Loopback, cache: Path, rows: int = 2, **options: Any) -> Experiment:
    """An experiment whose variant and judge are behind the same endpoint."""
    questions = tuple(Row(id=f"q{n}", question=f"How long, in case {n}?", contexts=(SOURCE,)) for n in range(rows))
    return evaluate(
        DataSet(name="questions", rows=questions),
        [{"name": "served", "llm": llm(f"{server.url}/v1#model")}],
        metrics=["coherence", "blocked", "missed_refusal"],
        judge=judge(server),
        verifier="containment",
        cache=cache,
        concurrency=1,
        **options,
    )


def test_an_answer_that_the_filter_stopped_is_an_outcome_and_is_not_judged(tmp_path: Path) -> None:
    with serving(FILTERED, says(f"{SOURCE[:-1]} [1]."), says(rating(4))) as server:
        found = asked(server, tmp_path / "cache")
    outcomes = [trial.answer.outcome for trial in found.trials if trial.answer]
    assert outcomes == ["blocked_by_provider", "answered"]
    ratings = [trial.value("coherence") for trial in found.trials]
    assert [each.status for each in ratings if each] == ["not_available", "measured"]
    assert [each.value for trial in found.trials if (each := trial.value("blocked"))] == [1.0, 0.0]


def test_failed_judgements_are_shown_and_only_they_are_asked_for_again(tmp_path: Path) -> None:
    answer = says(f"{SOURCE[:-1]} [1].")
    with serving(answer, FILTERED, answer, says(rating(3)), says(rating(5))) as server:
        first = asked(server, tmp_path / "cache")
        again = asked(server, tmp_path / "cache")
    assert len(server.asked) == 5
    summary = first.summary("served", "coherence")
    assert summary is not None
    assert (summary.value, summary.rows, summary.failed) == (3.0, 1, 1)
    assert [each.value for trial in again.trials if (each := trial.value("coherence"))] == [5.0, 3.0]
