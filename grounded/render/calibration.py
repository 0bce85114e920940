"""A calibration for people: a table on the terminal, and a plot as one SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grounded.records import Calibration, RiskPoint
from grounded.render.common import on_one_line

_ROWS = 12
_BAR = 30
_SIDE = 260
_EDGE = 56


def calibration_terminal(calibration: Calibration) -> RenderableType:
    """The promise, the curve of risk against coverage, and how far off the probabilities are."""
    verifier = on_one_line(f"{calibration.verifier.name} {calibration.verifier.version}")
    parts: list[RenderableType] = [Text.assemble((f"Calibration of {verifier}", "bold")), Text()]
    if calibration.chosen is not None:
        chosen = calibration.chosen
        parts.append(Text(f"✓ {calibration.promise}", style="green"))
        parts.append(
            Text(
                f"  called supported from a score of {chosen.threshold:.3f}: {chosen.coverage:.0%} of the claims, "
                f"{chosen.wrong} of {chosen.called} wrong, at most {chosen.bound:.1%}"
            )
        )
    else:
        parts.append(Text("No promise: probabilities only.", style="yellow"))
    parts += [Text(), curve_terminal(calibration), Text()]
    parts.append(
        Text(
            f"calibration error {calibration.ece_before:.3f} before, {calibration.ece_after:.3f} after "
            "(each claim predicted from others)"
        )
    )
    parts += [Text(f"Note: {on_one_line(note)}", style="yellow") for note in calibration.notes]
    return Group(*parts)


def curve_terminal(calibration: Calibration) -> RenderableType:
    """Risk against coverage: a bar for the share that is wrong, dots up to its upper bound."""
    table = Table(box=None, padding=(0, 1), title_justify="left")
    for name in ("score ≥", "coverage", "called", "wrong", "at most"):
        table.add_column(name, justify="right")
    table.add_column(f"0 % … {_scale(calibration.curve):.0%}")
    for point in _shown(calibration):
        mark = "bold green" if point == calibration.chosen else ""
        cells = (
            f"{point.threshold:.3f}",
            f"{point.coverage:.0%}",
            str(point.called),
            f"{point.risk:.1%}",
            f"{point.bound:.1%}",
        )
        table.add_row(*(Text(cell, style=mark) for cell in cells), _bar(point, _scale(calibration.curve)))
    return table


def plot_svg(calibration: Calibration, *, title: str = "") -> str:
    """Reliability and risk against coverage side by side, as one SVG document without script or outside resource.

    Left: predicted probability against the observed share, one dot for each bin, its area the number of claims. Right:
    the share of wrong claims among those called supported, with its upper bound; the ring is the chosen threshold.
    """
    width, height = 2 * _SIDE + 4 * _EDGE, _SIDE + 2 * _EDGE
    body = [_reliability(calibration), _risk(calibration)]
    heading = f'<text x="{width / 2}" y="20" text-anchor="middle" font-weight="bold">{escape(title)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img"><title>{escape(title or "Calibration")}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{heading if title else ""}{"".join(body)}</svg>\n'
    )


def _shown(calibration: Calibration) -> list[RiskPoint]:
    curve = calibration.curve
    step = max(1, -(-len(curve) // _ROWS))
    points = [*curve[::-1][::step], *([calibration.chosen] if calibration.chosen is not None else [])]
    unique = {point.called: point for point in points}
    return [unique[called] for called in sorted(unique)]


def _scale(curve: Sequence[RiskPoint]) -> float:
    """The largest risk that is drawn; bounds of a few claims may lie beyond."""
    return min(1.0, max([0.1, *(1.3 * point.risk for point in curve if point.called >= 10)]))


def _bar(point: RiskPoint, scale: float) -> Text:
    risk, bound = (min(round(_BAR * share / scale), _BAR) for share in (point.risk, point.bound))
    return Text.assemble(("█" * risk, "red"), ("·" * max(bound - risk, 0), "dim"))


def _reliability(calibration: Calibration) -> str:
    left = _EDGE
    most = max((each.count for each in calibration.reliability), default=1)
    dots = ""
    for each in calibration.reliability:
        radius = 3 + 6 * (each.count / most) ** 0.5
        place = f'cx="{_x(left, each.predicted)}" cy="{_y(each.observed)}" r="{radius:.1f}"'
        dots += f'<circle {place} fill="#0969da" fill-opacity="0.7"/>'
    diagonal = f'<path d="M{_x(left, 0)} {_y(0)}L{_x(left, 1)} {_y(1)}" stroke="#8c959f" stroke-dasharray="4 4"/>'
    error = f"calibration error {calibration.ece_before:.3f} → {calibration.ece_after:.3f}"
    return _frame(left, "predicted probability", "observed share supported", error, 1.0) + diagonal + dots


def _risk(calibration: Calibration) -> str:
    left = _SIDE + 3 * _EDGE
    scale = _scale(calibration.curve)
    places = [(_x(left, p.coverage), _y(p.risk / scale), _y(p.bound / scale)) for p in calibration.curve]
    risk = " ".join(f"{x},{y}" for x, y, _ in places)
    bound = " ".join(f"{x},{y}" for x, _, y in places)
    parts = [
        f'<polyline points="{bound}" fill="none" stroke="#8c959f" stroke-dasharray="2 3"/>',
        f'<polyline points="{risk}" fill="none" stroke="#cf222e" stroke-width="2"/>',
    ]
    if calibration.error_rate is not None:
        line = _y(calibration.error_rate / scale)
        parts.append(f'<path d="M{_x(left, 0)} {line}H{_x(left, 1)}" stroke="#1a7f37" stroke-dasharray="6 3"/>')
    if calibration.chosen is not None:
        x, y = _x(left, calibration.chosen.coverage), _y(calibration.chosen.risk / scale)
        parts.append(f'<circle cx="{x}" cy="{y}" r="6" fill="none" stroke="#1a7f37" stroke-width="2"/>')
    rate, sure = calibration.error_rate, calibration.confidence
    said = f"ring: at most {100 * rate:.3g} % wrong at {100 * sure:.3g} % confidence" if rate else "no promise"
    return _frame(left, "coverage: share called supported", "share of those that is wrong", said, scale) + "".join(
        parts
    )


def _frame(left: float, across: str, up: str, caption: str, scale: float) -> str:
    middle = left + _SIDE / 2
    box = f'<rect x="{left}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#d1d9e0"/>'
    ticks = "".join(
        f'<text x="{_x(left, share)}" y="{_EDGE + _SIDE + 16}" text-anchor="middle">{share:.0%}</text>'
        f'<text x="{left - 6}" y="{_y(share) + 4}" text-anchor="end">{100 * share * scale:.3g}%</text>'
        for share in (0.0, 0.5, 1.0)
    )
    side = f'transform="translate({left - 40} {_EDGE + _SIDE / 2}) rotate(-90)"'
    return (
        f'{box}{ticks}<text x="{middle}" y="{_EDGE - 10}" text-anchor="middle" fill="#59636e" font-size="10">'
        f"{escape(caption)}</text>"
        f'<text x="{middle}" y="{_EDGE + _SIDE + 36}" text-anchor="middle">{escape(across)}</text>'
        f'<text {side} text-anchor="middle">{escape(up)}</text>'
    )


def _x(left: float, share: float) -> float:
    return round(left + _SIDE * min(max(share, 0.0), 1.0), 1)


def _y(share: float) -> float:
    return round(_EDGE + _SIDE * (1.0 - min(max(share, 0.0), 1.0)), 1)
