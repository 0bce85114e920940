"""What all renderings share: the words and symbols of verdicts, and making foreign text harmless to show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib import parse

from grounded.records import (
    Citation,
    CitationStatus,
    Claim,
    Evidence,
    Locator,
    Passage,
    Report,
    Review,
    Span,
    Verdict,
    out_of_force,
)
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
CITATION_WORDS: dict[CitationStatus, str] = {
    "correct": "correct",
    "wrong_source": "wrong source: does not support this",
    "dangling": "points to no source",
    "redundant": "cited twice for this claim",
    "unchecked": "not checked",
}


def citation_words(citation: Citation, evidence: Iterable[Evidence] = ()) -> str:
    """What is to be said of a marker; of a wrong one also which sources would be right, as ``evidence`` names them."""
    titles = {each.passage_id: each.title or each.passage_id for each in evidence}
    right = list(dict.fromkeys(titles.get(each, each) for each in citation.better))
    return CITATION_WORDS[citation.status] + (f"; right would be {', '.join(right)}" if right else "")


def link_to(uri: str, locators: Iterable[Locator], words: str = "") -> str:
    """Where a click leads: the document at its place, or the empty string when it is no web page and no file.

    A browser opens a PDF at ``#page=``, and marks on a web page the words behind ``#:~:text=``.

    Args:
        uri: Where the document is.
        locators: The places in it; the page of a document within the document is no page of the document.
        words: What to mark on a web page.
    """
    if not uri.lower().startswith(("http://", "https://", "file:///")):
        return ""
    places = list(locators)
    if "#" in uri or any(each.kind == "member" for each in places):
        return uri
    page = next((each.fields["number"] for each in places if each.kind == "page"), None)
    if page is not None:
        return f"{uri}#page={page}"
    said = words.split()
    if not said or uri.lower().startswith("file:"):
        return uri
    ends = [said] if len(said) <= 2 * _MARKED_WORDS else [said[:_MARKED_WORDS], said[-_MARKED_WORDS:]]
    return f"{uri}#:~:text=" + ",".join(parse.quote(" ".join(end), safe="").replace("-", "%2D") for end in ends)


_MARKED_WORDS = 5
NOTICE = (
    "The answer may have been written by an AI system, and it was checked by software. Both make mistakes: "
    "read the evidence before you rely on it."
)
"""Stands on every report that is made for people."""
_CONTEXT_CHARACTERS = 200
_QUOTE_CHARACTERS = 2000

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


@dataclass(frozen=True, slots=True)
class Quote:
    """A piece of evidence with what stands around it in its passage; long texts are cut and show "…"."""

    before: str
    text: str
    after: str


def quote(evidence: Evidence, passage: Passage | None) -> Quote:
    """The evidence in its context; alone when the passage is not at hand or does not hold it at that place."""
    shown = evidence.text if len(evidence.text) <= _QUOTE_CHARACTERS else evidence.text[:_QUOTE_CHARACTERS] + "…"
    start = evidence.span.start - passage.offset if passage else -1
    end = start + len(evidence.text)
    if passage is None or start < 0 or passage.text[start:end] != evidence.text:
        return Quote("", shown, "")
    before, after = passage.text[max(0, start - _CONTEXT_CHARACTERS) : start], passage.text[end:]
    if start > _CONTEXT_CHARACTERS:
        before = "…" + before[before.find(" ") + 1 :]
    if len(after) > _CONTEXT_CHARACTERS:
        after = after[:_CONTEXT_CHARACTERS]
        after = after[: after.rfind(" ") + 1 or None] + "…"
    return Quote(before, shown, after)


def outdated(report: Report) -> Mapping[str, str]:
    """Why passages were out of force on the day of the report, by id; empty when the day is not known."""
    if report.on is None:
        return {}
    return {report.passages[number].id: why for number, why in out_of_force(report.passages, report.on).items()}


def standing(evidence: Evidence, claim: Claim, old: Mapping[str, str]) -> str:
    """Whether the source of a piece of evidence is in force, where that matters; else empty."""
    disputed = len({each.relation for each in claim.evidence}) > 1
    return old.get(evidence.passage_id) or ("in force" if disputed else "")


def deciding(claim: Claim) -> tuple[Evidence, ...]:
    """The strongest evidence of each side, that which decided first."""
    best: dict[str, Evidence] = {}
    for evidence in claim.evidence:
        best.setdefault(evidence.relation, evidence)
    return tuple(best.values())


def verdict_words(claim: Claim) -> str:
    """The verdict in words, with what a reader must not miss."""
    notes = [
        "in part" if claim.is_partly_supported else "",
        "sources disagree" if claim.conflict else "",
    ]
    said = ", ".join(filter(None, notes))
    return f"{WORDS[claim.verdict]} ({said})" if said else WORDS[claim.verdict]


def why(claim: Claim) -> str:
    """The reason in words; of a partly supported claim, which parts are not and why."""
    if not claim.is_partly_supported:
        return claim.reason
    failing = [part for part in claim.parts if part.verdict not in ("supported", "not_a_claim")]
    named = [f"“{part.text}” {_FATE[part.verdict][0]}{f' ({part.reason})' if part.reason else ''}" for part in failing]
    return "; ".join([*named, "the rest is supported"])


def chances(claim: Claim) -> str:
    """The probabilities of a calibrated verifier, or the raw score and that it is none; empty without a number."""
    known = (("supported", claim.support), ("contradicted", claim.contradiction), ("neither", claim.neither))
    shown = " · ".join(f"{name} {value:.0%}" for name, value in known if value is not None)
    if shown:
        return f"probability: {shown}"
    return "" if claim.score is None else f"raw score {claim.score:.2f} of 1, not a probability"


def review_words(review: Review, claim: Claim) -> str:
    """What a person said of a verdict: accepted or rejected, who, when, why."""
    by = f"by {review.by} on {review.at.date().isoformat()}"
    if review.verdict == claim.verdict:
        return f"accepted {by}: {review.reason}"
    return f"rejected {by}, should be {WORDS[review.verdict]}: {review.reason}"


def headline(report: Report) -> str:
    """What was found, in one sentence."""
    if report.is_withheld:
        return "The answer is withheld."
    checked = [claim.verdict for claim in report.claims if claim.verdict != "not_a_claim"]
    if not checked:
        return "Nothing in this answer could be checked." if report.text.strip() else "The answer is empty."
    total, right = len(checked), checked.count("supported")
    if total == 1:
        return f"The one claim of this answer {_FATE[checked[0]][0]}."
    if right == total:
        return f"All {total} claims are supported by the sources."
    found = "none is" if not right else f"{right} {'is' if right == 1 else 'are'}"
    others = [_said_of(checked.count(verdict), verdict) for verdict in ("contradicted", "unsupported", "check_failed")]
    return f"Of {total} claims {found} supported by the sources; {_joined(filter(None, others))}."


_FATE: dict[Verdict, tuple[str, str]] = {
    "supported": ("is supported by the sources", "are supported by the sources"),
    "contradicted": ("is contradicted", "are contradicted"),
    "unsupported": ("is unsupported", "are unsupported"),
    "check_failed": ("could not be checked", "could not be checked"),
}


def _said_of(count: int, verdict: Verdict) -> str:
    return f"{count} {_FATE[verdict][count > 1]}" if count else ""


def _joined(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def changed(report: Report) -> str:
    """That a policy returned another text than was written; empty when it did not."""
    if report.original is None:
        return ""
    said = "withheld" if report.is_withheld else "changed"
    return f"The policy {report.policy} {said} the answer. As it was written: {headline(report.original)}"


def scope(report: Report) -> str:
    """Against how many sources, as of which day and by whom it was checked."""
    count = len(report.passages)
    sources = f"{count} source{'' if count == 1 else 's'}"
    day = f" as they stood on {report.on.isoformat()}" if report.on else ""
    return f"Checked sentence by sentence against {sources}{day} by {verifier_name(report)}."


def verifier_name(report: Report) -> str:
    """Name, version and whether its numbers are probabilities."""
    verifier = report.verifier
    return f"{verifier.name} {verifier.version}{'' if verifier.calibrated else ', not calibrated'}"


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
    return [
        ("Sentences", counts(report)),
        ("Groundedness", percent(report.groundedness) + ("" if report.complete else " (incomplete: a check failed)")),
        ("Citation precision", percent(report.citation_precision)),
        ("Citation recall", percent(report.citation_recall if report.citations else None)),
        *([("Supported without a marker", str(len(report.uncited)))] if report.citations and report.uncited else []),
        ("Verifier", verifier_name(report)),
    ]
