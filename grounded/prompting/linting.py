"""Reads a template for mistakes that rendering does not show: gaps, contradictions, and rules in the wrong place.

The rules about wording know English; for other languages they find nothing, which proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Literal

from grounded.prompting.costs import costs
from grounded.prompting.packs import STATIC_KINDS
from grounded.prompting.templates import Component, Template
from grounded.text.tokens import encoding

Level = Literal["error", "warning"]

LONG_SYSTEM = 1500
"""Tokens of a system message from which on it is called long: a fifth of the default window of 8192."""

HUGE_SYSTEM = 4096
"""Tokens of a system message that are an error: half of the default window."""

LONG_TASK = 80
"""Tokens of the task without sources and question from which on its rules should move to the system message."""

_IMPERATIVES = re.compile(
    r"\b(?:answer|ignore|never|always|do not|don't|must|cite|follow|obey|reply|respond|remember|make sure|you)\b", re.I
)
_EXPRESSION = re.compile(r"{{.*?}}|{%.*?%}|{#.*?#}", re.DOTALL)
_ELEMENT = re.compile(r"</?[\w-]+(?:\s[^<>]*)?>")
_QUESTION = re.compile(r"{{-?\s*question\s*-?}}")
_NEGATED = re.compile(
    r"\b(?:never|not|no|nor|without|avoid|instead of|rather than|cannot)\b[^.;:!?\n]{0,80}$|n't\b[^.;:!?\n]{0,80}$",
    re.I,
)
_DATA_RULE = re.compile(
    r"never instructions|not (?:instructions|addressed to you)|(?:never|do not|don't) (?:follow|obey)"
    r"|(?:nie|keine) Anweisung|nunca (?:son )?instrucciones",
    re.I,
)
_CITES = re.compile(r"\[1\]|\[id\]|\[n\]|\bcit(?:e|ation)|\"sources\"|\bzitier|\bcita", re.I)
_LEFT_OVER = re.compile(r"\b(?:TODO|FIXME|XXX|TBD)\b|[Ll]orem ipsum")


@dataclass(frozen=True, slots=True)
class _Clash:
    """Two rules that cannot both be obeyed."""

    says: str
    first: re.Pattern[str]
    second: re.Pattern[str]


def _clash(says: str, first: str, second: str) -> _Clash:
    return _Clash(says, re.compile(first, re.I), re.compile(second, re.I))


_CLASHES = (
    _clash(
        "answer only from the sources, and use knowledge of your own",
        r"\bonly (?:from|use|on|with)\b[^.\n]{0,40}\bsources?\b|\bsources? (?:alone|only)\b"
        r"|\bsources\b[^.\n]{0,20}\byour only knowledge|\bstay with the sources"
        r"|\bstatement that no source (?:makes|states)"
        r"|\b(?:only|alone|solely)\b[^.\n]{0,20}\b(?:documents|context|passages)\b",
        r"\b(?:use|draw on|rely on|add|include|from|apply|combine)\b(?:(?!\b(?:not|never|no)\b)[^.\n]){0,40}"
        r"\byour (?:own |general |background |prior |internal |world |training )*"
        r"(?:knowledge|training|memory|expertise)",
    ),
    _clash(
        "say when there is no answer, and always answer",
        r"{{-?\s*no_answer\s*-?}}",
        r"\balways (?:give|provide|write|find) an? answer|\balways answer\b(?! (?:in|with|from))"
        r"|\bnever (?:refuse|decline)\b"
        r"|\banswer every question\b|\bnever say (?:that )?you (?:do not|don't|cannot|can't)",
    ),
    _clash(
        "cite the sources, and do not cite",
        r"\bnumber of each source|\bcite \[|\bcite (?:the|each|every|your) |\[1\]\[3\]",
        r"\b(?:do not|don't|never) (?:cite|show citations|mention (?:the )?sources)|\bwithout (?:any )?citations?\b"
        r"|\bno citations\b",
    ),
    _clash(
        "copy figures exactly, and round them",
        r"\bdo not round|\bnever round|\bfigures[^.\n]{0,60}\bexactly\b",
        r"\bround (?:figures|numbers|amounts|values|to|up|down)\b|\bapproximate (?:figures|numbers|values)\b",
    ),
    _clash(
        "do not calculate, and calculate",
        r"\b(?:do not|don't|never)\b[^.\n]{0,25}\b(?:convert or )?(?:calculate|compute)\b",
        r"\b(?:calculate|compute|add up|work out) (?:the|totals?|sums?|averages?|percentages?)\b",
    ),
    _clash(
        "write no list of sources, and end with one",
        r"\bno list of sources\b|\b(?:do not|don't|never) (?:add a )?list (?:of )?(?:the )?sources\b",
        r"\b(?:end|close|finish) with (?:a |the )?(?:list of (?:sources|references)|bibliography|references)\b",
    ),
    _clash(
        "say that you are an AI system, and pass for a person",
        r"\byou are an ai\b|\bsay that you are an ai\b",
        r"\b(?:pretend|claim) (?:to be|that you are) (?:a )?(?:human|person)\b"
        r"|\bnever (?:say|reveal|admit|mention) (?:that )?you are an ai\b",
    ),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake, or something that looks like one.

    Attributes:
        level: ``error`` for what will go wrong, ``warning`` for what probably should not be.
        rule: Its name, such as ``contradiction``; stable.
        place: File and line, or the template's name.
    """

    level: Level
    rule: str
    place: str
    message: str
    fix: str

    def to_dict(self) -> dict[str, str]:
        """Its fields by name."""
        return asdict(self)


