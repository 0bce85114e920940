"""An experiment as one self-contained page: what was found, how sure it is, and every row down to what decided.

Everything but the list of rows is plain HTML and works without a script. The rows are compressed into the page and
opened by a script of ours, the only one that the page's policy allows, by its hash; it writes foreign text as text,
never as markup. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from urllib.parse import quote

from grounded.records import Comparison, Experiment, MetricCard, Summary
from grounded.render.common import NOTICE, harmless
from grounded.render.evaluation_charts import between, change_of, difference_svg, means_svg, number_of, verdicts_svg
from grounded.render.evaluation_data import blobs, tags_of
from grounded.render.evaluation_words import FINDINGS, conclusions, finding_words, headline, scope

_TAGS_SHOWN = 40
_BETTER = {"higher": "more is better", "lower": "less is better", "neither": "only shown"}


def experiment_html(experiment: Experiment, *, title: str = "") -> str:
    """The experiment as an HTML document.

    Args:
        experiment: What to show.
        title: Of the page; its own name when left out.
    """
    named = title or f"Evaluation: {experiment.name}"
    script = f'"use strict";\n(() => {{\n{_asset("evaluation_row.js")}{_asset("evaluation.js")}}})();\n'
    style = _asset("report.css") + _asset("evaluation.css")
    allowed = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'; "
        "form-action 'none'"
    )
    parts = (
        f'<script type="text/plain" data-part="{name}">{content}</script>\n' for name, content in blobs(experiment)
    )
    data = "".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{_text(named)}</title>\n<style>\n{style}</style>\n</head>\n<body class=\"wide\">\n"
        f'<a class="skip" href="#rows">Skip to the rows</a>\n<header>\n<h1>{_text(named)}</h1>\n{_overview(experiment)}'
        f"</header>\n<main>\n{_variants(experiment)}{_differences(experiment)}{_charts(experiment)}{_tags(experiment)}"
        f"{_ROWS}{_method(experiment)}</main>\n{data}<script>{script}</script>\n</body>\n</html>\n"
    )  # fmt: skip


def _overview(experiment: Experiment) -> str:
    stopped = f'<p class="note"><b>Not complete:</b> {_text(experiment.stopped)}</p>' if experiment.stopped else ""
    found = "".join(f"<li>{_text(each)}</li>" for each in conclusions(experiment))
    return (
        f'<p class="headline">{_text(headline(experiment))}</p>\n{_element("ul", found)}\n{stopped}'
        f'<p class="soft">{_text(scope(experiment))}</p>\n<p class="note">{_text(NOTICE)}</p>\n'
    )


def _variants(experiment: Experiment) -> str:
    heads = "".join(f'<th scope="col"><bdi>{_text(variant.name)}</bdi></th>' for variant in experiment.variants)
    rows, missing = [], []
    for card in experiment.metrics:
        found = [experiment.summary(variant.name, card.name) for variant in experiment.variants]
        if not _is_measured(experiment, card):
            missing.append(card.title)
            continue
        cells = "".join(_cell(each, card, number) for number, each in enumerate(found))
        judged = ' <span class="chip">judged by a model</span>' if card.source == "judge" else ""
        rows.append(
            f'<tr><th scope="row" title="{_text(card.description)}">{_text(card.title)}{judged}'
            f'<br><span class="soft">{_BETTER[card.better]}</span></th>{cells}</tr>'
        )
    table = f'<thead><tr><th scope="col">Metric</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody>'
    absent = f'<p class="soft">Not available for these questions: {_text(", ".join(missing))}.</p>' if missing else ""
    return _section("Variants", f"{_scrolled(table, 'Metrics by variant')}{_HINT if rows else ''}{absent}")


def _is_measured(experiment: Experiment, card: MetricCard) -> bool:
    """Whether any variant has a value, or lost one to a failed judgement."""
    found = (experiment.summary(variant.name, card.name) for variant in experiment.variants)
    return any(each is not None and (each.value is not None or each.failed > 0) for each in found)


_HINT = '<p class="soft">Means with 95 % intervals. Every figure leads to the rows it was computed from.</p>'


def _cell(summary: Summary | None, card: MetricCard, variant: int) -> str:
    if summary is None or summary.value is None:
        why = "not measured" if summary is None else f"no value: {_missing(summary) or 'nothing to count'}"
        return f'<td class="none">– <span class="soft">{why}</span></td>'
    ends = _soft(between(summary.low, summary.high, card))
    missing = f'<br><span class="soft">{_missing(summary)}</span>' if _missing(summary) else ""
    link = _link({"variant": variant, "sort": card.name, "tag": summary.tag})
    return f'<td><a href="{link}"><b>{number_of(summary.value, card)}</b></a>{ends}{missing}</td>'


def _missing(summary: Summary) -> str:
    parts = (f"{summary.rows} rows", f"{summary.failed} failed" if summary.failed else "",
             f"{summary.not_available} not available" if summary.not_available else "")  # fmt: skip
    return ", ".join(filter(None, parts)) if summary.failed or summary.not_available else ""


def _differences(experiment: Experiment) -> str:
    if not experiment.comparisons:
        return ""
    order = list(FINDINGS)
    shown = [each for each in experiment.comparisons if not each.tag]
    shown.sort(key=lambda each: order.index(each.finding))
    notable = [each for each in experiment.comparisons if each.tag and each.finding in ("better", "worse", "changed")]
    quiet = [each for each in shown if each.finding in ("same", "not_available")]
    table = _compared(experiment, [*(each for each in shown if each not in quiet), *notable])
    rest = _scrolled(_compared(experiment, quiet), "Comparisons without a difference", "scroll differences")
    more = f"<details><summary>{len(quiet)} without a difference or a value</summary>{rest}</details>" if quiet else ""
    return _section("Differences", _scrolled(table, "Differences between variants", "scroll differences") + more)


def _compared(experiment: Experiment, comparisons: Sequence[Comparison]) -> str:
    heads = "".join(
        f'<th scope="col">{head}</th>' for head in ("Metric", "Variants", "Finding", "Difference", "", "p, corrected")
    )
    rows = "".join(_difference(experiment, each) for each in comparisons)
    none = '<tr><td colspan="6">None of the figures differs.</td></tr>'
    return f"<thead><tr>{heads}</tr></thead><tbody>{rows or none}</tbody>"


def _difference(experiment: Experiment, each: Comparison) -> str:
    card = experiment.card(each.metric)
    difference = change_of(each.difference, card) + _soft(between(each.low, each.high, card))
    names = [variant.name for variant in experiment.variants]
    second = names.index(each.second) if each.second in names else 0
    first = names.index(each.first) if each.first in names else 0
    link = _link({"variant": second, "against": first, "sort": each.metric, "order": "difference", "tag": each.tag})
    level = "" if each.level == "answer" else ' <span class="chip">claim by claim</span>'
    tag = f' <span class="chip">{_text(each.tag)}</span>' if each.tag else ""
    p = "–" if each.p_adjusted is None else "< 0.001" if each.p_adjusted < 0.001 else f"{each.p_adjusted:.3f}"
    return (
        f'<tr class="{each.finding}"><th scope="row">{_text(card.title if card else each.metric)}{level}{tag}</th>'
        f"<td><bdi>{_text(each.second)}</bdi> against <bdi>{_text(each.first)}</bdi></td>"
        f'<td><a href="{link}">{_text(finding_words(each))}</a>{_soft(each.note)}</td>'
        f"<td>{difference}</td><td>{difference_svg(each)}</td><td>{p}</td></tr>"
    )


def _charts(experiment: Experiment) -> str:
    claims = verdicts_svg(experiment)
    shown = [f"<h3>Claims by verdict</h3>{claims}"] if claims else []
    for card in experiment.metrics:
        if drawn := means_svg(experiment, card):
            unit = f", {card.unit}" if card.unit and card.unit.casefold() not in card.title.casefold() else ""
            shown.append(f"<h3>{_text(card.title + unit)}</h3>{drawn}")
    content = "".join(f"<div>{each}</div>" for each in shown)
    return _section("Charts", f'<div class="charts">{content}</div>' if shown else "")


def _tags(experiment: Experiment) -> str:
    known = [tag for tag in tags_of(experiment) if any(each.tag == tag for each in experiment.summaries)]
    parts: list[str] = []
    measured = [card for card in experiment.metrics if _is_measured(experiment, card)]
    for card in measured:
        heads = "".join(f'<th scope="col"><bdi>{_text(variant.name)}</bdi></th>' for variant in experiment.variants)
        rows = ""
        for tag in known[:_TAGS_SHOWN]:
            cells = "".join(
                _cell(experiment.summary(variant.name, card.name, tag=tag), card, number)
                for number, variant in enumerate(experiment.variants)
            )
            rows += f'<tr><th scope="row"><bdi>{_text(tag)}</bdi></th>{cells}</tr>'
        if rows:
            table = f'<thead><tr><th scope="col">Tag</th>{heads}</tr></thead><tbody>{rows}</tbody>'
            opened = " open" if not parts else ""
            shown = _scrolled(table, f"{card.title} by tag")
            parts.append(f"<details{opened}><summary>{_text(card.title)}</summary>{shown}</details>")
    return _section("By tag", "".join(parts))


def _method(experiment: Experiment) -> str:
    base, verifier = experiment.knowledge_base, experiment.verifier
    facts = [
        ("Questions", f"{experiment.dataset.name}, {len(experiment.rows)} rows, sha256 {experiment.dataset.hash}"),
        ("Knowledge base", f"version {base.version}, {base.documents} documents, {base.embedder}" if base else "none"),
        ("Verifier", f"{verifier.name} {verifier.version}{'' if verifier.calibrated else ', not calibrated'}"),
        (
            "Judge",
            (experiment.judge.model or experiment.judge.label) if experiment.judge else "none: all figures local",
        ),
        ("Run", f"{experiment.started:%Y-%m-%d %H:%M %Z}, {experiment.seconds:.0f} s, {experiment.software}"),
        ("Boundary code", experiment.nonce),
    ]
    for variant in experiment.variants:
        template, generator = variant.template, variant.generator
        made = (
            f"template {template.name}@{template.version} {template.hash[:12]}" if template else "",
            (generator.model or generator.label) if generator else "",
            json.dumps(variant.options, ensure_ascii=False) if variant.options else "",
        )
        facts.append((f"Variant {variant.name}", "; ".join(filter(None, made)) or "as given"))
    shown = "".join(f"<dt>{_text(label)}</dt><dd><bdi>{_text(value)}</bdi></dd>" for label, value in facts)
    cards = "".join(f"<dt>{_text(card.title)}</dt><dd>{_text(_card(card))}</dd>" for card in experiment.metrics)
    return _section(
        "How it was measured", f'<dl class="facts">{shown}</dl><h3>Metrics</h3><dl class="facts">{cards}</dl>'
    )


def _card(card: MetricCard) -> str:
    low, high = ("unbounded" if end is None else f"{end:g}" for end in (card.low, card.high))
    needs = f" Needs {', '.join(card.needs)}." if card.needs else ""
    scale = f"From {low} to {high}; {_BETTER[card.better]}; {card.source}; version {card.version}."
    return f"{card.description} {scale}{needs}"


_ROWS = """<section id="rows" class="rows" aria-labelledby="rows-head">
<h2 id="rows-head">Rows</h2>
<noscript><p class="note">The rows need JavaScript. Everything above and below does not.</p></noscript>
<form class="filters" id="filters" hidden></form>
<p class="soft" id="count" role="status"></p>
<div class="panes"><div class="list" id="list" tabindex="0" role="list" aria-label="Rows" hidden></div>
<article class="detail" id="detail" aria-labelledby="asked" tabindex="-1" hidden></article></div>
</section>
"""


def _asset(name: str) -> str:
    return files("grounded.render").joinpath(name).read_text("utf-8")


def _scrolled(table: str, label: str, kind: str = "scroll") -> str:
    """A table that scrolls by itself where it is too wide; reachable by keyboard."""
    return f'<div class="{kind}" role="region" aria-label="{_text(label)}" tabindex="0"><table>{table}</table></div>'


def _link(state: dict[str, object]) -> str:
    given = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in state.items() if value != "")
    return f"#rows?{escape(given)}"


def _section(heading: str, content: str) -> str:
    return f"<section>\n<h2>{heading}</h2>\n{content}\n</section>\n" if content else ""


def _element(tag: str, content: str) -> str:
    return f"<{tag}>{content}</{tag}>" if content else ""


def _soft(text: str) -> str:
    return f'<br><span class="soft">{_text(text)}</span>' if text else ""


def _text(text: str) -> str:
    return escape(harmless(text), quote=True)
