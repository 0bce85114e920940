"""Opened citations as one self-contained page: the quote in its place, marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files
from typing import Self

from grounded.render.common import harmless

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_STYLE = """
.page{position:relative;max-width:60rem;border:1px solid #8888;margin:1rem 0}
.page img{display:block;width:100%}
.page i{position:absolute;background:#ffd400;opacity:.4;outline:2px solid #c08a00}
.words mark{background:#ffd400;color:#000}
.words{white-space:pre-wrap;border-left:4px solid #c08a00;padding-left:1rem}
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A citation with what stands around it.

    Attributes:
        place: For people: title and places.
        quote: The words.
        uri: Where the document is.
        before: Text before the quote.
        after: Text after it.
        picture: The page as PNG in base64; empty when there is none.
        boxes: ``(left, top, width, height)`` of the quote on the picture, as shares of its width and height.
        note: What a reader must know of it.
    """

    place: str
    quote: str
    uri: str = ""
    before: str = ""
    after: str = ""
    picture: str = ""
    boxes: tuple[tuple[float, ...], ...] = ()
    note: str = ""

    def but(self, note: str) -> Self:
        """The same with a note."""
        return replace(self, note=note)


def citations_html(shown: Sequence[Shown], *, title: str = "Citations") -> str:
    """A page with every citation opened at its place; all foreign text is escaped, nothing is loaded from outside."""
    style = files("grounded.render").joinpath("report.css").read_text("utf-8") + _STYLE
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{_text(title)}</h1></header>\n<main>\n"
        + "".join(_citation(number, each) for number, each in enumerate(shown, start=1))
        + "</main>\n</body>\n</html>\n"
    )


def _citation(number: int, shown: Shown) -> str:
    note = f"<p><b>Note:</b> {_text(shown.note)}</p>\n" if shown.note else ""
    link = ""
    if shown.uri.lower().startswith(("file:///", "http://", "https://")):
        link = f'<p><a href="{_text(shown.uri)}" rel="noreferrer noopener">Open the document</a></p>\n'
    words = f"{_text(shown.before)}<mark>{_text(shown.quote)}</mark>{_text(shown.after)}"
    return (
        f'<section id="citation-{number}">\n<h2><bdi>{_text(shown.place)}</bdi></h2>\n{note}{_picture(shown)}'
        f'<p class="words" dir="auto">{words}</p>\n{link}</section>\n'
    )


def _picture(shown: Shown) -> str:
    if not shown.picture or not _BASE64.fullmatch(shown.picture):
        return ""
    marks = "".join(
        f'<i style="left:{left:.2%};top:{top:.2%};width:{width:.2%};height:{height:.2%}"></i>'
        for left, top, width, height in shown.boxes
    )
    alt = f"{shown.place}: the page, with the quote marked"
    return f'<div class="page"><img alt="{_text(alt)}" src="data:image/png;base64,{shown.picture}">{marks}</div>\n'


def _text(text: str) -> str:
    return escape(harmless(text))
