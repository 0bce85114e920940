"""Makes a template of a pack's declaration: inheritance, languages, components in order, and checks of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grounded.errors import TemplateError
from grounded.prompting.packs import (
    PACK_FILE,
    STATIC_KINDS,
    LanguageDeclaration,
    Pack,
    TemplateDeclaration,
    Variable,
    variant_of,
)
from grounded.prompting.sandbox import Sandbox
from grounded.prompting.templates import FIELDS, Component, Template, digest
from grounded.records import TemplateRef

Lineage = Sequence[tuple[Pack, str]]
"""A template and those it extends, one after the other: packs and the names in them."""


def compose(lineage: Lineage, language: str, ours: Template | None) -> Template:
    """A template with what it inherits.

    Args:
        lineage: The template first.
        language: The language wanted; empty for the one the template is written in.
        ours: Whose layout of sources and task are used when it has none.

    Raises:
        TemplateError: The template is broken; the message names file and line.
    """
    template: Template | None = None
    for position in range(len(lineage) - 1, -1, -1):
        template = _compose(lineage[position:], language, template, ours)
    assert template is not None
    pack, name = lineage[0]
    _check(pack, name, template.components, template.variables)
    return template


def languages_of(language: str) -> tuple[str, ...]:
    """A tag and the wider ones to fall back to: ``pt-br``, ``pt``."""
    parts = language.split("-") if language else []
    return tuple("-".join(parts[:length]) for length in range(len(parts), 0, -1))


def used_variables(components: Sequence[Component], variables: Mapping[str, Variable]) -> dict[str, Variable]:
    """The variables that some component uses."""
    names = {name for component in components for name in component.used}
    return {name: variable for name, variable in variables.items() if name in names}


def missing_language(name: str, components: Sequence[Component], language: str) -> tuple[str, ...]:
    """What to warn of when components lack a language; the layout of sources says nothing in words."""
    lacking = [component.name for component in components if component.kind != "evidence" and not component.language]
    if not language or not lacking:
        return ()
    return (f"The template {name!r} has no {language!r} text for {', '.join(lacking)}; the base text is used.",)


def _compose(lineage: Lineage, language: str, base: Template | None, ours: Template | None) -> Template:
    pack, name = lineage[0]
    declaration = pack.declaration.templates[name]
    asked = "" if language == pack.declaration.language else language
    sandbox = Sandbox(_files(lineage), pack.place)
    own = [_component(pack, sandbox, each, name, languages_of(asked)) for each in declaration.components]
    components = _merged(pack, base.components, own) if base else own
    inherited = dict(used_variables(components, base.variables)) if base else {}
    if ours and not base:
        # A pack may leave the layout of sources and the task to ours.
        present = {component.kind for component in components}
        lent = [each for each in ours.components if each.kind not in (*STATIC_KINDS, *present)]
        inherited = used_variables(lent, ours.variables)
        components = [*components, *lent]
    static = [each for each in components if each.kind in STATIC_KINDS]
    ordered = (*static, *(each for each in components if each.kind not in STATIC_KINDS))
    spoken = _spoken(declaration, asked)
    variables = _with_defaults({**inherited, **declaration.variables}, spoken)
    no_answer = spoken.no_answer or declaration.no_answer or (base.no_answer if base else "")
    full_name = f"{pack.name}/{name}"
    return Template(
        ref=TemplateRef(
            name=full_name,
            version=declaration.version,
            hash=digest(ordered, _declared(declaration, variables, no_answer, base, asked)),
        ),
        description=declaration.description or (base.description if base else ""),
        no_answer=no_answer,
        variables=variables,
        components=ordered,
        language=language or declaration.language or pack.declaration.language,
        warnings=missing_language(full_name, ordered, asked),
    )


def _declared(
    declaration: TemplateDeclaration,
    variables: Mapping[str, Variable],
    no_answer: str,
    base: Template | None,
    language: str,
) -> dict[str, Any]:
    """What goes into the hash besides the components: what was declared, and what became of it."""
    declared = declaration.model_dump(mode="json", exclude={"language", "languages", "extends", "variables_schema"})
    if base is None and not language:
        return declared
    merged = {name: variable.model_dump(mode="json") for name, variable in variables.items()}
    more = {"extends": base.ref.name if base else "", "language": language}
    return {**declared, "variables": merged, "no_answer": no_answer, **more}


def _files(lineage: Lineage) -> dict[str, str]:
    """The files of a pack by their names, and of the packs it extends as ``PACK:NAME``."""
    own = lineage[0][0]
    inherited = {
        f"{pack.name}:{file}": text for pack, _ in lineage if pack.name != own.name for file, text in pack.files.items()
    }
    return {**inherited, **own.files}


def _merged(pack: Pack, base: Sequence[Component], own: Sequence[Component]) -> list[Component]:
    """The extended template's components, each in its place or replaced, and new ones after those of their kind."""
    components = list(base)
    for component in own:
        replaced = pack.declaration.components[component.name].replaces or component.name
        places = [place for place, each in enumerate(components) if each.name == replaced]
        if not places and replaced != component.name:
            raise TemplateError(
                f"{pack.line_of('components', component.name, 'replaces')}: there is no component {replaced!r} to "
                "replace.",
                fix=f"The extended template has: {', '.join(each.name for each in base)}.",
            )
        if not places and component.kind not in STATIC_KINDS:
            places = [place for place, each in enumerate(components) if each.kind == component.kind]
        if places:
            components[places[0]] = component
            continue
        same = [place for place, each in enumerate(components) if each.kind == component.kind]
        components.insert(same[-1] + 1 if same else len(components), component)
    return components


