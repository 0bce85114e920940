from __future__ import annotations

import io
import re
import zipfile
from datetime import date

import docx
import pptx
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it ships no types
from lxml import etree
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.util import Inches

from grounded.errors import EmptyDocumentError, EncryptedDocumentError, ParseError

from .making import ENCRYPTED_PART, opendocument, pdf, places, read, slides, word, workbook


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
        ("Price list", {"sheet": "Prices", "row": 1, "cells": "A1"}),
        ("Product: Kettle; Price: 49.5; From: 2026-01-01", {"sheet": "Prices", "row": 4, "cells": "A4:C4"}),
        ("Product: Toaster; Price: 29; From: 2026-02-01", {"sheet": "Prices", "row": 5, "cells": "A5:C5"}),
        ("only a note", {"sheet": "Notes", "row": 1, "cells": "A1"}),
    ]
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("Prices",), ("Notes",)]


def test_an_office_file_without_text_is_typed() -> None:
    for content, name in ((workbook({"A": []}), "a.xlsx"), (word([]), "a.docx"), (slides([]), "a.pptx")):
        with pytest.raises(EmptyDocumentError):
            read(content, name)


def test_hidden_sheets_and_cells() -> None:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        book.add_worksheet("Shown").write_row(4, 27, ["Kettle", "", 49])
        hidden = book.add_worksheet("Costs")
        hidden.write_row(0, 0, ["Product", "Cost"])
        hidden.write_row(1, 0, ["Kettle", 30])
        hidden.write_formula(2, 1, "=B2*2", value="60")
        hidden.write_formula(3, 1, "=B2*3", value="")
        hidden.hide()
    parsed = read(buffer.getvalue(), "a.xlsx")
    assert places(parsed, "sheet_row")[0] == ("Kettle | 49", {"sheet": "Shown", "row": 5, "cells": "AB5:AD5"})
    assert ("Cost: 60", {"sheet": "Costs", "row": 3, "cells": "B3"}) in places(parsed, "sheet_row")
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("Shown",), ("Costs (hidden)",)]
    assert any("'Costs' is hidden" in warning for warning in parsed.warnings)
    assert any(warning.startswith("1 formulas have no stored value") for warning in parsed.warnings)


def test_word_comments_and_tracked_changes_are_stated() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("The warranty is ")
    run = paragraph.add_run("two years")
    document.add_comment([run], text="Since 2026?", author="Ann", initials="A")
    w = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    for kind in ("ins", "del"):
        etree.SubElement(paragraph._p, f"{{{w}}}{kind}")
    buffer = io.BytesIO()
    document.save(buffer)
    parsed = read(buffer.getvalue(), "a.docx")
    assert parsed.text == "The warranty is two years\n\nComment by Ann on “two years”: Since 2026?"
    assert parsed.warnings == ("2 tracked changes are not accepted yet: read with insertions and without deletions",)


def test_hidden_slides_and_comments_are_stated() -> None:
    presentation = pptx.Presentation()
    for title in ("Plan", "Secret"):
        presentation.slides.add_slide(presentation.slide_layouts[5]).shapes.title.text = title
    presentation.slides[1].element.set("show", "0")
    content = b'<p:cmLst xmlns:p="urn:p"><p:cm authorId="0" idx="1"><p:text>Too bold</p:text></p:cm></p:cmLst>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/comments"
    package = presentation.part.package
    part = Part(PackURI("/ppt/comments/comment1.xml"), "application/xml", package, content)
    presentation.slides[0].part.relate_to(part, kind)
    buffer = io.BytesIO()
    presentation.save(buffer)
    parsed = read(buffer.getvalue(), "a.pptx")
    assert places(parsed, "slide") == [("Plan\n\nComment: Too bold", {"number": 1}), ("Secret", {"number": 2})]
    assert parsed.warnings == ("slide 2 is hidden",)


def test_an_opendocument_text() -> None:
    body = (
        "<office:text><text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        "<text:h text:outline-level='1'>Warranty</text:h>"
        "<text:p>Two<text:s text:c='2'/>years<text:note text:note-class='footnote'><text:note-citation>1"
        "</text:note-citation><text:note-body><text:p>From delivery.</text:p></text:note-body></text:note>."
        "<office:annotation><dc:creator>Ann</dc:creator><text:p>Since when?</text:p></office:annotation></text:p>"
        "<text:list><text:list-item><text:p>Kettles</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>Product</text:p></table:table-cell>"
        "<table:table-cell><text:p>Price</text:p></table:table-cell><table:table-cell><text:p>Stock</text:p>"
        "</table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>Kettle</text:p>"
        "</table:table-cell><table:table-cell table:number-columns-repeated='2'><text:p>49</text:p></table:table-cell>"
        "</table:table-row></table:table></office:text>"
    )
    parsed = read(opendocument("text", body), "a.odt")
    assert parsed.text == (
        "Warranty\n\nTwo  years.\n\nFootnote 1: From delivery.\n\nComment by Ann: Since when?\n- Kettles\n\n"
        "Product: Kettle; Price: 49; Stock: 49\n"
    )
    assert parsed.title == "Warranty"
    assert places(parsed, "table_row")[0][1] == {"table": 1, "row": 2}
    assert "1 tracked changes" in parsed.warnings[0]
    with pytest.raises(EncryptedDocumentError):
        read(opendocument("text", body, ENCRYPTED_PART), "a.odt")


def test_opendocument_slides() -> None:
    body = (
        "<office:presentation><draw:page><draw:frame presentation:class='title'><draw:text-box><text:p>Plan</text:p>"
        "</draw:text-box></draw:frame><draw:frame><draw:text-box><text:p>First</text:p><text:p>Second</text:p>"
        "</draw:text-box></draw:frame><presentation:notes><draw:frame><draw:text-box><text:p>Say hello</text:p>"
        "</draw:text-box></draw:frame></presentation:notes></draw:page><draw:page><draw:custom-shape><text:p>Drawn"
        "</text:p></draw:custom-shape></draw:page></office:presentation>"
    )
    parsed = read(opendocument("presentation", body), "a.odp")
    assert places(parsed, "slide") == [
        ("Plan\n\nFirst\n\nSecond\n\nNotes: Say hello", {"number": 1}),
        ("Drawn", {"number": 2}),
    ]
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("Plan",)]


@pytest.mark.parametrize(("content", "name"), [(word([("p", "Hi")]), "a.docx"), (slides([("a", "b", "")]), "a.pptx")])
def test_what_the_library_refuses_is_damage_and_the_process_lives(content: bytes, name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for part in old.namelist():
            new.writestr(part, re.sub(rb"(<Override [^>]*)ContentType=", rb"\1Kontent=", old.read(part)))
    with pytest.raises(ParseError, match="damaged"):
        read(buffer.getvalue(), name)
