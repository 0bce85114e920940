"""A report as one self-contained page: no script, no outside resource, all foreign text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from grounded.records import Citation, Claim, Evidence, Report
from grounded.render.common import SYMBOLS, WORDS, harmless, pieces, summary

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #ffffff; --line: #d1d9e0;
  --ok: #116329; --ok-bg: #dafbe1; --bad: #a40e26; --bad-bg: #ffebe9; --open: #7d4e00; --open-bg: #fff4d6;
  --fail: #5a32a3; --fail-bg: #f1e9ff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --paper: #0d1117; --line: #30363d;
  --ok: #56d364; --ok-bg: #12301b; --bad: #ff7b72; --bad-bg: #3d1418; --open: #e3b341; --open-bg: #33270a;
  --fail: #bc8cff; --fail-bg: #271a42; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
.answer { white-space: pre-wrap; border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; }
.claim { border-radius: .25rem; padding: .05rem .2rem; color: inherit;
  text-decoration: none; border-bottom: 2px solid; }
.claim sup { font-weight: 700; }
.supported { background: var(--ok-bg); border-color: var(--ok); }
.supported .verdict, .supported sup { color: var(--ok); }
.contradicted { background: var(--bad-bg); border-color: var(--bad); }
.contradicted .verdict, .contradicted sup { color: var(--bad); }
.unsupported { background: var(--open-bg); border-color: var(--open); border-bottom-style: dashed; }
.unsupported .verdict, .unsupported sup { color: var(--open); }
.check_failed { background: var(--fail-bg); border-color: var(--fail); border-bottom-style: dotted; }
.check_failed .verdict, .check_failed sup { color: var(--fail); }
details { border: 1px solid var(--line); border-left: .3rem solid;
  border-radius: .5rem; margin: .5rem 0; padding: .5rem .8rem; }
details[class] { background: none; } summary { cursor: pointer; } .verdict { font-weight: 700; }
blockquote { margin: .6rem 0; padding: .2rem .8rem; border-left: 3px solid var(--line); white-space: pre-wrap; }
.place, .reason, footer { color: var(--soft); font-size: .9rem; }
"""


def report_html(report: Report, *, title: str = "Verification report") -> str:
    """The report as an HTML document: the answer coloured by verdict, each claim with its evidence to open.

    Hostile text in the answer or the sources stays text. Links are made only of http and https addresses.
    """
    numbers = {id(claim): number for number, claim in enumerate(_checked(report), start=1)}
    answer = "".join(
        f"<bdi>{_text(text)}</bdi>" if claim is None else _marked(claim, numbers.get(id(claim)))
        for text, claim in pieces(report)
    )
    figures = "".join(f"<dt>{_text(label)}</dt><dd>{_text(value)}</dd>" for label, value in summary(report))
    details = "".join(_details(claim, numbers[id(claim)]) for claim in _checked(report))
    warnings = "".join(f"<li>{_text(warning)}</li>" for warning in report.warnings)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>\n"
        f"<dl>{figures}</dl>\n<h2>Answer</h2>\n"
        f'<div class="answer" dir="auto">{answer or "<em>empty</em>"}</div>\n'
        f"<h2>Claims</h2>\n{details or '<p>There is nothing to check.</p>'}\n"
        f"{_sources(report)}"
        f"{f'<h2>Warnings</h2><ul>{warnings}</ul>' if warnings else ''}\n</body>\n</html>\n"
    )


def _checked(report: Report) -> Sequence[Claim]:
    return [claim for claim in report.claims if claim.verdict != "not_a_claim"]


def _marked(claim: Claim, number: int | None) -> str:
    if number is None:
        return f"<bdi>{_text(claim.text)}</bdi>"
    label = f"{SYMBOLS[claim.verdict]}{number}"
    return (
        f'<a class="claim {claim.verdict}" href="#claim-{number}" title="{WORDS[claim.verdict]}">'
        f"<bdi>{_text(claim.text)}</bdi><sup>{label}</sup></a>"
    )


def _details(claim: Claim, number: int) -> str:
    opened = "" if claim.verdict == "supported" else " open"
    conflict = " (sources disagree)" if claim.conflict else ""
    parts = "".join(
        f"<li>{SYMBOLS[part.verdict]} {WORDS[part.verdict]}: <bdi>{_text(part.text)}</bdi></li>" for part in claim.parts
    )
    return (
        f'<details id="claim-{number}" class="{claim.verdict}"{opened}><summary>'
        f'<span class="verdict">{SYMBOLS[claim.verdict]} {number}. {WORDS[claim.verdict]}{conflict}</span> '
        f"<bdi>{_text(claim.text)}</bdi></summary>"
        f'<p class="reason">{_text(claim.reason)}</p>{f"<ul>{parts}</ul>" if parts else ""}'
        f"{''.join(map(_evidence, claim.evidence))}{_citations(claim.citations)}</details>\n"
    )


def _evidence(evidence: Evidence) -> str:
    return (
        f"<blockquote><bdi>{_text(evidence.text)}</bdi></blockquote>"
        f'<p class="place">{evidence.relation} · {_place(evidence.place(), evidence.uri)} · '
        f"characters {evidence.span.start}–{evidence.span.end}</p>"
    )


def _citations(citations: Iterable[Citation]) -> str:
    shown = "".join(
        f"<li><bdi>{_text(citation.marker)}</bdi> {citation.status.replace('_', ' ')}"
        f"{f': <bdi>{_text(citation.title)}</bdi>' if citation.title else ''}</li>"
        for citation in citations
    )
    return f'<ul class="place">{shown}</ul>' if shown else ""


def _sources(report: Report) -> str:
    items = "".join(f"<li>{_place(passage.place(), passage.uri)}</li>" for passage in report.passages[:200])
    more = len(report.passages) - 200
    rest = f"<p>and {more} more</p>" if more > 0 else ""
    return f"<h2>Sources</h2><ol>{items}</ol>{rest}\n" if items else "<h2>Sources</h2><p>none</p>\n"


def _place(place: str, uri: str) -> str:
    shown = f"<bdi>{_text(place or uri)}</bdi>"
    if uri.lower().startswith(("http://", "https://")):
        return f'<a href="{_text(uri)}" rel="noreferrer noopener">{shown}</a>'
    return shown


def _text(text: str) -> str:
    return escape(harmless(text), quote=True)
