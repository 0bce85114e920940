"""Templates by name or path: from installed packs, pack folders and plain files."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path

from grounded import registry
from grounded.errors import TemplateError, UsageError
from grounded.prompting.composing import compose, used_variables
from grounded.prompting.packs import LANGUAGE_PATTERN, PACK_FILE, Pack, Variable, read_pack, read_source
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


def load_template(
    template: str | Path | Template = DEFAULT_TEMPLATE, *, language: str = "", copy: bool = False
) -> Template:
    """A template by name (``core/qa``, ``core/qa@1``), by label (``core/qa@production``) or by path.

    Labels are those of the project: ``grounded.templates.toml`` in the working folder or above it, see
    ``grounded.prompting.labels``.

    A path may be a pack folder (with ``#NAME`` when the pack holds several templates), a ``.j2`` file, or a
    ``.txt`` or ``.md`` file. A file takes the place of the profile in ``core/qa``, whose examples are left out;
    its output format, guardrails, evidence layout and task stay. A ``.txt`` or ``.md`` file is used as it
    stands; the variables of a ``.j2`` file are all required. A ``.prompty`` file is read by
    ``grounded.prompting.prompty.from_prompty``.

    Args:
        template: What to load.
        language: A tag such as ``de`` or ``pt-br``: use the texts in this language. Components without one are
            used as they are, and ``Template.warnings`` says so.
        copy: A folder may bear the name of an installed pack from which it differs. Only for looking at it: name and
            version of what answers must be those of one template.

    Raises:
        TemplateError: There is no such template, or it is broken; the message names file and line.
        PluginError: Two packages offer a pack of one name.
        UsageError: The language is no tag, or the template was loaded in another.
    """
    language = _checked_language(language)
    if isinstance(template, Template):
        if language and language != template.language:
            raise UsageError("The template is loaded already.", fix=f"Load it with language={language!r}.")
        return template
    name = str(template)
    if isinstance(template, str) and (found := _named(name, language)):
        return found
    path, _, part = name.partition("#")
    if path and Path(path).is_dir():
        return _from_folder(Path(path), part, language, copy=copy)
    if path and Path(path).suffix in (".txt", ".md", ".j2"):
        return _from_file(Path(path), language)
    if path and Path(path).suffix == ".prompty":
        from grounded.prompting.prompty import from_prompty  # reads YAML, which few need

        return from_prompty(path, _build_installed("core", "qa", language))
    raise TemplateError(
        f"There is no template {name!r}; installed: {', '.join(list_templates()) or 'none'}.",
        fix="Use an installed name, a pack folder, or a .txt, .md, .j2 or .prompty file.",
    )


def _checked_language(language: str) -> str:
    tag = language.lower().replace("_", "-")
    if not re.match(LANGUAGE_PATTERN, tag):
        raise UsageError(f"{language!r} is no tag of a language.", fix="Use one such as de or pt-br.")
    return tag


def _named(name: str, language: str) -> Template | None:
    stem, _, version = name.partition("@")
    pack_name, slash, template_name = stem.partition("/")
    if not slash or pack_name not in registry.names("templates"):
        return None
    pack = _installed(pack_name)
    if template_name not in pack.declaration.templates:
        return None
    found = _build_installed(pack_name, template_name, language)
    if re.match("[a-z]", version):
        from grounded.prompting.labels import resolve  # reads the project's file, and loads the template itself

        if resolve(name) != stem:
            raise TemplateError(f"{version!r} is no label.", fix="Use a version, or a label that was pinned.")
    elif version and not f"{found.ref.version}.".startswith(f"{version}."):
        raise TemplateError(
            f"The template {stem!r} is installed in version {found.ref.version}, not {version}.",
            fix="Install a package that holds that version, or ask for the installed one.",
        )
    return found


def _from_folder(folder: Path, part: str, language: str, *, copy: bool) -> Template:
    pack = read_pack(folder, folder.name)
    if not copy and pack.name in registry.names("templates") and _installed(pack.name).files != pack.files:
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
    return _make(pack, part or names[0], language)


def _from_file(path: Path, language: str) -> Template:
    source = read_source(path, path.name)
    if not source.strip():
        raise TemplateError(f"{path.name}:1: the file is empty.", fix="Write the system message into it.")
    base = _build_installed("core", "qa", language)
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
        variables={**used_variables(kept, base.variables), **declared},
        components=components,
        language=base.language,
        warnings=base.warnings,
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
def _build_installed(pack_name: str, name: str, language: str = "") -> Template:
    return _make(_installed(pack_name), name, language)


def _make(pack: Pack, name: str, language: str = "") -> Template:
    lineage = [(pack, name)]
    while extended := lineage[-1][0].declaration.templates[lineage[-1][1]].extends:
        child, child_name = lineage[-1]
        found = _extended(child, child_name, extended)
        names = [f"{each.name}/{part}" for each, part in (*lineage, found)]
        if names[-1] in names[:-1]:
            raise TemplateError(
                f"{child.line_of('templates', child_name, 'extends')}: templates extend each other: "
                f"{' -> '.join(names)}.",
                fix="Break the circle.",
            )
        lineage.append(found)
    wanted = language or pack.declaration.templates[name].language
    # The root decides whether something is missing; core has all its parts, and is never completed by itself.
    ours = None if lineage[-1][0].name == "core" else _build_installed("core", "qa", wanted)
    return compose(lineage, wanted, ours)


def _extended(pack: Pack, name: str, extended: str) -> tuple[Pack, str]:
    """The pack and name of the template that one extends."""
    stem, _, version = extended.partition("@")
    first, slash, last = stem.rpartition("/")
    pack_name = first if slash else pack.name
    base = pack if pack_name == pack.name else None
    if base is None and pack_name in registry.names("templates"):
        base = _installed(pack_name)
    if base is None or last not in base.declaration.templates:
        raise TemplateError(
            f"{pack.line_of('templates', name, 'extends')}: there is no template {extended!r} to extend.",
            fix=f"Name one of this pack or an installed one: {', '.join(list_templates())}.",
        )
    has = base.declaration.templates[last].version
    if version and not f"{has}.".startswith(f"{version}."):
        raise TemplateError(
            f"{pack.line_of('templates', name, 'extends')}: {stem!r} is there in version {has}, not {version}.",
            fix="Extend the version that is there.",
        )
    return base, last
