"""Citations opened at their place: the page with the quote marked, the row, the part of the mail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import grounded
from grounded.cli.app import run
from grounded.errors import ParseError
from grounded.pipeline.showing import show_evidence, show_quote
from grounded.records import Evidence, Passage, Span
from grounded.render.citation import citations_html
from tests.ingestion.parsers.making import archive, mail, pdf

MAIL = "From: a@example.org\nTo: b@example.org\nSubject: Kettle\n\nThe kettle arrived today.\nIt leaks <b>badly</b>.\n"


def evidence(path: Path, text: str, start: int) -> Evidence:
    span = Span(start=start, end=start + len(text))
    return Evidence(passage_id="p", uri=path.as_uri(), span=span, text=text, relation="supports", score=1.0)


def test_a_quote_in_a_pdf_is_marked_where_it_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "manual.pdf"
    path.write_bytes(pdf([["Before first use"], ["Fill the kettle with", "fresh water only."]]))
    shown = show_quote(path, "kettle with fresh water")
    assert shown.picture
    assert not shown.note
    assert shown.uri.endswith("manual.pdf#page=2")
    first, second = sorted(shown.boxes, key=lambda box: box[1])
    # 72 points from the left and some 80 from the top of a page of 595 by 842 points.
    assert 0.12 < second[0] < 0.13
    assert first[0] > second[0]
    assert 0.07 < first[1] < 0.10
    page = citations_html([shown])
    assert page.count("<i style=") == 2
    assert "<mark>kettle with\nfresh water</mark>" in page


def test_a_row_is_shown_among_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("product,price,stock\n" + "".join(f"item {n},{n}.50,{n}\n" for n in range(1, 30)))
    shown = show_quote(path, "product: item 12; price: 12.50")
    assert "prices.csv row 13" in shown.place
    assert "item 9" in shown.before
    assert "item 8" not in shown.before
    assert "item 15" in shown.after


def test_a_part_of_a_mail_is_shown_whole_and_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_text(MAIL)
    shown = show_quote(path, "It leaks <b>badly</b>.")
    assert "mail body" in shown.place
    assert shown.before == "The kettle arrived today.\n"
    assert "&lt;b&gt;badly" in citations_html([shown])


def test_a_page_of_an_attachment_is_drawn_and_the_link_leads_to_the_mail(tmp_path: Path) -> None:
    message = mail()
    message.add_attachment(pdf([["Before"], ["Fresh water only."]]), "application", "pdf", filename="manual.pdf")
    for name, content in (("a.eml", message.as_bytes()), ("all.zip", archive({"in/a.eml": message.as_bytes()}))):
        path = tmp_path / name
        path.write_bytes(content)
        shown = show_quote(path, "Fresh water only.")
        assert shown.picture
        assert len(shown.boxes) == 1
        assert "manual.pdf · page 2" in shown.place
        assert shown.uri == path.as_uri()


def test_what_cannot_be_opened_shows_its_stored_words_and_why(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    assert "cannot be read" in show_evidence(evidence(path, "Two years.", 0)).note
    path.write_text("Three years.")
    changed = show_evidence(evidence(path, "Two years.", 0))
    assert (changed.quote, "no longer says" in changed.note) == ("Two years.", True)
    path.write_text("Once: Two years. Again: Two years.")
    assert show_evidence(evidence(path, "Two years.", 24)).before.endswith("Again: ")
    with pytest.raises(ParseError, match="does not say"):
        show_quote(path, "Four years.")


def test_the_command_opens_a_saved_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "manual.pdf"
    path.write_bytes(pdf([["The warranty lasts 24 months."]]))
    source = Passage(id="p", text="The warranty lasts 24 months.", uri=path.as_uri())
    report = grounded.verify("The warranty lasts 24 months.", [source], verifier="containment")
    Path("report.json").write_text(report.to_json(), "utf-8")
    assert run(["show", "report.json", "--claim", "1", "--to", "out.html"]) == 0
    page = Path("out.html").read_text("utf-8")
    assert re.search(r'<img alt="[^"]*page 1[^"]*" src="data:image/png;base64,', page)
    assert "The warranty lasts 24 months." in page
    assert run(["show", "report.json", "--claim", "9"]) == 2
    assert run(["show", "missing.pdf", "words"]) == 2
    assert run(["show", str(path)]) == 2
