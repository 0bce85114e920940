"""A report as Markdown; foreign text is escaped, so that it cannot become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from grounded.records import Citation, Claim, Evidence, Report
from grounded.render.common import (
    NOTICE,
    SYMBOLS,
    WORDS,
    chances,
    changed,
    citation_words,
    headline,
    on_one_line,
    outdated,
    review_words,
    scope,
    standing,
    summary,
    verdict_words,
    why,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$<>&-])|(?<=\d)(\.)(?=\s)|(:)(?=//)|(?<=\bwww)(\.)")


def report_markdown(report: Report, *, title: str = "Verification report") -> str:
    """The report as a Markdown document: figures, then each claim with its verdict, evidence, citations, reviews."""
    lines = [f"# {escaped(title)}", "", f"**{escaped(headline(report))}** {escaped(changed(report))}".rstrip(), ""]
    lines += [f"- **{escaped(label)}:** {escaped(value)}" for label, value in summary(report)]
    lines += [f"- **Warning:** {escaped(warning)}" for warning in report.warnings]
    lines += ["", escaped(scope(report)), "", f"> {NOTICE}", "", "## Claims", ""]
    lines += _claims(report)
    if report.original is not None:
        lines += ["## Claims of the answer as written", "", *_claims(report.original)]
    strays = _citations(report.stray_citations)
    lines += ["## Markers outside the claims", "", *strays, ""] if strays else []
    lines += ["## Sources", ""]
    old = outdated(report)
    for number, passage in enumerate(report.passages, start=1):
        why_not = f": {escaped(old[passage.id])}" if passage.id in old else ""
        lines.append(f"{number}. {escaped('; '.join(filter(None, (passage.place(), passage.also_in()))))}{why_not}")
    return "\n".join(lines).rstrip() + "\n"


def _claims(report: Report) -> list[str]:
    old = outdated(report)
    lines = [line for number, claim in enumerate(report.claims, start=1) for line in _claim(claim, number, old)]
    return lines or ["There is nothing to check.", ""]


def _claim(claim: Claim, number: int, old: Mapping[str, str]) -> list[str]:
    lines = [f"### {number}. {SYMBOLS[claim.verdict]} {verdict_words(claim)}", "", escaped(claim.text), ""]
    if why(claim):
        lines += [f"*{escaped(why(claim))}*", ""]
    lines += [f"- {SYMBOLS[part.verdict]} {WORDS[part.verdict]}: {escaped(part.text)}" for part in claim.parts]
    lines += [""] if claim.parts else []
    for evidence in claim.evidence:
        where = ", ".join(filter(None, (evidence.place() or evidence.uri, standing(evidence, claim, old))))
        lines += [f"> {escaped(evidence.text)}", ">", f"> {evidence.relation}: {escaped(where)}", ""]
    notes = [
        *_citations(claim.citations, claim.evidence),
        *(f"- {escaped(review_words(review, claim))}" for review in claim.reviews),
    ]
    notes += [f"- {chances(claim)}"] if claim.support is not None or claim.contradiction is not None else []
    return [*lines, *notes, ""] if notes else lines


def _citations(citations: Iterable[Citation], evidence: Iterable[Evidence] = ()) -> list[str]:
    return [
        f"- {escaped(each.marker)} {escaped(citation_words(each, evidence))}"
        f"{f' ({escaped(each.title)})' if each.title else ''}"
        for each in citations
    ]


def escaped(text: str) -> str:
    """Foreign text on one line that cannot become markup."""
    return _SPECIAL.sub(lambda match: "\\" + match.group(), on_one_line(text))
