"""Pictures of an experiment as inline SVG: means with their intervals, and what became of the claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from grounded.records import Comparison, Experiment, MetricCard, Summary, Verdict
from grounded.render.common import SYMBOLS, WORDS, harmless
from grounded.text.shortening import shortened

_WIDTH = 640
_LEFT = 150
_RIGHT = 70
_ROW = 26
_ROOM = 44
"""Units that a count needs to stand in its bar."""


def means_svg(experiment: Experiment, card: MetricCard) -> str:
    """The mean of every variant with its 95 % interval, on the metric's own scale; empty when nothing was measured."""
    found = [
        (number, variant.name, experiment.summary(variant.name, card.name))
        for number, variant in enumerate(experiment.variants)
    ]
    known = [(number, name, each) for number, name, each in found if each is not None and each.value is not None]
    if not known:
        return ""
    low, high = _range(card, [each for _, _, each in known])
    rows = []
    for place, (number, name, each) in enumerate(known):
        y = _ROW * place + _ROW / 2 + 4
        rows.append(_label(name, y) + _dot(each, low, high, y, f"series-{number % 6}"))
        shown = number_of(each.value, card, bare=not is_share(card))
        rows.append(f'<text x="{_WIDTH - _RIGHT + 8}" y="{y + 4}" class="value">{shown}</text>')
    height = _ROW * len(known) + 28
    said = "; ".join(f"{name} {with_interval(each, card)}" for _, name, each in known)
    return _figure(height, f"{card.title}: {said}", _axis(low, high, card, height - 20) + "".join(rows))


def difference_svg(comparison: Comparison) -> str:
    """A difference with its interval around no difference; empty when there is none."""
    if comparison.difference is None:
        return ""
    low = comparison.low if comparison.low is not None else comparison.difference
    high = comparison.high if comparison.high is not None else comparison.difference
    reach = max(abs(low), abs(high), abs(comparison.difference)) * 1.1 or 1.0
    ends = f'x1="{_around(low, reach)}" x2="{_around(high, reach)}"'
    return (
        '<svg class="mini" viewBox="0 0 120 16" width="120" height="16" aria-hidden="true">'
        '<line x1="60" x2="60" y1="0" y2="16" class="axis"/>'
        f'<line {ends} y1="8" y2="8" class="span {comparison.finding}"/>'
        f'<circle cx="{_around(comparison.difference, reach)}" cy="8" r="4" class="dot {comparison.finding}"/></svg>'
    )


def _around(value: float, reach: float) -> float:
    return round(60 + 54 * value / reach, 1)


def verdicts_svg(experiment: Experiment) -> str:
    """What became of the claims of every variant, as one bar each; empty without claims."""
    rows: list[str] = []
    said: list[str] = []
    for variant in experiment.variants:
        counts = _counts(experiment, variant.name)
        if counts:
            y = _ROW * len(rows) + 4
            rows.append(_label(variant.name, y + 9) + _bar(counts, y))
            said.append(f"{variant.name}: " + ", ".join(f"{count} {WORDS[each]}" for each, count in counts.items()))
    return _figure(_ROW * len(rows) + 8, "Claims by verdict. " + "; ".join(said), "".join(rows)) if rows else ""


def _counts(experiment: Experiment, variant: str) -> dict[Verdict, int]:
    reports = (
        trial.answer.report
        for trial in experiment.trials
        if trial.variant == variant and trial.answer is not None and trial.answer.report is not None
    )
    found = Counter(claim.verdict for report in reports for claim in report.claims)
    return {verdict: found[verdict] for verdict in WORDS if found[verdict] and verdict != "not_a_claim"}


def _bar(counts: Mapping[Verdict, int], y: float) -> str:
    total, x, parts = sum(counts.values()), float(_LEFT), []
    for verdict, count in counts.items():
        width = (_WIDTH - _LEFT - _RIGHT) * count / total
        size = f'width="{max(1.0, width - 1):.1f}" height="18"'
        parts.append(f'<rect x="{x:.1f}" y="{y}" {size} class="{verdict}"/>')
        if width > _ROOM:
            parts.append(f'<text x="{x + 6:.1f}" y="{y + 13}" class="on {verdict}">{SYMBOLS[verdict]} {count}</text>')
        x += width
    return "".join(parts) + f'<text x="{_WIDTH - _RIGHT + 8}" y="{y + 13}" class="value">{total}</text>'


def number_of(value: float | None, card: MetricCard | None, *, bare: bool = False) -> str:
    """A figure for people: shares in percent, others as they are; a dash when there is none.

    Args:
        value: The figure.
        card: Of its metric; None when it is not known.
        bare: Without its unit.
    """
    if value is None:
        return "–"
    share = is_share(card)
    shown = f"{100 * value:.1f}" if share else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    unit = "%" if share else _UNITS.get(card.unit, harmless(card.unit)) if card is not None else ""
    return shown.replace("-", "−") + (f" {unit}" if unit and not bare else "")


def change_of(value: float | None, card: MetricCard | None, *, sign: bool = True) -> str:
    """A difference for people: of shares in percentage points."""
    if value is None:
        return "–"
    plus = "+" if sign and value > 0 else ""
    if is_share(card):
        return f"{plus}{number_of(value, card, bare=True)} points"
    return f"{plus}{number_of(value, card)}"


def between(low: float | None, high: float | None, card: MetricCard | None) -> str:
    """The ends of an interval, the unit left out; empty when it cannot be told."""
    if low is None or high is None:
        return ""
    return f"{number_of(low, card, bare=True)} to {number_of(high, card, bare=True)}"


def is_share(card: MetricCard | None) -> bool:
    """Whether values are shares, which people read in percent."""
    return card is not None and not card.unit and card.low == 0 and card.high == 1


_UNITS = {"seconds": "s", "milliseconds": "ms"}


def with_interval(summary: Summary, card: MetricCard) -> str:
    """A mean with its interval, in words."""
    ends = between(summary.low, summary.high, card)
    return number_of(summary.value, card) + (f" ({ends})" if ends else "")


def _range(card: MetricCard, found: Sequence[Summary]) -> tuple[float, float]:
    values = [value for each in found for value in (each.value, each.low, each.high) if value is not None]
    low = card.low if card.low is not None else min(values)
    high = card.high if card.high is not None else max(values) * 1.1
    return low, high if high > low else low + 1.0


def _place(value: float, low: float, high: float) -> float:
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * share, 1)


def _dot(each: Summary, low: float, high: float, y: float, series: str) -> str:
    span = ""
    if each.low is not None and each.high is not None:
        a, b = _place(each.low, low, high), _place(each.high, low, high)
        span = f'<line x1="{a}" x2="{b}" y1="{y}" y2="{y}" class="span {series}"/>'
    return span + f'<circle cx="{_place(each.value or 0.0, low, high)}" cy="{y}" r="5" class="dot {series}"/>'


def _axis(low: float, high: float, card: MetricCard, y: float) -> str:
    marks = []
    for step in range(5):
        value = low + (high - low) * step / 4
        x = _place(value, low, high)
        marks.append(f'<line x1="{x}" x2="{x}" y1="0" y2="{y}" class="grid"/>')
        marks.append(
            f'<text x="{x}" y="{y + 15}" class="tick" text-anchor="middle">{number_of(value, card, bare=True)}</text>'
        )
    return "".join(marks)


def _label(name: str, y: float) -> str:
    shown = shortened(harmless(name), 20)
    return f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end" class="label">{escape(shown)}</text>'


def _figure(height: float, said: str, content: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(harmless(said))}">'
        f"{content}</svg>"
    )
