"""One HTTP exchange with a model's endpoint: bounded in time and size, retried when that may help, no redirects."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import requests
import urllib3

from grounded.answering.providers.failures import Failure, excerpt
from grounded.errors import ProviderError, ProviderTimeoutError, ProviderUnavailableError
from grounded.twins import on_cancel

_log = logging.getLogger(__name__)

RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_READ_BYTES = 65_536
_ERROR_BODY_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much.

    Attributes:
        connect_seconds: Longest wait for a connection.
        timeout_seconds: Longest silence of the endpoint.
        deadline_seconds: Longest whole exchange, waits between attempts included.
        max_bytes: Largest response.
        attempts: How often to try when the endpoint is overloaded; 1 means never again.
        max_wait_seconds: Longest wait between two attempts, also when the endpoint asks for more.
    """

    connect_seconds: float = 5.0
    timeout_seconds: float = 120.0
    deadline_seconds: float = 600.0
    max_bytes: int = 8 * 1024 * 1024
    attempts: int = 3
    max_wait_seconds: float = 20.0


@dataclass(frozen=True)
class Endpoint:
    """Where a model answers.

    Attributes:
        url: The address that takes the messages; no credentials in it.
        headers: Asked for before every attempt, so that a token may be renewed.
        fix: What a person can do when nothing answers there.
    """

    url: str
    headers: Callable[[], Mapping[str, str]]
    fix: str
    limits: Limits = Limits()

    @property
    def name(self) -> str:
        """The address without its query, for people."""
        return self.url.split("?", 1)[0]

    def post(self, body: Mapping[str, Any]) -> Reply:
        """Send JSON and return the reply when its status line is there, whatever the status.

        Raises:
            ProviderTimeoutError: Nothing came in time.
            ProviderUnavailableError: Nobody answers there, or it stayed overloaded.
            ProviderError: It answered with a redirect.
        """
        started = time.monotonic()
        for attempt in range(1, self.limits.attempts + 1):
            reply = self._post_once(body, started)
            if reply.status not in RETRYABLE:
                return reply
            failure = reply.failure()
            wait = self._wait(attempt, failure.retry_after)
            is_last = attempt == self.limits.attempts
            too_late = time.monotonic() - started + wait > self.limits.deadline_seconds
            if is_last or too_late or failure.is_out_of_credit:
                self._give_up(failure)
            _log.info("%s answered %d; trying again in %.1f s", self.name, reply.status, wait)
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")  # pragma: no cover

    def _post_once(self, body: Mapping[str, Any], started: float) -> Reply:
        headers = dict(self.headers())
        session = requests.Session()
        # A proxy of the environment is for the world outside, not for a server on this machine.
        session.trust_env = urlsplit(self.url).hostname not in _LOOPBACK
        try:
            response = session.post(
                self.url,
                data=json.dumps(body, ensure_ascii=True).encode("ascii"),
                headers={"Content-Type": "application/json", "Accept-Encoding": "identity", **headers},
                auth=_keep_headers,
                timeout=(self.limits.connect_seconds, self.limits.timeout_seconds),
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            session.close()
            self._raise(error)
        reply = Reply(self, session, response, started, tuple(headers.values()))
        if 300 <= reply.status < 400:
            reply.close()
            raise ProviderError(
                f"{self.name} answered with a redirect ({reply.status}), which is not followed.",
                fix="Use the address of the model's endpoint itself.",
            )
        return reply

    def _wait(self, attempt: int, asked: float | None) -> float:
        wait = asked if asked is not None else 0.5 * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)
        return min(wait, self.limits.max_wait_seconds)

    def _give_up(self, failure: Failure) -> NoReturn:
        if failure.is_out_of_credit:
            raise ProviderError(
                f"{self.name} says that the account has no credit left ({failure.status}): {failure.message}",
                fix="Check the plan and billing of the account behind the key.",
            )
        raise ProviderUnavailableError(
            f"{self.name} is overloaded or failing ({failure.status}) after {self.limits.attempts} attempts: "
            f"{failure.message}",
            fix="Try again later.",
        )

    def _raise(self, error: Exception) -> NoReturn:
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError) or "timed out" in str(error):
            raise ProviderTimeoutError(
                f"{self.name} did not answer within {self.limits.timeout_seconds:g} s.",
                fix="Try again, or raise the timeout.",
            ) from error
        if isinstance(error, requests.ConnectionError) and not _broke_off(error):
            raise ProviderUnavailableError(f"Nothing answers at {self.name}.", fix=self.fix) from error
        raise ProviderError(
            f"The exchange with {self.name} broke off ({type(error).__name__}).", fix="Try again."
        ) from error


