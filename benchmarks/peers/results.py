"""Figures as tables: one row per system, and how many times ours each of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Figures = Mapping[str, Any]


class Column(NamedTuple):
    """A column: its title, the figure, how it is written, and whether a ratio to ours follows it."""

    title: str
    value: Callable[[Figures], float | None]
    form: str = "{:.2f}"
    ratio: bool = False


def overhead(figures: Figures) -> float:
    """Processor seconds beyond embedding."""
    return float(figures["cpu"]) - float(figures["embedding"])


def ratio(value: float, ours: float) -> str:
    """How many times ours; empty when ours is too small to divide by."""
    if ours <= 0:
        return ""
    times = value / ours
    digits = 0 if times >= 10 else 1 if times >= 0.1 else 2
    return f" ({times:.{digits}f}×)"


def table(rows: Mapping[str, Figures | str], columns: Sequence[Column], ours: str) -> str:
    """A Markdown table; a system that has a text instead of figures shows it.

    Args:
        rows: Figures by system, or why there are none.
        columns: What to show.
        ours: The system others are compared with.
    """
    lines = [f"| system | {' | '.join(column.title for column in columns)} |", "|---" * (len(columns) + 1) + "|"]
    baseline = rows.get(ours)
    for name, figures in rows.items():
        if isinstance(figures, str):
            lines.append(f"| {name} | {figures} |" + " |" * (len(columns) - 1))
            continue
        cells = []
        for column in columns:
            value = column.value(figures)
            cell = "-" if value is None else column.form.format(value)
            if value is not None and column.ratio and name != ours and isinstance(baseline, Mapping):
                cell += ratio(value, column.value(baseline) or 0.0)
            cells.append(cell)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
