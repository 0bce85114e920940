"""Feedback: logged answers as rows, labels beside verdicts, and agreement with the people who gave them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from grounded import KnowledgeBase
from grounded.cli import exits
from grounded.cli.app import _register_commands, app
from grounded.demo import handbook
from grounded.errors import UsageError
from grounded.evaluation.datasets import read_dataset
from grounded.experiments.feedback import agreement, kappa, labelled, read_labels, rows_from
from grounded.records import Experiment
from tests.evaluation.made_up import experiment

FLAGS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    _register_commands()
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    return done.exit_code, done.stdout, done.stderr


def labels(made: Experiment, path: Path, *, wrong: int = 0) -> Path:
    """Labels as the page saves them, right but for the first ``wrong``."""
    lines: list[dict[str, object]] = []
    for trial in made.trials:
        report = trial.answer.report if trial.answer is not None else None
        for number, claim in enumerate(report.claims if report else (), start=1):
            truth = "supported" if claim.is_supported != (len(lines) < wrong) else "unsupported"
            lines.append(
                {"experiment": made.name, "dataset": made.dataset.hash, "row": trial.row, "variant": trial.variant,
                 "claim": number, "text": claim.text, "label": truth, "reason": "", "by": "Ana",
                 "at": "2026-05-01T10:00:00Z"}
            )  # fmt: skip
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")
    return path


@given(FLAGS)
def test_kappa_is_one_for_equal_raters_and_symmetric(pairs: list[tuple[bool, bool]]) -> None:
    one, other = (np.array([pair[place] for pair in pairs]) for place in (0, 1))
    value = kappa(one, other)
    assert np.isnan(value) or -1.0 <= value <= 1.0 + 1e-12
    assert np.isnan(value) or value == pytest.approx(kappa(other, one))
    if 0 < one.sum() < len(one):
        assert kappa(one, one) == pytest.approx(1.0)


def test_kappa_by_hand() -> None:
    # Cohen 1960: 20 both yes, 15 both no, 5 and 10 apart: (0.7 - 0.5) / 0.5.
    one = np.array([True] * 25 + [False] * 25)
    other = np.array([True] * 20 + [False] * 5 + [True] * 10 + [False] * 15)
    assert kappa(one, other) == pytest.approx(0.4)


def test_labels_stand_beside_verdicts_and_agree(tmp_path: Path) -> None:
    made = experiment(24)
    given_labels = read_labels(labels(made, tmp_path / "labels.jsonl", wrong=4))
    reviewed = labelled(made, given_labels)
    assert labelled(reviewed, given_labels) == reviewed
    assert [t.values for t in reviewed.trials] == [t.values for t in made.trials]
    found = agreement([reviewed])
    assert found.claims == len(given_labels)
    assert found.verifier_only + found.people_only == 4
    assert found.kappa is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.kappa <= found.high <= 1.0
    assert found.kappa < 1.0
    assert found.metrics["groundedness"] > 0.5
    assert agreement([made]).claims == 0
    assert agreement([labelled(made, read_labels(labels(made, tmp_path / "right.jsonl")))]).kappa == 1.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"row": "q99"}, "no row 'q99'"),
        ({"claim": 9}, "no claim 9"),
        ({"text": "Something else."}, "reads "),
        ({"dataset": "0"}, "another data set"),
        ({"label": "maybe"}, "line 1: 'maybe' is no label"),
        ({"by": ""}, "line 1: by"),
        ({"claim": "x"}, "line 1: claim"),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    made = experiment(2)
    first = json.loads(labels(made, tmp_path / "all.jsonl").read_text("utf-8").splitlines()[0])
    (tmp_path / "one.jsonl").write_text(json.dumps({**first, **change}), "utf-8")
    with pytest.raises(UsageError, match=said):
        labelled(made, read_labels(tmp_path / "one.jsonl"))


def test_commands_from_labels_to_agreement_and_calibration(tmp_path: Path) -> None:
    made = experiment(12)
    saved, reports = tmp_path / "experiment.json", tmp_path / "reports.jsonl"
    saved.write_text(made.to_json(), "utf-8")
    table = tmp_path / "labels.csv"
    table.write_text("row,variant,claim,label,by,reason\nq1,plain,1,yes,Ana,Read it\nq2,plain,1,no,Ana,\n", "utf-8")
    code, shown, _ = run("feedback", "label", saved, table, "--reports", reports)
    assert code == exits.OK
    assert "agrees with your reviewers: κ = 1.00" in " ".join(shown.split())
    trial = Experiment.from_json(saved.read_bytes()).trial("q1", "plain")
    assert trial is not None
    assert trial.answer is not None
    assert trial.answer.report is not None
    assert [each.by for each in trial.answer.report.claims[0].reviews] == ["Ana"]
    code, shown, _ = run("feedback", "agreement", saved, "--json")
    assert json.loads(shown)["both"] == 1
    assert len(reports.read_text("utf-8").splitlines()) == 2
    code, _, said = run("calibrate", reports)
    assert "labels" in said or code == exits.OK  # two labels promise nothing, and it says so
    (tmp_path / "report.json").write_text(reports.read_text("utf-8").splitlines()[0], "utf-8")
    assert run("feedback", "agreement", tmp_path / "report.json")[0] == exits.OK
    assert run("feedback", "agreement", table)[0] == exits.USAGE


def test_logged_answers_become_rows(tmp_path: Path) -> None:
    base, out = tmp_path / "kb", tmp_path / "logged.jsonl"
    with KnowledgeBase.open(base, create=True) as kb:
        kb.ingest(handbook())
        for question in ("How long is the warranty?", "how long is the  warranty?", "What does express delivery cost?"):
            kb.ask(question, record=True)
        records = kb.answers()
    made = rows_from(records)
    assert len(made.rows) == 2
    assert all(row.contexts and row.answer for row in made.rows)
    assert all(not row.contexts for row in rows_from(records, contexts=False).rows)
    code, shown, _ = run("feedback", "rows", out, "--kb", base)
    assert (code, "2 rows" in shown) == (exits.OK, True)
    assert [row.origin for row in read_dataset(out).rows] == [row.origin for row in made.rows]
    with KnowledgeBase.open(tmp_path / "empty", create=True) as kb:
        kb.ingest(handbook())
    assert run("feedback", "rows", out, "--kb", tmp_path / "empty")[0] == exits.USAGE
