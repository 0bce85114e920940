"""Packs in folders and packages: loading, versions, typed variables, and errors that name file and line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from grounded import registry
from grounded.errors import GroundedError, PluginError, TemplateError
from grounded.prompting import build_prompt, list_templates, load_template, loading

PACK = """\
pack_format = 1
name = "acme"
version = "2.0.0"

[templates.help]
version = "2.1.0"
description = "Help desk."
components = ["who", "rules"]
no_answer = "No idea."

[templates.help.variables.team]
type = "string"
description = "the team that answers"

[templates.help.variables.tone]
type = "string"
default = "kind"
choices = ["kind", "formal"]

[templates.help.variables.topics]
type = "strings"
default = []

[templates.help.variables.since]
type = "date"
optional = true

[components.who]
kind = "profile"
file = "who.j2"
version = "1.0.0"

[components.rules]
kind = "guardrails"
file = "rules.md"
version = "1.0.0"
"""
WHO = """\
You are {{ team }}, {{ tone }}.
{% if since %}
Since {{ since }}.
{% endif %}
{% for topic in topics %}
- {{ topic }}
{% endfor %}
Say "{{ no_answer }}" when in doubt.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_pack(tmp_path / "acme")


def make_pack(folder: Path, pack: str = PACK, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.toml").write_text(pack, encoding="utf-8")
    for name, content in {"who.j2": WHO, "rules.md": "Be {{ honest }}.", **files}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_installed_templates() -> None:
    assert "core/qa" in list_templates()
    assert load_template("core/qa@1").ref == load_template("core/qa").ref == load_template().ref
    with pytest.raises(TemplateError, match=r"installed in version 1\.\d+\.\d+, not 2"):
        load_template("core/qa@2")
    for name in ("core/nothing", "nothing/qa", "nothing", "", "/no/such/file.txt", "core/qa/x"):
        with pytest.raises(TemplateError, match=r"core/qa|cannot be read"):
            load_template(name)


def test_a_pack_folder(folder: Path) -> None:
    template = load_template(folder)
    assert (template.ref.name, template.ref.version, template.no_answer) == ("acme/help", "2.1.0", "No idea.")
    given = {"team": "Support", "topics": ["tea", "milk"], "since": date(2025, 1, 2)}
    assert template.system(given) == (
        'You are Support, kind.\nSince 2025-01-02.\n- tea\n- milk\nSay "No idea." when in doubt.\n\nBe {{ honest }}.'
    )
    prompt = build_prompt("q", ["x"], template=folder, variables={"team": "Support"})
    assert "reply: No idea." in prompt.messages[-1].content
    assert prompt.template == template.ref
    assert load_template(f"{folder}#help").ref == template.ref


def test_a_pack_loads_only_when_it_is_named_and_never_runs_code(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("__init__.py", "conftest.py", "sitecustomize.py"):
        (folder / name).write_text("raise SystemExit('it was run')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert not any(name.startswith("acme") for name in list_templates())
    with pytest.raises(TemplateError, match="There is no template"):
        load_template("acme/help")
    assert load_template(folder).ref.name == "acme/help"
    assert not list(folder.rglob("__pycache__"))


def test_the_hash_covers_every_file_and_declaration(folder: Path, tmp_path: Path) -> None:
    hashes = {load_template(folder).ref.hash}
    assert load_template(make_pack(tmp_path / "same")).ref.hash in hashes
    make_pack(tmp_path / "crlf")
    for name in ("who.j2", "rules.md"):
        file = tmp_path / "crlf" / name
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert load_template(tmp_path / "crlf").ref.hash in hashes
    for number, files in enumerate(
        [{"who.j2": WHO + "!"}, {"rules.md": "Be."}, {"pack": PACK.replace("No idea", "Pass")}]
    ):
        hashes.add(load_template(make_pack(tmp_path / str(number), **files)).ref.hash)
    assert len(hashes) == 4


def test_an_included_file_counts(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "a", **{"who.j2": "{% include 'part.j2' %}", "part.j2": "I am {{ team }}."})
    before = load_template(folder)
    assert before.system({"team": "Ada"}).startswith("I am Ada.")
    (folder / "part.j2").write_text("Am I {{ team }}?", encoding="utf-8")
    assert load_template(folder).ref.hash != before.ref.hash


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, r"acme/who\.j2:1: the variable 'team' has no value\. Pass variables=\{'team': …\} \(string: the team"),
        ({"team": 3}, r"acme/who\.j2:1: the variable 'team' must be of type string, not int"),
        ({"team": "a" * 20_001}, "20001 characters"),
        ({"team": "a", "tone": "rude"}, "'tone' must be one of kind, formal"),
        ({"team": "a", "topics": "tea"}, r"who\.j2:5: the variable 'topics' must be of type strings, not str"),
        ({"team": "a", "topics": ["x" * 20_001]}, "too long"),
        ({"team": "a", "since": "2025-01-01"}, r"who\.j2:2: the variable 'since' must be of type date"),
        ({"team": "a", "who": 1}, "has no variable 'who'. It knows: since, team, today, tone, topics"),
        ({"team": "\ud800"}, r"who\.j2.*surrogates"),
    ],
)
def test_variables_are_checked(folder: Path, variables: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        build_prompt("q", ["x"], template=folder, variables=variables)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pack_format = 1", "pack_format = 2"), r"acme/pack\.toml:1: pack_format"),
        (('name = "acme"', 'name = "A cme"'), r"pack\.toml:2: name"),
        (('version = "2.1.0"', 'version = "2"'), r"pack\.toml:6: templates\.help\.version"),
        (('type = "strings"', 'type = "list"'), r"pack\.toml:21: templates\.help\.variables\.topics\.type"),
        (("default = []", "default = [1]"), r"pack\.toml:2\d"),
        (
            ('default = "kind"', 'default = "rude"'),
            r"pack\.toml:15: the variable 'tone' has a default that must be one of",
        ),
        (('["who", "rules"]', '["who", "rulez"]'), r"pack\.toml:8: there is no component 'rulez'"),
        (('["who", "rules"]', '["who"]'), r"pack\.toml:8: the template 'help' has no guardrails"),
        (('["who", "rules"]', '["rules"]'), r"has no profile"),
        (("variables.team", "variables.question"), r"who\.j2:1: the variable 'team' is not declared|reserved"),
        (("variables.team", "variables.other"), r"acme/who\.j2:1: the variable 'team' is not declared"),
        (("who.j2", "../who.j2"), r"'\.\./who\.j2' is not the name"),
        (("who.j2", "/etc/passwd"), "is not the name"),
        (("who.j2", "who.py"), "is not the name"),
        (("who.j2", "gone.j2"), r"acme/gone\.j2: cannot be read"),
        (('name = "acme"', 'name = "acme'), r"acme/pack\.toml: "),
        (('no_answer = "No idea."', "no_answer = ''"), "no_answer"),
        (('kind = "profile"', 'kind = "mood"'), r"components\.who\.kind"),
        (('no_answer = "No idea."', 'no_answer = "No idea."\nvariants = "core/qa"'), "variants"),
        (
            ('no_answer = "No idea."\n', ""),
            r"pack\.toml:5: templates\.help: .*needs components and no_answer, or extends",
        ),
    ],
)
def test_broken_packs(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in PACK
    with pytest.raises(TemplateError, match=message):
        load_template(make_pack(tmp_path / "acme", PACK.replace(*change, 1)))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"who.j2": "a\n{{ team"}, r"acme/who\.j2:2: "),
        ({"who.j2": "{{ team }}\n\n{{ team.x }}"}, r"acme/who\.j2:3: attribute 'x' is not allowed"),
        ({"who.j2": "{{ team }}{% include 'a.j2' %}", "a.j2": "\n{{ oops }}"}, r"acme/a\.j2:2: the variable 'oops'"),
        (
            {"who.j2": "{% include 'a.j2' %}", "a.j2": "{% include 'b.j2' %}", "b.j2": ""},
            r"a\.j2:1: an included file includes",
        ),
        ({"who.j2": "x" * 70_000}, r"who\.j2: is not a text of at most 65536"),
        ({"rules.md": "\x00"}, r"rules\.md: is not a text"),
    ],
)
def test_broken_files(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        load_template(make_pack(tmp_path / "acme", **files))


def test_errors_while_rendering_name_the_line(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "acme", **{"who.j2": "{{ team }}\n\n{{ topics[5] }}"})
    with pytest.raises(TemplateError, match=r"acme/who\.j2:3: .*Pass it|acme/who\.j2:3"):
        load_template(folder).system({"team": "x"})


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.md").write_text(" \n", encoding="utf-8")
    (tmp_path / "b.txt").symlink_to(tmp_path / "b.txt")
    with pytest.raises(TemplateError, match=r"a\.txt: is not UTF-8"):
        load_template(tmp_path / "a.txt")
    with pytest.raises(TemplateError, match=r"empty\.md:1: the file is empty"):
        load_template(tmp_path / "empty.md")
    with pytest.raises(TemplateError, match=r"b\.txt: cannot be read"):
        load_template(tmp_path / "b.txt")


def test_a_link_out_of_the_pack_is_refused(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "acme")
    (tmp_path / "secret.md").write_text("secret", encoding="utf-8")
    (folder / "rules.md").unlink()
    (folder / "rules.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(TemplateError, match="lies outside the pack"):
        load_template(folder)


def test_a_folder_with_several_templates_asks_which(tmp_path: Path) -> None:
    second = PACK.split("[templates.help.variables.team]")[0].split("[templates.help]")[1]
    folder = make_pack(tmp_path / "acme", PACK + "\n[templates.brief]" + second.replace('"who", ', '"me", ') + (
        '[components.me]\nkind = "profile"\nfile = "me.txt"\nversion = "1.0.0"\n'
    ), **{"me.txt": "I am me."})  # fmt: skip
    with pytest.raises(TemplateError, match="holds the templates help, brief"):
        load_template(folder)
    assert load_template(f"{folder}#brief").system().startswith("I am me.")
    with pytest.raises(TemplateError, match="not 'x'"):
        load_template(f"{folder}#x")


def test_a_folder_may_not_pass_for_an_installed_pack(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "x", PACK.replace('name = "acme"', 'name = "core"'))
    with pytest.raises(TemplateError, match="is called 'core', as is an installed one"):
        load_template(folder)


@pytest.fixture
def fresh_registry() -> Iterator[None]:
    caches = (registry._installed, loading._installed, loading._build_installed)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def install(site: Path, distribution: str, entry: str, module: str) -> None:
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[grounded.templates]\n{entry} = {module}\n", encoding="utf-8")


@pytest.mark.usefixtures("fresh_registry")
def test_a_third_party_package_offers_a_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pack(tmp_path / "acme_prompts_one").joinpath("__init__.py").touch()
    install(tmp_path, "acme-prompts", "acme", "acme_prompts_one")
    monkeypatch.syspath_prepend(tmp_path)
    assert {"acme/help", "core/qa"} <= set(list_templates())
    assert load_template("acme/help@2.1").system({"team": "T"}).startswith("You are T, kind.")


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        ("core", PluginError, "Two packages offer the template plug-in 'core'"),
        ("other", TemplateError, "calls itself 'acme' but is installed as 'other'"),
    ],
)
def test_names_that_clash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, error: type[GroundedError], message: str
) -> None:
    make_pack(tmp_path / "acme_prompts_two").joinpath("__init__.py").touch()
    install(tmp_path, "acme-prompts", entry, "acme_prompts_two")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(error, match=message):
        list_templates()
