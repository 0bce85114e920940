"""Web pages, sitemaps and bounded crawls."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from grounded.credentials import without_credentials
from grounded.errors import (
    MissingExtraError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnavailableError,
    UsageError,
)
from grounded.records import Change, Checkpoint, Failed, Listing, RawDocument, Unchanged, Upsert
from grounded_connectors.fetching import AGENT, Fetched, Fetcher, checked
from grounded_connectors.pages import is_trap, links, main_content, normal, sitemap

MAX_BYTES = 50_000_000
MAX_PAGES = 1000
_HTML = ("text/html", "application/xhtml+xml")
_NO_PAGE = ("image/", "video/", "audio/", "font/", "text/css", "text/javascript", "application/javascript")


@dataclass
class _Visit:
    """What one run has seen."""

    pages: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    robots: dict[str, Any] = field(default_factory=dict)


class WebConnector:
    """Fetches pages as their sites allow: robots.txt, one request at a time, only what changed where the site tells.

    One page by default. An address that ends in ``.xml`` or ``.xml.gz``, or ``sitemap=True``, is a sitemap; ``depth``
    of 1 and up follows links that stay on the host and under the address's folder. A page's key is its address
    without fragment. Addresses that are not public are refused after the name is resolved, at every redirect too.

    Args:
        uri: ``https://host/page``; no user and password.
        depth: How many links away from the first page; 0 reads that page only.
        max_pages: Stop there; what was not reached is said, and then nothing is retired.
        sitemap: Read the pages that a sitemap names; None decides by the address.
        main_content: Keep what the page is about and leave out navigation and the like.
        delay: Seconds between two requests; a larger ``Crawl-delay`` counts.
        max_bytes: Largest page, unpacked.
        obey_robots: Ask robots.txt; leave it on unless the site is yours.
        allow_private: Also fetch from loopback, link-local and private addresses.
    """

    def __init__(
        self,
        uri: str,
        *,
        depth: int = 0,
        max_pages: int = MAX_PAGES,
        sitemap: bool | None = None,
        main_content: bool = True,
        delay: float = 1.0,
        max_bytes: int = MAX_BYTES,
        obey_robots: bool = True,
        allow_private: bool = False,
    ) -> None:
        checked(uri)
        if depth < 0 or max_pages < 1 or delay < 0:
            raise UsageError("depth and delay count from 0, max_pages from 1.")
        self._start = normal(uri)
        path = urlsplit(self._start).path
        self._is_sitemap = path.endswith((".xml", ".xml.gz")) if sitemap is None else sitemap
        self._depth, self._max_pages, self._main = depth, max_pages, main_content
        self._delay, self._obeys = delay, obey_robots
        self._fetcher = Fetcher(delay=delay, max_bytes=max_bytes, allow_private=allow_private)
        parts = urlsplit(self._start)
        self._host = f"{parts.scheme}://{parts.netloc}"
        self._folder = self._host + parts.path.rpartition("/")[0] + "/"

    @property
    def source(self) -> str:
        """The host of a page; the first address of a sitemap or a crawl, whose pages are its own documents."""
        return without_credentials(self._start) if self._is_many else self._host

    @property
    def scope(self) -> str:
        """The first address."""
        return self._start

    def covers(self, key: str) -> bool:
        """Whether the page of that address would be read again."""
        return key.startswith(f"{self._host}/") if self._is_many else key == self._start

    def check(self) -> None:
        """Fetch the first page.

        Raises:
            SourceError: It cannot be fetched, or may not be.
        """
        self._allowed(self._start, _Visit())
        self._fetcher.get(self._start)

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Pages in the order they are found, what the site said about their state, then the ``Listing``.

        Raises:
            SourceNotFoundError: The first page is not there.
            SourceAccessError: It may not be fetched.
            SourceUnavailableError: The host does not answer.
        """
        before: Mapping[str, Mapping[str, str]] = (checkpoint or {}).get("pages", {})
        visit = _Visit()
        waiting = deque([(self._start, 0)])
        if self._is_sitemap:
            self._require(self._start, visit)
            waiting = deque((page, self._depth) for page in self._sitemap_pages(visit))
        elif not self._is_many:
            self._require(self._start, visit)
        seen = {page for page, _ in waiting}
        fetched = 0
        while waiting:
            page, depth = waiting.popleft()
            if fetched >= self._max_pages:
                visit.problems.append(f"More than {self._max_pages} pages: raise max_pages, or narrow the address.")
                break
            fetched += 1
            change, found = self._visited(page, depth, before.get(page, {}), visit, is_first=page == self._start)
            if change is not None:
                yield change
            if depth < self._depth and not self._is_sitemap:
                fresh = [link for link in dict.fromkeys(found) if link not in seen and self._follows(link)]
                seen.update(fresh)
                waiting.extend((link, depth + 1) for link in fresh)
        yield Checkpoint(state={"pages": visit.pages})
        yield Listing(complete=not visit.problems, reason=" ".join(visit.problems[:5]))

    @property
    def _is_many(self) -> bool:
        return self._is_sitemap or self._depth > 0

    def _visited(
        self, page: str, depth: int, before: Mapping[str, str], visit: _Visit, *, is_first: bool
    ) -> tuple[Change | None, list[str]]:
        """What became of one page, and the links on it."""
        must = is_first and not self._is_sitemap
        try:
            if not self._allowed(page, visit):
                if must:
                    self._require(page, visit)
                return None, []
            # A page whose links are needed is fetched whole.
            known = before if depth >= self._depth else {}
            answer = self._fetcher.get(page, _conditions(known))
        except SourceError as error:
            if must:
                raise
            return self._missed(page, error, visit), []
        if self._is_many and not answer.url.startswith(f"{self._host}/"):
            return None, []
        visit.pages[page] = {name: answer.headers[name] for name in ("etag", "last-modified") if name in answer.headers}
        if answer.status == 304:
            visit.pages[page] = {**known, **visit.pages[page]}
            return Unchanged(key=page), []
        return self._read(page, answer)

    def _missed(self, page: str, error: SourceError, visit: _Visit) -> Change | None:
        """A page that is gone is gone; one that could not be fetched may still be there."""
        if isinstance(error, SourceNotFoundError):
            return None
        visit.problems.append(error.message)
        return Failed(key=page, uri=page, error=type(error).__name__, message=error.message, fix=error.fix)

    def _read(self, page: str, answer: Fetched) -> tuple[Change | None, list[str]]:
        if answer.media_type.startswith(_NO_PAGE):
            return None, []
        name = urlsplit(answer.url).path.rsplit("/", 1)[-1]
        is_html = answer.media_type in _HTML or (not answer.media_type and answer.content.lstrip()[:1] == b"<")
        found = links(answer.content, answer.url) if is_html and self._depth else []
        content, title = answer.content, ""
        if is_html:
            name = f"{name.removesuffix('.html').removesuffix('.htm') or 'index'}.html"
            if self._main:
                content, title, name = main_content(answer.content, answer.url, name)
        document = RawDocument(
            key=page, content=content, name=name, uri=answer.url, title=title, media_type=answer.media_type
        )
        return Upsert(document=document), found

    def _follows(self, link: str) -> bool:
        return link.startswith(self._folder) and not is_trap(link)

    def _sitemap_pages(self, visit: _Visit) -> Iterator[str]:
        """The pages of a sitemap and of those it names, on this host, each once.

        Raises:
            SourceError: The first one cannot be fetched or is none.
        """
        waiting, seen, pages = deque([self._start]), {self._start}, dict[str, None]()
        while waiting and len(pages) <= self._max_pages:
            address = waiting.popleft()
            try:
                maps, found = sitemap(self._fetcher.get(address).content, address)
            except SourceError as error:
                if address == self._start:
                    raise
                visit.problems.append(error.message)
                continue
            maps = [each for each in maps if each.startswith(f"{self._host}/") and each not in seen]
            seen.update(maps)
            waiting.extend(maps)
            pages.update(dict.fromkeys(page for page in found if page.startswith(f"{self._host}/")))
        return iter(pages)

    def _require(self, page: str, visit: _Visit) -> None:
        if not self._allowed(page, visit):
            raise SourceAccessError(
                f"The robots.txt of {self._host} does not allow fetching {page}.",
                fix="Ask the site's owner; obey_robots=False is for sites of your own.",
            )

    def _allowed(self, page: str, visit: _Visit) -> bool:
        if not self._obeys:
            return True
        if self._host not in visit.robots:
            visit.robots[self._host] = rules = self._rules()
            wait = rules.crawl_delay(AGENT)
            self._fetcher.delay = max(self._delay, min(float(wait or 0), 30.0))
        return bool(visit.robots[self._host].can_fetch(page, AGENT))

    def _rules(self) -> Any:
        """What robots.txt allows: everything where there is none, nothing where it cannot be had (RFC 9309, 2.3.1)."""
        try:
            from protego import Protego
        except ImportError as error:
            raise MissingExtraError("Reading web pages", package="protego", extra="web") from error
        try:
            text = self._fetcher.get(f"{self._host}/robots.txt").content.decode("utf-8", "replace")
        except SourceUnavailableError:
            raise
        except SourceError:
            text = ""
        return Protego.parse(text[:500_000])


def _conditions(known: Mapping[str, str]) -> dict[str, str]:
    names = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    return {names[name]: value for name, value in known.items() if name in names}
