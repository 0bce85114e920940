"""A report as one self-contained page: no script, no outside resource, all foreign text escaped.

The answer is the page: each sentence opens in place (``details``) and shows why it got its verdict, so that it works
with a keyboard, a screen reader, on paper and without JavaScript.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib.resources import files

from grounded.records import Citation, Claim, Evidence, Locator, Passage, Report, Verdict
from grounded.render.common import (
    NOTICE,
    SYMBOLS,
    WORDS,
    chances,
    changed,
    citation_words,
    harmless,
    headline,
    link_to,
    outdated,
    percent,
    pieces,
    quote,
    review_words,
    scope,
    standing,
    verdict_words,
    why,
)

_SOURCES_SHOWN = 200
_START_CHARACTERS = 200
_EMPTY_LINES = re.compile(r"\n[ \t]*(?=\n)")


def report_html(report: Report, *, title: str = "Verification report") -> str:
    """The report as an HTML document: the answer coloured by verdict, each claim with its evidence to open.

    Hostile text in the answer or the sources stays text. Links are made only of http and https addresses.
    """
    shown = _Page(report)
    written = _Page(report.original, prefix="written-") if report.original is not None else None
    look, more = (written or shown).to_look_at(), written.answer("The answer as it was written") if written else ""
    style = files("grounded.render").joinpath("report.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{_text(title)}</h1>\n{_overview(report)}</header>\n<main>\n"
        f"{look}{shown.answer('The answer')}{more}{shown.sources()}{_method(report)}</main>\n"
        "</body>\n</html>\n"
    )


@dataclass(frozen=True)
class _Page:
    """A report with what its parts look up in each other."""

    report: Report
    prefix: str = ""

    @cached_property
    def numbers(self) -> Mapping[int, int]:
        """The number of a claim, from 1, by identity: equal claims may stand in several places."""
        return {id(claim): number for number, claim in enumerate(self.report.claims, start=1)}

    @cached_property
    def passages(self) -> Mapping[str, tuple[int, Passage]]:
        """The first passage with an id, and its number as markers count it."""
        found: dict[str, tuple[int, Passage]] = {}
        for number, passage in enumerate(self.report.passages, start=1):
            found.setdefault(passage.id, (number, passage))
        return found

    @cached_property
    def outdated(self) -> Mapping[str, str]:
        return outdated(self.report)

    def to_look_at(self) -> str:
        items = "".join(
            f'<li class="{claim.verdict}"><a href="#{self._anchor(claim)}">{_foreign(_start(claim))}</a><br>'
            f"<b>{_verdict(claim)}</b>{_after(': ', why(claim))}</li>\n"
            for claim in self.report.worst(len(self.report.claims))
        )
        return _section("Needs a look", _element('ul class="look"', items))

    def answer(self, heading: str) -> str:
        shown = "".join(_foreign(text) if claim is None else self._claim(claim) for text, claim in pieces(self.report))
        return (
            f'<h2>{heading}</h2>\n<p class="soft hint">Select a sentence to see why it got its verdict.</p>\n'
            f'<div class="answer" dir="auto">{shown or "<em>empty</em>"}</div>\n'
            f"{_section('Markers outside the claims', _citations(self.report.stray_citations))}"
        )

    def _anchor(self, claim: Claim) -> str:
        return f"{self.prefix}claim-{self.numbers[id(claim)]}"

    def _claim(self, claim: Claim) -> str:
        opened = "" if claim.verdict in ("supported", "not_a_claim") else " open"
        parts = " has-parts" if claim.parts else ""
        return (
            f'<details id="{self._anchor(claim)}" class="claim {claim.verdict}"{opened}>'
            f'<summary><span class="said{parts}">{_said(claim)}</span> {_tag(claim)}</summary>'
            f'<div class="why">{self._why(claim)}</div></details>'
        )

    def _why(self, claim: Claim) -> str:
        parts = "".join(
            f'<li class="{part.verdict}"><b>{SYMBOLS[part.verdict]} {WORDS[part.verdict]}</b>: {_foreign(part.text)}'
            f"{_after(' – ', part.reason)}</li>"
            for part in claim.parts
        )
        reason = "" if claim.is_partly_supported else claim.reason
        facts = " · ".join(filter(None, (f"claim {self.numbers[id(claim)]}", chances(claim))))
        reviews = "".join(f"<li>{_foreign(review_words(review, claim))}</li>" for review in claim.reviews)
        return (
            f"<p><b>{_verdict(claim)}</b>{_after(': ', reason)}</p>{_element('ul', parts)}"
            f"{''.join(self._evidence(each, claim) for each in claim.evidence)}"
            f"{_citations(claim.citations, claim.evidence)}"
            f"{_element(_SOFT, _text(facts))}{_element('ul', reviews)}"
        )

    def _evidence(self, evidence: Evidence, claim: Claim) -> str:
        number, passage = self.passages.get(evidence.passage_id, (0, None))
        shown = quote(evidence, passage)
        tone: Verdict = "supported" if evidence.relation == "supports" else "contradicted"
        where = (
            f"source {number}" if number else "",
            f"characters {evidence.span.start}–{evidence.span.end}",
            standing(evidence, claim, self.outdated),
        )
        place = _place(evidence.place(), evidence.uri, evidence.locators, evidence.text)
        return (
            f'<figure class="evidence {tone}"><blockquote dir="auto">{_element("span", _lines(shown.before))}'
            f"<mark>{_lines(shown.text)}</mark>{_element('span', _lines(shown.after))}</blockquote>"
            f"<figcaption><b>{SYMBOLS[tone]} {evidence.relation}</b>: {place}"
            f"{''.join(_after(' · ', each) for each in where)}</figcaption></figure>"
        )

    def sources(self) -> str:
        used = {evidence.passage_id for claim in self.report.claims for evidence in claim.evidence}
        items = "".join(
            f"<li>{_place(passage.place(), passage.uri, passage.locators)}{_after(' · ', passage.also_in())}"
            f"{_after(' · ', self.outdated.get(passage.id, ''))}"
            f"{'' if passage.id in used else _after(' · ', 'not used as evidence')}</li>\n"
            for passage in self.report.passages[:_SOURCES_SHOWN]
        )
        more = len(self.report.passages) - _SOURCES_SHOWN
        rest = f"<p>and {more} more</p>" if more > 0 else ""
        return _section("Sources", (_element("ol", items) or "<p>none</p>") + rest)


def _overview(report: Report) -> str:
    counted = {verdict: sum(claim.verdict == verdict for claim in report.claims) for verdict in WORDS}
    found = [(verdict, count) for verdict, count in counted.items() if count]
    bar = "".join(
        f'<span class="{verdict}" style="flex:{count}"></span>' for verdict, count in found if verdict != "not_a_claim"
    )
    tally = "".join(
        f'<li class="{verdict}"><b>{SYMBOLS[verdict]} {count}</b> {WORDS[verdict]}</li>' for verdict, count in found
    )
    figures = (
        ("Groundedness", report.groundedness),
        ("Citation precision", report.citation_precision),
        ("Citation recall", report.citation_recall if report.citations else None),
    )
    shown = "".join(
        f"<div><dt>{label}</dt><dd>{percent(value)}</dd></div>" for label, value in figures if value is not None
    )
    incomplete = "" if report.complete else " It is incomplete: a check failed."
    warnings = "".join(f"<li><b>Warning:</b> {_foreign(warning)}</li>" for warning in report.warnings)
    return (
        f'<p class="headline">{_text(headline(report))}</p>\n{_element(_BAR, bar)}\n'
        f"{_element(_TALLY, tally)}\n{_element(_FIGURES, shown)}\n"
        f"{_element('p', _text(changed(report)))}\n"
        f'<p class="soft">{_text(scope(report) + incomplete)}</p>\n{_element(_WARNINGS, warnings)}'
        f'<p class="note">{_text(NOTICE)}</p>\n'
    )


_SOFT = 'p class="soft"'
_BAR = 'div class="bar" aria-hidden="true"'
_TALLY = 'ul class="tally"'
_FIGURES = 'dl class="figures"'
_WARNINGS = 'ul class="note" aria-label="Warnings"'


def _method(report: Report) -> str:
    verifier = report.verifier
    arguments = json.dumps(verifier.arguments, ensure_ascii=False, default=str) if verifier.arguments else "none"
    facts = (
        ("Verifier", f"{verifier.name} {verifier.version}"),
        ("Settings", arguments),
        ("Policy", report.policy),
        ("Numbers", "calibrated probabilities" if verifier.calibrated else "raw scores, not probabilities"),
        ("Sources in force on", report.on.isoformat() if report.on else "not recorded"),
    )
    shown = "".join(f"<dt>{label}</dt><dd>{_foreign(value)}</dd>" for label, value in facts)
    return _section("How it was checked", _element('dl class="facts"', shown))


def _said(claim: Claim) -> str:
    """The text of a claim, its parts marked with verdicts of their own."""
    shown, position = [], claim.span.start
    for part in sorted(claim.parts, key=lambda part: part.span.start):
        if part.span.start < position or part.span.end > claim.span.end:
            continue
        shown.append(_foreign(claim.text[position - claim.span.start : part.span.start - claim.span.start]))
        shown.append(f'<span class="part {part.verdict}">{_foreign(part.text)}</span>')
        position = part.span.end
    shown.append(_foreign(claim.text[position - claim.span.start :]))
    return "".join(shown)


def _tag(claim: Claim) -> str:
    doubted = claim.reviews and claim.reviews[-1].verdict != claim.verdict
    return f'<span class="tag">{_verdict(claim)}{" · rejected in review" if doubted else ""}</span>'


def _verdict(claim: Claim) -> str:
    return f"{SYMBOLS[claim.verdict]} {verdict_words(claim)}"


def _start(claim: Claim) -> str:
    return claim.text if len(claim.text) <= _START_CHARACTERS else claim.text[:_START_CHARACTERS] + "…"


def _citations(citations: Iterable[Citation], evidence: Iterable[Evidence] = ()) -> str:
    items = "".join(
        f"<li>{_foreign(each.marker)} {_text(citation_words(each, evidence))}{_after(' · ', each.title)}</li>"
        for each in citations
    )
    return _element('ul class="citations"', items)


def _place(place: str, uri: str, locators: tuple[Locator, ...], words: str = "") -> str:
    shown = _foreign(place or uri)
    link = link_to(uri, locators, words)
    return f'<a href="{_text(link)}" rel="noreferrer noopener">{shown}</a>' if link else shown


def _section(heading: str, content: str) -> str:
    return f"<section>\n<h2>{heading}</h2>\n{content}\n</section>\n" if content else ""


def _element(opening: str, content: str) -> str:
    """An element, or nothing when it would be empty."""
    return f"<{opening}>{content}</{opening.partition(' ')[0]}>" if content else ""


def _after(separator: str, text: str) -> str:
    """Foreign text behind a separator of ours; nothing when there is none."""
    return f"{separator}{_foreign(text)}" if text else ""


def _foreign(text: str) -> str:
    """Text from outside: escaped, and its writing direction kept to itself."""
    return f"<bdi>{_text(text)}</bdi>" if text else ""


def _lines(text: str) -> str:
    """Escaped text of a source without its empty lines."""
    return _EMPTY_LINES.sub("", _text(text))


def _text(text: str) -> str:
    return escape(harmless(text), quote=True)
