import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any, Literal, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from grounded.records import (
    Answer,
    Citation,
    CitationStatus,
    Claim,
    ClaimPart,
    Evidence,
    GeneratorRef,
    Locator,
    Passage,
    Report,
    Span,
    Verdict,
    VerifierRef,
)
from grounded.render.common import CITATION_WORDS, NOTICE, SYMBOLS, WORDS, link_to, quote
from grounded.render.html import report_html
from grounded.render.markdown import report_markdown
from grounded.render.terminal import answer_terminal, passages_terminal, report_terminal
from grounded.verification import verify
from tests.records import strategies as make

HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> "
    '"quoted" [x](javascript:alert(1)) \x1b[31mred \u202eabc `code` |'
)


def report_of(
    text: str, verdict: Verdict, *, source: str = "A source.", title: str = "T", uri: str = "", reason: str = "why"
) -> Report:
    evidence = Evidence(
        passage_id="p",
        title=title,
        uri=uri,
        span=Span(start=0, end=len(source)),
        text=source,
        relation="supports",
        score=1.0,
    )
    citation = Citation(
        marker="[1]", span=Span(start=0, end=0), number=1, passage_id="p", title=title, status="correct"
    )
    claim = Claim(
        text=text,
        span=Span(start=0, end=len(text)),
        verdict=verdict,
        parts=(ClaimPart(text=text, span=Span(start=0, end=len(text)), verdict=verdict),),
        evidence=(evidence,),
        citations=(citation,),
        reason=reason,
    )
    return Report.of(
        [claim],
        text=text,
        passages=[Passage(id="p", text=source, title=title, uri=uri)],
        verifier=VerifierRef(name="containment", version="1"),
        warnings=(title,),
    )


def shown(renderable: RenderableType, width: int = 100) -> str:
    output = io.StringIO()
    Console(file=output, width=width, force_terminal=True, color_system="truecolor").print(renderable)
    return output.getvalue()


class Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") or name == "src" for name, _ in attrs)
        self.links.extend(value for name, value in attrs if name == "href")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Collector:
    collector = Collector()
    collector.feed(page)
    return collector


TAGS = (
    "html head meta title style body header main section h1 h2 dl dt dd div a b bdi br details summary span p ul ol li "
    "figure figcaption blockquote mark em"
)
ALLOWED_TAGS = set(TAGS.split())
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def test_every_verdict_and_citation_has_its_words() -> None:
    assert set(WORDS) == set(SYMBOLS) == set(get_args(Verdict))
    assert set(CITATION_WORDS) == set(get_args(CitationStatus))


@pytest.mark.parametrize("verdict", ["supported", "contradicted", "unsupported", "check_failed"])
def test_a_page_shows_verdicts_in_words_and_keeps_foreign_text_text(verdict: Verdict) -> None:
    page = parsed(
        report_html(
            report_of(HOSTILE, verdict, source=HOSTILE, title=HOSTILE, uri="javascript:alert(1)", reason=HOSTILE)
        )
    )
    assert set(page.tags) <= ALLOWED_TAGS
    assert all((link or "").startswith("#claim-") for link in page.links)
    assert "<script>alert(1)</script>" in "".join(page.text)
    assert verdict.replace("_", " ") in "".join(page.text)


def test_a_page_links_only_web_addresses() -> None:
    links = parsed(report_html(report_of("x", "supported", uri="https://example.com/a"))).links
    assert "https://example.com/a#:~:text=A%20source." in links
    assert not parsed(report_html(report_of("x", "supported", uri="data:text/html,x"))).links


PAGE_TWO = Locator(kind="page", number=2)


@pytest.mark.parametrize(
    ("uri", "locators", "words", "expected"),
    [
        ("file:///a/manual.pdf", (PAGE_TWO, Locator(kind="heading", path=("A",))), "some words", "#page=2"),
        ("https://example.com/manual.pdf", (PAGE_TWO,), "", "#page=2"),
        ("file:///a/all.zip", (Locator(kind="member", path=("manual.pdf",)), PAGE_TWO), "words", ""),
        ("file:///a/notes.md", (), "some words", ""),
        ("https://example.com/a", (), "Well-known, truly.", "#:~:text=Well%2Dknown%2C%20truly."),
        ("https://example.com/a", (), " ".join("abcdefghijkl"), "#:~:text=a%20b%20c%20d%20e,h%20i%20j%20k%20l"),
        ("https://example.com/a#part", (PAGE_TWO,), "words", ""),
    ],
)
def test_a_link_leads_to_the_place(uri: str, locators: tuple[Locator, ...], words: str, expected: str) -> None:
    assert link_to(uri, locators, words) == uri + expected


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "data:text/html,x", "s3://bucket/a.pdf", "", "file://host/a.pdf"]
)
def test_nothing_else_is_a_link(uri: str) -> None:
    assert link_to(uri, (PAGE_TWO,), "words") == ""


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_page_is_well_formed_whatever_the_text(text: str, title: str) -> None:
    page = report_html(report_of(text, "unsupported", source=title, title=title))
    assert set(parsed(page).tags) <= ALLOWED_TAGS
    page.encode("utf-8")


