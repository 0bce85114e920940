"""Builds the two binary files of the demo's handbook: the kettle manual (PDF) and the price list (XLSX).

    python training/handbook/build.py grounded/demo/handbook

Needs reportlab and XlsxWriter. The same bytes come out every time.
"""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import xlsxwriter
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

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

PRICES = [
    ("Article", "Product", "Colour", "Price (EUR)", "Stock"),
    ("HH-101", "Kettle K1", "white", 29.9, 120),
    ("HH-102", "Kettle K2", "black", 49.9, 64),
    ("HH-103", "Kettle K2", "copper", 59.9, 0),
    ("HH-201", "Toaster T4", "black", 39.9, 31),
    ("HH-202", "Toaster T4 long slot", "steel", 54.9, 18),
    ("HH-301", "Coffee grinder G1", "black", 79.0, 12),
]


def main(folder: Path) -> None:
    """Write both files."""
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
