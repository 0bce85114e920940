"""Template packs: a ``pack.toml`` and the files it names, in an installed package or in a folder."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from grounded.errors import TemplateError
from grounded.prompting.sandbox import SOURCE_LIMIT
from grounded.records import Record

PACK_FILE = "pack.toml"

Kind = Literal["profile", "format", "examples", "guardrails", "evidence", "task"]
"""What a component is: the four components of a metaprompt, the layout of one source, and the task."""

STATIC_KINDS: tuple[Kind, ...] = ("profile", "format", "examples", "guardrails")
"""The kinds that make the system message; the same bytes for every request."""

VariableType = Literal["string", "integer", "number", "boolean", "date", "strings", "any"]

VARIABLE_LIMIT = 20_000
"""Code points of one text variable."""

LANGUAGE_PATTERN = r"^(?:[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,2})?$"
"""Tags of languages: ``de``, ``pt-br``."""

_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
_VERSION = r"^\d+\.\d+\.\d+$"
_SUFFIXES = frozenset({".j2", ".md", ".txt"})
_SCHEMA_SUFFIXES = frozenset({".json"})


class Variable(Record):
    """One variable of a template; required unless it has a default or is optional.

    Attributes:
        type: What values it takes; ``strings`` is a list of texts, ``any`` any plain value.
        choices: The only values allowed; empty means all of the type.
        optional: Without a value it is None.
    """

    type: VariableType
    description: str = ""
    default: str | bool | int | float | date | list[str] | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def required(self) -> bool:
        """Whether a caller has to give a value."""
        return self.default is None and not self.optional

    def problem(self, value: object) -> str:
        """What is wrong with a value; empty when nothing is."""
        if not _fits(self.type, value):
            return f"must be of type {self.type}, not {type(value).__name__}"
        if isinstance(value, str) and len(value) > VARIABLE_LIMIT:
            return f"has {len(value)} characters; {VARIABLE_LIMIT} are allowed"
        if isinstance(value, list | tuple) and (len(value) > 1000 or sum(map(len, value)) > VARIABLE_LIMIT):
            return f"is too long; 1000 texts with {VARIABLE_LIMIT} characters in all are allowed"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        return ""


class ComponentDeclaration(Record):
    """``[components.NAME]`` of a pack.

    Attributes:
        description: What it is for.
        risk: The risk it lowers.
        limits: What it does not do.
        tokens: Tokens of its text with default variables under o200k_base; 0 when not stated.
        replaces: The component of the extended template whose place it takes; by default that of its own name.
    """

    kind: Kind
    file: str
    version: str = Field(pattern=_VERSION)
    description: str = ""
    risk: str = ""
    limits: str = ""
    tokens: int = Field(default=0, ge=0)
    replaces: str = ""


class LanguageDeclaration(Record):
    """``[templates.NAME.languages.TAG]`` of a pack.

    Attributes:
        no_answer: The phrase for "the sources hold no answer" in this language.
        defaults: Defaults of variables in this language.
    """

    no_answer: str | None = Field(default=None, min_length=1)
    defaults: dict[str, str | bool | int | float | list[str]] = Field(default_factory=dict)


class TemplateDeclaration(Record):
    """``[templates.NAME]`` of a pack.

    Attributes:
        components: Names of its components in the order of the system message.
        no_answer: What a model is told to say when the sources hold no answer.
        extends: A template of the same pack (``qa``) or of an installed one (``core/qa``, ``core/qa@1``), whose
            components, variables and phrase hold where this one has none of its own.
        language: The language it is written in when that is not the pack's; its files bear the tag.
        languages: What else depends on the language.
        variables_schema: A file with a JSON schema that declares further variables.
    """

    version: str = Field(pattern=_VERSION)
    description: str = ""
    variables_schema: str = ""
    components: tuple[str, ...] = ()
    no_answer: str | None = Field(default=None, min_length=1)
    variables: dict[str, Variable] = Field(default_factory=dict)
    extends: str = ""
    language: str = Field(default="", pattern=LANGUAGE_PATTERN)
    languages: dict[str, LanguageDeclaration] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.extends and not (self.components and self.no_answer):
            raise ValueError("needs components and no_answer, or extends")
        return self


class PackDeclaration(Record):
    """A whole ``pack.toml``.

    Attributes:
        language: The language its files without a tag are written in.
        languages: Further languages; ``qa/profile.de.j2`` is ``qa/profile.j2`` in German.
    """

    pack_format: Literal[1]
    name: str = Field(pattern=_NAME)
    version: str = Field(pattern=_VERSION)
    description: str = ""
    license: str = ""
    language: str = Field(default="en", pattern=LANGUAGE_PATTERN)
    languages: tuple[Annotated[str, Field(pattern=LANGUAGE_PATTERN)], ...] = ()
    components: dict[str, ComponentDeclaration] = Field(default_factory=dict)
    templates: dict[str, TemplateDeclaration] = Field(min_length=1)


@dataclass(frozen=True)
class Pack:
    """A pack that was read.

    Attributes:
        place: Where it was read, for messages.
        files: Text of each template file, line ends made the same so that a hash holds on every system.
    """

    declaration: PackDeclaration
    place: str
    files: Mapping[str, str] = field(repr=False)
    source: str = field(repr=False)

    @property
    def name(self) -> str:
        """The pack's name."""
        return self.declaration.name

    def line_of(self, *keys: str) -> str:
        """``pack.toml:LINE`` of a table or key, as near as it can be told."""
        return _line_of(self.source, f"{self.place}/{PACK_FILE}", keys)


