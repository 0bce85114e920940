"""A page of a PDF as a picture, with the places of a quote on it; drawn in the parsing process."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from grounded.errors import ParseError
from grounded.ingestion.parsers.geometry import Box, bounds
from grounded.ingestion.parsers.ocr import PIXELS
from grounded.ingestion.parsers.pages import letters_of
from grounded.ingestion.parsers.pdf import open_pdf

SCALE = 1.6
"""Pixels per point: a page is about 950 pixels wide."""


def view_page(content: bytes, number: int, quote: str, places: Sequence[Box] = ()) -> dict[str, Any]:
    """``{"png", "boxes", "exact"}``: the page in base64, and boxes as shares of its width and height from the top left.

    Args:
        content: The PDF.
        number: The page, from 1.
        quote: What to find on it, however its lines are broken.
        places: Where the quote's block stands; marked when the quote itself is not found.

    Raises:
        ParseError: It cannot be opened or has no such page.
    """
    document = open_pdf(content)
    if not 1 <= number <= len(document):
        raise ParseError(f"The PDF has {len(document)} pages; there is no page {number}.")
    page = document[number - 1]
    width, height = page.get_size()
    scale = min(SCALE, (PIXELS / max(width * height, 1.0)) ** 0.5)
    buffer = io.BytesIO()
    page.render(scale=scale, may_draw_forms=True).to_pil().save(buffer, "PNG", optimize=True)
    found = _found(page, quote)
    left, bottom, right, top = page.get_mediabox()
    wide, high = max(right - left, 1.0), max(top - bottom, 1.0)
    marked = found or places
    boxes = [[(b[0] - left) / wide, (top - b[3]) / high, (b[2] - b[0]) / wide, (b[3] - b[1]) / high] for b in marked]
    return {"png": base64.b64encode(buffer.getvalue()).decode(), "boxes": boxes, "exact": bool(found)}


def _found(page: Any, quote: str) -> list[Box]:
    """A box for every line of the quote, compared by letters and digits only; empty when it is not there."""
    letters = letters_of(page)
    wanted = "".join(character for character in quote.casefold() if character.isalnum())
    at = "".join(character for character, _ in letters).find(wanted) if wanted else -1
    if at < 0:
        return []
    boxes = [box for _, box in letters[at : at + len(wanted)]]
    return [bounds(list(line)) for _, line in groupby(boxes, key=lambda box: round((box[1] + box[3]) / 4))]
