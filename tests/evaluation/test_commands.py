from __future__ import annotations

import json
from pathlib import Path

import pytest

from grounded.cli import exits
from grounded.cli.app import run
from grounded.records import DataSet, Experiment, Gate, Manifest, Row
from grounded.testing import grounded_eval

SOURCE = "Express delivery costs 9 euros."
ROWS = DataSet(
    name="given",
    rows=(
        Row(id="a", question="What does express delivery cost?", contexts=(SOURCE,), answer=SOURCE),
        Row(id="b", question="What does express delivery cost?", contexts=(SOURCE,), answer="It costs 12 euros."),
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [json.dumps(row.model_dump(mode="json", exclude_defaults=True)) for row in ROWS.rows]
    (tmp_path / "q.jsonl").write_text("\n".join(lines), "utf-8")
    plan = 'dataset = "q.jsonl"\nmetrics = ["groundedness"]\n[[variants]]\nname = "theirs"\ngiven = true\n'
    (tmp_path / "plan.toml").write_text(plan, "utf-8")
    (tmp_path / "gate.toml").write_text("[limits]\ngroundedness = 0.9\n", "utf-8")
    return tmp_path


def test_a_gate_ends_with_its_exit_code_and_names_the_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, out = str(folder / "plan.toml"), folder / "out.json"
    assert run(["evaluate", plan, "--out", str(out)]) == exits.OK
    made = Experiment.from_json(out.read_text("utf-8"))
    assert [trial.values[0].value for trial in made.trials] == [1.0, 0.0]
    capsys.readouterr()
    gated = ["--gate", str(folder / "gate.toml"), "--baseline", str(out), "--manifest", str(folder / "m.json")]
    assert run(["evaluate", plan, *gated]) == exits.GATE_FAILED
    assert "Rows: b" in capsys.readouterr().out.replace("\n", " ")
    assert not Manifest.from_json((folder / "m.json").read_text("utf-8")).gate.passed
    (folder / "gate.toml").write_text("[limits]\ngroundedness = 0.5\n", "utf-8")
    assert run(["evaluate", plan, *gated, "--json"]) == exits.OK
    assert Gate.from_json(capsys.readouterr().out).passed


def test_wrong_use_is_said_before_anything_runs(folder: Path) -> None:
    plan = str(folder / "plan.toml")
    assert run(["evaluate", str(folder / "none.toml")]) == exits.USAGE
    assert run(["evaluate", plan, "--baseline", str(folder / "out.json")]) == exits.USAGE
    (folder / "plan.toml").write_text("variants = 3", "utf-8")
    assert run(["evaluate", plan]) == exits.USAGE


def test_a_test_fails_below_its_limits_and_hands_the_experiment_on() -> None:
    good = ROWS.model_copy(update={"rows": ROWS.rows[:1]})

    @grounded_eval(good, limits={"groundedness": 1.0}, given=True)
    def passing(experiment: Experiment) -> int:
        return len(experiment.trials)

    @grounded_eval(ROWS, limits={"groundedness": 1.0}, given=True)
    def failing() -> None:
        raise RuntimeError("never reached")

    assert passing() == 1
    with pytest.raises(AssertionError, match="Rows: b"):
        failing()
