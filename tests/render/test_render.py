import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from grounded.records import (
    Answer,
    Citation,
    Claim,
    ClaimPart,
    Evidence,
    GeneratorRef,
    Passage,
    Report,
    Span,
    Verdict,
    VerifierRef,
)
from grounded.render.html import report_html
from grounded.render.markdown import report_markdown
from grounded.render.terminal import answer_terminal, passages_terminal, report_terminal

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


TAGS = "html head meta title style body h1 h2 dl dt dd div a bdi sup details summary span p ul ol li blockquote em"
ALLOWED_TAGS = set(TAGS.split())


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
    assert (
        "https://example.com/a" in parsed(report_html(report_of("x", "supported", uri="https://example.com/a"))).links
    )
    assert len(parsed(report_html(report_of("x", "supported", uri="data:text/html,x"))).links) == 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_page_is_well_formed_whatever_the_text(text: str, title: str) -> None:
    page = report_html(report_of(text, "unsupported", source=title, title=title))
    assert set(parsed(page).tags) <= ALLOWED_TAGS
    page.encode("utf-8")


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