def _spoken(declaration: TemplateDeclaration, language: str) -> LanguageDeclaration:
    for tag in languages_of(language):
        if tag in declaration.languages:
            return declaration.languages[tag]
    return LanguageDeclaration()


def _with_defaults(variables: Mapping[str, Variable], spoken: LanguageDeclaration) -> dict[str, Variable]:
    return {
        name: variable.model_copy(update={"default": spoken.defaults[name]}) if name in spoken.defaults else variable
        for name, variable in variables.items()
    }


def _component(pack: Pack, sandbox: Sandbox, name: str, template: str, languages: Sequence[str]) -> Component:
    declaration = pack.declaration.components.get(name)
    if declaration is None:
        raise TemplateError(
            f"{pack.line_of('templates', template, 'components')}: there is no component {name!r}.",
            fix=f"Declare [components.{name}], or name one of: {', '.join(pack.declaration.components)}.",
        )
    variants = ((tag, variant_of(declaration.file, tag)) for tag in languages)
    language, file = next(((tag, file) for tag, file in variants if file in pack.files), ("", declaration.file))
    common: dict[str, Any] = {
        **declaration.model_dump(include={"kind", "version", "description", "risk", "limits"}),
        "name": name,
        "file": file,
        "source": pack.files[file],
        "language": language,
    }
    if not file.endswith(".j2"):
        return Component(**common)
    return Component(
        **common,
        included=tuple(sandbox.text(each) for each in sandbox.sources(file)),
        compiled=sandbox.compile(file),
        sandbox=sandbox,
        used=sandbox.variables(file),
    )


def _check(pack: Pack, name: str, components: Sequence[Component], variables: Mapping[str, Variable]) -> None:
    """Refuse a template that lacks a part, uses an undeclared variable or has an unfit default."""
    kinds = [component.kind for component in components]
    for kind in ("profile", "guardrails", "evidence", "task"):
        if kind not in kinds or (kind in ("evidence", "task") and kinds.count(kind) > 1):
            raise TemplateError(
                f"{pack.line_of('templates', name, 'components')}: the template {name!r} has "
                f"{kinds.count(kind) or 'no'} {kind} components.",
                fix="A template needs a profile and guardrails, and may have one evidence layout and one task.",
            )
    for component in components:
        for used, place in component.used.items():
            if used not in variables and used not in FIELDS[component.kind] and component.sandbox:
                raise TemplateError(
                    f"{component.sandbox.where(*place)}: the variable {used!r} is not declared.",
                    fix=f"Declare [templates.{name}.variables.{used}] in {PACK_FILE}; a component of kind "
                    f"{component.kind!r} also knows {', '.join(sorted(FIELDS[component.kind]))}.",
                )
    for variable, declaration in variables.items():
        reserved = any(variable in fields for fields in FIELDS.values())
        problem = declaration.default is not None and declaration.problem(declaration.default)
        if reserved or problem:
            raise TemplateError(
                f"{pack.line_of('templates', name, 'variables', variable)}: the variable {variable!r} "
                f"{'has a reserved name' if reserved else f'has a default that {problem}'}.",
                fix="Rename it." if reserved else "Give a default of the declared type.",
            )
