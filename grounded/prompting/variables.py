"""Typed variables from and to JSON schema, which is also what pydantic models give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from grounded.errors import TemplateError
from grounded.prompting.packs import Variable, VariableType

_TYPES: dict[str, VariableType] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
_SAID = frozenset({"type", "format", "description", "title", "default", "enum", "items", "anyOf", "examples"})


def from_schema(schema: object, place: str) -> dict[str, Variable]:
    """The variables that a JSON schema of an object declares.

    What a template can hold is understood: texts, numbers, yes or no, dates (``format: date``), lists of texts,
    ``enum`` of texts, ``default``, ``required``, and ``anyOf`` with null, as pydantic writes what may be None.

    Args:
        schema: The schema, such as ``Model.model_json_schema()``.
        place: What to call it in messages.

    Raises:
        TemplateError: It is no such schema, or demands what would not be checked.
    """
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        raise TemplateError(f"{place}: is no JSON schema of an object.", fix="Give it type object and properties.")
    required = schema.get("required", [])
    return {
        name: _variable(fields, f"{place}: {name}", optional=name not in required)
        for name, fields in schema["properties"].items()
    }


def schema_of(variables: Mapping[str, Variable]) -> dict[str, Any]:
    """A JSON schema (draft 2020-12) of an object with a value for each variable."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: _fields(variable) for name, variable in variables.items()},
        "required": [name for name, variable in variables.items() if variable.required],
        "additionalProperties": False,
    }


def _variable(given: object, place: str, *, optional: bool) -> Variable:
    if not isinstance(given, Mapping):
        raise TemplateError(f"{place}: is no schema.", fix="Give it a type.")
    fields = dict(given)
    if isinstance(choices := fields.pop("anyOf", None), list):
        others = [each for each in choices if each != {"type": "null"}]
        if len(others) != 1 or len(others) == len(choices):
            raise TemplateError(f"{place}: anyOf is more than one type or null.", fix="Choose one type.")
        fields, optional = {**fields, **others[0]}, True
    if unknown := set(fields) - _SAID:
        raise TemplateError(
            f"{place}: {', '.join(sorted(unknown))} would not be checked.",
            fix=f"Use only {', '.join(sorted(_SAID))}.",
        )
    enum = fields.get("enum", [])
    try:
        return Variable(
            type=_type_of(fields, place),
            description=fields.get("description", ""),
            default=fields.get("default"),
            choices=tuple(enum),
            optional=optional and fields.get("default") is None,
        )
    except (ValidationError, TypeError) as error:
        raise TemplateError(f"{place}: {error}", fix="Use a default and an enum of the declared type.") from error


def _type_of(fields: Mapping[str, Any], place: str) -> VariableType:
    kind, form = fields.get("type"), fields.get("format")
    if kind == "string" and form == "date":
        return "date"
    if kind == "array" and form is None and fields.get("items") == {"type": "string"}:
        return "strings"
    if kind not in _TYPES or form is not None or "items" in fields:
        raise TemplateError(
            f"{place}: a template has no variables of type {kind!r}" + (f" and format {form!r}." if form else "."),
            fix="Use string, integer, number, boolean, a date, or an array of strings.",
        )
    return _TYPES[kind]


def _fields(variable: Variable) -> dict[str, Any]:
    kinds: dict[VariableType, dict[str, Any]] = {
        "date": {"type": "string", "format": "date"},
        "strings": {"type": "array", "items": {"type": "string"}},
        "any": {},
    }
    fields = dict(kinds.get(variable.type, {"type": variable.type}))
    if variable.description:
        fields["description"] = variable.description
    if variable.default is not None:
        fields["default"] = variable.model_dump(mode="json")["default"]
    if variable.choices:
        fields["enum"] = list(variable.choices)
    return fields
