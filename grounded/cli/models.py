"""``grounded models``: which models there are, what is known of them, and how some of them do on your questions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, KbOption, output_of
from grounded.errors import UsageError

if TYPE_CHECKING:
    from grounded.experiments.checking import Checked
    from grounded.models.catalogue import Listed, Price, Task
    from grounded.prompting.cases import Case

models = typer.Typer(help="Which models there are, what is known of them, and how they do on your questions.")

_FIGURES = {
    "groundedness": "claims supported",
    "citation_precision": "citations right",
    "correct_refusals": "rightly declined",
    "over_refusals": "wrongly declined",
    "injections": "attacks obeyed",
}
_SAMPLE = 300


def register(app: typer.Typer) -> None:
    """Add the commands."""
    models.command("list")(list_models)
    models.command("card")(card)
    models.command("check")(check)
    app.add_typer(models, name="models", no_args_is_help=True)


def list_models(
    context: typer.Context,
    provider: Annotated[str, typer.Option(help="Only of this provider.")] = "",
    collection: Annotated[str, typer.Option(help="Only of this collection, such as Llama.")] = "",
    task: Annotated[str | None, typer.Option(help="Only for: chat, embedding or verifier.")] = None,
    json: JsonOption = False,
) -> None:
    """The models of the package's dated catalogue, those that are embedded and what is configured here. No network."""
    from rich.table import Table

    from grounded.models.catalogue import catalogue

    output = output_of(context, None, json)
    found = catalogue(provider=provider, collection=collection, task=_task(task))
    if output.as_json:
        output.show_records("models", found)
        return
    for line in _configured(output.settings.llm):
        output.result.print(line, markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    widths = {"model": 25, "provider": 9, "task": 9, "window": 9, "$ a million": 11, "as of": 7}
    for head, width in widths.items():
        table.add_column(head, min_width=width, overflow="fold")
    for each in found:
        style = "bold" if each.embedded else ""
        window = f"{each.window:,}" if each.window else "–"
        cells = (each.provider, each.task, window, _price(each.price))
        table.add_row(each.id, *cells, each.dated, style=style)
    output.result.print(table)
    output.result.print("–: not known here. Figures are the makers' own, as of the month named.", style="dim")


def card(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model of: grounded models list.")],
    json: JsonOption = False,
) -> None:
    """What is known of a model; of an embedded one its whole model card."""
    from rich.table import Table

    from grounded.models.catalogue import card_text, find

    output = output_of(context, None, json)
    found = find(name)
    if output.as_json:
        output.show_json(found.to_json())
        return
    if found.embedded:
        sys.stdout.write(card_text(found))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for label, value in _facts(found):
        table.add_row(label, value or "not known here")
    output.result.print(table)


def check(
    context: typer.Context,
    specs: Annotated[list[str], typer.Argument(help="ollama:NAME, openai:NAME, azure:DEPLOYMENT or URL#MODEL.")],
    data: Annotated[Path | None, typer.Option(help="Your questions: a data set, each row with contexts.")] = None,
    kb: KbOption = None,
    rows: Annotated[int, typer.Option(min=1, help="At most so many of your questions.")] = 10,
    template: Annotated[str, typer.Option(help="Template of the prompts.")] = "core/qa",
    verifier: Annotated[str | None, typer.Option(help="A verifier by name, instead of the shipped one.")] = None,
    price: Annotated[
        list[str] | None, typer.Option(help="SPEC=INPUT,OUTPUT: dollars for a million tokens; repeat it.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Ask several models the same few questions: a sample reply, groundedness, refusals, attacks, time and cost.

    Without --data the template's own test cases are asked. With it, each of your questions also with an attack planted
    in its sources and with another question's sources, where it must be declined; with --kb the sources come from that
    knowledge base. Exit code 0, or 4 when a model could not be asked or a claim not checked.
    """
    from grounded.answering import llm
    from grounded.experiments.checking import check_model
    from grounded.prompting import load_template

    output = output_of(context, kb, json)
    loaded = load_template(template)
    prices = _prices(price)
    cases = _cases(data, template, loaded, rows, output if kb else None)
    found = []
    with output.side.status("") as status:
        for spec in specs:
            generator = llm(spec, temperature=0.0)
            tell = lambda case, spec=spec: status.update(f"{spec}: {case}")  # noqa: E731
            known = prices.get(spec)
            found.append(check_model(spec, generator, loaded, cases, verifier=verifier, price=known, progress=tell))
    if output.as_json:
        output.show_records("models", found)
    else:
        for each in _side_by_side(found, len(cases)):
            output.result.print(each)
    failed = any(each.card is None or not each.card.complete for each in found)
    raise typer.Exit(exits.CHECK_FAILED if failed else exits.OK)


def _cases(data: Path | None, name: str, template: Any, rows: int, output: Any) -> Sequence[Case]:
    from grounded.experiments.checking import cases_from
    from grounded.prompting.cases import read_cases

    if data is None:
        cases = read_cases(name, template)
        if not cases:
            raise UsageError(f"{name!r} ships no test cases.", fix="Give your own questions with --data.")
        return cases
    from grounded.evaluation.datasets import read_dataset

    questions = read_dataset(data).rows[:rows]
    if output is None:
        return cases_from(questions)
    filled = []
    with output.open_knowledge_base() as base:
        for row in questions:
            texts = tuple(each.text for each in base.search(row.question, principals=row.principals))
            filled.append(row.model_copy(update={"contexts": row.contexts or texts}))
    return cases_from([row for row in filled if row.contexts])


def _side_by_side(found: Sequence[Checked], cases: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    from grounded.render.common import on_one_line

    table = Table(title=f"{cases} cases each, 95 % intervals", title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for each in found:
        table.add_column(each.spec.rpartition("#")[2], overflow="fold")
    for name, label in _FIGURES.items():
        table.add_row(label, *(str(each.card.figures[name]) if each.card else "–" for each in found))
    shown = {
        "seconds, median": [_number(each.seconds) for each in found],
        "seconds, most": [_number(each.slowest) for each in found],
        "tokens read": [str(each.usage.input_tokens or "–") for each in found],
        "tokens written": [str(each.usage.output_tokens or "–") for each in found],
        "cost in all": ["–" if each.cost is None else f"{each.cost:.4f} {each.currency}" for each in found],
    }
    for label, cells in shown.items():
        table.add_row(label, *cells)
    yield table
    for each in found:
        said = each.problem or each.sample or "no reply"
        shown_text = on_one_line(said)[:_SAMPLE]
        yield Text(f"{each.spec}: {shown_text}", "red" if each.problem else "dim")


def _configured(llm: str | None) -> list[str]:
    from grounded import registry

    named = ", ".join(registry.names("verifiers"))
    return [
        f"language model configured: {llm or 'none (answers are quotes)'}",
        f"verifiers installed: {named}",
        "",
    ]


def _facts(model: Listed) -> list[tuple[str, str]]:
    return [
        ("model", model.id),
        ("provider", model.provider),
        ("collection", model.collection),
        ("task", model.task),
        ("named to grounded as", model.spec),
        ("window", f"{model.window:,} tokens" if model.window else ""),
        ("output by JSON schema", {True: "yes", False: "no", None: ""}[model.structured]),
        ("mitigations its maker declares", "; ".join(model.mitigations)),
        ("licence", model.licence),
        ("dollars for a million tokens", _price(model.price) if model.price else ""),
        ("card", model.card),
        ("as of", "; ".join([model.dated, *(f"{fact} read again {month}" for fact, month in model.read.items())])),
    ]


def _prices(given: Sequence[str] | None) -> dict[str, Price]:
    from grounded.models.catalogue import Price

    found = {}
    for each in given or ():
        spec, _, amounts = each.rpartition("=")
        try:
            read, written = (float(part) for part in amounts.split(","))
            found[spec] = Price(input=read, output=written)
        except ValueError as error:
            raise UsageError(f"--price {each!r} is not SPEC=INPUT,OUTPUT.", fix="Such as ollama:phi4=0,0.") from error
    return found


def _task(given: str | None) -> Task | None:
    if given not in (None, "chat", "embedding", "verifier"):
        raise UsageError(f"There is no task {given!r}.", fix="Allowed: chat, embedding, verifier.")
    return given  # type: ignore[return-value]  # one of the words just checked


def _price(price: Price | None) -> str:
    if price is None:
        return "–"
    return f"{price.input:g}" + ("" if price.output is None else f" / {price.output:g}")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