class Reply:
    """A reply whose status is known and whose body is still to be read; close it."""

    def __init__(
        self,
        endpoint: Endpoint,
        session: requests.Session,
        response: requests.Response,
        started: float,
        secrets: tuple[str, ...],
    ) -> None:
        self.endpoint = endpoint
        self.status = response.status_code
        self.media_type = response.headers.get("Content-Type", "").split(";", 1)[0].strip().lower()
        self._session = session
        self._response = response
        self._started = started
        self._secrets = secrets
        on_cancel(self._interrupt)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection, also in the middle of the body; the endpoint sees that and stops."""
        self._response.close()
        self._session.close()

    def _interrupt(self) -> None:
        """Wake a thread that waits for more; closing would wait for that thread instead."""
        shutdown = getattr(self._response.raw, "shutdown", None)  # urllib3 2.3 and later
        if shutdown is not None:
            with suppress(ValueError, RuntimeError, OSError):
                shutdown()

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives.

        Raises:
            ProviderTimeoutError: Silence or the whole exchange lasted too long.
            ProviderError: The body is too large or broke off.
        """
        limits, taken = self.endpoint.limits, 0
        while chunk := self._read():
            taken += len(chunk)
            if taken > limits.max_bytes:
                raise ProviderError(f"{self.endpoint.name} sent more than {limits.max_bytes} bytes.")
            if time.monotonic() - self._started > limits.deadline_seconds:
                raise ProviderTimeoutError(
                    f"{self.endpoint.name} was not done after {limits.deadline_seconds:g} s.",
                    fix="Ask for a shorter answer, or raise the deadline.",
                )
            yield chunk

    def lines(self) -> Iterator[str]:
        """The body line by line, without line ends; bytes that are not UTF-8 become replacement characters."""
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else (rest + chunk,)
            for line in whole:
                yield line.decode("utf-8", "replace").removesuffix("\r")
        if rest:
            yield rest.decode("utf-8", "replace").removesuffix("\r")

    def json(self) -> Any:
        """The whole body as JSON.

        Raises:
            ProviderError: It is not JSON; the message shows its beginning.
        """
        return self.parsed(b"".join(self.chunks()).decode("utf-8", "replace"))

    def parsed(self, text: str) -> Any:
        """``text``, a part of the body, as JSON; raises like ``json``."""
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            self.reject(text, error)

    def reject(self, what: object, cause: Exception | None = None) -> NoReturn:
        """Raise ``ProviderError``: what came is not an answer."""
        text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
        kind = self.media_type or "no media type"
        raise ProviderError(
            f"{self.endpoint.name} answered with something that is not an answer ({kind}): {self.excerpt(text)!r}",
            fix="Check that the address is the endpoint of a language model.",
        ) from cause

    def excerpt(self, text: str) -> str:
        """The beginning of ``text`` on one line, without anything secret that was sent."""
        return excerpt(text, self._secrets)

    def failure(self) -> Failure:
        """What an error reply says; closes the reply."""
        taken = b""
        try:
            while len(taken) < _ERROR_BODY_BYTES and (chunk := self._read()):
                taken += chunk
        except (ProviderError, ProviderTimeoutError):
            _log.debug("%s: the error's body broke off", self.endpoint.name)
        finally:
            self.close()
        text = taken.decode("utf-8", "replace")
        return Failure.of(self.status, text, self.excerpt, self._response.headers.get("Retry-After"))

    def _read(self) -> bytes:
        raw = self._response.raw
        try:
            # read1 returns what is there; read would wait until the whole amount has come.
            read = getattr(raw, "read1", None)
            chunk = read(_READ_BYTES, decode_content=True) if read else raw.read(1, decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self.endpoint._raise(error)
        return bytes(chunk or b"")


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An authentication that does nothing, so that no .netrc entry replaces the headers."""
    return request


def _broke_off(error: Exception) -> bool:
    return any(word in str(error) for word in ("Connection aborted", "RemoteDisconnected", "Connection broken"))
