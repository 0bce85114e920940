"""``grounded benchmark``: the verifier and the retriever on public sets that the user has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grounded.cli import exits
from grounded.cli.app import JsonOption, VerboseOption, output_of
from grounded.records import SCHEMA

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from grounded.benchmarking import LabelledClaim, Published, RetrievalTrial, VerifierTrial
    from grounded.benchmarking.verifying import Figure

_HEADS = {"balanced_accuracy": "balanced accuracy", "area": "area under curve", "f1": "F1 of unsupported"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("benchmark")(benchmark)


def benchmark(
    context: typer.Context,
    places: Annotated[list[Path], typer.Argument(help="Files or folders with published sets.", show_default=False)],
    format: Annotated[
        str | None, typer.Option(help="ragtruth, lfqa, wice, expertqa, aggrefact or beir; recognised if left out.")
    ] = None,
    verifier: Annotated[
        list[str] | None,
        typer.Option(help="NAME, NAME:ARGUMENT or folder:PATH; repeat it to compare [default: the shipped one]."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split [default for BEIR: test].")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="At most so many claims or queries of each set.")] = None,
    k: Annotated[int, typer.Option(min=1, help="Cut-off of nDCG and recall.")] = 10,
    floors: Annotated[bool, typer.Option(help="Word overlap and embedding similarity beside the verifier.")] = True,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Measure the verifier or the retriever on a public set, in its published file format, beside published figures.

    Labelled claims: balanced accuracy, area under the curve and F1, with 95 % bootstrap intervals over sources. A
    folder laid out as BEIR: its documents are ingested into a knowledge base that is thrown away, its queries asked;
    nDCG and recall. Ctrl-C stops and shows what was measured so far. Exit code 0, 4 when a claim could not be checked,
    130 when stopped.
    """
    from grounded.benchmarking.beir import is_beir

    del verbose  # its callback has set the level
    output = output_of(context, None, json)
    trials: list[VerifierTrial] = []
    searches: list[RetrievalTrial] = []
    for place in places:
        if format == "beir" or (format is None and is_beir(place)):
            searches.append(_retrieval(place, split, rows, k, output.side))
        else:
            trials += _verification(place, format, split, rows, verifier or [None], floors, output.side)
        if _stopped(trials) or not all(each.complete for each in searches):
            break
    if output.as_json:
        import json as jsonlib

        found = {
            "schema": SCHEMA,
            "verification": [each.model_dump(mode="json") for each in trials],
            "retrieval": [each.model_dump(mode="json") for each in searches],
            "published": [each.model_dump(mode="json") for each in _beside([*trials, *searches])],
        }
        output.show_json(jsonlib.dumps(found, ensure_ascii=False))
    else:
        for each in _tables(trials, searches):
            output.result.print(each, style="dim" if isinstance(each, str) else "", markup=False)
    raise typer.Exit(_code(trials, searches))


def _verification(
    place: Path,
    format: str | None,
    split: str | None,
    rows: int | None,
    named: Sequence[str | None],
    floors: bool,
    side: Console,
) -> Iterator[VerifierTrial]:
    from grounded.benchmarking.claims import read_claims, sample
    from grounded.benchmarking.verifying import try_verifier
    from grounded.verification import Verifier

    by_set: dict[str, list[LabelledClaim]] = {}
    for claim in sample(read_claims(place, name=format, split=split), rows):
        by_set.setdefault(claim.data, []).append(claim)
    verifiers = [Verifier(name) for name in named]
    for name, own in by_set.items():
        for number, each in enumerate(verifiers):
            with _bar(side, f"{name}, {each.ref.name}") as tell:
                trial = try_verifier(own, each, floors=floors and not number, progress=partial(tell, of=len(own)))
            yield trial
            if trial.claims < trial.of:
                return


def _retrieval(place: Path, split: str | None, rows: int | None, k: int, side: Console) -> RetrievalTrial:
    from grounded.benchmarking.beir import read_beir
    from grounded.benchmarking.retrieving import try_retriever

    data = read_beir(place, split=split)
    with _bar(side, data.name) as tell:
        return try_retriever(data, k=k, limit=rows, progress=tell)


