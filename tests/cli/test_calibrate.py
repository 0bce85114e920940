"""``grounded calibrate`` as a script runs it, and its pictures."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grounded.cli import exits
from grounded.cli.app import _register_commands, app
from grounded.records import Calibration
from grounded.render.calibration import plot_svg
from grounded.verification import calibrate


def run(*arguments: str | Path) -> tuple[int, str, str]:
    _register_commands()
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, object]]:
    draw = random.Random(1)
    scores = [draw.random() for _ in range(500)]
    return [{"score": s, "supported": draw.random() < (1.0 if s > 0.6 else s / 2)} for s in scores]


def test_writes_a_calibration_and_shows_the_curve(tmp_path: Path, pairs: list[dict[str, object]]) -> None:
    labelled, out, picture = tmp_path / "labelled.jsonl", tmp_path / "calibration.json", tmp_path / "plot.svg"
    labelled.write_text("".join(json.dumps(row) + "\n\n" for row in pairs), "utf-8")
    code, shown, _ = run("calibrate", labelled, "--out", out, "--report", picture)
    assert code == exits.OK
    found = Calibration.from_json(out.read_bytes())
    assert found.promise in " ".join(shown.split())
    assert f"{found.threshold:.3f}" in shown
    assert ElementTree.fromstring(picture.read_text("utf-8")).tag.endswith("svg")
    code, shown, _ = run("calibrate", labelled, "--json")
    assert (code, Calibration.from_json(shown)) == (exits.OK, found)


def test_refuses_with_a_code_of_its_own_and_writes_nothing(tmp_path: Path) -> None:
    labelled, out = tmp_path / "labelled.jsonl", tmp_path / "calibration.json"
    labelled.write_text('{"score": 0.9, "supported": true}\n' * 40, "utf-8")
    code, _, complaint = run("calibrate", labelled, "--out", out)
    assert code == exits.GATE_FAILED
    assert "Label 19 more" in " ".join(complaint.split())
    assert not out.exists()
    code, shown, _ = run("calibrate", labelled, "--out", out, "--no-promise")
    assert code == exits.OK
    assert "No promise" in shown
    assert Calibration.from_json(out.read_bytes()).chosen is None


def test_wrong_files_are_wrong_use(tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.jsonl"
    assert run("calibrate", labelled)[0] == exits.USAGE
    labelled.write_text('{"score": 0.9, "supported": true}\n{"score": \n', "utf-8")
    code, _, complaint = run("calibrate", labelled)
    assert code == exits.USAGE
    assert "Line 2" in complaint


def test_the_plot_holds_every_bin_and_escapes(pairs: list[dict[str, object]]) -> None:
    found = calibrate(pairs)
    drawn = ElementTree.fromstring(plot_svg(found, title="<b>&"))
    circles = [each for each in drawn.iter() if each.tag.endswith("circle")]
    assert len(circles) == len(found.reliability) + 1
    assert [each.text for each in drawn.iter() if each.tag.endswith("title")] == ["<b>&"]


def test_verify_uses_what_was_written(tmp_path: Path, pairs: list[dict[str, object]]) -> None:
    labelled, out = tmp_path / "labelled.jsonl", tmp_path / "calibration.json"
    labelled.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), "utf-8")
    assert run("calibrate", labelled, "--out", out)[0] == exits.OK
    (tmp_path / "answer.txt").write_text("Tea costs 2 euros.", "utf-8")
    (tmp_path / "source.txt").write_text("Tea costs 2 euros.", "utf-8")
    arguments = (
        "verify",
        tmp_path / "answer.txt",
        "--against",
        tmp_path / "source.txt",
        "--calibration",
        out,
        "--json",
    )
    code, shown, _ = run(*arguments)
    assert code == exits.OK
    assert "calibration" in json.loads(shown)["verifier"]["arguments"]