@settings(max_examples=30)
@given(make.reports())
def test_every_form_takes_every_report(report: Report) -> None:
    assert set(parsed(report.to_html()).tags) <= ALLOWED_TAGS
    assert not CONTROL.search(report.explain())
    assert not re.search(r"(?<!\\)[<`|]", report.to_markdown())
    assert not CONTROL.search(report.to_markdown())


SOURCES = (
    Passage(id="new", title="Terms 2026", text="Read this first. The fee is 12 euros. It rose.", supersedes="old"),
    Passage(id="old", title="Terms 2024", text="The fee is 9 euros."),
)


def evidence_in(passage: Passage, text: str, relation: Literal["supports", "contradicts"]) -> Evidence:
    start = passage.text.index(text)
    span = Span(start=start, end=start + len(text))
    return Evidence(passage_id=passage.id, title=passage.title, span=span, text=text, relation=relation, score=0.9)


def disputed(**changes: Any) -> Report:
    text = "The fee is 9 euros."
    claim = Claim(
        text=text,
        span=Span(start=0, end=len(text)),
        verdict="contradicted",
        evidence=(
            evidence_in(SOURCES[0], "The fee is 12 euros.", "contradicts"),
            evidence_in(SOURCES[1], text, "supports"),
        ),
        reason="the source says 12, not 9",
    ).model_copy(update=changes)
    verifier = VerifierRef(name="network", version="3", calibrated=True)
    return Report.of([claim], text=text, passages=SOURCES, verifier=verifier, on=date(2026, 5, 1))


FORMS: list[Callable[[Report], str]] = [
    Report.explain,
    lambda report: report.to_markdown().replace("\\", ""),
    lambda report: "".join(parsed(report.to_html()).text),
    lambda report: " ".join(re.sub(r"\x1b\[[0-9;]*m", "", shown(report_terminal(report), width=1000)).split()),
]
form = pytest.mark.parametrize("form", FORMS, ids=["plain", "markdown", "html", "terminal"])


@form
def test_sources_that_disagree_are_both_shown_and_which_is_in_force(form: Callable[[Report], str]) -> None:
    text = form(disputed())
    assert "The fee is 12 euros." in text
    assert text.count("The fee is 9 euros.") >= 2
    assert "in force" in text
    assert "superseded by Terms 2026" in text
    assert "sources disagree" in form(disputed(conflict=True))


@form
def test_a_partly_supported_claim_says_which_part_is_not(form: Callable[[Report], str]) -> None:
    text = "The fee is 12 euros and it fell."
    parts = (
        ClaimPart(text=text[:20], span=Span(start=0, end=20), verdict="supported"),
        ClaimPart(text=text[24:], span=Span(start=24, end=len(text)), verdict="unsupported", reason="none says so"),
    )
    claim = Claim(text=text, span=Span(start=0, end=len(text)), verdict="unsupported", parts=parts, reason="both")
    report = Report.of([claim], text=text, passages=SOURCES, verifier=VerifierRef(name="v", version="1"))
    output = form(report)
    assert "unsupported (in part)" in output
    assert "“it fell.” is unsupported (none says so); the rest is supported" in output


@form
def test_reviews_are_shown_beside_the_verdict(form: Callable[[Report], str]) -> None:
    output = form(
        disputed().review(0, verdict="supported", by="Ana", reason="Old orders.", at=datetime(2026, 6, 1, tzinfo=UTC))
    )
    assert "contradicted" in output
    assert "rejected by Ana on 2026-06-01, should be supported: Old orders." in output


@form
def test_it_says_who_checked_against_what_and_when(form: Callable[[Report], str]) -> None:
    output = form(disputed())
    assert "network 3" in output
    if form is not FORMS[3]:
        assert "against 2 sources as they stood on 2026-05-01" in output
        assert NOTICE in output


@form
def test_a_withheld_answer_shows_what_was_wrong_with_it(form: Callable[[Report], str]) -> None:
    written = disputed()
    report = Report.of(
        (), text="", passages=SOURCES, verifier=written.verifier, policy="abstain", original=written, on=written.on
    )
    output = form(report)
    assert "The policy abstain withheld the answer." in output
    assert "The one claim of this answer is contradicted." in output
    assert "The fee is 12 euros." in output


def test_probabilities_are_shown_when_there_are_any() -> None:
    page = "".join(parsed(disputed(support=0.07, contradiction=0.9, score=0.4).to_html()).text)
    assert "supported 7% · contradicted 90% · neither 3%" in page
    assert "not a probability" not in page
    page = "".join(parsed(disputed(support=0.07, score=0.4).to_html()).text)
    assert "probability: supported 7%" in page
    assert "neither" not in page
    page = "".join(parsed(disputed(score=0.4).to_html()).text)
    assert "raw score 0.40 of 1, not a probability" in page


