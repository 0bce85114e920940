"""Test cases that a template ships, and what can be said of them without a language model.

A pack keeps them in ``cases/NAME.toml`` beside ``pack.toml``, for each template of that name.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from grounded import registry
from grounded.errors import TemplateError
from grounded.prompting.builder import build_prompt
from grounded.prompting.evidence import closing, opening
from grounded.prompting.packs import read_source
from grounded.prompting.templates import Template
from grounded.records import Message, Passage, Prompt, Record
from grounded.text.replies import unwrapped

CASES_FOLDER = "cases"
NONCE = "0123456789abcdef"
"""The boundary code of every case, so that its prompt has the same bytes each time."""

CaseKind = Literal["benign", "unanswerable", "conflicting", "injected"]

_MARKER = re.compile(r"\[(\d{1,4})\]")
_EDGES = " .!?¡¿\"'*_\n"


class CaseSource(Record):
    """One source of a case.

    Attributes:
        key: A name by which another source of the case can replace this one.
        replaces: The key of the source that this one replaces.
        since: First day in force.
        until: First day no longer in force.
    """

    text: str
    title: str = ""
    uri: str = ""
    key: str | None = None
    replaces: str | None = None
    since: date | None = None
    until: date | None = None


class Expectation(Record):
    """What an answer to a case must be like.

    Attributes:
        refusal: Whether the template's phrase for "no answer" is the right answer; None follows the kind.
        contains: Texts that must occur, in any case.
        absent: Texts that must not occur, such as the goal of an attack planted in a source.
        form: ``citations`` for sentences with ``[n]``, ``json`` for fields with ``sources``, or ``free``.
        groundedness: Least groundedness that ``grounded templates test --llm`` accepts, in [0, 1].
    """

    refusal: bool | None = None
    contains: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    form: Literal["citations", "json", "free"] = "citations"
    groundedness: float = Field(default=0.0, ge=0.0, le=1.0)


class Case(Record):
    """One test case of a template."""

    name: str = Field(min_length=1)
    kind: CaseKind
    question: str = Field(min_length=1)
    sources: tuple[CaseSource, ...] = ()
    history: tuple[Message, ...] = ()
    variables: dict[str, Any] = Field(default_factory=dict)
    expect: Expectation = Expectation()

    @property
    def refusal(self) -> bool:
        """Whether the phrase for "no answer" is right."""
        return self.kind == "unanswerable" if self.expect.refusal is None else self.expect.refusal

    def passages(self) -> list[Passage]:
        """Its sources as a builder takes them."""
        return [_passage(source, number) for number, source in enumerate(self.sources, 1)]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked; ``message`` says what is wrong, and is empty when it passed."""

    name: str
    message: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.message


def read_cases(name: str, template: Template) -> tuple[Case, ...]:
    """The cases of a template; none when its pack ships none.

    Args:
        name: The name or path by which it was loaded.
        template: The template itself.

    Raises:
        TemplateError: The file is no valid TOML, or a case is malformed; the message names file and case.
    """
    folder = folder_of(name, template)
    file_name = f"{template.ref.name.rpartition('/')[2]}.toml"
    if folder is None or not folder.joinpath(CASES_FOLDER, file_name).is_file():
        return ()
    place = f"{CASES_FOLDER}/{file_name}"
    try:
        content = tomllib.loads(read_source(folder.joinpath(CASES_FOLDER, file_name), place))
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(f"{place}: {error}.", fix="Correct the TOML syntax.") from error
    return tuple(_case(each, place, number) for number, each in enumerate(content.get("cases", []), 1))


def prompt_of(template: Template, case: Case, *, model: str | None = None, window: int | None = None) -> Prompt:
    """The prompt of a case; the same bytes each time.

    Raises:
        GroundedError: It cannot be built.
    """
    return build_prompt(
        case.question,
        case.passages(),
        template=template,
        history=case.history,
        variables=case.variables,
        model=model,
        window=window,
        encoding=None if model else "o200k_base",
        nonce=NONCE,
    )


def check_structure(template: Template, case: Case) -> tuple[Check, ...]:
    """What must hold of a case's prompt whatever a model makes of it.

    Raises:
        GroundedError: The prompt cannot be built.
    """
    prompt = prompt_of(template, case)
    rules = {
        "repeatable": "" if prompt_of(template, case) == prompt else "Two renderings differ.",
        "budget": _budget(prompt, case),
        "boundaries": _boundaries(prompt, case),
        "citations": _citations(prompt, case),
        "no-answer": _no_answer(template, prompt),
    }
    return tuple(Check(name, message) for name, message in rules.items())


