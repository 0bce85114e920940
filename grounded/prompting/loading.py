"""Templates by name or path: from installed packs, pack folders and plain files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from grounded import registry
from grounded.errors import TemplateError
from grounded.prompting.packs import PACK_FILE, STATIC_KINDS, Pack, Variable, read_pack, read_source
from grounded.prompting.sandbox import Sandbox
from grounded.prompting.templates import FIELDS, Component, Template, digest
from grounded.records import TemplateRef

DEFAULT_TEMPLATE = "core/qa"


def list_templates() -> tuple[str, ...]:
    """The names of all installed templates, such as ``core/qa``, sorted.

    Raises:
        PluginError: Two packages offer a pack of one name, or one cannot be imported.
        TemplateError: An installed pack is malformed.
    """
    packs = [_installed(name) for name in registry.names("templates")]
    return tuple(sorted(f"{pack.name}/{name}" for pack in packs for name in pack.declaration.templates))


def load_template(template: str | Path | Template = DEFAULT_TEMPLATE) -> Template:
    """A template by name (``core/qa``, ``core/qa@1``) or by path.

    A path may be a pack folder (with ``#NAME`` when the pack holds several templates), a ``.j2`` file, or a
    ``.txt`` or ``.md`` file. A file takes the place of the profile in ``core/qa``, whose examples are left out;
    its output format, guardrails, evidence layout and task stay. A ``.txt`` or ``.md`` file is used as it
    stands; the variables of a ``.j2`` file are all required.

    Raises:
        TemplateError: There is no such template, or it is broken; the message names file and line.
        PluginError: Two packages offer a pack of one name.
    """
    if isinstance(template, Template):
        return template
    name = str(template)
    if isinstance(template, str) and (found := _named(name)):
        return found
    path, _, part = name.partition("#")
    if path and Path(path).is_dir():
        return _from_folder(Path(path), part)
    if path and Path(path).suffix in (".txt", ".md", ".j2"):
        return _from_file(Path(path))
    raise TemplateError(
        f"There is no template {name!r}; installed: {', '.join(list_templates()) or 'none'}.",
        fix="Use an installed name, a pack folder, or a .txt, .md or .j2 file.",
    )


def _named(name: str) -> Template | None:
    stem, _, version = name.partition("@")
    pack_name, slash, template_name = stem.partition("/")
    if not slash or pack_name not in registry.names("templates"):
        return None
    pack = _installed(pack_name)
    if template_name not in pack.declaration.templates:
        return None
    found = _build(pack, template_name)
    if version and not f"{found.ref.version}.".startswith(f"{version}."):
        raise TemplateError(
            f"The template {stem!r} is installed in version {found.ref.version}, not {version}.",
            fix="Install a package that holds that version, or ask for the installed one.",
        )
    return found


def _from_folder(folder: Path, part: str) -> Template:
    pack = read_pack(folder, folder.name)
    if pack.name in registry.names("templates") and _installed(pack.name).files != pack.files:
        raise TemplateError(
            f"The pack in {folder.name!r} is called {pack.name!r}, as is an installed one that differs.",
            fix=f"Give it another name in {PACK_FILE}.",
        )
    names = tuple(pack.declaration.templates)
    if part not in names and (part or len(names) > 1):
        raise TemplateError(
            f"The pack {pack.name!r} holds the templates {', '.join(names)}" + (f", not {part!r}." if part else "."),
            fix=f"Choose one: PATH#{names[0]}.",
        )
    return _make(pack, part or names[0])


def _from_file(path: Path) -> Template:
    source = read_source(path, path.name)
    if not source.strip():
        raise TemplateError(f"{path.name}:1: the file is empty.", fix="Write the system message into it.")
    base = _build(_installed("core"), "qa")
    declared: dict[str, Variable] = {}
    profile = Component(path.name, "profile", "0.0.0", path.name, source)
    if path.suffix == ".j2":
        sandbox = Sandbox({path.name: source}, "")
        used = sandbox.variables(path.name)
        free = [name for name in used if name not in FIELDS["profile"]]
        declared = {name: base.variables.get(name, Variable(type="any")) for name in free}
        profile = Component(
            path.name,
            "profile",
            "0.0.0",
            path.name,
            source,
            compiled=sandbox.compile(path.name),
            sandbox=sandbox,
            used=used,
        )
    kept = tuple(each for each in base.components if each.kind not in ("profile", "examples"))
    components = (profile, *kept)
    return Template(
        ref=TemplateRef(name=path.name, version="0.0.0", hash=digest(components, {"base": base.ref.hash})),
        description=f"The file {path.name} as profile in {base.ref.name}@{base.ref.version}.",
        no_answer=base.no_answer,
        variables={**_used(kept, base.variables), **declared},
        components=components,
    )


@cache
def _installed(name: str) -> Pack:
    package = registry.load("templates", name)
    pack = read_pack(resources.files(package), name)
    if pack.name != name:
        raise TemplateError(
            f"{pack.line_of('name')}: the pack calls itself {pack.name!r} but is installed as {name!r}.",
            fix="Make the entry point's name and the pack's name the same.",
        )
    return pack


@cache
def _build_installed(pack_name: str, name: str) -> Template:
    return _make(_installed(pack_name), name)


def _build(pack: Pack, name: str) -> Template:
    return _build_installed(pack.name, name)


def _make(pack: Pack, name: str) -> Template:
    declaration = pack.declaration.templates[name]
    sandbox = Sandbox(pack.files, pack.place)
    components = [_component(pack, sandbox, each, name) for each in declaration.components]
    variables = dict(declaration.variables)
    if pack.name != "core":
        # A pack may leave the layout of sources and the task to ours.
        present = {component.kind for component in components}
        core = _build_installed("core", "qa")
        ours = tuple(each for each in core.components if each.kind not in (*STATIC_KINDS, *present))
        variables = {**_used(ours, core.variables), **variables}
        components += ours
    static = [each for each in components if each.kind in STATIC_KINDS]
    ordered = (*static, *(each for each in components if each.kind not in STATIC_KINDS))
    _check(pack, name, ordered, variables)
    return Template(
        ref=TemplateRef(
            name=f"{pack.name}/{name}",
            version=declaration.version,
            hash=digest(ordered, declaration.model_dump(mode="json")),
        ),
        description=declaration.description,
        no_answer=declaration.no_answer,
        variables=variables,
        components=ordered,
    )


def _component(pack: Pack, sandbox: Sandbox, name: str, template: str) -> Component:
    declaration = pack.declaration.components.get(name)
    if declaration is None:
        raise TemplateError(
            f"{pack.line_of('templates', template, 'components')}: there is no component {name!r}.",
            fix=f"Declare [components.{name}], or name one of: {', '.join(pack.declaration.components)}.",
        )
    common: dict[str, Any] = {
        **declaration.model_dump(include={"kind", "version", "file", "description", "risk", "limits"}),
        "name": name,
        "source": pack.files[declaration.file],
    }
    if not declaration.file.endswith(".j2"):
        return Component(**common)
    included = tuple(pack.files[file] for file in sandbox.includes(declaration.file) if file in pack.files)
    return Component(
        **common,
        included=included,
        compiled=sandbox.compile(declaration.file),
        sandbox=sandbox,
        used=sandbox.variables(declaration.file),
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


def _used(components: Sequence[Component], variables: Mapping[str, Variable]) -> dict[str, Variable]:
    names = {name for component in components for name in component.used}
    return {name: variable for name, variable in variables.items() if name in names}
