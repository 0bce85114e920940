from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from grounded import evaluate
from grounded.errors import ConfigurationError, ExperimentError, ProviderError, SchemaError, UsageError
from grounded.evaluation.gates import GateRules, Regressions, gate, manifest_of, read_experiment
from grounded.evaluation.metrics import metric
from grounded.evaluation.plans import Plan
from grounded.evaluation.running import Pace, Progress
from grounded.records import DataSet, Experiment, Gate, Manifest, Row
from grounded.verification import Thresholds, Verifier
from tests.evaluation.generators import Scripted, always

SOURCE = "The warranty on kettles lasts 24 months. Express delivery costs 9 euros."
RIGHT, WRONG = "The warranty on kettles lasts 24 months [1].", "The warranty on kettles lasts 36 months [1]."
METRICS = ("groundedness", "faithfulness", "citation_precision", "token_f1", "over_refusal", "cost")


def questions(count: int = 4) -> DataSet:
    rows = (
        Row(id=f"q{n}", question=f"How long is the warranty in case {n}?", reference="24 months", contexts=(SOURCE,))
        for n in range(count)
    )
    return DataSet(name="questions", rows=tuple(rows))


def run(reply: Any = RIGHT, *, count: int = 4, name: str = "plain", **options: Any) -> Experiment:
    generator = always(reply) if isinstance(reply, str) else reply
    return evaluate(questions(count), [{"name": name, "llm": generator}], metrics=METRICS, **options)


def figures(experiment: Experiment) -> list[object]:
    return [(trial.row, trial.variant, trial.values) for trial in experiment.trials]


def test_every_question_is_asked_in_every_variant_and_measured() -> None:
    made = evaluate(
        questions(),
        [{"name": "right", "llm": always(RIGHT)}, {"name": "wrong", "llm": always(WRONG, "other")}],
        metrics=METRICS,
    )
    assert [(trial.row, trial.variant) for trial in made.trials] == [
        (f"q{n}", name) for n in range(4) for name in ("right", "wrong")
    ]
    groundedness = {name: made.summary(name, "groundedness") for name in ("right", "wrong")}
    assert [each.value for each in groundedness.values() if each] == [1.0, 0.0]
    assert made.comparisons[0].finding == "not_enough_data"
    assert Experiment.from_json(made.to_json()) == made
    answer = made.answer_of(made.trials[0])
    assert answer is not None
    assert answer.prompt is not None
    assert SOURCE in answer.prompt.messages[-1].content
    assert made.nonce in answer.prompt.messages[-1].content


def test_two_runs_give_the_same_numbers() -> None:
    assert figures(run()) == figures(run())


def test_a_second_run_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    first, second = always(RIGHT), always("something else entirely")
    one = run(first, cache=tmp_path / "kept")
    other = run(second, cache=tmp_path / "kept")
    assert (first.calls, second.calls) == (4, 0)
    assert one.trials == other.trials


def test_another_model_template_or_row_is_asked_anew(tmp_path: Path) -> None:
    run(cache=tmp_path / "kept")
    for changed in (
        {"llm": always(RIGHT, "other")},
        {"llm": (asked := always(RIGHT)), "template": "core/figures"},
        {"llm": asked, "layout": "numbered"},
    ):
        generator = changed["llm"]
        assert isinstance(generator, Scripted)
        before = generator.calls
        evaluate(questions(), [{"name": "x", **changed}], metrics=["groundedness"], cache=tmp_path / "kept")
        assert generator.calls == before + 4
    more = always(RIGHT)
    evaluate(questions(6), [{"name": "plain", "llm": more}], metrics=METRICS, nonce=questions().ref.hash[:16],
             cache=tmp_path / "kept")  # fmt: skip
    assert more.calls == 2


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    seen: list[Progress] = []
    first = always(RIGHT)
    part = run(first, count=10, concurrency=1, cache=tmp_path / "kept", progress=seen.append,
               cancel=lambda: len(seen) >= 3)  # fmt: skip
    assert part.stopped == "interrupted"
    assert 3 <= len(part.trials) == first.calls < 10
    rest = always(RIGHT)
    whole = run(rest, count=10, cache=tmp_path / "kept")
    assert (whole.stopped, rest.calls) == ("", 10 - first.calls)
    assert figures(whole) == figures(run(count=10))


def test_a_keyboard_interrupt_loses_nothing(tmp_path: Path) -> None:
    def interrupt(state: Progress) -> None:
        if state.done == 2:
            raise KeyboardInterrupt

    first, rest = always(RIGHT), always(RIGHT)
    with pytest.raises(KeyboardInterrupt):
        run(first, count=8, concurrency=1, cache=tmp_path / "kept", progress=interrupt)
    run(rest, count=8, cache=tmp_path / "kept")
    assert first.calls + rest.calls == 8


