"""``grounded dataset``: make questions from a knowledge base, and check a data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from grounded.cli.app import JsonOption, KbOption, ReaderOption, output_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from grounded.records import DataSet

commands = typer.Typer(help="Make and check data sets for evaluation.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="dataset")


@commands.command("make")
def make(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Where to write: .csv to look through, or .jsonl.")],
    count: Annotated[int, typer.Option(min=1, help="Questions at most.")] = 50,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeat it for more.")] = None,
    seed: Annotated[int, typer.Option(help="Another number chooses other sentences.")] = 0,
    principal: ReaderOption = None,
    llm: Annotated[str | None, typer.Option(help="Words the questions better, such as ollama:NAME.")] = None,
    kb: KbOption = None,
    json: JsonOption = False,
) -> None:
    """Propose questions from what a knowledge base holds, each with the place of its answer.

    Look through the file: correct questions, and write no under _keep for those that are to be left out.
    """
    from grounded.evaluation.datasets import write_dataset
    from grounded.evaluation.making import KINDS
    from grounded.experiments.making import make_from

    output = output_of(context, kb, json)
    kinds = cast(Any, tuple(kind)) if kind else KINDS
    options: dict[str, Any] = {"count": count, "kinds": kinds, "seed": seed, "name": out.stem, "model": llm}
    found = make_from(output.kb, principals=tuple(principal or output.settings.principals), **options)
    write_dataset(found, out)
    output.show(found.ref, _told(found, f"Written to {out}; look through it before you rely on it."))


@commands.command("check")
def check(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="JSON Lines, CSV, TSV or Parquet.")],
    json: JsonOption = False,
) -> None:
    """Read a data set, name everything that is wrong with it by line and column, and say what it holds."""
    from grounded.evaluation.datasets import read_dataset

    found = read_dataset(path)
    output_of(context, None, json).show(found.ref, _told(found, f"Version {found.ref.hash[:12]}"))


def _told(dataset: DataSet, last: str) -> RenderableType:
    from rich.text import Text

    kinds = Counter(row.kind or "no kind" for row in dataset.rows)
    held = {
        "with a reference": sum(row.reference is not None for row in dataset.rows),
        "with gold sources": sum(bool(row.sources) for row in dataset.rows),
        "to be declined": sum(row.should_answer is False for row in dataset.rows),
    }
    counted = ", ".join(f"{number} {name}" for name, number in [*kinds.items(), *held.items()])
    groups = len({row.cluster for row in dataset.rows})
    return Text(f"{len(dataset.rows)} questions in {groups} independent groups: {counted}\n{last}")