def read_pack(folder: Traversable | Path, place: str) -> Pack:
    """Read a pack and the files it names; nothing in it is run.

    Args:
        folder: The folder with ``pack.toml``.
        place: What to call it in messages.

    Raises:
        TemplateError: The pack is missing, malformed, or names a file outside its folder.
    """
    source = _read(folder, PACK_FILE, place)
    try:
        content = tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TemplateError(f"{place}/{PACK_FILE}: {error}.", fix="Correct the TOML syntax.") from error
    try:
        declaration = PackDeclaration.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        keys = tuple(str(key) for key in first["loc"])
        raise TemplateError(
            f"{_line_of(source, f'{place}/{PACK_FILE}', keys)}: {'.'.join(keys)}: {first['msg']}.",
            fix="docs/templates.md lists what a pack may declare.",
        ) from error
    declaration = _with_schemas(folder, declaration, place)
    return Pack(declaration, place, _files(folder, declaration, place), source)


def _with_schemas(folder: Traversable | Path, declaration: PackDeclaration, place: str) -> PackDeclaration:
    """The declaration with the variables of its JSON schemas among the others, so that hashes cover them."""
    templates = dict(declaration.templates)
    for name, template in declaration.templates.items():
        if not template.variables_schema:
            continue
        from grounded.prompting.variables import from_schema  # few packs have one

        file = f"{place}/{template.variables_schema}"
        try:
            schema = json.loads(_read(folder, template.variables_schema, place, _SCHEMA_SUFFIXES))
        except (ValueError, RecursionError) as error:
            raise TemplateError(f"{file}: {error}.", fix="Correct the JSON.") from error
        found = from_schema(schema, file)
        if twice := found.keys() & template.variables.keys():
            raise TemplateError(f"{file}: {', '.join(sorted(twice))}: declared twice.", fix="Declare it in one place.")
        templates[name] = template.model_copy(update={"variables": {**template.variables, **found}})
    return declaration.model_copy(update={"templates": templates})


def _files(folder: Traversable | Path, declaration: PackDeclaration, place: str) -> dict[str, str]:
    """The declared files, and those beside them that they include."""
    files: dict[str, str] = {}
    own = [component.file for component in declaration.components.values()]
    translated = (variant_of(file, tag) for file in own for tag in declaration.languages)
    waiting = [*own, *(file for file in translated if folder.joinpath(*PurePosixPath(file).parts).is_file())]
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        files[name] = _read(folder, name, place)
        named = re.findall(r"{%[-+]?\s*(?:include|extends)\s+[\"']([^\"']{1,200})[\"']", files[name])
        waiting += [each for each in named if ":" not in each]  # PACK:NAME is a file of an extended template's pack
    return files


def variant_of(file: str, language: str) -> str:
    """The name of a file in a language: ``qa/profile.de.j2``."""
    stem, _, suffix = file.rpartition(".")
    return f"{stem}.{language}.{suffix}"


def _read(folder: Traversable | Path, name: str, place: str, suffixes: frozenset[str] = _SUFFIXES) -> str:
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
    if outside or (name != PACK_FILE and path.suffix not in suffixes):
        raise TemplateError(
            f"{place}: {name!r} is not the name of a template file.",
            fix=f"Use a relative name inside the pack that ends in {', '.join(sorted(suffixes))}.",
        )
    file = folder.joinpath(*path.parts)
    if isinstance(folder, Path) and not Path(str(file)).resolve().is_relative_to(folder.resolve()):
        raise TemplateError(f"{place}: {name!r} lies outside the pack.", fix="Put the file into the pack.")
    return read_source(file, f"{place}/{name}")


def read_source(file: Traversable | Path, place: str) -> str:
    """Text of a template file.

    Raises:
        TemplateError: It is missing, no UTF-8 text, or larger than ``SOURCE_LIMIT`` characters.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(4 * SOURCE_LIMIT + 4)
    except OSError as error:
        raise TemplateError(f"{place}: cannot be read: {error.strerror or error}.", fix="Check the name.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateError(f"{place}: is not UTF-8 text.", fix="Save it as UTF-8.") from error
    text = text.replace("\r\n", "\n")
    if len(text) > SOURCE_LIMIT or "\x00" in text:
        raise TemplateError(
            f"{place}: is not a text of at most {SOURCE_LIMIT} characters.",
            fix="Shorten it, or pass long text as a variable.",
        )
    return text


def _line_of(source: str, place: str, keys: tuple[str, ...]) -> str:
    """The deepest table header or key among ``keys`` that the source spells out."""
    lines = source.splitlines()
    start = 0
    for depth in range(len(keys), 0, -1):
        header = "[" + ".".join(keys[:depth]) + "]"
        start = next((number for number, line in enumerate(lines, 1) if line.strip() == header), 0)
        if start:
            break
    key = re.compile(rf"^\s*{re.escape(keys[-1] if keys else '')}\s*=")
    found = next((number for number, line in enumerate(lines[start:], start + 1) if key.match(line)), 0)
    return f"{place}:{found or start or 1}"


def _fits(kind: VariableType, value: object) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, date)
        case "strings":
            return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        case _:
            return isinstance(value, str | int | float | bool | date)
