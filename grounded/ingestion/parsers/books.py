"""EPUB: the chapters in reading order, each read like an HTML page."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree

from grounded.errors import EmptyDocumentError, EncryptedDocumentError, ParseError
from grounded.ingestion.parsers.archives import open_archive
from grounded.ingestion.parsers.building import TextBuilder, real_title
from grounded.ingestion.parsers.decoding import decode
from grounded.ingestion.parsers.html import read_html
from grounded.ingestion.parsers.markup import safe_parser
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Ways of hiding fonts, which leave the text readable."""
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def parse(source: Source) -> Parsed:
    """Every chapter of the book's spine.

    Raises:
        EncryptedDocumentError: It is under digital rights management.
        LimitExceededError: The text is too long.
        ParseError: It is damaged.
    """
    with open_archive(source.content) as archive:
        _check_rights(archive)
        container = _xml(archive, _CONTAINER)
        place = next((each.get("full-path", "") for each in container.iter("{*}rootfile")), "")
        package = _xml(archive, place)
        builder = TextBuilder(source.limits)
        for name in _chapters(package, place):
            _add(builder, archive, name, source)
    found = package.find(".//{http://purl.org/dc/elements/1.1/}title")
    title = real_title((found.text or "") if found is not None else "")
    return builder.parsed(title=title, media_type="application/epub+zip")


def _chapters(package: etree._Element, place: str) -> Iterator[str]:
    """Names of the chapters' members; what the spine marks as beside the reading order comes too."""
    folder = posixpath.dirname(place)
    items = {
        item.get("id", ""): item.get("href", "")
        for item in package.iter("{*}item")
        if item.get("media-type", _PAGES[0]) in _PAGES
    }
    for reference in package.iter("{*}itemref"):
        href = items.get(reference.get("idref", ""))
        if href:
            yield posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))


def _add(builder: TextBuilder, archive: zipfile.ZipFile, name: str, source: Source) -> None:
    try:
        content = archive.read(name)
    except KeyError:
        builder.warnings.append(f"the chapter {name!r} is missing")
        return
    decoded = decode(content)
    if decoded is None:
        builder.warnings.append(f"the chapter {name!r} is no text")
        return
    try:
        chapter = read_html(decoded.text, source.limits)
    except EmptyDocumentError:
        return
    if chapter.text.strip():
        builder.separate()
        builder.insert(chapter)


def _check_rights(archive: zipfile.ZipFile) -> None:
    if _ENCRYPTION in archive.namelist():
        methods = [each.get("Algorithm", "") for each in _xml(archive, _ENCRYPTION).iter("{*}EncryptionMethod")]
        if any(method not in _FONTS for method in methods):
            raise EncryptedDocumentError("The book is protected (DRM).", fix="Use a copy without protection.")


def _xml(archive: zipfile.ZipFile, name: str) -> etree._Element:
    try:
        return etree.fromstring(archive.read(name), safe_parser())
    except KeyError as error:
        raise ParseError(f"The book has no {name!r}.", fix="Open and save it again.") from error
