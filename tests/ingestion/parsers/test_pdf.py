"""Reading order, rows, running lines, broken words, forms, notes, outlines and fonts of PDF."""

from __future__ import annotations

import io
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from grounded.errors import UnreadableTextError
from grounded.ingestion.parsers.formats import run_parser
from grounded.ingestion.parsers.geometry import Paragraph, Piece, Table
from grounded.ingestion.parsers.layout import arrange
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed, place_of

from .making import pdf, places, read

LEFT = ["The kettle boils water", "for tea and coffee and", "stops by itself when it", "is ready to be poured."]
RIGHT = ["A toaster browns bread", "on both sides at once,", "darker where the dial", "is turned to the right."]


def drawn(*texts: tuple[float, float, str], lines: tuple[float, ...] = ()) -> bytes:
    """A page with texts at places, written in the order given, and lines across it."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.setFont("Helvetica", 10)
    for x, y, text in texts:
        canvas.drawString(x, y, text)
    for y in lines:
        canvas.line(60, y, 500, y)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def in_process(content: bytes) -> Parsed:
    return run_parser("pdf", Source(content, name="a.pdf"))


def test_columns_are_read_one_after_the_other_however_they_are_written() -> None:
    by_row = [
        cell
        for at, pair in enumerate(zip(LEFT, RIGHT, strict=True))
        for cell in ((60, 700 - 12 * at, pair[0]), (190, 700 - 12 * at, pair[1]))
    ]
    text = in_process(drawn(*by_row)).text
    assert text.split() == " ".join([*LEFT, *RIGHT]).split()


def test_rows_of_a_table_are_read_as_rows_however_they_are_written() -> None:
    rows = [["Product", "Price", "Stock"], ["Kettle", "49.00", "3"], ["Toaster", "29.00", "0"], ["Lamp", "9.50", "7"]]
    by_column = [(60 + 120 * c, 700 - 18 * r, rows[r][c]) for c in range(3) for r in range(4)]
    parsed = in_process(drawn(*by_column))
    assert "Product: Toaster; Price: 29.00; Stock: 0" in parsed.text.splitlines()
    assert [fields["row"] for _, fields in places(parsed, "table_row")] == [2, 3, 4]
    assert [text for text, _ in places(parsed, "box")] == [text for text, _ in places(parsed, "table_row")]


def test_drawn_lines_part_rows_of_several_lines() -> None:
    texts = [
        (60, 700, "Kettle"),
        (200, 700, "boils water for tea"),
        (200, 688, "and for coffee"),
        (60, 664, "Toaster"),
        (200, 664, "browns bread on"),
        (200, 652, "both sides"),
    ]
    parsed = in_process(drawn(*texts, lines=(714, 678, 642)))
    assert parsed.text.splitlines() == [
        "Kettle | boils water for tea and for coffee",
        "Toaster | browns bread on both sides",
    ]


def test_running_headers_stand_once_and_page_numbers_not_at_all() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for page in range(1, 5):
        canvas.drawString(72, 810, "Handbook of Kettles")
        canvas.drawString(72, 700, f"What page {['one', 'two', 'three', 'four'][page - 1]} says ends here.")
        canvas.drawString(290, 30, f"Page {page} of 4")
        canvas.showPage()
    canvas.save()
    parsed = in_process(buffer.getvalue())
    assert parsed.text.count("Handbook of Kettles") == 1
    assert "of 4" not in parsed.text
    assert [fields["number"] for _, fields in places(parsed, "page")] == [1, 2, 3, 4]
    assert any("Handbook of Kettles" in warning for warning in parsed.warnings)


def test_words_broken_at_a_line_end_are_whole_and_true_hyphens_stay() -> None:
    lines = [
        "A kettle is war-",
        "ranted for a long-",
        "lasting two years and is a well-",
        "known one of the COVID-",
        "19 times.",
    ]
    text = in_process(pdf([lines, ["It is long-lasting."]])).text
    assert "warranted" in text
    assert "long-lasting two" in text
    assert "well-known" in text
    assert "COVID-19" in text.replace("\n", "")


def test_every_segment_of_a_page_slices_back() -> None:
    parsed = in_process(pdf([["Warranty", "Two years of war-", "ranty."], ["Kettles last."]]))
    page_two = next(text for text, fields in places(parsed, "page") if fields["number"] == 2)
    assert page_two == "Kettles last."
    assert {fields["page"] for _, fields in places(parsed, "box")} == {1, 2}
    locators = tuple(segment.locator for segment in parsed.segments)
    assert place_of("Handbook", locators) == "Handbook · pages 1–2"


def test_form_values_stand_beside_their_labels_and_notes_below() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for at, (label, value) in enumerate((("Name:", "Ada Lovelace"), ("Town:", "London"))):
        canvas.drawString(72, 700 - 30 * at, label)
        canvas.acroForm.textfield(name=f"field{at}", value=value, x=200, y=696 - 30 * at, width=200, height=16)
    canvas.drawString(72, 640, "Agreed:")
    canvas.acroForm.checkbox(name="agreed", checked=True, x=200, y=636, size=14)
    canvas.textAnnotation("Call her first.", Rect=[300, 600, 320, 620])
    canvas.showPage()
    canvas.save()
    lines = in_process(buffer.getvalue()).text.splitlines()
    assert lines[:3] == ["Name: | Ada Lovelace", "Town: | London", "Agreed: | ☒"]
    assert lines[-1] == "Note: Call her first."


def test_the_outline_becomes_sections() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for key, title, level, y in (("a", "Warranty", 0, 760), ("b", "Kettles", 1, 700), ("c", "Returns", 0, 640)):
        canvas.bookmarkPage(key)
        canvas.addOutlineEntry(title, key, level)
        canvas.drawString(72, y, title)
        canvas.drawString(72, y - 16, f"What holds for {title.lower()}.")
    canvas.showPage()
    canvas.save()
    parsed = in_process(buffer.getvalue())
    assert {fields["path"] for _, fields in places(parsed, "heading")} == {
        ("Warranty",),
        ("Warranty", "Kettles"),
        ("Returns",),
    }
    assert next(text for text, f in places(parsed, "heading") if f["path"][-1] == "Kettles").startswith("Kettles\n")


def test_fonts_that_hide_their_letters_are_named_not_read() -> None:
    fpdf = pytest.importorskip("fpdf")
    import reportlab

    made = fpdf.FPDF()
    made.set_compression(False) if hasattr(made, "set_compression") else None
    made.compress = False
    made.add_page()
    folder = next(iter(reportlab.__path__))
    made.add_font("Vera", fname=f"{folder}/fonts/Vera.ttf")
    made.set_font("Vera", size=12)
    made.cell(text="These letters have no names in this file.")
    content = bytes(made.output())
    hidden = re.sub(rb"/ToUnicode \d+ 0 R", lambda m: b" " * len(m.group()), content)
    assert hidden != content
    assert "These letters" in in_process(content).text
    with pytest.raises(UnreadableTextError, match="rubbish"):
        in_process_without_ocr(hidden)


def in_process_without_ocr(content: bytes) -> Parsed:
    """As where the extra is not installed: no time is left for it."""
    from grounded.ingestion.parsers.source import Limits

    return run_parser("pdf", Source(content, name="a.pdf", limits=Limits(seconds=0.0)))


pieces = st.builds(
    lambda x, y, w, h, text, order: Piece(x, y, x + w, y + h, text, order),
    st.floats(0, 500),
    st.floats(0, 700),
    st.floats(1, 300),
    st.floats(0, 40),
    st.text("abcdefg", min_size=1, max_size=12),
    st.integers(0, 50),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=30))
def test_no_piece_is_lost_or_doubled(made: list[Piece]) -> None:
    words: list[str] = []
    for block in arrange(made):
        lines = block.lines if isinstance(block, Paragraph) else [cell for row in block.rows for cell in row]
        words.extend(word for line in lines for word in line.split())
        assert isinstance(block, (Paragraph, Table))
    assert sorted(words) == sorted(piece.text for piece in made)


def test_plain_pages_are_read_fast() -> None:
    content = pdf([["the warranty of a kettle is two years when it was bought here"] * 45] * 60)
    in_process(content)
    began = time.process_time()
    in_process(content)
    # 485 pages per CPU second were measured; this guards against another order of magnitude.
    assert 60 / (time.process_time() - began) > 60


def scanned(*lines: str) -> bytes:
    """A page that is a picture of its text."""
    import pypdfium2

    page = pypdfium2.PdfDocument(pdf([lines]))[0]
    buffer = io.BytesIO()
    page.render(scale=200 / 72).to_pil().save(buffer, "PDF", resolution=200)
    return buffer.getvalue()


def test_a_scanned_page_and_a_picture_are_read_by_recognition() -> None:
    pytest.importorskip("tesserocr", reason="character recognition needs the extra")
    import pypdfium2

    content = scanned("The warranty of the kettle is 36 months.", "Express delivery costs 12 euros.")
    parsed = read(content, "scan.pdf")
    assert parsed.text == "The warranty of the kettle is 36 months.\nExpress delivery costs 12 euros."
    assert any("character recognition" in warning for warning in parsed.warnings)
    (_, box), *_ = places(parsed, "box")
    assert 60 < box["left"] < 80
    assert 740 < box["top"] < 780
    buffer = io.BytesIO()
    pypdfium2.PdfDocument(content)[0].render(scale=2).to_pil().save(buffer, "PNG")
    assert "36 months" in read(buffer.getvalue(), "scan.png").text
