"""Summaries of variants, and whether they differ: paired by question, by group, corrected for many comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from grounded.evaluation.statistics.resampling import Pairs, bootstrapped, exchanged
from grounded.evaluation.statistics.sizes import (
    ENOUGH_CLUSTERS,
    ERROR_RATE,
    clusters_needed,
    expanded,
    holm,
    wilson,
)
from grounded.records import Comparison, Finding, MetricCard, MetricValue, Row, Summary, Trial

if TYPE_CHECKING:
    from grounded.evaluation.statistics.resampling import Numbers

Level = Literal["answer", "claim"]
LEAST_CLUSTERS = 6
"""With fewer groups no exchange of variants is rarer than 5 %."""


@dataclass(frozen=True)
class _Table:
    """Values by row, for one metric and variant."""

    values: Mapping[str, MetricValue]

    def known(self, row: str, level: Level) -> tuple[float, float] | None:
        """What is counted and out of how many; of an answer as a whole its value, out of one."""
        value = self.values.get(row)
        if value is None or value.value is None:
            return None
        if level == "answer":
            return value.value, 1.0
        return (value.count, value.of) if value.count is not None and value.of else None


def tags_of(row: Row) -> tuple[str, ...]:
    """The tags of a row; its kind is one of them."""
    return (*row.tags, f"kind:{row.kind}") if row.kind else row.tags


def summarise(
    rows: Sequence[Row], variants: Sequence[str], metrics: Sequence[MetricCard], trials: Iterable[Trial]
) -> tuple[Summary, ...]:
    """Every metric over the rows of every variant, in all and by tag, with 95 % intervals.

    Intervals come from groups drawn with replacement (cluster bootstrap), widened for few groups; where all values
    are the same, from Wilson's formula.
    """
    tables = _tables(trials)
    return tuple(
        _summary(tables.get((variant, card.name), _Table({})), chosen, card, variant, tag, level)
        for tag, chosen in _by_tag(rows)
        for variant in variants
        for card in metrics
        for level in _levels(card)
    )


def compare(
    rows: Sequence[Row],
    variants: Sequence[str],
    metrics: Sequence[MetricCard],
    trials: Iterable[Trial],
    *,
    error_rate: float = ERROR_RATE,
) -> tuple[Comparison, ...]:
    """Each other variant with the first one, by metric, in all and by tag.

    The p-values of all comparisons over all rows are corrected together, and those by tag together.

    Args:
        rows: Of the data set.
        variants: Names; the first is compared with.
        metrics: What was measured.
        trials: Of these variants.
        error_rate: Chance that equal variants are called different anywhere.
    """
    tables = _tables(trials)
    found = [
        _compared(tables, chosen, card, variants[0], other, tag, level)
        for tag, chosen in _by_tag(rows)
        for other in variants[1:]
        for card in metrics
        for level in _levels(card)
    ]
    corrected: dict[int, float] = {}
    families = [[n for n, each in enumerate(found) if bool(each.row.tag) is tagged and each.row.p is not None]
                for tagged in (False, True)]  # fmt: skip
    for family in families:
        values = [each.row.p for each in (found[n] for n in family) if each.row.p is not None]
        corrected.update(zip(family, holm(values), strict=True))
    sizes = {n: len(family) for family in families for n in family}
    cards = {card.name: card for card in metrics}
    return tuple(
        _concluded(each, corrected.get(n), sizes.get(n, 1), cards[each.row.metric], error_rate)
        for n, each in enumerate(found)
    )


@dataclass(frozen=True)
class _Compared:
    """A comparison before it is corrected."""

    row: Comparison
    pairs: Pairs | None = None


def _tables(trials: Iterable[Trial]) -> dict[tuple[str, str], _Table]:
    found: dict[tuple[str, str], dict[str, MetricValue]] = {}
    for trial in trials:
        for value in trial.values:
            found.setdefault((trial.variant, value.metric), {})[trial.row] = value
    return {key: _Table(values) for key, values in found.items()}


def _by_tag(rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[Row]]]:
    yield "", rows
    tags = sorted({tag for row in rows for tag in tags_of(row)})
    for tag in tags:
        yield tag, [row for row in rows if tag in tags_of(row)]


def _levels(card: MetricCard) -> tuple[Level, ...]:
    return ("answer", "claim") if card.per_claim else ("answer",)


def _summary(table: _Table, rows: Sequence[Row], card: MetricCard, variant: str, tag: str, level: Level) -> Summary:
    known = [(row, found) for row in rows if (found := table.known(row.id, level)) is not None]
    held = [table.values[row.id] for row in rows if row.id in table.values]
    facts = {
        "variant": variant,
        "metric": card.name,
        "tag": tag,
        "level": level,
        "rows": len(known),
        "not_available": sum(value.status == "not_available" for value in held),
        "failed": sum(value.status == "failed" for value in held),
    }
    if not known:
        return Summary.model_validate(facts)
    groups = _grouped([row.cluster for row, _ in known], np.array([found for _, found in known]))
    counts, sizes = groups[:, 0], groups[:, 1]
    value = float(counts.sum() / sizes.sum())
    low, high = _interval(counts, sizes, card, value)
    return Summary.model_validate({**facts, "value": value, "low": low, "high": high, "clusters": len(groups)})


def _interval(counts: Numbers, sizes: Numbers, card: MetricCard, value: float) -> tuple[float | None, float | None]:
    clusters = len(counts)
    if np.allclose(counts, value * sizes):
        if card.low is None or card.high is None:
            return None, None
        width = card.high - card.low
        low, high = wilson(min(1.0, max(0.0, (value - card.low) / width)), clusters)
        return card.low + width * low, card.low + width * high
    return _percentiles(bootstrapped(counts[None], sizes[None])[:, 0], clusters)


def _percentiles(draws: Numbers, clusters: int) -> tuple[float | None, float | None]:
    tail = expanded(ERROR_RATE, clusters)
    if clusters < 2:
        return None, None
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def _compared(
    tables: Mapping[tuple[str, str], _Table],
    rows: Sequence[Row],
    card: MetricCard,
    first: str,
    second: str,
    tag: str,
    level: Level,
) -> _Compared:
    one, other = (tables.get((name, card.name), _Table({})) for name in (first, second))
    facts: dict[str, Any] = {"metric": card.name, "first": first, "second": second, "tag": tag, "level": level}
    known = [
        (row.cluster, (*before, *after))
        for row in rows
        if (before := one.known(row.id, level)) is not None and (after := other.known(row.id, level)) is not None
    ]
    if not known:
        note = "No row has a value for both."
        return _Compared(Comparison.model_validate({**facts, "finding": "not_available", "note": note}))
    groups = _grouped([cluster for cluster, _ in known], np.array([numbers for _, numbers in known]))
    pairs = Pairs(counts=groups[:, [0, 2]].T.copy(), sizes=groups[:, [1, 3]].T.copy())
    facts |= {"rows": len(known), "clusters": len(groups), "difference": pairs.difference}
    if all(math.isclose(a * d, c * b, abs_tol=1e-12) for _, (a, b, c, d) in known):
        same = {"finding": "same", "low": pairs.difference, "high": pairs.difference}
        return _Compared(Comparison.model_validate({**facts, **same}))
    draws = bootstrapped(pairs.counts, pairs.sizes)
    low, high = _percentiles(draws[:, 1] - draws[:, 0], len(groups))
    p = exchanged(pairs) if len(groups) >= LEAST_CLUSTERS else None
    facts |= {"low": low, "high": high, "p": p, "finding": "not_enough_data"}
    return _Compared(Comparison.model_validate(facts), pairs)


def _concluded(each: _Compared, p: float | None, family: int, card: MetricCard, error_rate: float) -> Comparison:
    """A comparison with its corrected p-value, and what follows from it."""
    row, pairs = each.row, each.pairs
    if pairs is None:
        return row
    few = f"Only {row.clusters} independent groups; " if row.clusters < ENOUGH_CLUSTERS else ""
    if p is None:
        return row.model_copy(update={"note": f"{few}at least {LEAST_CLUSTERS} are needed to tell anything."})
    note = f"{few}the error rate was checked from {ENOUGH_CLUSTERS} on." if few else ""
    finding = _finding(row.difference or 0.0, card) if p <= error_rate else row.finding
    more = _more_needed(pairs, row, error_rate / family) if finding == "not_enough_data" else None
    return row.model_copy(update={"p_adjusted": p, "finding": finding, "note": note, "more_needed": more})


def _finding(difference: float, card: MetricCard) -> Finding:
    if card.better == "neither":
        return "changed"
    return "better" if (difference > 0) is (card.better == "higher") else "worse"


def _more_needed(pairs: Pairs, row: Comparison, error_rate: float) -> int | None:
    """About how many more rows like these would show the difference seen; None when none was seen."""
    if abs(pairs.difference) < 1e-12 or not pairs.spread:
        return None
    needed = clusters_needed(pairs.difference, pairs.spread, error_rate=error_rate)
    return max(1, math.ceil((needed - row.clusters) * row.rows / row.clusters))


def _grouped(clusters: Sequence[str], numbers: Numbers) -> Numbers:
    """Numbers of rows added up by group; groups in the order of their names, so that the order of rows is no matter."""
    names = sorted(set(clusters))
    places = {name: place for place, name in enumerate(names)}
    sums = np.zeros((len(names), numbers.shape[1]))
    np.add.at(sums, [places[cluster] for cluster in clusters], numbers)
    return sums
