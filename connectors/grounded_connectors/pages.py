"""What is in a page: its main content, its links; and what a sitemap names."""

from __future__ import annotations

import zlib
from collections import Counter
from urllib.parse import urljoin, urlsplit, urlunsplit

from lxml import etree, html

from grounded.errors import MissingExtraError, SourceError
from grounded_connectors.fetching import MAX_URL_CHARACTERS

SITEMAP_BYTES = 50_000_000
MAX_SEGMENTS, MAX_SAME_SEGMENT, MAX_PARAMETERS = 12, 2, 4
MIN_MAIN_CHARACTERS = 120
"""Less than this is not taken for a page's main content; the whole page is read then."""


def normal(url: str, base: str = "") -> str:
    """An address as it is compared: absolute, host in small letters, without fragment and default port."""
    parts = urlsplit(urljoin(base, url.strip()))
    host = parts.netloc.lower()
    for scheme, port in (("http", ":80"), ("https", ":443")):
        if parts.scheme == scheme:
            host = host.removesuffix(port)
    return urlunsplit((parts.scheme, host, parts.path or "/", parts.query, ""))


def is_trap(url: str) -> bool:
    """Whether an address looks made up by a site without end: very long, very deep, or going in circles."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    repeated = max(Counter(segments).values(), default=0)
    return (
        len(url) > MAX_URL_CHARACTERS
        or len(segments) > MAX_SEGMENTS
        or repeated > MAX_SAME_SEGMENT
        or parts.query.count("=") > MAX_PARAMETERS
    )


def links(content: bytes, url: str) -> list[str]:
    """The addresses a page links to, in order; none where it says that they are not to be followed."""
    tree = _tree(content)
    if tree is None:
        return []
    for meta in tree.iterfind(".//meta[@name]"):
        if (meta.get("name") or "").lower() == "robots" and "nofollow" in (meta.get("content") or "").lower():
            return []
    base = next((each.get("href") for each in tree.iterfind(".//base[@href]")), None) or ""
    found = []
    for link in tree.iterfind(".//a[@href]"):
        if "nofollow" in (link.get("rel") or "").lower():
            continue
        try:
            found.append(normal(link.get("href") or "", urljoin(url, base)))
        except ValueError:  # such as http://[
            continue
    return [link for link in found if link.startswith(("http://", "https://"))]


def main_content(content: bytes, url: str, name: str) -> tuple[bytes, str, str]:
    """What a page is about as Markdown, its title and a name for the parser; the page itself where that fails.

    Raises:
        MissingExtraError: ``trafilatura`` is not installed.
    """
    try:
        import trafilatura
    except ImportError as error:
        raise MissingExtraError("Taking the main content of pages", package="trafilatura", extra="web") from error
    tree = _tree(content)
    if tree is None:
        return content, "", name
    title = " ".join("".join(tree.xpath("string(//head/title)")).split())
    text = trafilatura.extract(
        content, url=url, output_format="markdown", include_formatting=True, include_comments=False, with_metadata=False
    )
    if not text or len(text) < MIN_MAIN_CHARACTERS:
        return content, title, name
    return text.encode("utf-8", "replace"), title, f"{name.removesuffix('.html')}.md"


def sitemap(content: bytes, url: str) -> tuple[list[str], list[str]]:
    """The sitemaps and the pages that a sitemap names.

    Raises:
        SourceError: It is no sitemap, or too large when it is unpacked.
    """
    if content.startswith(b"\x1f\x8b"):
        content = _unpacked(content, url)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourceError(
            f"{url} is no sitemap: {str(error)[:200]}.", fix="Set sitemap=False if it is a page."
        ) from error
    kind = etree.QName(root).localname
    if kind not in ("urlset", "sitemapindex"):
        raise SourceError(f"{url} is no sitemap but <{kind}>.", fix="Set sitemap=False if it is a page.")
    places = [element.text for element in root.iter("{*}loc") if element.text]
    named = [normal(place, url) for place in places]
    return (named, []) if kind == "sitemapindex" else ([], named)


def _unpacked(content: bytes, url: str) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(content, SITEMAP_BYTES)
    except zlib.error as error:
        raise SourceError(f"{url} cannot be unpacked: {error}.") from error
    if unpacker.unconsumed_tail:
        raise SourceError(f"{url} has more than {SITEMAP_BYTES:,} bytes when it is unpacked.")
    return unpacked


def _tree(content: bytes) -> html.HtmlElement | None:
    try:
        return html.document_fromstring(content)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