def test_failed_questions_are_problems_and_asked_again(tmp_path: Path) -> None:
    def reply(prompt: Any, call: int) -> Any:
        return ProviderError("broken") if "case 2" in prompt.question else RIGHT

    made = run(Scripted(reply), cache=tmp_path / "kept")
    (failed,) = [trial for trial in made.trials if trial.answer is None]
    assert failed.outcome == "error"
    assert failed.problem is not None
    assert (failed.row, failed.problem.error) == ("q2", "ProviderError")
    assert all(value.value is None for value in failed.values)
    summary = made.summary("plain", "groundedness")
    assert summary is not None
    assert (summary.rows, summary.not_available) == (3, 1)
    again = always(RIGHT)
    assert all(trial.answer for trial in run(again, cache=tmp_path / "kept").trials)
    assert again.calls == 1


def test_a_model_that_is_gone_is_not_asked_a_thousand_times() -> None:
    gone = Scripted(lambda prompt, call: ProviderError("gone"))
    made = run(gone, count=20, concurrency=1)
    assert gone.calls == 5
    assert len(made.trials) == 20
    assert made.trials[-1].problem is not None
    assert "5 times in a row" in made.trials[-1].problem.message


def test_the_cost_ceiling_stops_before_more_is_spent() -> None:
    model = always(RIGHT)
    priced = {"name": "p", "llm": model, "prices": {"input": 10_000.0, "output": 0.0}}
    made = evaluate(questions(10), [priced], metrics=METRICS, cost_ceiling=3.0, concurrency=1)
    assert "cost ceiling" in made.stopped
    assert model.calls == 3
    assert [trial.cost for trial in made.trials] == [1.0, 1.0, 1.0]


def test_a_blocked_answer_is_an_outcome_of_its_own() -> None:
    from grounded.records import Generation

    made = run(Scripted(lambda prompt, call: Generation(text="", finish="filtered")))
    assert {trial.outcome for trial in made.trials} == {"blocked_by_provider"}
    assert all(value.value is None for trial in made.trials for value in trial.values if value.metric != "cost")


def test_answers_that_are_there_are_judged_as_they_are() -> None:
    rows = (
        Row(id="a", question="How long?", contexts=(SOURCE,), answer=RIGHT),
        Row(id="b", question="How long?", contexts=(SOURCE,), answer=WRONG),
        Row(id="c", question="How long?", contexts=(SOURCE,)),
    )
    made = evaluate(DataSet(name="x", rows=rows), [{"name": "theirs", "given": True}], metrics=["groundedness"])
    values = [trial.values[0].value for trial in made.trials]
    assert values == [1.0, 0.0, None]
    assert made.trials[2].problem is not None


def test_values_of_ones_own_metrics_are_measured_each_time(tmp_path: Path) -> None:
    counted = []

    @metric("own", needs=("answer",))
    def own(sample: Any) -> float:
        counted.append(sample.row.id)
        return 1.0

    for _ in range(2):
        evaluate(questions(2), [{"name": "x", "llm": always(RIGHT)}], metrics=[own], cache=tmp_path / "kept")
    assert len(counted) == 4


def test_wrong_use_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    good = {"name": "x", "llm": always(RIGHT)}
    for variants, error in (
        ([], UsageError),
        ([{"llm": None}], ConfigurationError),
        ([good, good], ConfigurationError),
        ([{**good, "tempalte": "core/qa"}], UsageError),
        ([{**good, "nonce": "x"}], UsageError),
        ([{**good, "prices": {"input": -1, "output": 0}}], ConfigurationError),
    ):
        with pytest.raises(error):
            evaluate(questions(), variants)
    (tmp_path / "other").write_text("no database, only a text that is long enough", "utf-8")
    with pytest.raises(ExperimentError):
        run(cache=tmp_path / "other")


def test_a_pace_spaces_questions_out() -> None:
    import time

    pace, began = Pace(600), time.monotonic()
    for _ in range(3):
        pace.wait(threading.Event())
    assert time.monotonic() - began >= 0.19


# Gates ---------------------------------------------------------------------------------------------------------


def mixed(wrong: int, count: int = 40) -> Experiment:
    """The first ``wrong`` of some answers are wrong."""

    def reply(prompt: Any, call: int) -> str:
        number = int(prompt.question.rpartition(" ")[2].rstrip("?"))
        return WRONG if number < wrong else RIGHT

    return run(Scripted(reply), count=count)


