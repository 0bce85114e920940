"""Reports, answers and passages on a terminal; verdicts have a colour, a symbol and a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from grounded.records import Answer, Citation, Claim, Evidence, Passage, Prompt, Report, Verdict
from grounded.render.common import (
    SYMBOLS,
    WORDS,
    changed,
    citation_words,
    counts,
    harmless,
    on_one_line,
    outdated,
    pieces,
    review_words,
    standing,
    summary,
    verdict_words,
    why,
)
from grounded.text.shortening import shortened

STYLES: dict[Verdict, str] = {
    "supported": "green",
    "contradicted": "bold red",
    "unsupported": "yellow",
    "check_failed": "magenta",
    "not_a_claim": "",
}
_QUOTE_WIDTH = 400
_NONE: Mapping[str, str] = {}


def verdict_label(verdict: Verdict) -> Text:
    """A verdict as symbol and word."""
    return Text(f"{SYMBOLS[verdict]} {WORDS[verdict]}", style=STYLES[verdict])


def answer_text(report: Report) -> Text:
    """The answer with every claim coloured and followed by its symbol; reasoning is left out."""
    shown = Text()
    for text, claim in pieces(report):
        if claim is None or claim.verdict == "not_a_claim":
            shown.append(harmless(text))
        else:
            shown.append(harmless(text), style=STYLES[claim.verdict])
            shown.append(f" {SYMBOLS[claim.verdict]}", style=STYLES[claim.verdict])
    shown.rstrip()
    return shown


def claim_terminal(claim: Claim, old: Mapping[str, str] = _NONE) -> RenderableType:
    """One claim: verdict, text, reason, parts, evidence and reviews.

    Args:
        claim: The claim.
        old: Why passages are out of force, by id.
    """
    head = Text(f"{SYMBOLS[claim.verdict]} {verdict_words(claim)}  ", style=STYLES[claim.verdict])
    head.append(on_one_line(claim.text), style="")
    below: list[RenderableType] = [
        Text.assemble(verdict_label(part.verdict), "  ", on_one_line(part.text)) for part in claim.parts
    ]
    if why(claim) and claim.verdict != "not_a_claim":
        below.append(Text(on_one_line(why(claim)), style="italic"))
    below.extend(_evidence(evidence, standing(evidence, claim, old)) for evidence in claim.evidence)
    below.extend(Text(on_one_line(review_words(review, claim)), style="cyan") for review in claim.reviews)
    return Group(head, Padding(Group(*below), (0, 0, 0, 4))) if below else head


def citations_terminal(citations: Iterable[Citation], known: Sequence[Evidence] = ()) -> RenderableType:
    """The markers with their status, their source and the quote that decides."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    for citation in citations:
        shown = Text(on_one_line(citation.title or "no such source"))
        for evidence in citation.evidence[:1]:
            shown = Text.assemble(on_one_line(evidence.place()), "\n", Text(_quote(evidence.text), style="dim"))
        style = "green" if citation.status == "correct" else "yellow"
        table.add_row(
            Text(on_one_line(citation.marker)),
            Text(on_one_line(citation_words(citation, known)), style=style),
            shown,
        )
    return table


def report_terminal(report: Report) -> RenderableType:
    """A whole report: the answer, what is wrong with it and why, the citations, the figures."""
    parts: list[RenderableType] = [answer_text(report), Text()]
    if report.original is not None:
        parts += [Text(changed(report), style="yellow"), Text()]
    written, old = report.original or report, outdated(report)
    worst = written.worst(len(written.claims))
    reviewed = [claim for claim in report.claims if claim.reviews and claim not in worst]
    parts.extend(claim_terminal(claim, old) for claim in (*worst, *reviewed))
    if worst:
        parts.append(Text())
    found = [evidence for claim in report.claims for evidence in claim.evidence]
    if report.citations:
        parts += [Text("Citations", style="bold"), citations_terminal(report.citations, found), Text()]
    figures = [f"{label.lower()} {value}" for label, value in summary(report)[1:] if value != "–"]
    parts.append(Text(" · ".join([counts(report), *figures]), style="dim"))
    parts.extend(Text(f"Warning: {on_one_line(warning)}", style="yellow") for warning in report.warnings)
    return Group(*parts)


