"""Builds the binary files of the demo: kettle manual, newsletter in two columns, price list, and a scanned notice.

    python training/handbook/build.py grounded/demo

Needs reportlab, pypdfium2, Pillow and XlsxWriter. The same bytes come out every time.
"""

from __future__ import annotations

import datetime
import io
import sys
from pathlib import Path

import pypdfium2
import xlsxwriter
from PIL import ImageFilter
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    FrameBreak,
    PageBreak,
    PageTemplate,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
)

MANUAL = [
    [
        ("Title", "Kettle K2: user manual"),
        ("Heading2", "Before first use"),
        ("BodyText", "Fill the kettle with fresh water up to the maximum mark, boil it once and pour the water away."),
        ("BodyText", "The kettle holds 1.7 litres. Never fill it above the maximum mark: boiling water may spill."),
        ("BodyText", "Place the base on a dry, level surface. Keep the cable out of the reach of children."),
    ],
    [
        ("Heading2", "Care and descaling"),
        ("BodyText", "Descale the kettle every three months, and once a month where the water is hard."),
        (
            "BodyText",
            "To descale it, fill it with half a litre of water and 50 millilitres of citric acid solution, let it "
            "stand for 30 minutes and rinse it twice. Do not use vinegar: it damages the seal of the lid.",
        ),
        ("BodyText", "Wipe the outside with a damp cloth. The kettle must not be put into the dishwasher."),
    ],
    [
        ("Heading2", "Technical data"),
        ("BodyText", "Power: 2,200 watts at 230 volts. Weight: 1.2 kilograms. Cable length: 75 centimetres."),
        (
            "BodyText",
            "The boil-dry protection switches the kettle off when there is no water in it. Let it cool down for 15 "
            "minutes before you fill it again.",
        ),
    ],
]

NEWSLETTER = [
    [
        ("Title", "Spring newsletter"),
        ("Heading2", "Repair café"),
        (
            "BodyText",
            "On the first Saturday of every month, from 10 in the morning to 2 in the afternoon, our technicians "
            "repair toasters and coffee grinders in the shop. You pay for the parts only.",
        ),
        ("BodyText", "Please register at the counter, since there is room for twelve people."),
    ],
    [
        ("Heading2", "Old for new"),
        (
            "BodyText",
            "Bring in an old appliance of any make and receive a voucher of 8 euros towards a new one. The offer ends "
            "on 30 June 2026.",
        ),
        ("Heading2", "Opening hours at Easter"),
        ("BodyText", "The shop is closed from Good Friday to Easter Monday. Orders on the internet are sent as usual."),
    ],
]

NOTICE = [
    ("Title", "Recall notice"),
    ("BodyText", "Toaster T3, serial numbers 4000 to 4999: the lever may jam and the bread may catch fire."),
    ("BodyText", "Stop using the toaster and pull the plug. Bring it to the shop: we replace it free of charge."),
    ("BodyText", "Telephone for questions: 0800 555 0199, on working days from 8 to 17 o'clock."),
]

PRICES = [
    ("Article", "Product", "Colour", "Price (EUR)", "Stock"),
    ("HH-101", "Kettle K1", "white", 29.9, 120),
    ("HH-102", "Kettle K2", "black", 49.9, 64),
    ("HH-103", "Kettle K2", "copper", 59.9, 0),
    ("HH-201", "Toaster T4", "black", 39.9, 31),
    ("HH-202", "Toaster T4 long slot", "steel", 54.9, 18),
    ("HH-301", "Coffee grinder G1", "black", 79.0, 12),
]


def newsletter(path: Path) -> None:
    """A page in two columns."""
    styles = getSampleStyleSheet()
    width, height = A5
    column = (width - 84) / 2
    frames = [Frame(left, 36, column, height - 72, 0, 0, 0, 0) for left in (36, 48 + column)]
    document = BaseDocTemplate(str(path), pagesize=A5, title="Spring newsletter 2026", invariant=1)
    document.addPageTemplates(PageTemplate(frames=frames))
    columns = [[Paragraph(text, styles[style]) for style, text in part] for part in NEWSLETTER]
    document.build([*columns[0], FrameBreak(), *columns[1]])


def notice(path: Path) -> None:
    """A page that is only a picture, a little crooked and blurred, as a scanner makes it."""
    styles = getSampleStyleSheet()
    drawn = io.BytesIO()
    SimpleDocTemplate(drawn, pagesize=A5, invariant=1).build([Paragraph(text, styles[style]) for style, text in NOTICE])
    page = pypdfium2.PdfDocument(drawn.getvalue())[0].render(scale=200 / 72).to_pil().convert("L")
    scanned = page.rotate(0.4, fillcolor=255).filter(ImageFilter.GaussianBlur(0.6))
    canvas = Canvas(str(path), pagesize=A5, invariant=1)
    canvas.setTitle("Recall notice")
    picture = io.BytesIO()
    scanned.save(picture, "JPEG", quality=60)
    canvas.drawImage(ImageReader(io.BytesIO(picture.getvalue())), 0, 0, *A5)
    canvas.save()


def main(demo: Path) -> None:
    """Write all files."""
    folder = demo / "handbook"
    newsletter(folder / "newsletter.pdf")
    (demo / "scanned").mkdir(exist_ok=True)
    notice(demo / "scanned" / "recall-notice.pdf")
    styles = getSampleStyleSheet()
    story = []
    for number, page in enumerate(MANUAL):
        story += [PageBreak()] if number else []
        for style, text in page:
            story += [Paragraph(text, styles[style]), Spacer(1, 6)]
    document = SimpleDocTemplate(
        str(folder / "kettle-manual.pdf"), pagesize=A5, title="Kettle K2: user manual", invariant=1
    )
    document.build(story)
    with xlsxwriter.Workbook(str(folder / "price-list.xlsx")) as book:
        book.set_properties({"title": "Price list", "created": datetime.datetime(2026, 1, 5)})
        sheet = book.add_worksheet("Prices 2026")
        for row, values in enumerate(PRICES):
            sheet.write_row(row, 0, values)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
