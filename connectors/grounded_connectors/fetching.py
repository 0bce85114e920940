"""Fetching over HTTP from strangers: addresses checked and pinned, redirects followed by hand, everything bounded."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError

from grounded.credentials import redact
from grounded.errors import SourceAccessError, SourceError, SourceNotFoundError, SourceUnavailableError

AGENT = "grounded"
MAX_REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 10.0, 20.0, 120.0
LONGEST_WAIT_SECONDS = 30.0
MAX_URL_CHARACTERS = 2000
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Fetched:
    """What came back.

    Attributes:
        url: Where it was found after redirects.
        status: 200 with content, or 304 without.
        media_type: Without parameters, in small letters.
    """

    url: str
    status: int
    media_type: str
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class Fetcher:
    """Gets pages politely: one request at a time, ``delay`` seconds apart.

    Names are resolved here, every address a name has must be public, and the connection goes to the very address
    that was checked, so that a name that changes its mind in between leads nowhere. Proxies are not used.

    Args:
        delay: Seconds between two requests, at least.
        max_bytes: Largest content, after decompression.
        allow_private: Also loopback, link-local and private addresses.
    """

    def __init__(self, *, delay: float, max_bytes: int, allow_private: bool) -> None:
        self.delay = delay
        self._max_bytes, self._allow_private = max_bytes, allow_private
        self._last = 0.0

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """One page, after redirects.

        Raises:
            SourceNotFoundError: It is not there (404, 410), or the host has no address.
            SourceAccessError: It needs credentials, or an address on the way is forbidden.
            SourceUnavailableError: The host does not answer, or is overloaded.
            SourceError: Too large, too many redirects, or no answer to use.
        """
        came_by = [url]
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._patiently(came_by[-1], headers or {})
            if not isinstance(answer, str):
                return answer
            if answer in came_by:
                break
            came_by.append(answer)
        raise SourceError(
            f"{url} redirects in circles or more than {MAX_REDIRECTS} times.", fix="Give the address it should lead to."
        )

    def _patiently(self, url: str, headers: Mapping[str, str]) -> Fetched | str:
        """Once more when the host says that it is overloaded."""
        try:
            return self._once(url, headers)
        except _OverloadedError as error:
            time.sleep(min(max(error.wait, self.delay), LONGEST_WAIT_SECONDS))
            return self._once(url, headers)

    def _once(self, url: str, headers: Mapping[str, str]) -> Fetched | str:
        """The page, or where it redirects to."""
        parts = urlsplit(url)
        host, port = checked(url)
        address = self._resolved(host, port)
        time.sleep(max(0.0, self._last + self.delay - time.monotonic()))
        self._last = time.monotonic()
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        sent = {"Host": parts.netloc, "User-Agent": AGENT, "Accept-Encoding": "gzip", **headers}
        try:
            with _pool(parts.scheme, host, address, port) as pool:
                response = pool.urlopen(
                    "GET", target, headers=sent, redirect=False, preload_content=False, retries=False
                )
                try:
                    return self._read(url, response)
                finally:
                    response.close()
        except (HTTPError, OSError, ValueError) as error:
            if isinstance(error, SourceError):
                raise
            raise SourceUnavailableError(f"{url} cannot be fetched: {redact(str(error))[:200]}") from error

    def _read(self, url: str, response: urllib3.BaseHTTPResponse) -> Fetched | str:
        status, found = response.status, {name.lower(): value for name, value in response.headers.items()}
        if status in (301, 302, 303, 307, 308) and "location" in found:
            return urljoin(url, found["location"])
        _check_status(url, status, found)
        media_type = found.get("content-type", "").partition(";")[0].strip().lower()
        content = b"" if status == 304 else self._content(url, response, found)
        return Fetched(url, status, media_type, found, content)

    def _content(self, url: str, response: urllib3.BaseHTTPResponse, headers: Mapping[str, str]) -> bytes:
        if headers.get("content-encoding", "identity").lower() not in ("identity", "gzip", "x-gzip"):
            raise SourceError(f"{url} is encoded in a way that was not asked for.")
        until, pieces, size = time.monotonic() + TOTAL_SECONDS, list[bytes](), 0
        for piece in response.stream(65_536, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > self._max_bytes:
                raise SourceError(
                    f"{url} has more than {self._max_bytes:,} bytes when it is unpacked.", fix="Raise max_bytes."
                )
            if time.monotonic() > until:
                raise SourceUnavailableError(f"{url} was not complete after {TOTAL_SECONDS:.0f} seconds.")
        return b"".join(pieces)

    def _resolved(self, host: str, port: int) -> str:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SourceNotFoundError(f"The host {host!r} has no address.", fix="Check its name.") from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not self._allow_private:
            for address in addresses:
                if not is_public(ipaddress.ip_address(address.partition("%")[0])):
                    raise SourceAccessError(
                        f"{host} leads to {address}, which is not a public address.",
                        fix="Set allow_private=True if this host is meant.",
                    )
        return addresses[0]


class _OverloadedError(SourceUnavailableError):
    """The host asks for patience; ``wait`` seconds."""

    def __init__(self, message: str, wait: float) -> None:
        self.wait = wait
        super().__init__(message, fix="Try again later, or raise delay.")


def checked(url: str) -> tuple[str, int]:
    """Host and port of an address that may be fetched.

    Raises:
        SourceAccessError: It is no plain ``http`` or ``https`` address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = parts.scheme in _PORTS and host and parts.username is None and url.isprintable() and " " not in url
    if not plain or len(url) > MAX_URL_CHARACTERS:
        raise SourceAccessError(
            f"{redact(url[:100])!r} is not fetched.", fix="Addresses are http or https, without user and password."
        )
    return host, port or _PORTS[parts.scheme]


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, also when it carries an IPv4 address inside."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            return False
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def _pool(scheme: str, host: str, address: str, port: int) -> urllib3.HTTPConnectionPool:
    """Connects to the address; the certificate must be the host's."""
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    import certifi

    return urllib3.HTTPSConnectionPool(
        address,
        port,
        timeout=timeout,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
        server_hostname=host,
        assert_hostname=host,
    )


def _check_status(url: str, status: int, headers: Mapping[str, str]) -> None:
    if status in (200, 304):
        return
    if status in (404, 410):
        raise SourceNotFoundError(f"{url} is not there ({status}).")
    if status in (401, 403, 407, 451):
        raise SourceAccessError(f"{url} may not be read ({status}).")
    if status in (429, 503):
        wait = headers.get("retry-after", "")
        raise _OverloadedError(f"{url} is overloaded ({status}).", float(wait) if wait.isdigit() else 0.0)
    if status >= 500:
        raise SourceUnavailableError(f"{url} failed ({status}).", fix="Try again later.")
    raise SourceError(f"{url} answered {status}, which is no page.")