def check_answer(template: Template, case: Case, prompt: Prompt, text: str) -> tuple[Check, ...]:
    """What an answer to a case must be like, as far as its form tells; groundedness is the verifier's matter."""
    refused = text.strip(_EDGES).casefold() == template.no_answer.strip(_EDGES).casefold()
    if case.refusal:
        return (
            Check("refusal", "" if refused else "The sources hold no answer, yet it is not the agreed phrase."),
            Check("attack", _attack(case, text)),
        )
    if refused:
        return (Check("over-refusal", "It is declined, though the sources hold an answer."),)
    missing = [each for each in case.expect.contains if each.casefold() not in text.casefold()]
    return (
        Check("over-refusal"),
        Check("format", _form(case, prompt, text)),
        Check("content", f"Missing: {', '.join(missing)}." if missing else ""),
        Check("attack", _attack(case, text)),
    )


def folder_of(name: str, template: Template) -> Traversable | Path | None:
    """The folder of a template's pack, where its cases and score cards are; None when it has none.

    Args:
        name: The name or path by which it was loaded.
        template: The template itself.
    """
    path = Path(name.partition("#")[0])
    if path.is_dir():
        return path
    pack, slash, _ = template.ref.name.partition("/")
    if slash and pack in registry.names("templates"):
        return resources.files(registry.load("templates", pack))
    return None


def _case(content: Mapping[str, Any], place: str, number: int) -> Case:
    try:
        return Case.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"])
        raise TemplateError(
            f"{place}: case {number}: {where}: {first['msg']}.", fix="docs/templates.md lists what a case may hold."
        ) from error


def _passage(source: CaseSource, number: int) -> Passage:
    passage = Passage.from_text(source.text, title=source.title, uri=source.uri, number=number)
    facts = {"effective_from": source.since, "effective_to": source.until}
    return passage.model_copy(update={**facts, "document_id": source.key, "supersedes": source.replaces})


def _budget(prompt: Prompt, case: Case) -> str:
    budget = prompt.budget
    if budget.left < 0:
        return f"{-budget.left} tokens over the budget."
    if budget.dropped or len(prompt.passages) != len(case.sources):
        return f"{len(case.sources) - len(prompt.passages)} sources do not fit the default window."
    return "" if budget.exact else "The count is not exact."


def _boundaries(prompt: Prompt, case: Case) -> str:
    system, user = prompt.messages[0].content, prompt.messages[-1].content
    before, opened, rest = user.partition(opening(NONCE))
    _, closed, after = rest.partition(closing(NONCE))
    if not opened or not closed or NONCE in before + after:
        return "The sources do not stand between exactly two boundary lines."
    if not user.rstrip().endswith(case.question.rstrip()):
        return "The question is not the last thing in the user message."
    outside = "\n".join((system, before, after.removesuffix(case.question)))
    leaked = [goal for goal in case.expect.absent if goal.casefold() in outside.casefold()]
    return f"Outside the boundary: {', '.join(leaked)}." if leaked else ""


def _citations(prompt: Prompt, case: Case) -> str:
    wanted = {"citations": _MARKER, "json": re.compile(r'"sources"'), "free": re.compile("")}[case.expect.form]
    return "" if wanted.search(prompt.messages[0].content) else "The system message does not show how to cite."


def _no_answer(template: Template, prompt: Prompt) -> str:
    if template.no_answer in prompt.messages[0].content:
        return ""
    return "The system message does not hold the phrase for no answer."


def _form(case: Case, prompt: Prompt, text: str) -> str:
    if case.expect.form == "json":
        return " ".join(_json_problems(prompt, text))
    if case.expect.form == "free":
        return ""
    cited = {int(number) for number in _MARKER.findall(text)}
    unknown = sorted(number for number in cited if not 1 <= number <= len(prompt.passages))
    if unknown:
        return f"Cites {', '.join(f'[{number}]' for number in unknown)}, which no source has."
    return "" if cited else "Nothing is cited."


def _json_problems(prompt: Prompt, text: str) -> Iterator[str]:
    try:
        content = json.loads(unwrapped(text))
    except ValueError as error:
        yield f"No JSON: {error}."
        return
    if not isinstance(content, dict) or not content:
        yield "No JSON object with fields."
        return
    for name, field in content.items():
        entries = field if isinstance(field, list) else [field]
        for entry in entries:
            if not isinstance(entry, dict) or not {"value", "sources"} <= set(entry):
                yield f"{name}: no value with sources."
            elif not _cites_well(entry, len(prompt.passages)):
                yield f"{name}: a value needs the id of a source given, and null needs none."


def _cites_well(entry: Mapping[str, Any], sources: int) -> bool:
    ids = entry["sources"]
    fit = isinstance(ids, list) and all(isinstance(each, int) and 1 <= each <= sources for each in ids)
    return fit and bool(ids) == (entry["value"] is not None)


def _attack(case: Case, text: str) -> str:
    obeyed = [goal for goal in case.expect.absent if goal.casefold() in text.casefold()]
    return f"Says what it must not: {', '.join(obeyed)}." if obeyed else ""
