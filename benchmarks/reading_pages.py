"""Pages whose reading order and table rows are known, because they are made here: columns, tables, slides, forms.

Every word occurs once on its page, so that its place in what a reader returns is certain.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, Table

WIDTH, HEIGHT = 595, 842
FONTS = ("Helvetica", "Times-Roman", "Courier", "Helvetica-Bold")
_ONSETS = re.findall(r"\w+", "b br c ch d dr f fl g gr h j k l m n p pl qu r s sh st t tr v w z")
_VOWELS = re.findall(r"\w+", "a e i o u ai ea oo")
_ENDS = ["", *re.findall(r"\w+", "n r l s t nd st m")]


@dataclass
class Labelled:
    """A document with what is true of it.

    Attributes:
        blocks: Its text in the order people read it, without the column names of tables: some readers repeat them.
        rows: The rows of its tables, cell by cell.
        header: Whether the first row names the columns.
    """

    name: str
    kind: str
    content: bytes = b""
    blocks: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    header: bool = False


class Sheet:
    """One page being drawn: what is drawn is not yet what is read; both are kept apart."""

    def __init__(self, name: str, kind: str, seed: int) -> None:
        self.made = Labelled(name, kind)
        self.random = random.Random(seed)
        self._buffer = io.BytesIO()
        self.canvas = Canvas(self._buffer, pagesize=(WIDTH, HEIGHT))
        self.font = self.random.choice(FONTS[:3])
        self.size = self.random.choice((8, 9, 10, 11))
        self._seen: set[str] = set()
        self._drawn: list[tuple[float, float, str, str, float]] = []

    def word(self) -> str:
        while True:
            r = self.random
            made = "".join(
                r.choice(_ONSETS) + r.choice(_VOWELS) + r.choice(_ENDS) for _ in range(r.choice((1, 2, 2, 3)))
            )
            if made not in self._seen and len(made) > 2:
                self._seen.add(made)
                return made

    def words(self, count: int) -> str:
        return " ".join(self.word() for _ in range(count))

    def line(self, width: float, size: float) -> str:
        """Two to four words that fit a width."""
        return self.wrapped(self.words(self.random.randint(2, 4)), width, size)[0]

    def sentence(self, count: int) -> str:
        return self.words(count).capitalize() + "."

    def wrapped(self, text: str, width: float, size: float | None = None) -> list[str]:
        return simpleSplit(text, self.font, size or self.size, width)

    def put(self, x: float, y: float, text: str, *, font: str = "", size: float = 0) -> None:
        self._drawn.append((x, y, text, font or self.font, size or self.size))

    def column(
        self, x: float, y: float, width: float, words: int, leading: float
    ) -> tuple[list[tuple[float, float, str]], float]:
        """A column of paragraphs, not drawn yet: its lines, and where it ends."""
        lines: list[tuple[float, float, str]] = []
        while words > 0:
            count = min(words, self.random.randint(25, 60))
            words -= count
            text = self.sentence(count)
            self.made.blocks.append(text)
            for line in self.wrapped(text, width):
                lines.append((x, y, line))
                y -= leading
            y -= leading * 0.5
        return lines, y

    def tabulate(self, rows: list[list[str]]) -> None:
        """Rows of a table below its header."""
        self.made.rows, self.made.header = rows, True
        self.made.blocks.extend(" ".join(row) for row in rows[1:])

    def draw(self, order: str = "as put") -> None:
        if order == "by row":
            self._drawn.sort(key=lambda d: (-round(d[1]), d[0]))
        elif order == "shuffled":
            self.random.shuffle(self._drawn)
        for x, y, text, font, size in self._drawn:
            self.canvas.setFont(font, size)
            self.canvas.drawString(x, y, text)
        self._drawn = []

    def done(self) -> Labelled:
        self.draw()
        self.canvas.showPage()
        self.canvas.save()
        self.made.content = self._buffer.getvalue()
        return self.made


def columns(seed: int, count: int, order: str, *, title: bool, gutter: float, offset: float = 0.0) -> Labelled:
    """Prose in columns, below a title as wide as the page or not; written column by column or line by line."""
    sheet = Sheet(f"{count} columns {order} {seed}", f"{count} columns", seed)
    leading = sheet.size * 1.2
    y = HEIGHT - 72.0
    if title:
        text = sheet.sentence(5)
        sheet.made.blocks.append(text)
        sheet.put(120, y, text, font="Helvetica-Bold", size=16)
        y -= 40
    width = (WIDTH - 2 * 54 - gutter * (count - 1)) / count
    for at in range(count):
        lines, _ = sheet.column(
            54 + at * (width + gutter), y - offset * at, width, sheet.random.randint(110, 170), leading
        )
        for line in lines:
            sheet.put(*line)
    sheet.draw(order)
    return sheet.done()


def spanned(seed: int) -> Labelled:
    """Two columns, a figure's caption across both, two columns again; the caption is written last."""
    sheet = Sheet(f"two columns around a caption {seed}", "2 columns", seed)
    leading = sheet.size * 1.2
    width, y = (WIDTH - 108 - 18) / 2, HEIGHT - 72.0
    last = []
    for part in range(2):
        ends = []
        for at in range(2):
            lines, end = sheet.column(54 + at * (width + 18), y, width, 70, leading)
            ends.append(end)
            for line in lines:
                sheet.put(*line)
        y = min(ends) - 20
        if part == 0:
            caption = sheet.sentence(18)
            sheet.made.blocks.append(caption)
            for line in sheet.wrapped(caption, 2 * width + 18):
                last.append((54, y, line))
                y -= leading
            y -= 20
    for x, at_y, line in last:
        sheet.put(x, at_y, line)
    return sheet.done()