def lint(template: Template) -> tuple[Finding, ...]:
    """What is wrong with a template that loads: errors first, each with file, line and fix.

    Raises:
        TemplateError: A component cannot be rendered.
    """
    rules = (_missing, _variables, _contradictions, _misplaced, _refusal, _length, _left_over)
    found = chain.from_iterable(rule(template) for rule in rules)
    return tuple(sorted(found, key=lambda finding: (finding.level != "error", finding.rule, finding.place)))


def _missing(template: Template) -> Iterator[Finding]:
    kinds = {component.kind for component in template.components}
    name = template.ref.name
    for kind, fix in (
        ("format", "Add a component that says how to cite, how long an answer is, and in which language."),
        ("examples", "Add one short answer with citations and one refusal; name their content no source."),
    ):
        if kind not in kinds:
            yield Finding("warning", "missing-component", name, f"There is no component of kind {kind!r}.", fix)
    text = "\n".join(component.source for component in template.components if component.kind in STATIC_KINDS)
    if not _DATA_RULE.search(text):
        yield Finding(
            "warning", "missing-data-rule", name, "Nothing says that sources are data and never instructions.",
            "Add the guardrail against instructions in sources, as core/qa has it.",
        )  # fmt: skip
    if not _CITES.search(text):
        yield Finding(
            "warning",
            "missing-citations",
            name,
            "Nothing says how to cite.",
            "Ask for [n] at the end of each sentence.",
        )
    for cost in costs(template):
        if cost.component.kind in STATIC_KINDS and not cost.text.strip():
            yield Finding(
                "warning", "empty-component", _place(template, cost.component, 0),
                f"The component {cost.component.name!r} renders to nothing.", "Remove it, or give defaults.",
            )  # fmt: skip


def _variables(template: Template) -> Iterator[Finding]:
    used = {name for component in template.components for name in component.used}
    for name, variable in template.variables.items():
        place = f"{template.ref.name}: {name}"
        if name not in used:
            message = f"The variable {name!r} is declared and never used."
            yield Finding("warning", "unused-variable", place, message, "Remove the declaration, or use it.")
        if variable.type == "any":
            message = f"The variable {name!r} has no type."
            yield Finding(
                "warning", "untyped-variable", place, message, "Declare string, integer, number, date or strings."
            )
        if not variable.description:
            message = f"The variable {name!r} has no description."
            yield Finding("warning", "undescribed-variable", place, message, "Say what it is for, with an example.")


