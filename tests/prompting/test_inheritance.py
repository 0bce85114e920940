"""Templates that extend others, blocks that override others, and texts in several languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from grounded.errors import TemplateError, UsageError
from grounded.prompting import build_prompt, load_template

CHILD = """\
pack_format = 1
name = "child"
version = "1.0.0"
languages = ["de", "pt-br"]

[templates.help]
version = "1.2.0"
extends = "core/qa@1"
components = ["qa-profile", "tone", "house"]

[templates.help.variables.product]
type = "string"
default = "kettles"

[templates.help.variables.length]
type = "string"
default = "one sentence"

[templates.help.languages.de]
no_answer = "Dazu steht nichts in den Quellen."
defaults = { product = "Wasserkocher" }

[templates.brief]
version = "1.0.0"
extends = "help"
components = ["short"]
no_answer = "No."

[components.qa-profile]
kind = "profile"
file = "profile.j2"
version = "2.0.0"

[components.tone]
kind = "format"
file = "tone.j2"
version = "1.0.0"

[components.house]
kind = "guardrails"
file = "house.md"
version = "1.0.0"
replaces = "guardrail-harm"

[components.short]
kind = "profile"
file = "short.j2"
version = "1.0.0"
replaces = "qa-profile"
"""
FILES = {
    "profile.j2": "{% block who %}You sell {{ product }}.{% endblock %}\n\n{% block how %}Be kind.{% endblock %}\n",
    "profile.de.j2": "Du verkaufst {{ product }}.",
    "tone.j2": "Write like a friend.",
    "house.md": "House rules.",
    "short.j2": "{% extends 'profile.j2' %}\n"
    "{% block how %}{{ super() }} Be brief. Say: {{ no_answer }}{% endblock %}\n",
}


def make(folder: Path, pack: str = CHILD, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.toml").write_text(pack, encoding="utf-8")
    for name, text in {**FILES, **files}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_components_are_inherited_replaced_and_added(tmp_path: Path) -> None:
    base = load_template("core/qa")
    template = load_template(f"{make(tmp_path / 'child')}#help")
    names = [component.name for component in template.components]
    expected = [component.name for component in base.components]
    expected[expected.index("guardrail-harm")] = "house"
    expected.insert(expected.index("qa-format") + 1, "tone")
    assert names == expected
    assert (template.ref.name, template.ref.version) == ("child/help", "1.2.0")
    assert template.no_answer == base.no_answer
    system = template.system({"language": "French"})
    assert system.startswith("You sell kettles.\nBe kind.\n\n# How to answer\n- Answer in French.")
    assert "One sentence is the right length." in system
    assert "House rules." in system
    assert "**Cause no harm.**" not in system
    prompt = build_prompt("q", ["Tea."], template=template, nonce="0123456789")
    assert prompt.messages[-1] == build_prompt("q", ["Tea."], nonce="0123456789").messages[-1]
    with pytest.raises(TemplateError, match="no variable 'subject'"):
        template.system({"subject": "only the replaced profile used it"})


def test_a_template_of_the_same_pack_and_its_blocks(tmp_path: Path) -> None:
    folder = make(tmp_path / "child")
    template = load_template(f"{folder}#brief")
    assert template.system().startswith("You sell kettles.\nBe kind. Be brief. Say: No.\n\n# How to answer")
    assert "House rules." in template.system()
    assert template.no_answer == "No."


def test_a_file_of_the_extended_pack(tmp_path: Path) -> None:
    # The harm guardrail of core, in a component that takes it over as it is by extending it.
    folder = make(tmp_path / "child", CHILD.replace("house.md", "house.j2"), **{
        "house.j2": "{% extends 'core:guardrails/harm.j2' %}",
    })  # fmt: skip
    assert "**Cause no harm.**" in load_template(f"{folder}#help").system()
    (folder / "house.j2").write_text("{% extends 'core:guardrails/none.j2' %}", encoding="utf-8")
    with pytest.raises(TemplateError, match=r"has no file 'core:guardrails/none\.j2'"):
        load_template(f"{folder}#help")
    (folder / "house.j2").write_text("{% extends 'core:guardrails/harm.j2' %}{% block x %}{% endblock %}", "utf-8")
    with pytest.raises(TemplateError, match=r"child/house\.j2:1: 'core:guardrails/harm\.j2' has no block 'x'"):
        load_template(f"{folder}#help")


def test_the_hash_covers_what_is_inherited(tmp_path: Path) -> None:
    changes = [
        {},
        {"profile.j2": "You sell {{ product }}."},
        {"pack": CHILD.replace('default = "kettles"', 'default = "pots"')},
        {"pack": CHILD.replace('version = "2.0.0"', 'version = "2.0.1"')},
        {"pack": CHILD.replace('replaces = "guardrail-harm"', 'replaces = "guardrail-protected"')},
    ]
    changes[1]["profile.j2"] = FILES["profile.j2"].replace("kind", "fair")
    hashes = [
        load_template(f"{make(tmp_path / str(number), **change)}#help").ref.hash
        for number, change in enumerate(changes)
    ]
    assert len(set(hashes)) == len(changes)
    briefs = {load_template(f"{tmp_path / str(number)}#brief").ref.hash for number in (0, 1, 2, 4)}
    assert len(briefs) == 4
    assert load_template(f"{make(tmp_path / 'again')}#help").ref.hash == hashes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('extends = "help"', 'extends = "brief"'), r"child/pack\.toml:25: .*child/brief -> child/brief"),
        (
            ('extends = "core/qa@1"', 'extends = "brief"'),
            r"child/pack\.toml:8: .*child/brief -> child/help -> child/brief",
        ),
        (('extends = "core/qa@1"', 'extends = "core/none"'), r"pack\.toml:8: there is no template 'core/none'"),
        (('extends = "core/qa@1"', 'extends = "none/qa"'), r"pack\.toml:8: there is no template 'none/qa'"),
        (('extends = "core/qa@1"', 'extends = "core/qa@7"'), r"pack\.toml:8: 'core/qa' is there in version 1"),
        (('replaces = "guardrail-harm"', 'replaces = "harm"'), r"pack\.toml:\d+: there is no component 'harm'"),
        (('languages = ["de", "pt-br"]', 'languages = ["German"]'), r"pack\.toml:\d: languages\.0"),
        (('{ product = "Wasserkocher" }', "{ product = 3 }"), r"default that must be of type string"),
    ],
)
def test_broken_inheritance(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in CHILD
    folder = make(tmp_path / "child", CHILD.replace(*change, 1))
    with pytest.raises(TemplateError, match=message):
        load_template(f"{folder}#brief", language="de")


def test_files_that_extend_each_other(tmp_path: Path) -> None:
    folder = make(tmp_path / "child", **{"profile.j2": "{% extends 'short.j2' %}"})
    with pytest.raises(TemplateError, match=r"child/profile\.j2:1: .*extends itself|child/short\.j2:1: extends itself"):
        load_template(f"{folder}#brief")


def test_a_language_is_used_where_it_is_there(tmp_path: Path) -> None:
    folder = make(tmp_path / "child")
    german = load_template(f"{folder}#help", language="de")
    assert german.language == "de"
    assert german.system().startswith("Du verkaufst Wasserkocher.\n\n# How to answer")
    assert german.no_answer == "Dazu steht nichts in den Quellen."
    assert german.no_answer in german.system()
    (warning,) = german.warnings
    assert "'child/help' has no 'de' text for qa-format, tone," in warning
    assert "qa-profile" not in warning
    assert german.ref.hash != load_template(f"{folder}#help").ref.hash
    prompt = build_prompt("Was?", ["Tee."], template=f"{folder}#help", language="DE")
    assert [(each.kind, each.message) for each in prompt.warnings] == [("template", warning)]
    assert prompt.template == german.ref
    assert load_template(f"{folder}#help", language="de-at").system() == german.system()


def test_the_base_language_needs_no_files(tmp_path: Path) -> None:
    folder = make(tmp_path / "child")
    english = load_template(f"{folder}#help", language="en")
    assert english.warnings == ()
    assert english.ref == load_template(f"{folder}#help").ref
    with pytest.raises(UsageError, match="loaded already"):
        load_template(english, language="de")
    with pytest.raises(UsageError, match="no tag of a language"):
        load_template("core/qa", language="../de")


def test_a_template_may_be_declared_in_a_language(tmp_path: Path) -> None:
    folder = make(tmp_path / "child", CHILD.replace('version = "1.2.0"', 'version = "1.2.0"\nlanguage = "de"'))
    assert load_template(f"{folder}#help").system().startswith("Du verkaufst Wasserkocher.")