@pytest.fixture(scope="module")
def good() -> Experiment:
    return mixed(0)


@pytest.fixture(scope="module")
def bad() -> Experiment:
    return mixed(12)


def failing(found: Gate) -> set[tuple[str, str]]:
    return {(check.kind, check.metric) for check in found.failed}


def test_limits_are_kept_or_name_the_rows(good: Experiment, bad: Experiment) -> None:
    rules = GateRules(limits={"groundedness": 0.9, "over_refusal": 0.0})
    assert gate(good, rules).passed
    found = gate(bad, rules)
    assert failing(found) == {("floor", "groundedness")}
    assert set(found.failed[0].rows) <= {f"q{n}" for n in range(12)}


def test_a_limit_can_ask_for_the_whole_interval(good: Experiment) -> None:
    assert not gate(good, GateRules(limits={"groundedness": 0.95}, confident=True)).passed
    assert gate(good, GateRules(limits={"groundedness": 0.9}, confident=True)).passed


def test_a_regression_that_is_more_than_chance_fails(good: Experiment, bad: Experiment) -> None:
    rules = GateRules(regressions=Regressions(metrics=("groundedness",)))
    assert gate(good, rules, good).passed
    found = gate(bad, rules, good)
    assert failing(found) == {("regression", "groundedness")}
    assert set(found.failed[0].rows) <= {f"q{n}" for n in range(12)}
    assert gate(good, rules, bad).passed
    assert gate(mixed(2), rules, good).passed


def test_what_cannot_be_told_does_not_pass(good: Experiment) -> None:
    assert failing(gate(good, GateRules(limits={"cost": 1.0}))) == {("floor", "cost")}
    broken = run(Scripted(lambda prompt, call: ProviderError("broken") if call == 1 else RIGHT), count=40)
    assert failing(gate(broken, GateRules())) == {("missing", "")}
    assert gate(broken, GateRules(max_missing=0.05)).passed
    with pytest.raises(ConfigurationError):
        gate(good, GateRules(limits={"unheard_of": 1.0}))
    with pytest.raises(ConfigurationError):
        gate(good, GateRules(variant="unheard of"))


def test_a_baseline_of_another_data_set_is_no_baseline(good: Experiment) -> None:
    found = gate(good, GateRules(), run(count=3))
    assert failing(found) == {("comparable", "")}
    assert "another data set" in found.failed[0].message


def test_the_manifest_names_what_was_gated(good: Experiment, tmp_path: Path) -> None:
    rules = GateRules(limits={"groundedness": 0.9})
    written = good.to_json()
    made = manifest_of(good, gate(good, rules), rules, written, created=good.started)
    assert made.template == good.variants[0].template
    assert made.thresholds["limit.groundedness"] == 0.9
    assert Manifest.from_json(made.to_json()) == made
    (tmp_path / "e.json").write_text(written, "utf-8")
    assert read_experiment(tmp_path / "e.json") == good
    (tmp_path / "e.json").write_text("{", "utf-8")
    with pytest.raises(SchemaError):
        read_experiment(tmp_path / "e.json")


def test_plans_and_gates_are_read_strictly(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('dataset = "q.jsonl"\nkb = "kb"\n[[variants]]\nname = "a"\nk = 3\n', "utf-8")
    read = Plan.read(plan)
    assert (read.name, read.dataset, read.variants[0].options) == ("plan", str(tmp_path / "q.jsonl"), {"k": 3})
    for wrong in (
        "x = [",
        'dataset = "q"',
        'dataset = "q"\nvariants = 3',
        'dataset = "q"\nconcurency = 2\n[[variants]]\nname = "a"',
        'dataset = "q"\n[[variants]]\nk = 2',
    ):
        plan.write_text(wrong, "utf-8")
        with pytest.raises(ConfigurationError):
            Plan.read(plan)
    plan.write_text("[limits]\ngroundedness = 'high'\n", "utf-8")
    with pytest.raises(ConfigurationError):
        GateRules.read(plan)


def test_a_verifier_with_settings_of_its_own_keeps_them() -> None:
    rows = (Row(id="q", question="How long is the warranty?", contexts=(SOURCE,), answer=RIGHT),)
    strict = Verifier("containment", thresholds=Thresholds(support=0.7))
    made = evaluate(
        DataSet(name="given", rows=rows),
        [{"name": "given", "given": True}],
        metrics=METRICS,
        verifier=strict,  # type: ignore[arg-type]
    )
    assert made.verifier == strict.ref
    answer = made.answer_of(made.trials[0])
    assert answer is not None
    assert answer.report is not None
    assert answer.report.verifier == strict.ref