def test_evidence_stands_in_its_context_on_the_page() -> None:
    page = disputed().to_html()
    assert "<span>Read this first. </span><mark>The fee is 12 euros.</mark><span> It rose.</span>" in page


@given(st.text(max_size=600), st.text(min_size=1, max_size=60), st.text(max_size=600), st.integers(0, 9))
def test_context_is_what_stands_around_the_evidence(before: str, text: str, after: str, offset: int) -> None:
    whole = before + text + after
    passage = Passage(id="p", text=whole, span=Span(start=offset, end=offset + len(whole)))
    span = Span(start=len(before), end=len(before) + len(text)).shift(offset)
    found = Evidence(passage_id="p", span=span, text=text, relation="supports", score=1)
    shown = quote(found, passage)
    assert shown.text == text
    assert before.endswith(shown.before.removeprefix("…"))
    assert after.startswith(shown.after.removesuffix("…"))
    moved = found.model_copy(update={"span": span.shift(1 + len(whole))})
    assert quote(moved, passage) == quote(moved, None)


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_can_be_read(scheme: int) -> None:
    """Contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3) in light and in dark."""
    css = files("grounded.render").joinpath("report.css").read_text("utf-8")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", css.split(":root {")[1 + scheme]))
    for ink, *papers in (
        ("ink", "paper", "card", "ok-bg", "bad-bg", "open-bg", "fail-bg"),
        ("soft", "paper", "card"),
        ("link", "paper", "card"),
        *((tone, "paper", "card", f"{tone}-bg") for tone in ("ok", "bad", "open", "fail")),
    ):
        for paper in papers:
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, after WCAG 2.2."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_markdown_escapes_foreign_text() -> None:
    shown_text = report_markdown(
        report_of(HOSTILE, "contradicted", source=HOSTILE, title=HOSTILE, reason="# no heading")
    )
    assert "✗ contradicted" in shown_text
    assert not re.search(r"(?<!\\)[<`|]", shown_text.replace("> ", "").replace("\n>\n", "\n"))
    assert "](" not in shown_text
    assert "\n# no heading" not in shown_text


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        ("supported", "✓"),
        ("contradicted", "✗ contradicted"),
        ("unsupported", "? unsupported"),
        ("check_failed", "! check failed"),
    ],
)
def test_the_terminal_never_relies_on_colour(verdict: Verdict, word: str) -> None:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown(report_terminal(report_of("The moon is red.", verdict))))
    assert word in plain
    assert "The moon is red." in plain


def test_the_terminal_is_not_steered_by_foreign_text() -> None:
    text = "\x1b]0;title\x07\x1b[2Jgone \x9b31m [bold]not markup[/bold]"
    output = shown(report_terminal(report_of(text, "unsupported", source=text, title=text, reason=text)), width=300)
    assert not re.search(r"\x1b(?!\[[0-9;]*m)|\x9b|\x07", output)
    assert "[bold]not markup[/bold]" in output


def test_reasoning_is_not_shown() -> None:
    text = "<think>secret</think>Hello!"
    report = Report.of([], text=text, passages=[], verifier=VerifierRef(name="v", version="1"))
    for rendered in (shown(report_terminal(report)), report_html(report), report_markdown(report)):
        assert "secret" not in rendered


def test_answers_without_a_report_or_an_answer_say_so() -> None:
    ref = GeneratorRef(name="extractive", label="quotes; no language model configured")
    declined = Answer(text="I found nothing.", outcome="declined_insufficient", generator=ref, request_id="1")
    output = shown(answer_terminal(declined))
    assert "I found nothing." in output
    assert "declined" in output
    assert "insufficient" in output
    unchecked = Answer(text="It is red.", outcome="answered", generator=ref, request_id="1", notes=("A note.",))
    output = shown(answer_terminal(unchecked))
    assert "not verified" in output
    assert "A note." in output
    assert ref.label in output
    checked = unchecked.model_copy(update={"report": report_of("It is red.", "supported")})
    assert "✓" in shown(answer_terminal(checked))


def test_passages_are_numbered_as_markers_count_them() -> None:
    output = shown(
        passages_terminal([Passage(id="a", text="One.", title="A"), Passage(id="b", text="x" * 900, title="B")])
    )
    assert "[1]" in output
    assert "[2]" in output
    assert "…" in output


def test_a_wrong_marker_says_which_source_would_be_right() -> None:
    sources = [
        {"title": "Prices", "text": "Tea costs 2 euros."},
        {"title": "Warranty", "text": "The warranty is 24 months."},
    ]
    report = verify("The warranty is 24 months [1].", sources, verifier="containment")
    for text in (report.to_html(), report.to_markdown(), report.explain(), shown(report_terminal(report), 200)):
        assert "right would be Warranty" in " ".join(text.split())