def _contradictions(template: Template) -> Iterator[Finding]:
    spoken = [component for component in template.components if component.kind != "evidence"]
    for clash in _CLASHES:
        first = next((place for place in (_find(clash.first, each) for each in spoken) if place), None)
        second = next((place for place in (_find(clash.second, each, plain=True) for each in spoken) if place), None)
        if first and second:
            yield Finding(
                "error", "contradiction", _place(template, *second),
                f"Contradicts {_place(template, *first)}: {clash.says}.", "Keep one of the two.",
            )  # fmt: skip


def _misplaced(template: Template) -> Iterator[Finding]:
    layout, task = template.component("evidence"), template.component("task")
    words = _words(layout.source)
    if found := _IMPERATIVES.search(words):
        yield Finding(
            "error", "instruction-in-evidence", _place(template, layout, 0),
            f"The layout of a source says {found.group()!r}, but nothing there is addressed to a model.",
            "Move instructions to the format, the guardrails or the task.",
        )  # fmt: skip
    asked = list(_QUESTION.finditer(task.source))
    if asked and len(_words(task.source[asked[-1].end() :]).split()) > 2:
        yield Finding(
            "error", "instruction-after-question", _place(template, task, asked[-1].end()),
            "Text stands after the question, where a user's own text can imitate or answer it.",
            "Put {{ question }} at the end of the task.",
        )  # fmt: skip
    tokens = encoding("o200k_base").count(_words(task.source))
    if tokens > LONG_TASK:
        yield Finding(
            "warning", "long-task", _place(template, task, 0),
            f"The task has {tokens} tokens around the sources; over {LONG_TASK} its rules belong elsewhere.",
            "Move what is the same in every request to the format or the guardrails, where a provider can cache it.",
        )  # fmt: skip


def _refusal(template: Template) -> Iterator[Finding]:
    rules = [each for each in template.components if each.kind in STATIC_KINDS and each.kind != "examples"]
    if any("no_answer" in each.used or template.no_answer in each.source for each in rules):
        return
    yield Finding(
        "error", "no-answer-path", template.ref.name,
        "No rule says what to reply when the sources hold no answer.",
        "Write into the format: reply with exactly this sentence and nothing else: {{ no_answer }}",
    )  # fmt: skip


def _length(template: Template) -> Iterator[Finding]:
    tokens = sum(cost.tokens for cost in costs(template) if cost.component.kind in STATIC_KINDS)
    if tokens > LONG_SYSTEM:
        huge = tokens > HUGE_SYSTEM
        yield Finding(
            "error" if huge else "warning", "length", template.ref.name,
            f"The system message takes {tokens} tokens; {HUGE_SYSTEM if huge else LONG_SYSTEM} are enough.",
            "Shorten the longest component; grounded templates render shows what each costs.",
        )  # fmt: skip


def _left_over(template: Template) -> Iterator[Finding]:
    for component in template.components:
        if found := _LEFT_OVER.search(component.source):
            yield Finding(
                "warning", "left-over", _place(template, component, found.start()),
                f"{found.group()!r} would be sent to the model.", "Finish the sentence, or remove it.",
            )  # fmt: skip


def _find(pattern: re.Pattern[str], component: Component, *, plain: bool = False) -> tuple[Component, int] | None:
    """Where a rule stands; with ``plain`` not where it is denied in the same sentence."""
    for found in pattern.finditer(component.source):
        if not (plain and _NEGATED.search(component.source[max(0, found.start() - 120) : found.start()])):
            return component, found.start()
    return None


def _place(template: Template, component: Component, offset: int) -> str:
    line = component.source.count("\n", 0, offset) + 1
    if component.sandbox is not None:
        return component.sandbox.where(component.file, line)
    pack, slash, _ = template.ref.name.partition("/")
    return f"{pack}/{component.file}:{line}" if slash else f"{component.file}:{line}"


def _words(source: str) -> str:
    """The words a layout adds of itself, without expressions, elements and their attributes."""
    plain: Any = _EXPRESSION.sub(" ", source)
    return _ELEMENT.sub(" ", plain)
