from __future__ import annotations

import io
from datetime import date

import docx
import pptx
import pytest
from lxml import etree
from pptx.util import Inches

from grounded.errors import EmptyDocumentError, EncryptedDocumentError, ParseError

from .making import pdf, places, read, slides, word, workbook


def test_pdf_pages() -> None:
    parsed = read(pdf([["Warranty", "Two years."], [], ["Kettles last."]], title="Handbook"), "a.pdf")
    assert places(parsed, "page") == [("Warranty\nTwo years.", {"number": 1}), ("Kettles last.", {"number": 3})]
    assert parsed.title == "Handbook"
    assert any("pages without text" in warning and "2" in warning for warning in parsed.warnings)
    assert "\r" not in parsed.text


def test_a_sentence_that_runs_over_the_page_is_not_cut() -> None:
    assert read(pdf([["It runs on"], ["over the page."]])).text == "It runs on\nover the page."
    assert read(pdf([["It ends."], ["Another begins."]])).text == "It ends.\n\nAnother begins."


def test_pdf_errors() -> None:
    with pytest.raises(EncryptedDocumentError):
        read(pdf([["secret"]], password="pw"), "a.pdf")
    with pytest.raises(EmptyDocumentError, match="OCR"):
        read(pdf([[], []]), "a.pdf")
    with pytest.raises(ParseError, match="damaged"):
        read(b"%PDF-1.7\n" + b"rubbish " * 100, "a.pdf")


def test_word_headings_paragraphs_and_tables() -> None:
    table = [["Product", "Price", "Stock"], ["Kettle", "49", "3"], ["Toaster", "29", "0"]]
    parsed = read(
        word([("1", "Warranty"), ("p", "Two years."), ("2", "Prices"), ("table", table), ("1", "End")], title="Terms"),
        "a.docx",
    )
    assert parsed.title == "Terms"
    assert parsed.text.startswith("Warranty\n\nTwo years.\n\nPrices\n\nProduct: Kettle; Price: 49; Stock: 3\n")
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [
        ("Warranty",),
        ("Warranty", "Prices"),
        ("End",),
    ]
    assert [(fields["table"], fields["row"]) for _, fields in places(parsed, "table_row")] == [(1, 2), (1, 3)]


def test_a_property_list_keeps_its_first_row() -> None:
    parsed = read(word([("table", [["Warranty", "24 months"], ["Colour", "red"]])]), "a.docx")
    assert parsed.text == "Warranty | 24 months\nColour | red\n"


def test_word_shows_what_a_reader_sees() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("kept")
    hidden = paragraph.add_run(" hidden")
    hidden.font.hidden = True
    w = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    deleted = etree.SubElement(paragraph._p, f"{{{w}}}del")
    run = etree.SubElement(deleted, f"{{{w}}}r")
    etree.SubElement(run, f"{{{w}}}delText").text = " deleted"
    inserted = etree.SubElement(paragraph._p, f"{{{w}}}ins")
    run = etree.SubElement(inserted, f"{{{w}}}r")
    etree.SubElement(run, f"{{{w}}}t").text = " inserted"
    buffer = io.BytesIO()
    document.save(buffer)
    assert read(buffer.getvalue(), "a.docx").text == "kept inserted"


def test_slides_with_titles_notes_and_tables() -> None:
    parsed = read(slides([("Plan", "First\nSecond", "Say hello"), ("Numbers", "None yet", "")]), "a.pptx")
    assert places(parsed, "slide") == [
        ("Plan\n\nFirst\nSecond\n\nNotes: Say hello", {"number": 1}),
        ("Numbers\n\nNone yet", {"number": 2}),
    ]
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("Plan",), ("Numbers",)]
    assert parsed.title == "Plan"


def test_a_table_on_a_slide() -> None:
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    rows = [["Product", "Price", "Stock"], ["Kettle", "49", "3"]]
    table = slide.shapes.add_table(2, 3, Inches(1), Inches(1), Inches(5), Inches(2)).table
    for number, cells in enumerate(rows):
        for column, text in enumerate(cells):
            table.cell(number, column).text = text
    buffer = io.BytesIO()
    presentation.save(buffer)
    parsed = read(buffer.getvalue(), "a.pptx")
    assert places(parsed, "table_row") == [("Product: Kettle; Price: 49; Stock: 3", {"table": 1, "row": 2})]


def test_sheets_with_rows_as_the_file_numbers_them() -> None:
    rows: list[list[object]] = [
        ["Price list"],
        [],
        ["Product", "Price", "From"],
        ["Kettle", 49.5, date(2026, 1, 1)],
        ["Toaster", 29, date(2026, 2, 1)],
    ]
    parsed = read(workbook({"Prices": rows, "Empty": [], "Notes": [["only a note"]]}), "a.xlsx")
    assert places(parsed, "sheet_row") == [
        ("Price list", {"sheet": "Prices", "row": 1}),
        ("Product: Kettle; Price: 49.5; From: 2026-01-01", {"sheet": "Prices", "row": 4}),
        ("Product: Toaster; Price: 29; From: 2026-02-01", {"sheet": "Prices", "row": 5}),
        ("only a note", {"sheet": "Notes", "row": 1}),
    ]
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("Prices",), ("Notes",)]


def test_an_office_file_without_text_is_typed() -> None:
    for content, name in ((workbook({"A": []}), "a.xlsx"), (word([]), "a.docx"), (slides([]), "a.pptx")):
        with pytest.raises(EmptyDocumentError):
            read(content, name)