def table(seed: int, style: str, order: str = "as put") -> Labelled:
    """Prose, a table, prose; ``style`` says which lines are drawn."""
    sheet = Sheet(f"table {style} {order} {seed}", f"table {style}", seed)
    leading, y = sheet.size * 1.25, HEIGHT - 72.0
    lines, y = sheet.column(54, y, WIDTH - 108, 40, leading)
    for line in lines:
        sheet.put(*line)
    sheet.draw()
    y -= 12
    count = sheet.random.choice((3, 4, 5))
    gap = sheet.random.choice((14, 20, 40))
    width = (WIDTH - 108 - gap * (count - 1)) / count
    step = sheet.size * sheet.random.choice((1.5, 1.8, 2.2))
    top = y
    rows = [[sheet.words(1).capitalize() for _ in range(count)]]
    for _ in range(sheet.random.randint(5, 12)):
        rows.append([sheet.words(2), *(_value(sheet) if at % 2 else sheet.words(1) for at in range(1, count))])
    for row in rows:
        for at, cell in enumerate(row):
            sheet.put(54 + at * (width + gap), y - sheet.size, cell)
        y -= step
        if style == "ruled":
            sheet.canvas.line(54, y + 2, WIDTH - 54, y + 2)
    if style in ("ruled", "with three lines"):
        for at in (top + 2, top - step + 2, y + 2):
            sheet.canvas.line(54, at, WIDTH - 54, at)
    if order == "by column":
        sheet._drawn.sort(key=lambda d: d[0])
    sheet.draw("as put" if order == "by column" else order)
    sheet.tabulate(rows)
    lines, _ = sheet.column(54, y - 30, WIDTH - 108, 40, leading)
    for line in lines:
        sheet.put(*line)
    return sheet.done()


def _value(sheet: Sheet) -> str:
    while True:
        made = f"{sheet.random.randint(100, 99999) / 100:.2f}"
        if made not in sheet._seen:
            sheet._seen.add(made)
            return made


def wrapped_table(seed: int, *, grid: bool) -> Labelled:
    """A table whose cells hold several lines each, laid out by a library."""
    sheet = Sheet(f"table with wrapped cells {'grid' if grid else 'plain'} {seed}", "table wrapped", seed)
    style = ParagraphStyle("cell", fontName=sheet.font, fontSize=sheet.size, leading=sheet.size * 1.15)
    rows = [[sheet.words(1).capitalize() for _ in range(3)]]
    rows += [
        [sheet.words(2), sheet.words(sheet.random.randint(6, 14)), sheet.words(sheet.random.randint(1, 8))]
        for _ in range(6)
    ]
    cells = [[Paragraph(cell, style) for cell in row] for row in rows]
    commands: list[tuple[object, ...]] = [("VALIGN", (0, 0), (-1, -1), "TOP")]
    if grid:
        commands.append(("GRID", (0, 0), (-1, -1), 0.5, colors.black))
    else:
        commands.append(("BOTTOMPADDING", (0, 0), (-1, -1), 9))
    made = Table(cells, colWidths=[110, 220, 150], style=commands)
    _, height = made.wrapOn(sheet.canvas, WIDTH - 108, 700)
    made.drawOn(sheet.canvas, 54, HEIGHT - 72 - height)
    sheet.tabulate(rows)
    return sheet.done()