@contextmanager
def _bar(console: Console, name: str) -> Iterator[Callable[..., object]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def tell(done: int, of: int, step: str = "") -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(f"{name} {step}".strip(), total=of)
            bar.update(tasks[step], completed=done)

        yield tell


def _tables(trials: Sequence[VerifierTrial], searches: Sequence[RetrievalTrial]) -> Iterator[Any]:
    """One table for each set: ours, the floors, and what others published, each with a line on what was measured."""
    for name, own in _by_set(trials).items():
        table = _table(name, ("", *(_HEADS[figure] for figure in own[0].figures)))
        for trial in own:
            table.add_row(trial.verifier.name, *map(_short, trial.figures.values()))
        for floor, value in own[0].floors.items():
            table.add_row(f"{floor}, at its best threshold", f"{value:.1f}", "", "", style="dim")
        yield from _with_others(table, name, list(own[0].figures))
        yield from _told(own)
    for search in searches:
        table = _table(
            f"{search.set}, {search.split}", ("", *(each.replace("ndcg", "nDCG") for each in search.figures))
        )
        table.add_row("grounded", *map(_short, search.figures.values()))
        yield from _with_others(table, search.set, list(search.figures))
        yield (
            f"{_of(search.queries, search.of)} queries over {search.documents} documents, ingested in "
            f"{search.ingest_seconds:.0f} s; {search.milliseconds:.0f} ms a query. Embedding {search.retriever}; words "
            "are searched too, and both rankings fused."
        )


def _with_others(table: Table, name: str, figures: Sequence[str]) -> Iterator[Any]:
    """The table with published rows, then where these stand."""
    from grounded.benchmarking.published import published

    others = [each for each in published(name) if each.metric in figures]
    for each in others:
        cells = [f"{each.value:.1f}" if each.metric == figure else "" for figure in figures]
        table.add_row(f"{each.system} *", *cells, style="dim")
    yield table
    for source in dict.fromkeys((each.source, each.dated, each.note) for each in others):
        yield f"* {source[0]}, {source[1]}: {source[2]}. Published there, not measured here."


def _told(trials: Sequence[VerifierTrial]) -> Iterator[str]:
    for trial in trials:
        right = "" if trial.precision is None else f" ({trial.precision:.0f} % of them rightly)"
        gold = "" if trial.touches_gold is None else f"; evidence touches gold for {trial.touches_gold:.0f} %"
        yield (
            f"{trial.verifier.name} {trial.verifier.version}: {_of(trial.claims, trial.of)} claims of {trial.groups} "
            f"sources, {trial.supported} of them supported; called supported {trial.called_supported}{right}{gold}; "
            f"{trial.milliseconds:.0f} ms of processor time each."
        )
        if trial.failed:
            yield f"{trial.failed} claims could not be checked; they count as not supported."
        if trial.claims < trial.of:
            yield "Stopped before the end: these are the figures of what was tried."


def _table(title: str, heads: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, title_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold", justify="left" if not head else "right")
    return table


def _by_set(trials: Sequence[VerifierTrial]) -> dict[str, list[VerifierTrial]]:
    found: dict[str, list[VerifierTrial]] = {}
    for trial in trials:
        found.setdefault(trial.set, []).append(trial)
    return found


def _short(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:.1f}" + ("" if figure.low is None else f" [{figure.low:.0f}, {figure.high:.0f}]")


def _beside(trials: Sequence[VerifierTrial | RetrievalTrial]) -> list[Published]:
    from grounded.benchmarking.published import published

    return list(dict.fromkeys(row for each in trials for row in published(each.set)))


def _of(done: int, of: int) -> str:
    return str(done) if done == of else f"{done} of {of}"


def _stopped(trials: Sequence[VerifierTrial]) -> bool:
    return any(each.claims < each.of for each in trials)


def _code(trials: Sequence[VerifierTrial], searches: Sequence[RetrievalTrial]) -> int:
    if _stopped(trials) or not all(each.complete for each in searches):
        return exits.INTERRUPTED
    return exits.CHECK_FAILED if any(each.failed for each in trials) else exits.OK
