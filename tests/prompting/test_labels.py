"""Labels move on the record, and a label never stands for files other than those it was pinned to."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.errors import ConfigurationError, TemplateError, UsageError
from grounded.prompting import load_template
from grounded.prompting.labels import LABELS_FILE, labels_path, pin, read_moves, resolve

WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def move(path: Path, label: str = "production", why: str = "The card is better.") -> None:
    pin(load_template("core/qa"), label, who="Ada", why=why, when=WHEN, path=path)


def test_a_move_is_recorded_and_resolved(tmp_path: Path) -> None:
    path = tmp_path / LABELS_FILE
    move(path)
    move(path, "candidate")
    move(path, why='Said "yes".')
    first, _, last = read_moves(path)
    ref = load_template("core/qa").ref
    assert (first.previous, last.previous) == ("", ref.version)
    assert (last.template, last.version, last.hash, last.who) == ("core/qa", ref.version, ref.hash, "Ada")
    assert (last.why, last.when) == ('Said "yes".', WHEN)
    assert resolve("core/qa@production", start=tmp_path) == "core/qa"


def test_lookups_honour_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TemplateError, match="has no label 'production'"):
        load_template("core/qa@production")
    move(tmp_path / LABELS_FILE)
    assert load_template("core/qa@production") is load_template("core/qa")
    with pytest.raises(TemplateError, match="is no label"):
        load_template("core/qa@no label")


def test_other_names_are_left_alone(tmp_path: Path) -> None:
    for name in ("core/qa", "core/qa@1", "core/qa@1.0.0", "a.txt", str(tmp_path)):
        assert resolve(name, start=tmp_path) == name


def test_the_file_is_found_upwards_beside_the_settings(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert labels_path(below) == below / LABELS_FILE
    (tmp_path / "grounded.toml").touch()
    assert labels_path(below) == tmp_path / LABELS_FILE
    move(tmp_path / LABELS_FILE)
    assert resolve("core/qa@production", start=below) == "core/qa"


def test_an_unknown_label_names_those_there_are(tmp_path: Path) -> None:
    move(tmp_path / LABELS_FILE)
    with pytest.raises(TemplateError, match=r"has no label 'staging'.*it has: production"):
        resolve("core/qa@staging", start=tmp_path)


def test_other_files_than_the_pinned_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / LABELS_FILE
    move(path)
    digest = load_template("core/qa").ref.hash
    path.write_text(path.read_text("utf-8").replace(digest, "0" * 64), encoding="utf-8")
    with pytest.raises(TemplateError, match=r"stands for version .* \(000000000000\); installed is"):
        resolve("core/qa@production", start=tmp_path)


@pytest.mark.parametrize(("label", "why"), [("Production", "x"), ("1", "x"), ("", "x"), ("a b", "x"), ("fine", "  ")])
def test_unfit_labels_and_reasons(tmp_path: Path, label: str, why: str) -> None:
    with pytest.raises(UsageError):
        move(tmp_path / LABELS_FILE, label, why)
    assert not (tmp_path / LABELS_FILE).exists()


@pytest.mark.parametrize("content", ["[[moves]", "[[moves]]\nlabel = 'x'\n", "moves = [1]\n"])
def test_a_damaged_file_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / LABELS_FILE
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=LABELS_FILE):
        read_moves(path)


@given(why=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_any_reason_survives(tmp_path_factory: pytest.TempPathFactory, why: str) -> None:
    path = tmp_path_factory.mktemp("labels") / LABELS_FILE
    move(path, why=why)
    assert tomllib.loads(path.read_text("utf-8"))
    assert read_moves(path)[0].why == why.strip()