def answer_terminal(answer: Answer) -> RenderableType:
    """An answer with its citations and what the verifier says, or the reason why there is none."""
    notes = [Padding(Text(f"note: {on_one_line(note)}", style="cyan"), (0, 0, 0, 2)) for note in answer.notes]
    return Group(*_said(answer), *notes, Text(f"  {_standing(answer)}", style="dim"))


def _said(answer: Answer) -> list[RenderableType]:
    if not answer.answered:
        return [Text(f"⊘ {harmless(answer.text)}", style="yellow")]
    if answer.report is None:
        return [Text(harmless(answer.text))]
    worst, old = answer.report.worst(len(answer.report.claims)), outdated(answer.report)
    claims = [Padding(claim_terminal(claim, old), (0, 0, 0, 2)) for claim in worst]
    citations = [Padding(_citation(citation), (0, 0, 0, 2)) for citation in answer.citations]
    return [answer_text(answer.report), *claims, *citations]


def _standing(answer: Answer) -> str:
    """One line: what became of it, and who wrote it."""
    checked = counts(answer.report) if answer.report else "not verified"
    outcome = checked if answer.answered else answer.outcome.replace("_", " ")
    return f"{outcome} · {on_one_line(answer.generator.label)}"


def _citation(citation: Citation) -> RenderableType:
    """One marker: where it leads and the words there."""
    style = "green" if citation.status == "correct" else "bold yellow"
    sign = "" if citation.status == "correct" else f" {citation.status.replace('_', ' ')}"
    place = citation.evidence[0].place() if citation.evidence else citation.title or "no such source"
    file = PurePosixPath(unquote(urlsplit(citation.uri).path)).name
    named = f"  {on_one_line(file)}" if file and file not in place else ""
    line = Text.assemble((on_one_line(citation.marker), style), (sign, style), " ", (on_one_line(place), "bold"), named)
    quotes = [Padding(Text(f"“{_quote(e.text)}”", style="dim"), (0, 0, 0, 4)) for e in citation.evidence[:1]]
    return Group(line, *quotes)


def passages_terminal(passages: Sequence[Passage]) -> RenderableType:
    """Passages with their number, place and text."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    for number, passage in enumerate(passages, start=1):
        place = Text(on_one_line(passage.place() or passage.uri), style="bold")
        also = f"  {on_one_line(passage.also_in())}" if passage.also else ""
        table.add_row(Text(f"[{number}]"), Text.assemble(place, (also, "dim"), "\n", _quote(passage.text)))
    return table


def prompt_terminal(prompt: Prompt) -> RenderableType:
    """The messages as sent, and where the tokens went."""
    parts: list[RenderableType] = []
    for message in prompt.messages:
        parts.append(Panel(Text(harmless(message.content)), title=message.role, title_align="left", border_style="dim"))
    budget = prompt.budget
    spent = ", ".join(f"{name} {tokens}" for name, tokens in budget.parts.items())
    exact = "exact" if budget.exact else "with a margin"
    parts.append(Text(f"{budget.used} tokens ({exact}, {budget.encoding}): {spent}; {budget.left} left", style="dim"))
    parts.extend(
        Text(f"Left out: {each.part} {each.what}, {each.tokens} tokens: {each.reason}", style="yellow")
        for each in budget.dropped
    )
    parts.extend(Text(f"Warning: {on_one_line(each.message)}", style="yellow") for each in prompt.warnings)
    return Group(*parts)


def _evidence(evidence: Evidence, force: str) -> RenderableType:
    style = "green" if evidence.relation == "supports" else "red"
    where = ", ".join(filter(None, (evidence.place(), force)))
    return Text.assemble(
        (f"{evidence.relation}  ", style),
        (f"“{_quote(evidence.text)}”", ""),
        ("  " + on_one_line(where), "dim"),
    )


def _quote(text: str) -> str:
    return shortened(on_one_line(text), _QUOTE_WIDTH)
