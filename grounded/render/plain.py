"""A report in a few plain lines, for logs, tickets and terminals without colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from grounded.records import Claim, Evidence, Report
from grounded.render.common import (
    CITATION_WORDS,
    NOTICE,
    SYMBOLS,
    changed,
    citation_words,
    deciding,
    headline,
    on_one_line,
    outdated,
    percent,
    review_words,
    scope,
    standing,
    verdict_words,
    why,
)
from grounded.text.shortening import shortened

_QUOTE_CHARACTERS = 240


def report_plain(report: Report) -> str:
    """Each claim with its verdict, why, and the evidence that decides; numbers count ``report.claims`` from 1."""
    figure = "" if report.groundedness is None else f" Groundedness {percent(report.groundedness)}."
    lines = [*filter(None, (headline(report) + figure, changed(report))), ""]
    lines += _claims(report, range(len(report.claims)))
    if report.original is not None:
        lines += ["In the answer as it was written:", "", *_claims(report.original, _failing(report.original))]
    lines += [f"Marker {on_one_line(each.marker)}: {CITATION_WORDS[each.status]}." for each in report.stray_citations]
    lines += [f"Warning: {on_one_line(warning)}" for warning in report.warnings]
    lines += [on_one_line(scope(report)), NOTICE]
    return "\n".join(lines)


def _claims(report: Report, places: Iterable[int]) -> list[str]:
    old = outdated(report)
    return [line for place in places for line in _claim(report.claims[place], place + 1, old)]


def _failing(report: Report) -> list[int]:
    return [place for place, claim in enumerate(report.claims) if claim.verdict not in ("supported", "not_a_claim")]


def _claim(claim: Claim, number: int, old: Mapping[str, str]) -> list[str]:
    lines = [f"{number}. {SYMBOLS[claim.verdict]} {verdict_words(claim)}: {_cut(claim.text)}"]
    if why(claim):
        lines.append(f"   why: {on_one_line(why(claim))}")
    lines += [f"   {_evidence(evidence, claim, old)}" for evidence in deciding(claim)]
    wrong = [each for each in claim.citations if each.status not in ("correct", "unchecked")]
    lines += [
        f"   marker {on_one_line(each.marker)}: {on_one_line(citation_words(each, claim.evidence))}" for each in wrong
    ]
    lines += [f"   {on_one_line(review_words(review, claim))}" for review in claim.reviews]
    return [*lines, ""]


def _evidence(evidence: Evidence, claim: Claim, old: Mapping[str, str]) -> str:
    where = ", ".join(filter(None, (evidence.place() or evidence.uri, standing(evidence, claim, old))))
    return f"{evidence.relation}: “{_cut(evidence.text)}” ({on_one_line(where)})"


def _cut(text: str) -> str:
    return shortened(on_one_line(text), _QUOTE_CHARACTERS)
