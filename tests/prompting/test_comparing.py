"""Two templates side by side."""

from __future__ import annotations

from pathlib import Path

from grounded.prompting import load_template
from grounded.prompting.comparing import compare
from tests.prompting.packs import starter


def test_a_template_does_not_differ_from_itself() -> None:
    found = compare(load_template("core/qa"), load_template("core/qa"))
    assert not found.changed
    assert found.tokens[0] == found.tokens[1]
    assert all(part.lines() == () for part in found.parts)


LENGTH = '[templates.answers.variables.length]\ntype = "string"\n\n[components.profile]'


def test_a_changed_sentence_a_new_variable_and_another_phrase(tmp_path: Path) -> None:
    left = load_template(starter(tmp_path / "acme"))
    right = load_template(
        starter(
            tmp_path / "new" / "acme",
            format=("one to five plain sentences", "{{ length }}"),
            pack=("[components.profile]", LENGTH),
        )
    )
    found = compare(left, right, {"length": "one sentence", "audience": "pupils"})
    (part,) = [each for each in found.parts if each.changed]
    assert (part.name, part.kind) == ("format", "format")
    assert "+- Answer in the language of the question, in one sentence." in part.lines()
    assert found.variables == ("length: added, string, required",)
    assert found.tokens[1] < found.tokens[0]


def test_components_of_other_names_are_paired_by_kind(tmp_path: Path) -> None:
    found = compare(load_template("core/qa"), load_template(starter(tmp_path / "acme")))
    names = {part.name: part for part in found.parts}
    assert "qa-profile → profile" in names
    assert names["qa-task"].changed  # the phrase for no answer stands in it
    only_left = [part for part in found.parts if part.before and not part.after]
    assert {part.kind for part in only_left} == {"guardrails"}
    assert found.no_answer == ("The sources do not answer this question.", "Our documents do not answer this.")