def slide(seed: int, order: str, *, bullets: bool) -> Labelled:
    """A title and two boxes side by side, each with short lines."""
    sheet = Sheet(f"slide {order} {seed}", "slide", seed)
    title = sheet.sentence(4)
    boxes: list[list[str]] = [[sheet.line(225, 15) for _ in range(sheet.random.randint(3, 6))] for _ in range(2)]
    sheet.made.blocks = [title, *boxes[0], *boxes[1]]
    step = 30 if seed % 2 else 24

    def put_title() -> None:
        sheet.put(60, HEIGHT - 100, title, font="Helvetica-Bold", size=26)

    if order != "title last":
        put_title()
    which = (1, 0) if order == "right box first" else (0, 1)
    for at in which:
        for line, text in enumerate(boxes[at]):
            sheet.put(60 + at * 250, HEIGHT - 170 - line * step, f"• {text}" if bullets else text, size=15)
    if order == "title last":
        put_title()
    sheet.draw("by row" if order == "by row" else "as put")
    return sheet.done()


def form(seed: int, *, filled: str) -> Labelled:
    """Labels with values beside them, printed or as fields; ``rows`` are label and value."""
    sheet = Sheet(f"form {filled} {seed}", "form", seed)
    title = sheet.sentence(4)
    sheet.made.blocks.append(title)
    sheet.put(54, HEIGHT - 72, title, font="Helvetica-Bold", size=14)
    sheet.draw()
    y = HEIGHT - 120.0
    pairs = [[sheet.words(2).capitalize() + ":", sheet.words(2)] for _ in range(sheet.random.randint(5, 9))]
    for at, (label, value) in enumerate(pairs):
        sheet.put(54, y, label)
        if filled == "fields":
            sheet.canvas.acroForm.textfield(
                name=f"f{at}", value=value, x=220, y=y - 4, width=200, height=16, fontSize=sheet.size
            )
        else:
            sheet.put(220, y, value)
        y -= 26
    if filled == "labels first":
        sheet._drawn.sort(key=lambda d: d[0])
    sheet.made.rows = pairs
    sheet.made.blocks.extend(" ".join(pair) for pair in pairs)
    return sheet.done()


def invoice(seed: int) -> Labelled:
    """Two address blocks side by side, a table with numbers, a total at the right."""
    sheet = Sheet(f"invoice {seed}", "invoice", seed)
    blocks = [[sheet.words(2) for _ in range(3)] for _ in range(2)]
    for at, block in enumerate(blocks):
        for line, text in enumerate(block):
            sheet.put(54 + at * 280, HEIGHT - 90 - 14 * line, text)
        sheet.made.blocks.extend(block)
    rows = [[sheet.words(1).capitalize() for _ in range(4)]]
    rows += [[sheet.words(2), str(_count(sheet)), _value(sheet), _value(sheet)] for _ in range(5)]
    y = HEIGHT - 190.0
    sheet.canvas.line(54, y - 4, WIDTH - 54, y - 4)
    for row in rows:
        sheet.put(54, y, row[0])
        for x, cell in zip((330, 430, 541), row[1:], strict=True):
            sheet.put(x - sheet.canvas.stringWidth(cell, sheet.font, sheet.size), y, cell)
        y -= 18
    total = [sheet.words(1).capitalize(), _value(sheet)]
    sheet.put(430 - 60, y - 10, total[0])
    sheet.put(541 - sheet.canvas.stringWidth(total[1], sheet.font, sheet.size), y - 10, total[1])
    sheet.tabulate([*rows, total])
    return sheet.done()


def _count(sheet: Sheet) -> int:
    while True:
        made = sheet.random.randint(1, 99)
        if str(made) not in sheet._seen:
            sheet._seen.add(str(made))
            return made


def sidebar(seed: int, order: str) -> Labelled:
    """A narrow column of notes beside the text; people read the wide column of the left first."""
    sheet = Sheet(f"sidebar {order} {seed}", "sidebar", seed)
    leading = sheet.size * 1.25
    for x, width, words in ((54, 330, 150), (410, 130, 45)):
        lines, _ = sheet.column(x, HEIGHT - 72.0, width, words, leading)
        for line in lines:
            sheet.put(*line)
    sheet.draw(order)
    return sheet.done()


