"""What all renderings share: the words and symbols of verdicts, and making foreign text harmless to show."""

from __future__ import annotations

import re
from collections.abc import Iterator

from grounded.records import Claim, Report, Span, Verdict
from grounded.text.regions import thought_spans

SYMBOLS: dict[Verdict, str] = {
    "supported": "✓",
    "contradicted": "✗",
    "unsupported": "?",
    "check_failed": "!",
    "not_a_claim": "·",
}
"""One character per verdict, so that colour never carries the meaning alone."""
WORDS: dict[Verdict, str] = {
    "supported": "supported",
    "contradicted": "contradicted",
    "unsupported": "unsupported",
    "check_failed": "check failed",
    "not_a_claim": "nothing to check",
}

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DIRECTION = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Text without control characters (terminal escapes), lone surrogates and direction marks."""
    return _DIRECTION.sub("", _CONTROL.sub("\ufffd", text.replace("\r\n", "\n")))


def on_one_line(text: str) -> str:
    """Harmless text with white space collapsed."""
    return " ".join(harmless(text).split())


def pieces(report: Report) -> Iterator[tuple[str, Claim | None]]:
    """The report's text in order, claims and what lies between them; reasoning is left out."""
    hidden = thought_spans(report.text)
    position = 0
    for claim in sorted(report.claims, key=lambda claim: claim.span.start):
        yield from _between(report.text, position, claim.span.start, hidden)
        yield claim.text, claim
        position = claim.span.end
    yield from _between(report.text, position, len(report.text), hidden)


def _between(text: str, start: int, end: int, hidden: list[Span]) -> Iterator[tuple[str, None]]:
    for span in hidden:
        if span.end <= start or span.start >= end:
            continue
        if span.start > start:
            yield text[start : span.start], None
        start = max(start, span.end)
    if start < end:
        yield text[start:end], None


def percent(value: float | None) -> str:
    """A share for people; a dash when it is undefined."""
    return "–" if value is None else f"{value:.0%}"


def counts(report: Report) -> str:
    """One line: how many sentences got which verdict."""
    by_verdict = {verdict: sum(claim.verdict == verdict for claim in report.claims) for verdict in WORDS}
    named = [f"{SYMBOLS[verdict]} {count} {WORDS[verdict]}" for verdict, count in by_verdict.items() if count]
    return ", ".join(named) or "nothing to check"


def summary(report: Report) -> list[tuple[str, str]]:
    """The figures of a report as label and value."""
    verifier = report.verifier
    return [
        ("Sentences", counts(report)),
        ("Groundedness", percent(report.groundedness) + ("" if report.complete else " (incomplete: a check failed)")),
        ("Citation precision", percent(report.citation_precision)),
        ("Citation recall", percent(report.citation_recall if report.citations else None)),
        ("Verifier", f"{verifier.name} {verifier.version}{'' if verifier.calibrated else ', not calibrated'}"),
    ]
