"""Two templates, or two versions of one, compared as a model would read them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from grounded.prompting.costs import costs, frame, stand_ins
from grounded.prompting.packs import STATIC_KINDS
from grounded.prompting.templates import Component, Template
from grounded.records import TemplateRef


@dataclass(frozen=True, slots=True)
class PartDifference:
    """One component on both sides, as rendered.

    Attributes:
        name: The component's name, with both when they differ.
        before: Its text on the left; empty when it is only on the right.
        after: Its text on the right; empty when it is only on the left.
    """

    name: str
    kind: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether a model would read something else."""
        return self.before != self.after

    def lines(self, context: int = 2) -> tuple[str, ...]:
        """A unified difference: each line begins with a space, ``+``, ``-`` or ``@@``; empty when nothing changed."""
        found = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), n=context, lineterm="")
        return tuple(found)[2:]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two templates.

    Attributes:
        parts: Every component, in the order of the right-hand side; those only on the left come last.
        variables: A sentence for each variable that was added, removed or changed.
        no_answer: The phrase for "no answer" on the left and on the right.
        tokens: Of the system message's components on the left and on the right, under o200k_base.
    """

    left: TemplateRef
    right: TemplateRef
    parts: tuple[PartDifference, ...]
    variables: tuple[str, ...]
    no_answer: tuple[str, str]
    tokens: tuple[int, int]

    @property
    def changed(self) -> bool:
        """Whether anything differs besides name and version."""
        refusals = self.no_answer[0] != self.no_answer[1]
        return refusals or bool(self.variables) or any(part.changed for part in self.parts)


def compare(left: Template, right: Template, variables: Mapping[str, object] | None = None) -> Comparison:
    """Compare two templates as rendered with the same variables; each takes those it knows.

    Raises:
        TemplateError: A variable is unfit, or a component fails.
    """
    texts = [_texts(each, variables or {}) for each in (left, right)]
    sizes = [sum(cost.tokens for cost in costs(each) if cost.component.kind in STATIC_KINDS) for each in (left, right)]
    return Comparison(
        left=left.ref,
        right=right.ref,
        parts=tuple(_paired(*texts)),
        variables=tuple(_variables(left, right)),
        no_answer=(left.no_answer, right.no_answer),
        tokens=(sizes[0], sizes[1]),
    )


def _texts(template: Template, variables: Mapping[str, object]) -> list[tuple[Component, str]]:
    known = {name: value for name, value in variables.items() if name in template.variables}
    given = stand_ins(template, known)
    framed = frame(template, template.values(given), sources="(sources)", question="(question)")
    return [*template.parts(given), *framed]


def _paired(left: list[tuple[Component, str]], right: list[tuple[Component, str]]) -> list[PartDifference]:
    """Components of one name belong together, then those of one kind in their order."""
    waiting = list(left)
    names = {component.name for component, _ in right}
    pairs: list[PartDifference] = []
    for component, text in right:
        other = next((each for each in waiting if each[0].name == component.name), None)
        if other is None:
            free = (each for each in waiting if each[0].name not in names and each[0].kind == component.kind)
            other = next(free, None)
        if other is None:
            pairs.append(PartDifference(component.name, component.kind, "", text))
            continue
        waiting.remove(other)
        same = other[0].name == component.name
        name = component.name if same else f"{other[0].name} → {component.name}"
        pairs.append(PartDifference(name, component.kind, other[1], text))
    return [*pairs, *(PartDifference(each.name, each.kind, text, "") for each, text in waiting)]


def _variables(left: Template, right: Template) -> list[str]:
    before, after = left.variables, right.variables
    added = [f"{name}: added, {after[name].type}" + (", required" if after[name].required else "") for name in after]
    return [
        *(line for name, line in zip(after, added, strict=True) if name not in before),
        *(f"{name}: removed" for name in before if name not in after),
        *(f"{name}: declared otherwise" for name in after if name in before and before[name] != after[name]),
    ]