def running(seed: int) -> Labelled:
    """Three pages with a running header and page numbers that part a sentence; both stand once or not at all."""
    sheet = Sheet(f"running header {seed}", "running", seed)
    header = sheet.sentence(4)
    leading = sheet.size * 1.25
    text = sheet.sentence(260)
    lines = sheet.wrapped(text, WIDTH - 108)
    sheet.made.blocks = [header, text]
    per_page = len(lines) // 3 + 1
    for page in range(3):
        sheet.put(54, HEIGHT - 40, header, size=8)
        for at, line in enumerate(lines[page * per_page : (page + 1) * per_page]):
            sheet.put(54, HEIGHT - 90 - at * leading, line)
        sheet.put(WIDTH / 2, 36, str(page + 1), size=8)
        sheet.draw()
        if page < 2:
            sheet.canvas.showPage()
    return sheet.done()


def table_in_column(seed: int) -> Labelled:
    """Two columns; the right one ends with a small table."""
    sheet = Sheet(f"table in a column {seed}", "2 columns", seed)
    leading, width, y = sheet.size * 1.2, 235.0, HEIGHT - 72.0
    lines, _ = sheet.column(54, y, width, 170, leading)
    right, end = sheet.column(54 + width + 24, y, width, 70, leading)
    rows = [[sheet.words(1).capitalize() for _ in range(3)]]
    rows += [[sheet.words(1), _value(sheet), _value(sheet)] for _ in range(5)]
    for line in (*lines, *right):
        sheet.put(*line)
    end -= 10
    for row in rows:
        for x, cell in zip((0, 95, 170), row, strict=True):
            sheet.put(54 + width + 24 + x, end, cell)
        end -= sheet.size * 1.6
    sheet.tabulate(rows)
    return sheet.done()


def labelled_set(shift: int = 0) -> list[Labelled]:
    """All pages; another ``shift`` gives others of the same kinds."""
    s = shift * 1000
    makers: Sequence[Callable[[], Labelled]] = (
        *(lambda i=i: columns(s + i, 2, "as put", title=bool(i % 2), gutter=(10, 14, 18, 30)[i]) for i in range(4)),
        *(
            lambda i=i: columns(s + 10 + i, 2, "by row", title=bool(i % 2), gutter=(12, 16, 20, 24, 30)[i])
            for i in range(5)
        ),
        *(lambda i=i: columns(s + 20 + i, 2, "by row", title=False, gutter=20, offset=5.0) for i in range(2)),
        *(lambda i=i: columns(s + 30 + i, 3, "by row", title=bool(i % 2), gutter=(14, 18, 24)[i]) for i in range(3)),
        *(lambda i=i: spanned(s + 40 + i) for i in range(3)),
        *(lambda i=i: table_in_column(s + 50 + i) for i in range(3)),
        *(lambda i=i: table(s + 60 + i, "ruled") for i in range(3)),
        *(lambda i=i: table(s + 70 + i, "without lines") for i in range(3)),
        *(lambda i=i: table(s + 80 + i, "with three lines") for i in range(3)),
        *(lambda i=i: table(s + 90 + i, "without lines", "by column") for i in range(3)),
        *(lambda i=i: wrapped_table(s + 100 + i, grid=i < 3) for i in range(5)),
        *(lambda i=i: slide(s + 110 + i, "as put", bullets=True) for i in range(2)),
        *(lambda i=i: slide(s + 120 + i, "right box first", bullets=True) for i in range(2)),
        *(lambda i=i: slide(s + 130 + i, "title last", bullets=False) for i in range(2)),
        *(lambda i=i: slide(s + 140 + i, "by row", bullets=True) for i in range(2)),
        *(lambda i=i: form(s + 150 + i, filled="printed") for i in range(2)),
        *(lambda i=i: form(s + 160 + i, filled="labels first") for i in range(2)),
        *(lambda i=i: form(s + 170 + i, filled="fields") for i in range(2)),
        *(lambda i=i: invoice(s + 180 + i) for i in range(3)),
        *(lambda i=i: sidebar(s + 190 + i, ("as put", "by row")[i % 2]) for i in range(2)),
        *(lambda i=i: running(s + 200 + i) for i in range(2)),
    )
    return [make() for make in makers]
