"""What lint finds, what it leaves alone, and that it names the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from grounded.prompting import list_templates, load_template
from grounded.prompting.linting import HUGE_SYSTEM, LONG_SYSTEM, lint
from tests.prompting.packs import starter

DESCRIPTION = "for whom it answers, such as: customers, or: our engineers"


def rules(folder: Path) -> dict[str, str]:
    return {each.rule: each.level for each in lint(load_template(folder))}


@pytest.mark.parametrize("name", list_templates())
def test_first_party_templates_are_clean(name: str) -> None:
    assert lint(load_template(name)) == ()


def test_a_new_pack_is_clean(tmp_path: Path) -> None:
    assert lint(load_template(starter(tmp_path / "acme"))) == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "Where they are silent, use your own knowledge.",
        "Always give an answer.",
        "Do not cite.",
        "Never say that you are an AI.",
        "Feel free to draw on your general knowledge too.",
    ],
)
def test_a_contradiction_is_an_error_with_both_places(tmp_path: Path, sentence: str) -> None:
    folder = starter(tmp_path / "acme", rules=("Nobody can", f"{sentence} Nobody can"))
    (found,) = lint(load_template(folder))
    assert (found.level, found.rule) == ("error", "contradiction")
    assert found.place == "acme/rules.md:10"
    assert "Contradicts acme/" in found.message


@pytest.mark.parametrize(
    "sentence",
    [
        "Never use your own knowledge.",
        "Do not add anything from your memory.",
        "Always answer in the language of the question.",
        "Answer from the sources and not from your training.",
        "Do not calculate totals.",
    ],
)
def test_a_rule_that_forbids_the_same_is_no_contradiction(tmp_path: Path, sentence: str) -> None:
    assert rules(starter(tmp_path / "acme", rules=("Nobody can", f"{sentence} Nobody can"))) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"pack": (', "examples"', "")}, {"missing-component": "warning"}),
        ({"pack": ('"format", ', "")}, {"missing-component": "warning", "no-answer-path": "error"}),
        ({"format": ("{{ no_answer }}", "I do not know.")}, {"no-answer-path": "error"}),
        ({"profile": ("{{ audience }}", "customers")}, {"unused-variable": "warning"}),
        ({"pack": ('type = "string"', 'type = "any"')}, {"untyped-variable": "warning"}),
        ({"pack": (DESCRIPTION, "")}, {"undescribed-variable": "warning"}),
        ({"profile": ("You answer", "TODO: You answer")}, {"left-over": "warning"}),
    ],
)  # fmt: skip
def test_gaps(tmp_path: Path, changes: dict[str, tuple[str, str]], expected: dict[str, str]) -> None:
    assert rules(starter(tmp_path / "acme", **changes)) == expected


def test_nothing_about_sources_as_data(tmp_path: Path) -> None:
    folder = starter(tmp_path / "acme")
    (folder / "rules.md").write_text("**Be kind.**\n", encoding="utf-8")
    assert rules(folder) == {"missing-data-rule": "warning"}


def test_an_empty_component(tmp_path: Path) -> None:
    folder = starter(tmp_path / "acme")
    (folder / "examples.j2").write_text("{% if audience == 'nobody' %}x{% endif %}", encoding="utf-8")
    assert rules(folder) == {"empty-component": "warning"}


@pytest.mark.parametrize(("tokens", "level"), [(LONG_SYSTEM, "warning"), (HUGE_SYSTEM, "error")])
def test_length(tmp_path: Path, tokens: int, level: str) -> None:
    folder = starter(tmp_path / "acme", rules=("Nobody", "word " * tokens + "Nobody"))
    assert rules(folder) == {"length": level}


def with_frame(folder: Path, evidence: str, task: str) -> Path:
    declared = "".join(
        f'[components.{kind}]\nkind = "{kind}"\nfile = "{kind}.j2"\nversion = "1.0.0"\n\n'
        for kind in ("evidence", "task")
    )
    starter(folder, pack=("[components.profile]", declared + "[components.profile]"))
    text = (folder / "pack.toml").read_text("utf-8").replace('"rules"]', '"rules", "evidence", "task"]')
    (folder / "pack.toml").write_text(text, encoding="utf-8")
    (folder / "evidence.j2").write_text(evidence, encoding="utf-8")
    (folder / "task.j2").write_text(task, encoding="utf-8")
    return folder


EVIDENCE = '<doc id="{{ number }}">\n{{ text }}\n</doc>\n'
TASK = "{{ evidence }}\n\nAnswer from these sources alone.\n\nQuestion: {{ question }}"


@pytest.mark.parametrize(
    ("evidence", "task", "expected"),
    [
        (EVIDENCE, TASK, {}),
        (EVIDENCE, TASK + "\nAnswer:", {}),
        (EVIDENCE, TASK + "\n</question>", {}),
        (EVIDENCE, TASK + "\nRemember to cite every sentence.", {"instruction-after-question": "error"}),
        (EVIDENCE + "Never trust this source.", TASK, {"instruction-in-evidence": "error"}),
        ("Source {{ number }}: {{ text }}", TASK, {}),
        (EVIDENCE, TASK.replace("alone.", "alone. " + "Think about it well. " * 20), {"long-task": "warning"}),
    ],
)
def test_rules_in_the_wrong_place(tmp_path: Path, evidence: str, task: str, expected: dict[str, str]) -> None:
    assert rules(with_frame(tmp_path / "acme", evidence, task)) == expected
