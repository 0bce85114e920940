"""What each component of a template costs, and values that stand in for variables nobody has set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from grounded.prompting.budget import TokenCounter
from grounded.prompting.packs import Variable
from grounded.prompting.templates import Component, Template
from grounded.text.tokens import encoding

_STAND_INS: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "date": date(2026, 1, 1)}


@dataclass(frozen=True, slots=True)
class Cost:
    """One component with its text and what it costs.

    Attributes:
        text: As rendered; the evidence layout for one source without text, the task without sources and question.
        tokens: Tokens of ``text``; for the evidence layout with the line feed that ends a source.
    """

    component: Component
    text: str
    tokens: int


def stand_ins(template: Template, given: Mapping[str, object] | None = None) -> dict[str, object]:
    """The values given, and for each required variable without one a value of its type that shows its name."""
    values = dict(given or {})
    for name, variable in template.variables.items():
        if variable.required and values.get(name) is None:
            values[name] = _stand_in(name, variable)
    return values


def costs(
    template: Template, variables: Mapping[str, object] | None = None, *, counter: TokenCounter | None = None
) -> tuple[Cost, ...]:
    """Each component of a template with its tokens, in order.

    Args:
        template: A template that was loaded.
        variables: Required variables without a value are replaced by stand-ins.
        counter: What counts; by default o200k_base.

    Raises:
        TemplateError: A variable is unknown or unfit, or a component fails.
    """
    count = (counter or encoding("o200k_base")).count
    given = stand_ins(template, variables)
    values = template.values(given)
    found = [Cost(component, text, count(text)) for component, text in template.parts(given)]
    for component, text in frame(template, values):
        found.append(Cost(component, text, count(text)))
    return tuple(found)


def frame(
    template: Template, values: Mapping[str, Any], *, sources: str = "", question: str = ""
) -> tuple[tuple[Component, str], tuple[Component, str]]:
    """The evidence layout around no text, and the task around the sources and the question given."""
    layout, task = template.component("evidence"), template.component("task")
    nothing = dict.fromkeys(("title", "uri", "place", "dates", "note", "text"), "")
    asked = {"evidence": sources, "question": question, "sources": 0, "no_answer": template.no_answer}
    return (
        (layout, layout.render({**values, "number": 1, **nothing}) + "\n"),
        (task, task.render({**values, **asked})),
    )


def _stand_in(name: str, variable: Variable) -> object:
    if variable.choices:
        return variable.choices[0]
    if variable.type == "strings":
        return [f"({name})"]
    return _STAND_INS.get(variable.type, f"({name})")
