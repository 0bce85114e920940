"""Templates as Prompty files: YAML front matter, then ``system:`` and ``user:`` with Jinja bodies.

A file that is read is run in our sandbox and nowhere else; roles are split before anything is rendered, so no
variable can open another. Prompty's own runtime keeps line ends after block tags, ours does not: an exported file
rendered there may hold more blank lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from grounded.errors import TemplateError
from grounded.prompting.packs import Kind, Variable, VariableType, read_source
from grounded.prompting.sandbox import Sandbox
from grounded.prompting.templates import FIELDS, Component, Template, digest
from grounded.records import TemplateRef

_ROLE = re.compile(r"^[ \t]*(?:#[ \t]*)?(system|developer|user|assistant)[ \t]*:[ \t]*$", re.MULTILINE | re.IGNORECASE)
_INCLUDE = re.compile(r"{%[-+]?\s*include\s+[\"']([^\"']{1,200})[\"']\s*[-+]?%}")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_TO_PROMPTY: dict[VariableType, str] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "date": "string",
    "strings": "array",
    "any": "object",
}
_FROM_PROMPTY = {name: kind for kind, name in _TO_PROMPTY.items() if kind != "date"}
_RESERVED = frozenset().union(*FIELDS.values())


@dataclass(frozen=True, slots=True)
class _Turn:
    """One message of a file; ``line`` is where its text begins, from 1."""

    role: str
    text: str
    line: int


def to_prompty(template: Template) -> str:
    """A template as the text of a ``.prompty`` file.

    ``evidence`` and ``question`` become inputs. The layout of one source and the phrase for "no answer" go into
    ``metadata.grounded``, so that ``from_prompty`` makes the same template again.

    Raises:
        TemplateError: A component extends another file, or holds what the format cannot carry.
    """
    static = [each for each in template.components if each.kind not in ("evidence", "task")]
    inputs: dict[str, Any] = {name: _input(variable) for name, variable in template.variables.items()}
    inputs["no_answer"] = {"type": "string", "default": template.no_answer}
    inputs["evidence"] = {"type": "string", "description": "the sources, inside their boundary"}
    inputs["question"] = {"type": "string", "description": "the question"}
    front = {
        "name": template.ref.name,
        "description": template.description,
        "version": template.ref.version,
        "model": {"api": "chat"},
        "template": "jinja2",
        "inputs": inputs,
        "metadata": {
            "grounded": {
                "hash": template.ref.hash,
                "no_answer": template.no_answer,
                "evidence": _source(template.component("evidence")),
            }
        },
    }
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=100)
    system = "\n\n".join(filter(None, map(_source, static)))
    return f"---\n{head}---\nsystem:\n{system}\n\nuser:\n{_source(template.component('task'))}\n"


def from_prompty(path: str | Path, base: Template) -> Template:
    """A template from a ``.prompty`` file.

    What stands under ``system:`` is the profile; earlier examples of ``user:`` and ``assistant:`` become examples;
    the last ``user:`` is the task when it uses ``evidence`` and ``question``. A file that ``to_prompty`` wrote
    stands alone; to any other the base's output format, guardrails, layout of sources and, when it has none, task
    are added.

    Args:
        path: The file.
        base: What it lacks.

    Raises:
        TemplateError: The file is broken or uses something forbidden; the message names file and line.
    """
    file = Path(path)
    text = read_source(file, file.name)
    front, body_line = _front_matter(text, file.name)
    turns = _turns(text, body_line, file.name)
    ours = _mapping(_mapping(front.get("metadata")).get("grounded"))
    declared = {name: each for name, each in _inputs(front, file.name).items() if name not in _RESERVED}
    components = _components(turns, ours, file.name)
    kinds = {component.kind for component in components}
    if "evidence" not in kinds:
        lent = [each for each in base.components if each.kind not in (*kinds, "profile", "examples")]
        components = (*components, *lent)
    used = [name for each in components for name in each.used if name not in FIELDS[each.kind]]
    variables = {
        name: declared.get(name) or base.variables.get(name) or Variable(type="any") for name in dict.fromkeys(used)
    }
    no_answer = str(ours.get("no_answer") or base.no_answer)
    version = str(front.get("version", ""))
    facts = {name: variable.model_dump(mode="json") for name, variable in variables.items()}
    return Template(
        ref=TemplateRef(
            name=file.name,  # what it calls itself might be the name of an installed one
            version=version if _VERSION.fullmatch(version) else "0.0.0",
            hash=digest(components, {"variables": facts, "no_answer": no_answer}),
        ),
        description=str(front.get("description") or front.get("name") or ""),
        no_answer=no_answer,
        variables=variables,
        components=components,
        language=base.language,
    )


def _components(turns: Sequence[_Turn], ours: Mapping[str, Any], file: str) -> tuple[Component, ...]:
    system = [turn for turn in turns if turn.role in ("system", "developer")]
    rest = [turn for turn in turns if turn.role in ("user", "assistant")]
    if not system:
        raise TemplateError(f"{file}:1: the file has no system message.", fix="Write a line `system:` and the text.")
    components = [_component(f"system-{turn.line}", "profile", turn, file) for turn in system]
    task = _component("user", "task", rest[-1], file) if rest and rest[-1].role == "user" else None
    if task and not {"evidence", "question"} <= set(task.used):
        task = None
    examples = rest[:-1] if rest and rest[-1].role == "user" else rest
    for turn in examples:
        said = _Turn(turn.role, f"{turn.role.capitalize()}: {turn.text}", turn.line)
        components.append(_component(f"{turn.role}-{turn.line}", "examples", said, file))
    if task and isinstance(layout := ours.get("evidence"), str):
        components.append(_component("evidence", "evidence", _Turn("evidence", layout, 1), file))
    return (*components, task) if task else tuple(components)


def _component(name: str, kind: Kind, turn: _Turn, file: str) -> Component:
    # A comment that holds the lines above, so that messages name the line of the file.
    source = "{#" + "\n" * (turn.line - 1) + "#}" + turn.text if turn.line > 1 else turn.text
    sandbox = Sandbox({file: source}, "")
    return Component(
        name=name,
        kind=kind,
        version="0.0.0",
        file=file,
        source=source,
        compiled=sandbox.compile(file),
        sandbox=sandbox,
        used=sandbox.variables(file),
    )


def _front_matter(text: str, file: str) -> tuple[dict[str, Any], int]:
    """The declarations, and the line on which the body begins."""
    found = re.match(r"---[ \t]*\n(.*?\n)---[ \t]*(?:\n|$)", text, re.DOTALL)
    if not found:
        raise TemplateError(f"{file}:1: there is no front matter.", fix="Begin the file with --- and end it with ---.")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(found[1], Loader=yaml.SafeLoader)):
            raise TemplateError(f"{file}:1: the front matter holds an alias.", fix="Write the value out.")
        front = yaml.safe_load(found[1])
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise TemplateError(f"{file}:{line}: {problem}.", fix="Correct the YAML syntax.") from error
    if not isinstance(front, dict):
        raise TemplateError(f"{file}:2: the front matter is no mapping.", fix="Write lines such as `name: my-prompt`.")
    engine = front.get("template", "jinja2")
    while isinstance(engine, dict):
        engine = next((engine[key] for key in ("format", "type", "kind") if key in engine), "jinja2")
    if engine != "jinja2":
        raise TemplateError(f"{file}:1: the template engine {engine!r} is not supported.", fix="Use jinja2.")
    return front, text[: found.end()].count("\n") + 1


def _turns(text: str, body_line: int, file: str) -> list[_Turn]:
    lines = text.split("\n")
    body = "\n".join(lines[body_line - 1 :])
    marks = list(_ROLE.finditer(body))
    if body[: marks[0].start() if marks else len(body)].strip():
        raise TemplateError(
            f"{file}:{body_line}: the text begins without a role.", fix="Write `system:` or `user:` on a line before."
        )
    turns = []
    for mark, after in zip(marks, [*(each.start() for each in marks[1:]), len(body)], strict=True):
        said = body[mark.end() + 1 : after]
        blank = len(said) - len(said.lstrip("\n"))
        line = body_line + body[: mark.end()].count("\n") + 1 + blank
        turns.append(_Turn(mark[1].lower(), said.strip("\n").rstrip(), line))
    return turns


def _inputs(front: Mapping[str, Any], file: str) -> dict[str, Variable]:
    given = front.get("inputs") or {}
    if isinstance(given, list):
        given = {str(each.get("name", "")): each for each in given if isinstance(each, dict)}
    if not isinstance(given, dict):
        raise TemplateError(f"{file}:1: inputs is neither a mapping nor a list.", fix="Write `name: {type: string}`.")
    return {str(name): _variable(declared) for name, declared in given.items()}


def _variable(declared: object) -> Variable:
    """A variable by its declaration; a bare value is a sample, from which only the type can be told."""
    if not isinstance(declared, dict):
        kinds: dict[type, VariableType] = {str: "string", bool: "boolean", int: "integer", float: "number"}
        return Variable(type=kinds.get(type(declared), "strings" if isinstance(declared, list) else "any"))
    name = str(declared.get("type", declared.get("kind", "string")))
    kind: VariableType = "date" if declared.get("format") == "date" else _FROM_PROMPTY.get(name, "any")
    variable = Variable(
        type=kind,
        description=str(declared.get("description") or ""),
        choices=tuple(map(str, declared.get("enum") or ())),
        optional=declared.get("required") is False,
    )
    default = declared.get("default")
    fits = default is not None and not variable.problem(default)
    return variable.model_copy(update={"default": default}) if fits else variable


def _input(variable: Variable) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": _TO_PROMPTY[variable.type]}
    if variable.type == "date":
        entry["format"] = "date"
    if variable.description:
        entry["description"] = variable.description
    if variable.choices:
        entry["enum"] = list(variable.choices)
    if variable.default is not None:
        entry["default"] = variable.default
    if variable.optional:
        entry["required"] = False
    return entry


def _source(component: Component) -> str:
    """A component as one Jinja text."""
    text, sandbox = component.source, component.sandbox
    if sandbox is None:
        if "endraw" in text:
            raise TemplateError(f"{component.file}:1: the text holds `endraw`.", fix="Make the component a .j2 file.")
        text = f"{{% raw %}}{text}{{% endraw %}}" if re.search(r"{[{%#]", text) else text
    elif sandbox.parent(component.file):
        raise TemplateError(
            f"{sandbox.where(component.file, 1)}: a Prompty file cannot extend another.",
            fix="Write the component out in one file.",
        )
    else:
        text = _INCLUDE.sub(lambda found: sandbox.text(found[1]), text)
    if found := _ROLE.search(text):
        line = text[: found.start()].count("\n") + 1
        raise TemplateError(
            f"{component.file}:{line}: Prompty would read this line as a role.", fix="Write it in another way."
        )
    return text.strip("\n")


def _mapping(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
