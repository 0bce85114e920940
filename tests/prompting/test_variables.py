"""Typed variables from JSON schemas and pydantic models."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from grounded import build_prompt
from grounded.errors import TemplateError
from grounded.prompting import load_template
from grounded.prompting.variables import from_schema, schema_of
from tests.prompting.packs import starter


class Values(BaseModel):
    """What a template is filled with."""

    audience: str
    today: date | None = None
    tone: Literal["kind", "dry"] = "kind"
    topics: list[str] = []
    most: int = 3


def test_a_pydantic_model_declares_variables_and_gives_values() -> None:
    variables = from_schema(Values.model_json_schema(), "x")
    assert {name: each.type for name, each in variables.items()} == {
        "audience": "string", "today": "date", "tone": "string", "topics": "strings", "most": "integer",
    }  # fmt: skip
    assert variables["audience"].required
    assert not variables["today"].required
    assert variables["tone"].choices == ("kind", "dry")
    assert from_schema(schema_of(variables), "x") == variables


class Organisation(BaseModel):
    organisation: str
    today: date | None = None


def test_a_model_fills_a_template() -> None:
    given = Organisation(organisation="Acme", today=date(2026, 3, 1))
    prompt = build_prompt("q", ["x"], variables=given)
    assert prompt.messages == build_prompt("q", ["x"], variables=given.model_dump(), nonce=prompt.nonce).messages
    assert "for Acme from" in prompt.messages[0].content
    with pytest.raises(TemplateError, match="no variable 'audience'"):
        build_prompt("q", ["x"], variables=Values(audience="a"))
    schema = load_template("core/qa").variables_schema()
    assert schema["properties"]["today"]["format"] == "date"
    assert schema["required"] == []


def test_a_pack_declares_variables_by_a_file(tmp_path: Path) -> None:
    folder = starter(tmp_path / "acme")
    declared = (folder / "pack.toml").read_text("utf-8")
    entry = "[templates.answers]\n"
    assert entry in declared
    (folder / "pack.toml").write_text(declared.replace(entry, f'{entry}variables_schema = "values.json"\n'), "utf-8")
    schema = {"type": "object", "properties": {"house": {"type": "string"}}, "required": ["house"]}
    (folder / "values.json").write_text(json.dumps(schema), encoding="utf-8")
    (folder / "profile.j2").write_text("You answer for {{ house }}.", encoding="utf-8")
    first = load_template(folder)
    assert first.system({"house": "Acme"}).startswith("You answer for Acme.")
    with pytest.raises(TemplateError, match="'house' has no value"):
        first.system()
    schema["properties"] = {"house": {"type": "string", "default": "us"}}
    (folder / "values.json").write_text(json.dumps(schema), encoding="utf-8")
    assert load_template(folder).ref.hash != first.ref.hash
    for text, message in (("{", "values.json"), ("[]", "no JSON schema"), (None, "cannot be read")):
        if text is None:
            (folder / "values.json").unlink()
        else:
            (folder / "values.json").write_text(text, encoding="utf-8")
        with pytest.raises(TemplateError, match=message):
            load_template(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "object"},
        {"type": "string", "pattern": "a+"},
        {"type": "integer", "minimum": 3},
        {"type": "string", "format": "email"},
        {"type": "array", "items": {"type": "integer"}},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"$ref": "#/x"},
        {"type": "string", "enum": [1]},
        {},
        3,
    ],
)
def test_what_would_not_be_checked_is_refused(fields: Any) -> None:
    with pytest.raises(TemplateError, match=r"place: x: "):
        from_schema({"properties": {"x": fields}}, "place")
