"""Pictures: the text that character recognition finds in them, one page for each picture of the file."""

from __future__ import annotations

import io
import time
import warnings

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from grounded.errors import EmptyDocumentError, LimitExceededError, ParseError
from grounded.ingestion.parsers import ocr
from grounded.ingestion.parsers.building import TextBuilder
from grounded.ingestion.parsers.layout import arrange
from grounded.ingestion.parsers.pages import Page
from grounded.ingestion.parsers.source import Source
from grounded.ingestion.parsers.writing import PageWriter
from grounded.records import Parsed

PIXELS = 100_000_000
"""Larger pictures are refused: a few bytes can unpack to any number of them."""
KINDS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
TIME_SHARE = 0.7


def parse(source: Source) -> Parsed:
    """The text of a picture in reading order; places are ``page`` and ``box`` in pixels from the lower left corner.

    Raises:
        MissingExtraError: The extra ``ocr`` is not installed.
        ParseError: It is damaged.
        LimitExceededError: It has too many pixels.
        EmptyDocumentError: No text is found in it.
    """
    ocr.engine(source.limits)
    until = time.monotonic() + TIME_SHARE * source.limits.seconds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the check below is stricter than Pillow's warning
        try:
            picture = Image.open(io.BytesIO(source.content), formats=KINDS)
        except UnidentifiedImageError as error:
            raise ParseError("The picture is damaged or cut off.", fix="Open and save it again.") from error
    pages: list[Page] = []
    sure: list[float] = []
    unread = 0
    for frame in ImageSequence.Iterator(picture):
        if frame.width * frame.height > PIXELS:
            raise LimitExceededError(
                f"The picture has {frame.width * frame.height:,} pixels; at most {PIXELS:,} are read.",
                fix="Save it smaller.",
            )
        if time.monotonic() > until:
            unread += 1
            continue
        pieces, confidence = ocr.read_picture(_upright(frame), source.limits)
        pages.append(Page(tuple(pieces), height=float(frame.height)))
        sure.extend([confidence] if pieces else [])
    if not sure:
        raise EmptyDocumentError("No text is found in the picture.", fix="Scan it at 200 to 300 dots per inch.")
    builder = TextBuilder(source.limits)
    writer = PageWriter(builder, pages, {})
    for number, page in enumerate(pages, start=1):
        writer.page(number, arrange(page.pieces), page)
    builder.warnings.append(f"read by character recognition, {sum(sure) / len(sure):.0f}% sure on average")
    if unread:
        builder.warnings.append(f"{unread} pictures of the file were not read: no time was left")
    return builder.parsed(media_type=Image.MIME.get(picture.format or "", "image/*"))


def _upright(frame: Image.Image) -> Image.Image:
    """A picture the way it is looked at: turned as the camera says, on white where it is transparent."""
    turned = ImageOps.exif_transpose(frame)
    if turned.mode in ("RGBA", "LA", "P"):
        coloured = turned.convert("RGBA")
        ground = Image.new("RGBA", coloured.size, "white")
        ground.alpha_composite(coloured)
        turned = ground
    return turned.convert("L")
