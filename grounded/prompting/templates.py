"""What a template is: components, typed variables, and the text they make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Template as JinjaTemplate
from pydantic import BaseModel

from grounded.errors import TemplateError
from grounded.prompting.packs import STATIC_KINDS, Kind, Variable
from grounded.prompting.sandbox import Sandbox
from grounded.records import TemplateRef

FIELDS: dict[Kind, frozenset[str]] = {
    "evidence": frozenset({"number", "title", "uri", "place", "dates", "note", "text"}),
    "task": frozenset({"evidence", "question", "sources", "no_answer"}),
    **dict.fromkeys(STATIC_KINDS, frozenset({"no_answer"})),
}
"""What a component may use besides the template's declared variables."""


@dataclass(frozen=True)
class Component:
    """One part of a template, a file with its own version.

    Attributes:
        name: Its name in the pack.
        file: Its file, for messages.
        risk: The risk it lowers; empty when it is no guardrail.
        limits: What it does not do.
        language: The language of its file when the file bears one; empty for the base text.
        included: Text of the files it extends and includes, in order.
        compiled: None for plain text, which is used as it stands.
        used: The variables it uses, each with the file and line of its first use.
    """

    name: str
    kind: Kind
    version: str
    file: str
    source: str = field(repr=False)
    description: str = ""
    risk: str = ""
    limits: str = ""
    language: str = ""
    included: tuple[str, ...] = field(default=(), repr=False)
    compiled: JinjaTemplate | None = field(default=None, repr=False, compare=False)
    sandbox: Sandbox | None = field(default=None, repr=False, compare=False)
    used: Mapping[str, tuple[str, int]] = field(default_factory=dict, repr=False, compare=False)

    def render(self, values: Mapping[str, Any]) -> str:
        """Its text with the values it uses.

        Raises:
            TemplateError: A value is missing or unfit, or a limit is exceeded.
        """
        if self.compiled is None or self.sandbox is None:
            return self.source.strip("\n")
        text = self.sandbox.render(self.compiled, {key: values[key] for key in self.used if key in values})
        # The task holds the question, which stays as it is to the last line feed.
        return text if self.kind == "task" else text.strip("\n")


@dataclass(frozen=True)
class Template:
    """A metaprompt: components, typed variables, and the phrase for "the sources hold no answer".

    Attributes:
        ref: Name, version, and SHA-256 over the declaration and the files that make it.
        description: What it is for.
        no_answer: What a model is told to say, alone, when the sources hold no answer.
        components: In the order of the system message; evidence layout and task last.
        language: The language it was loaded in.
        warnings: What a user of the template should know, shown with every prompt.
    """

    ref: TemplateRef
    description: str
    no_answer: str
    variables: Mapping[str, Variable]
    components: tuple[Component, ...]
    language: str = ""
    warnings: tuple[str, ...] = ()

    def values(self, given: Mapping[str, object] | BaseModel | None = None) -> dict[str, Any]:
        """The template's variables with the values given, checked, and defaults for the others.

        Args:
            given: Values by name, or a pydantic model whose fields they are.

        Raises:
            TemplateError: A variable is unknown, missing, or of another type.
        """
        given = given.model_dump() if isinstance(given, BaseModel) else given or {}
        values: dict[str, Any] = {}
        for name in given:
            if name not in self.variables:
                known = ", ".join(sorted(self.variables)) or "none"
                raise TemplateError(
                    f"The template {self.ref.name!r} has no variable {name!r}.", fix=f"It knows: {known}."
                )
        for name, variable in self.variables.items():
            value = given.get(name)
            if value is None and variable.required:
                raise TemplateError(
                    f"{self._use_of(name)}: the variable {name!r} has no value.",
                    fix=f"Pass variables={{{name!r}: …}} ({variable.type}: {variable.description}).",
                )
            if value is not None and (problem := variable.problem(value)):
                raise TemplateError(
                    f"{self._use_of(name)}: the variable {name!r} {problem}.",
                    fix=f"Pass a fitting value: {variable.description}.",
                )
            values[name] = variable.default if value is None else value
        return values

    def variables_schema(self) -> dict[str, Any]:
        """A JSON schema of the variables, for forms, tools and other programs."""
        from grounded.prompting.variables import schema_of

        return schema_of(self.variables)

    def system(self, variables: Mapping[str, object] | None = None) -> str:
        """The system message: the same bytes whenever the variables are the same.

        Raises:
            TemplateError: A variable is unknown, missing, or of another type.
        """
        return "\n\n".join(text for _, text in self.parts(variables) if text)

    def parts(self, variables: Mapping[str, object] | None = None) -> tuple[tuple[Component, str], ...]:
        """Each component of the system message with its text, in order.

        Raises:
            TemplateError: A variable is unknown, missing, or of another type.
        """
        values = {**self.values(variables), "no_answer": self.no_answer}
        static = [component for component in self.components if component.kind in STATIC_KINDS]
        return tuple((component, component.render(values)) for component in static)

    def component(self, kind: Kind) -> Component:
        """The one component of a kind.

        Raises:
            LookupError: There is none.
        """
        return next(component for component in self.components if component.kind == kind)

    def _use_of(self, name: str) -> str:
        for component in self.components:
            if component.sandbox is not None and name in component.used:
                return component.sandbox.where(*component.used[name])
        return self.ref.name


def digest(components: tuple[Component, ...], declaration: Mapping[str, Any]) -> str:
    """SHA-256 over a template's declaration and the files that make it: 64 hexadecimal digits."""
    parts = [[each.name, each.kind, each.version, each.source, *each.included] for each in components]
    content = json.dumps([declaration, parts], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
