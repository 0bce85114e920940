"""Pages, sitemaps and crawls against an HTTP server on the loopback interface."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from grounded.errors import SourceAccessError, SourceError, SourceNotFoundError, SourceUnavailableError, UsageError
from grounded.protocols import Connector
from grounded.records import Change, Checkpoint, Failed, Listing, RawDocument, Unchanged, Upsert
from grounded.testing.connectors import ConnectorContract
from grounded_connectors import fetching
from grounded_connectors.fetching import is_public
from grounded_connectors.pages import is_trap, normal
from grounded_connectors.web import WebConnector

pytest.importorskip("protego", reason="protego is not installed")
pytest.importorskip("trafilatura", reason="trafilatura is not installed")

BODY = "The kettle K2 holds 1.7 litres and boils them in four minutes. " * 4
PAGE = (
    "<html><head><title>{title}</title></head><body><nav>Home Shop Cart</nav>"
    "<article><h1>{title}</h1><p>{body}</p>{links}</article></body></html>"
)


def page(title: str, *targets: str, body: str = BODY) -> bytes:
    anchors = "".join(f'<p><a href="{target}">more</a></p>' for target in targets)
    return PAGE.format(title=title, body=body, links=anchors).encode()


class Site:
    """Answers by path: status, headers, content."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                status, headers, content = site.answers.get(self.path, (404, {}, b""))
                if "ETag" in headers and self.headers.get("If-None-Match") == headers["ETag"]:
                    status, content = 304, b""
                self.send_response(status)
                for name, value in {
                    "Content-Type": "text/html",
                    **headers,
                    "Content-Length": str(len(content)),
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def put(self, path: str, content: bytes, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-").title().replace("Etag", "ETag"): value for name, value in headers.items()}
        self.answers[path] = (status, named, content)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.put(
        "/docs/", page("Docs", "a.html", "/docs/b.html#top", "/elsewhere", "https://example.invalid/x"), etag='"1"'
    )
    made.put("/docs/a.html", page("Kettle"), etag='"a"')
    made.put("/docs/b.html", page("Mug", "/docs/", "deep/c.html"), etag='"b"')
    made.put("/docs/deep/c.html", page("Lid"))
    yield made
    made.close()


def connector(site: Site, path: str = "/docs/", **options: Any) -> WebConnector:
    return WebConnector(site.url + path, **{"delay": 0, "allow_private": True, **options})


def read(source: WebConnector, state: dict[str, Any] | None = None) -> list[Change]:
    return list(source.changes(state))


def raws(changes: list[Change]) -> list[RawDocument]:
    return [c.document for c in changes if isinstance(c, Upsert) and isinstance(c.document, RawDocument)]


class TestContract(ConnectorContract):
    foreign_keys = ("https://example.org/docs/a.html",)

    @pytest.fixture(autouse=True)
    def _site(self, site: Site) -> None:
        self.site = site

    def make(self) -> Connector:
        return connector(self.site, depth=2)

    def edit(self) -> None:
        self.site.put("/docs/a.html", page("Kettle", "new.html", body="It holds 2 litres now. " * 9), etag='"a2"')
        self.site.put("/docs/new.html", page("New"))
        del self.site.answers["/docs/deep/c.html"]

    def spoil(self) -> None:
        self.site.put("/docs/b.html", page("Mug", "/docs/", "deep/c.html", "broken.html"))
        self.site.put("/docs/broken.html", b"", status=500)

    def hide(self) -> None:
        self.site.put("/docs/a.html", b"", status=503)


def test_one_page_is_its_main_content(site: Site) -> None:
    source = connector(site, "/docs/a.html#part")
    changes = read(source)
    (document,) = raws(changes)
    assert (document.key, document.title, document.name) == (f"{site.url}/docs/a.html", "Kettle", "a.md")
    assert b"1.7 litres" in document.content
    assert b"Cart" not in document.content
    assert b"Cart" in raws(read(connector(site, "/docs/a.html", main_content=False)))[0].content
    assert (source.source, source.covers(document.key), source.covers(f"{site.url}/docs/")) == (site.url, True, False)
    assert changes[-1] == Listing(complete=True)


def test_what_did_not_change_is_not_sent_again(site: Site) -> None:
    first = read(connector(site, "/docs/a.html"))
    state = Checkpoint.from_json(next(c for c in first if isinstance(c, Checkpoint)).to_json()).state
    second = read(connector(site, "/docs/a.html"), state)
    assert [change.key for change in second if isinstance(change, Unchanged)] == [f"{site.url}/docs/a.html"]
    third = read(connector(site, "/docs/a.html"), next(c for c in second if isinstance(c, Checkpoint)).state)
    assert any(isinstance(change, Unchanged) for change in third)
    site.put("/docs/a.html", page("Other"), etag='"new"')
    assert [document.title for document in raws(read(connector(site, "/docs/a.html"), state))] == ["Other"]


def test_a_crawl_stays_in_its_folder_and_depth(site: Site) -> None:
    found = [document.key.removeprefix(site.url) for document in raws(read(connector(site, depth=1)))]
    assert found == ["/docs/", "/docs/a.html", "/docs/b.html"]
    deeper = read(connector(site, depth=2))
    assert len(raws(deeper)) == 4
    state = next(c for c in deeper if isinstance(c, Checkpoint)).state
    again = read(connector(site, depth=2), state)
    # Pages whose links are needed are fetched whole, the outermost only when they changed.
    assert len(raws(again)) == 4
    assert again[-1] == Listing(complete=True)
    assert "/elsewhere" not in site.paths()


def test_robots_txt_is_obeyed(site: Site) -> None:
    site.put("/robots.txt", b"User-agent: *\nDisallow: /docs/a*\n", content_type="text/plain")
    found = [document.key.removeprefix(site.url) for document in raws(read(connector(site, depth=1)))]
    assert found == ["/docs/", "/docs/b.html"]
    with pytest.raises(SourceAccessError, match=r"robots\.txt"):
        read(connector(site, "/docs/a.html"))
    assert raws(read(connector(site, "/docs/a.html", obey_robots=False)))
    site.put("/robots.txt", b"", status=500)
    with pytest.raises(SourceUnavailableError):
        read(connector(site, "/docs/b.html"))


def test_a_sitemap_and_those_it_names(site: Site) -> None:
    urls = "".join(f"<url><loc>{site.url}/docs/{name}</loc></url>" for name in ("a.html", "b.html", "gone.html"))
    inner = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()
    site.put("/inner.xml.gz", gzip.compress(inner), content_type="application/gzip")
    site.put(
        "/sitemap.xml", f"<sitemapindex><sitemap><loc>{site.url}/inner.xml.gz</loc></sitemap></sitemapindex>".encode()
    )
    changes = read(connector(site, "/sitemap.xml"))
    assert [document.title for document in raws(changes)] == ["Kettle", "Mug"]
    assert changes[-1] == Listing(complete=True)
    state = next(c for c in changes if isinstance(c, Checkpoint)).state
    again = read(connector(site, "/sitemap.xml"), state)
    assert len([change for change in again if isinstance(change, Unchanged)]) == 2
    site.put("/sitemap.xml", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>")
    with pytest.raises(SourceError, match="no sitemap"):
        read(connector(site, "/sitemap.xml"))


def test_a_trap_ends(site: Site) -> None:
    for number in range(40):
        site.put(f"/trap/{number}", page(f"Day {number}", f"/trap/{number + 1}", f"/trap/{number}/x/x/x/x"))
    changes = read(connector(site, "/trap/0", depth=1000, max_pages=10))
    assert len(raws(changes)) == 10
    assert isinstance(changes[-1], Listing)
    assert not changes[-1].complete
    assert "max_pages" in changes[-1].reason
    assert is_trap("http://h/" + "a/" * 13)
    assert is_trap("http://h/?" + "a=1&" * 9)
    assert not is_trap("http://h/a/b/c?page=2")


def test_redirects_are_followed_and_circles_end(site: Site) -> None:
    site.put("/old", b"", status=301, location="/docs/a.html")
    (document,) = raws(read(connector(site, "/old")))
    assert (document.key, document.uri) == (f"{site.url}/old", f"{site.url}/docs/a.html")
    site.put("/one", b"", status=302, location="/two")
    site.put("/two", b"", status=302, location="/one")
    for number in range(9):
        site.put(f"/r{number}", b"", status=302, location=f"/r{number + 1}")
    for path in ("/one", "/r0"):
        with pytest.raises(SourceError, match="redirects"):
            read(connector(site, path))
    site.put("/out", b"", status=302, location="file:///etc/passwd")
    with pytest.raises(SourceAccessError):
        read(connector(site, "/out"))


def test_a_bomb_is_not_unpacked_whole(site: Site) -> None:
    bomb = gzip.compress(b"0" * 30_000_000)
    site.put("/bomb", bomb, content_encoding="gzip")
    with pytest.raises(SourceError, match="1,000,000"):
        read(connector(site, "/bomb", max_bytes=1_000_000))
    site.put("/bomb.xml.gz", gzip.compress(b"0" * 60_000_000))
    with pytest.raises(SourceError, match="unpacked"):
        read(connector(site, "/bomb.xml.gz"))


PRIVATE = """
127.0.0.1 10.1.2.3 169.254.169.254 0.0.0.0 192.168.0.1 100.64.0.1 224.0.0.1
::1 fe80::1 fc00::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::
"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


def test_public_addresses() -> None:
    assert all(is_public(ipaddress.ip_address(address)) for address in ("93.184.216.34", "2606:2800:220:1::1"))


def test_private_addresses_are_refused_by_name_by_redirect_and_in_every_spelling(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = site.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"):
        with pytest.raises((SourceAccessError, SourceNotFoundError)):
            read(WebConnector(f"http://{host}:{port}/docs/", delay=0, obey_robots=False))
    assert not site.asked
    # A host that is public at first, and whose redirect leads inside.
    site.put("/in", b"", status=302, location="http://inside.test/secret")
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **named: Any) -> Any:
        return real("10.0.0.1" if host == "inside.test" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetching, "is_public", lambda address: str(address) == "127.0.0.1" or is_public(address))
    with pytest.raises(SourceAccessError, match=r"10\.0\.0\.1"):
        read(WebConnector(f"{site.url}/in", delay=0, obey_robots=False))


def test_the_connection_goes_to_the_address_that_was_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["127.0.0.1", "10.0.0.1"])
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **named: Any) -> Any:
        return real(next(answers) if host == "rebinding.test" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    port = site.url.rpartition(":")[2]
    changes = read(
        WebConnector(f"http://rebinding.test:{port}/docs/a.html", delay=0, obey_robots=False, allow_private=True)
    )
    assert [document.title for document in raws(changes)] == ["Kettle"]
    assert site.asked[0][1]["host"] == f"rebinding.test:{port}"


def test_what_cannot_be_fetched_is_typed_and_a_page_that_fails_keeps_the_rest(site: Site) -> None:
    with pytest.raises(SourceNotFoundError):
        read(connector(site, "/nowhere"))
    with pytest.raises(SourceNotFoundError):
        connector(site, "/nowhere").check()
    with pytest.raises(SourceUnavailableError):
        read(WebConnector("http://127.0.0.1:1/", delay=0, allow_private=True))
    site.put("/docs/a.html", b"", status=500)
    changes = read(connector(site, depth=1))
    assert [change.key for change in changes if isinstance(change, Failed)] == [f"{site.url}/docs/a.html"]
    assert isinstance(changes[-1], Listing)
    assert not changes[-1].complete


@pytest.mark.parametrize("uri", ["https://me:secret@host/", "ftp://host/", "https://", "http://ho st/", "http://[::1/"])
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(SourceAccessError) as caught:
        WebConnector(uri)
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError):
        WebConnector("https://host/", depth=-1)


def test_addresses_are_compared_in_one_form() -> None:
    assert normal("HTTP://Host:80/a#b") == "http://host/a"
    assert normal("b?x=1", "https://h/a/") == "https://h/a/b?x=1"
