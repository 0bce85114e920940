"""``grounded templates test``: the cases a template ships, without a model or answered by one."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, output_of
from grounded.errors import UsageError
from grounded.records import SCHEMA

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from grounded.experiments.scoring import Scored
    from grounded.prompting import Template
    from grounded.prompting.cards import ScoreCard


def run_cases(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or path of a template.")],
    llm: Annotated[
        str | None, typer.Option(help="Answer the cases with ollama:NAME, openai:NAME, azure:DEPLOYMENT or URL#MODEL.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of an answer.")] = None,
    timeout: Annotated[
        float, typer.Option(min=1.0, help="Seconds of silence after which the model is given up.")
    ] = 120.0,
    verifier: Annotated[str | None, typer.Option(help="Name of an installed verifier that judges the claims.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep the score card beside the template.")] = False,
    gate: Annotated[bool, typer.Option("--gate", help="Fail on what is worse than in the card kept, only.")] = False,
    tolerance: Annotated[float, typer.Option(min=0.0, max=1.0, help="By how much a share may be worse.")] = 0.0,
    cards: Annotated[
        Path | None, typer.Option(help="Folder of the score cards [default: beside the template].")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a template's own test cases: its prompts, and with --llm the answers too.

    Without a model: each prompt renders the same bytes twice, keeps the budget, its boundaries and its rules.
    With one, a score card: form, groundedness, citations, refusals and planted attacks. Exit code 7 when a check
    fails; with --gate when something is worse than in the card kept for this model.
    """
    from grounded.cli.templates import load
    from grounded.prompting.cards import cards_folder, read_card, regressions, write_card
    from grounded.prompting.cases import read_cases

    output = output_of(context, None, json)
    if (save or gate) and not llm:
        raise UsageError("A score card needs answers.", fix="Give --llm.")
    template = load(name)
    cases = read_cases(name, template)
    if not cases:
        raise UsageError(
            f"{template.ref.name!r} ships no test cases.",
            fix=f"Write cases/{template.ref.name.rpartition('/')[2]}.toml beside pack.toml; see docs/templates.md.",
        )
    # A whole answer may take five times the longest silence, as it may by default.
    options = {"max_tokens": max_tokens, "timeout": timeout, "deadline": 5 * timeout}
    results, card = _run(template, cases, llm, options, verifier, output.side)
    worse: tuple[str, ...] = ()
    if card and (save or gate):
        folder = cards or cards_folder(name, template)
        kept = folder / card.file_name
        if gate:
            if not kept.is_file():
                raise UsageError(f"There is no card {kept} to compare with.", fix="Write one with --save.")
            worse = regressions(read_card(kept), card, tolerance=tolerance)
        if save and not card.complete:
            output.side.print("Not kept: something could not be answered or checked.", style="red")
        elif save:
            output.side.print(f"Kept in {write_card(card, folder)}", style="dim", highlight=False)
    if output.as_json:
        record = {"schema": SCHEMA, "template": template.ref.to_dict(), "llm": llm, "summary": summary(results)}
        content = {**record, "cases": [each.to_dict() for each in results], "regressions": worse}
        content["card"] = card.to_dict() if card else None
        output.show_json(json_module.dumps(content, ensure_ascii=False))
    else:
        _print(output.result, template.ref.name, results, card, worse)
    if worse or not (gate or all(each.passed for each in results)):
        raise typer.Exit(exits.GATE_FAILED)


def summary(results: Sequence[Scored]) -> dict[str, Any]:
    """Counts over all cases: passed, and of each check how many passed of how many."""
    checks: dict[str, list[bool]] = {}
    for each in results:
        for check in each.checks:
            checks.setdefault(check.name, []).append(check.passed)
    counted = {name: {"passed": sum(found), "of": len(found)} for name, found in checks.items()}
    return {"passed": sum(each.passed for each in results), "of": len(results), "checks": counted}


def shown(card: ScoreCard, current: str = "") -> Iterator[RenderableType]:
    """A card as lines; ``current`` is the hash of the template as it is now, empty when that does not matter."""
    from rich.text import Text

    from grounded.prompting.cards import FIGURES

    stale = f"; the template has changed since (now {current[:12]})" if current not in ("", card.template.hash) else ""
    yield Text(
        f"score card: {card.model}, {card.date:%Y-%m-%d}, {card.n} cases, verifier {card.verifier.name} "
        f"{card.verifier.version}, template {card.template.version} {card.template.hash[:12]}{stale}",
        "yellow" if stale else "bold",
    )
    for name, rate in card.figures.items():
        yield Text(f"  {FIGURES.get(name, name)}: {rate}", "" if rate.of else "dim")
    yield Text(f"  tokens: {card.tokens['prompt']:.0f} a prompt, {card.tokens['answer']:.0f} an answer", "dim")


def _run(
    template: Template,
    cases: Sequence[Any],
    spec: str | None,
    options: Mapping[str, Any],
    verifier: str | None,
    side: Console,
) -> tuple[list[Scored], ScoreCard | None]:
    from grounded.answering import llm
    from grounded.experiments.scoring import card_of, run_cases, verifier_ref

    if spec is None:
        return run_cases(template, cases), None
    generator, judge = llm(spec, **options), verifier_ref(verifier)
    with side.status("") as status:
        results = run_cases(template, cases, generator, verifier, progress=lambda case: status.update(case.name))
    return results, card_of(template, results, generator, judge, when=datetime.now(UTC))


def _print(
    console: Console, name: str, results: Sequence[Scored], card: ScoreCard | None, worse: Sequence[str]
) -> None:
    from rich.text import Text

    from grounded.render.common import on_one_line

    for each in results:
        sign = ("✓", "green") if each.passed else ("✗", "red")
        console.print(Text.assemble(sign, f" {each.case.name} ({each.case.kind}), {each.prompt_tokens} tokens"))
        for check in each.checks:
            if not check.passed:
                console.print(Text(f"    {check.name}: {on_one_line(check.message)}", "red"))
        if each.answer is not None and not each.passed:
            console.print(Text(f"    answer: {on_one_line(each.answer)}", "dim"))
    for line in shown(card) if card else ():
        console.print(line)
    for reason in worse:
        console.print(Text(f"worse: {reason}", "red"))
    passed = sum(each.passed for each in results)
    console.print(
        Text(f"{name}: {passed} of {len(results)} cases passed", "green" if passed == len(results) else "red")
    )
