"""``grounded templates test``: the cases a template ships, without a model or answered by one."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, output_of
from grounded.errors import GroundedError, UsageError
from grounded.prompting.cases import Case, Check
from grounded.records import SCHEMA, Prompt

if TYPE_CHECKING:
    from grounded.prompting import Template
    from grounded.protocols import Generator


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case; ``answer`` is None without a model."""

    case: Case
    checks: tuple[Check, ...]
    tokens: int
    answer: str | None = None
    groundedness: float | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Its fields for JSON."""
        checks = {check.name: check.message or "passed" for check in self.checks}
        facts = {"case": self.case.name, "kind": self.case.kind, "passed": self.passed, "tokens": self.tokens}
        return {**facts, "checks": checks, "answer": self.answer, "groundedness": self.groundedness}


def run_cases(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or path of a template.")],
    llm: Annotated[
        str | None, typer.Option(help="Answer the cases with ollama:NAME, openai:NAME, azure:DEPLOYMENT or URL#MODEL.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a template's own test cases: its prompts, and with --llm the answers too.

    Without a model: each prompt renders the same bytes twice, keeps the budget, its boundaries and its rules.
    With one: form, refusals, planted attacks, and groundedness by the verifier. Exit code 7 when a check fails.
    """
    from grounded.cli.templates import load
    from grounded.prompting.cases import read_cases

    output = output_of(context, None, json)
    template = load(name)
    cases = read_cases(name, template)
    if not cases:
        raise UsageError(
            f"{template.ref.name!r} ships no test cases.",
            fix=f"Write cases/{template.ref.name.rpartition('/')[2]}.toml beside pack.toml; see docs/templates.md.",
        )
    generator = _generator(llm) if llm else None
    results = [_run(template, case, generator) for case in cases]
    if output.as_json:
        record = {"schema": SCHEMA, "template": template.ref.to_dict(), "llm": llm, "summary": summary(results)}
        content = {**record, "cases": [each.to_dict() for each in results]}
        output.show_json(json_module.dumps(content, ensure_ascii=False))
    else:
        _print(output.result, template.ref.name, results)
    if not all(each.passed for each in results):
        raise typer.Exit(exits.GATE_FAILED)


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Counts over all cases: passed, and of each check how many passed of how many."""
    checks: dict[str, list[bool]] = {}
    for each in results:
        for check in each.checks:
            checks.setdefault(check.name, []).append(check.passed)
    counted = {name: {"passed": sum(found), "of": len(found)} for name, found in checks.items()}
    return {"passed": sum(each.passed for each in results), "of": len(results), "checks": counted}


def _generator(spec: str) -> Generator:
    from grounded.answering import llm

    return llm(spec)


def _run(template: Template, case: Case, generator: Generator | None) -> Result:
    from grounded.prompting.cases import check_structure, prompt_of

    try:
        checks = check_structure(template, case)
        prompt = prompt_of(template, case)
    except GroundedError as error:
        return Result(case, (Check("renders", error.message),), 0)
    rendered = (Check("renders"), *checks)
    if generator is None:
        return Result(case, rendered, prompt.budget.used)
    return _answered(template, case, generator, prompt, rendered)


def _answered(
    template: Template, case: Case, generator: Generator, prompt: Prompt, checks: tuple[Check, ...]
) -> Result:
    from grounded.answering.streaming import visible_text
    from grounded.prompting.cases import check_answer
    from grounded.verification import verify

    text = visible_text(generator.generate(prompt).text)
    found = check_answer(template, case, prompt, text)
    if case.refusal or case.expect.form != "citations":
        return Result(case, (*checks, *found), prompt.budget.used, text)
    report = verify(text, prompt, question=case.question)
    least, reached = case.expect.groundedness, report.groundedness
    low = reached is not None and reached < least
    grounded = Check("groundedness", f"{reached:.2f} of {least:.2f}." if low else "")
    return Result(case, (*checks, *found, grounded), prompt.budget.used, text, reached)


def _print(console: Any, name: str, results: Sequence[Result]) -> None:
    from rich.text import Text

    from grounded.render.common import on_one_line

    for each in results:
        sign = ("✓", "green") if each.passed else ("✗", "red")
        console.print(Text.assemble(sign, f" {each.case.name} ({each.case.kind}), {each.tokens} tokens"))
        for check in each.checks:
            if not check.passed:
                console.print(Text(f"    {check.name}: {on_one_line(check.message)}", "red"))
        if each.answer is not None and not each.passed:
            console.print(Text(f"    answer: {on_one_line(each.answer)}", "dim"))
    passed = sum(each.passed for each in results)
    console.print(
        Text(f"{name}: {passed} of {len(results)} cases passed", "green" if passed == len(results) else "red")
    )
