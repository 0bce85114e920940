"""CSV and TSV: every row a line with its column names, located by the row's number."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from itertools import islice

from grounded.errors import LimitExceededError, ParseError
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.rows import render_table
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

DELIMITERS = ",;\t|"
_NAMED = re.compile(r"\"?sep=([,;\t|^~:])\"?\r?\n", re.IGNORECASE)
"""The first line of files that spreadsheet programs write: it names the delimiter."""
SAMPLE_ROWS = 50
SAMPLE_CHARACTERS = 65_536


def parse(source: Source) -> Parsed:
    """The rows as lines; the sheet of a ``sheet_row`` is the file's name, and its header is row 1.

    Raises:
        LimitExceededError: A field or the text is too long.
        ParseError: The quoting is broken.
    """
    text = source.text or ""
    delimiter = sniff_delimiter(text, loose=True) or ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(enumerate(reader, start=1))[1 if _NAMED.match(text) else 0 :]
        lines = render_table(rows, narrowest=2)
    except csv.Error as error:
        if "field larger" in str(error):
            raise LimitExceededError(
                f"A field of this table is too long: {error}.", fix="Check for a quote that is never closed."
            ) from error
        raise ParseError(f"The table cannot be read: {error}.", fix="Check its quoting.") from error
    builder = TextBuilder(source.limits)
    for line in lines:
        builder.mark(builder.line(line.text), "sheet_row", sheet=source.name or "table", row=line.number)
    media_type = "text/tab-separated-values" if delimiter == "\t" else "text/csv"
    return builder.parsed(media_type=media_type)


def sniff_delimiter(text: str, *, loose: bool = False) -> str:
    """The delimiter that the first line names or that cuts the first rows into as many columns each; empty for none.

    Args:
        text: The text.
        loose: Accept two rows and a few odd ones, for files that are named as tables.
    """
    named = _NAMED.match(text)
    if named:
        return named[1]
    sample = text[:SAMPLE_CHARACTERS]
    if len(text) > SAMPLE_CHARACTERS:
        sample = sample[: sample.rfind("\n") + 1] or sample
    best, best_score = "", 0.0
    for delimiter in DELIMITERS:
        score = _consistency(sample, delimiter, loose)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _consistency(sample: str, delimiter: str, loose: bool) -> float:
    """Share of rows with the commonest width, plus a little for more columns; 0 when it is no table."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    try:
        widths = [len(row) for row in islice(reader, SAMPLE_ROWS) if row]
    except csv.Error:
        return 0.0
    if not widths:
        return 0.0
    width, count = Counter(widths).most_common(1)[0]
    share = count / len(widths)
    enough = share >= 0.6 and len(widths) >= 2 if loose else share == 1.0 and len(widths) >= 3
    narrow = width < 2 or (width < 3 and delimiter == "," and not loose)
    return 0.0 if narrow or not enough else share + min(width, 50) / 1000
