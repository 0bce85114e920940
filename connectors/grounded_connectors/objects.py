"""Object stores and remote folders through fsspec: S3, Azure Blob, ADLS and OneLake, Google Cloud Storage, SFTP."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from grounded.credentials import redact, without_credentials
from grounded.errors import (
    GroundedError,
    MissingExtraError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnavailableError,
    UsageError,
)
from grounded.records import Change, Failed, Listing, Offer, RawDocument, Upsert
from grounded_connectors.files import MAGIC, MAX_BYTES, glob_pattern

_EXTRAS = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "sftp": ("paramiko", "sftp"), "az": ("adlfs", "azure")}
_SAME = {"gcs": "gs", "abfs": "az", "abfss": "az", "ssh": "sftp", "s3a": "s3"}
_ONELAKE = "fabric.microsoft.com"
_TAGS = ("ETag", "etag", "generation", "md5", "LastModified", "last_modified", "updated", "mtime", "modified")
"""What backends call something that changes with the content, the surest first."""
_REFUSED = re.compile(r"credential|authenticat|unauthoriz|forbidden|denied|is not known", re.IGNORECASE)
"""What backends say when it is not the network that fails."""
MESSAGE_CHARACTERS = 300


class ObjectsConnector:
    """Lists what lies under an address and fetches only what changed: by entity tag, or by time and size.

    A document's key is its address. A prefix that is not there is an error, an empty one stops before anything is
    retired. Credentials are the store's own: ``AWS_*``, ``AZURE_*`` or a managed identity,
    ``GOOGLE_APPLICATION_CREDENTIALS``, SSH keys; a reader sees what that identity sees, whoever asks later.

    Args:
        uri: ``s3://bucket/prefix``, ``az://container/prefix``, ``abfss://container@account.dfs.core.windows.net/…``
            (``…@onelake.dfs.fabric.microsoft.com/…``), ``gs://bucket``, ``sftp://host/folder``, or
            ``fsspec+SCHEME://…`` for any other that fsspec knows. It may end in a glob such as ``**/*.pdf``.
        max_bytes: Larger objects are reported as failed and not fetched.
        settings: What the fsspec file system takes, such as ``{"endpoint_url": "http://127.0.0.1:9000"}``. For SFTP
            also ``known_hosts``, a file other than ``~/.ssh/known_hosts``; a host that is not in it is refused.
    """

    def __init__(self, uri: str, *, max_bytes: int = MAX_BYTES, settings: Mapping[str, Any] | None = None) -> None:
        self._uri = uri.removeprefix("fsspec+")
        parts = urlsplit(self._uri)
        if not parts.netloc and not parts.path.strip("/"):
            raise UsageError(f"{without_credentials(self._uri)} names nothing.", fix="Write s3://bucket/prefix.")
        self._scheme, self._max_bytes, self._settings = parts.scheme, max_bytes, dict(settings or {})
        in_user = self._scheme in ("abfs", "abfss")  # container@account, which is no secret
        self._source = f"{self._scheme}://{parts.netloc if in_user else parts.netloc.rpartition('@')[2]}"
        root, self._pattern = _split(parts.path.strip("/"))
        self._root = f"{self._source}/{root}".rstrip("/")
        self._scope = f"{self._source}/{parts.path.strip('/')}".rstrip("/")
        self._opened: Any = None

    @property
    def source(self) -> str:
        """Scheme and bucket, container or host."""
        return self._source

    @property
    def scope(self) -> str:
        """The address without credentials."""
        return self._scope

    def covers(self, key: str) -> bool:
        """Whether the object of that address would be listed."""
        if key == self._root:
            return self._pattern is None
        within = key.startswith(f"{self._root}/")
        return within and (self._pattern is None or bool(self._pattern.match(key[len(self._root) + 1 :])))

    def check(self) -> None:
        """Look whether the address is there.

        Raises:
            SourceError: It is not, or may not be read.
        """
        with self._typed(self._root):
            self._files.info(self._path)

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Every object as an ``Offer``, then the ``Listing``.

        Raises:
            SourceNotFoundError: There is nothing at that address.
            SourceAccessError: The credentials do not suffice.
            SourceUnavailableError: The store cannot be reached.
        """
        problems: list[str] = []
        for info in self._listed(problems):
            yield self._offered(info)
        yield Listing(complete=not problems, reason=" ".join(problems[:5]))

    def _listed(self, problems: list[str]) -> Iterator[Mapping[str, Any]]:
        """Objects in order; folders that may not be listed are added to ``problems``."""
        with self._typed(self._root):
            self._files.invalidate_cache()
            top = self._files.info(self._path)
        if top["type"] != "directory":
            yield top
            return
        waiting = [self._path]
        while waiting:
            folder = waiting.pop()
            try:
                with self._typed(folder):
                    entries = sorted(self._files.ls(folder, detail=True), key=lambda info: str(info["name"]))
            except (SourceAccessError, SourceNotFoundError) as error:
                if folder == self._path:
                    raise
                problems.append(error.message)
                continue
            for info in entries:
                if self._is_object(info, folder):
                    yield info
            waiting.extend(
                str(e["name"]) for e in reversed(entries) if e["type"] == "directory" and e["name"] != folder
            )

    def _is_object(self, info: Mapping[str, Any], folder: str) -> bool:
        """Not a folder, nor the empty object that stands for one."""
        name = str(info["name"])
        if info["type"] != "file" or name.endswith("/") or name == folder:
            return False
        return self._pattern is None or bool(self._pattern.match(self._key(info)[len(self._root) + 1 :]))

    def _offered(self, info: Mapping[str, Any]) -> Change:
        key, size = self._key(info), info.get("size")
        if size is not None and size > self._max_bytes:
            return _failed(key, "LimitExceededError", f"It has {size:,} bytes; at most {self._max_bytes:,} are read.")
        stub = RawDocument(key=key, content=b"", name=key.rsplit("/", 1)[-1], uri=key, fingerprint=_tag(info))

        def read() -> Upsert | Failed | None:
            try:
                with self._typed(key), self._files.open(info["name"], "rb") as opened:
                    content = opened.read(self._max_bytes + 1)
            except SourceNotFoundError:
                return None
            except SourceUnavailableError:
                raise
            except SourceError as error:
                return _failed(key, type(error).__name__, error.message)
            if len(content) > self._max_bytes:
                return _failed(key, "LimitExceededError", f"More than {self._max_bytes:,} bytes.")
            return Upsert(document=stub.model_copy(update={"content": content}))

        if stub.fingerprint:
            return Offer(document=stub, read=read)
        return read() or _failed(key, "SourceNotFoundError", "It vanished while it was read.")

    def _key(self, info: Mapping[str, Any]) -> str:
        """The address of a listed object: backends name it with or without bucket and scheme."""
        name = str(info["name"]).lstrip("/")
        return self._root + name.removeprefix(self._path.strip("/"))

    @property
    def _path(self) -> str:
        """The address as the file system names it."""
        return str(self._files._strip_protocol(self._root)).rstrip("/")

    @property
    def _files(self) -> Any:
        if self._opened is None:
            kind = _SAME.get(self._scheme, self._scheme)
            package, extra = _EXTRAS.get(kind, (f"an fsspec backend of {kind}", "objects"))
            try:
                import fsspec

                self._opened, _ = fsspec.url_to_fs(self._uri_of_root(), **self._given(kind))
            except ImportError as error:
                raise MissingExtraError(f"Reading {kind}://", package=package, extra=extra) from error
            except ValueError as error:
                raise UsageError(
                    f"{self._scope} cannot be opened: {redact(str(error))[:MESSAGE_CHARACTERS]}"
                ) from error
        return self._opened

    def _uri_of_root(self) -> str:
        """With user and password, which only the file system sees."""
        parts = urlsplit(self._uri)
        return f"{self._scheme}://{parts.netloc}/{self._root.removeprefix(self._source).lstrip('/')}"

    def _given(self, kind: str) -> dict[str, Any]:
        if kind == "sftp":
            file = self._settings.get("known_hosts", "~/.ssh/known_hosts")
            rest = {name: value for name, value in self._settings.items() if name != "known_hosts"}
            return {"host_key_policy": _known_hosts(os.path.expanduser(file)), "skip_instance_cache": True, **rest}
        given: dict[str, Any] = {"use_listings_cache": False, **self._settings}
        if kind == "az":
            given = {"anon": False, **given}
            if _ONELAKE in self._source:
                given = {"account_host": f"onelake.blob.{_ONELAKE}", **given}
        return given

    @contextmanager
    def _typed(self, what: str) -> Iterator[None]:
        """A backend's errors as ours; each raises its own kinds, some of them plain ``Exception``."""
        try:
            yield
        except GroundedError:
            raise
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"There is nothing at {what}.", fix="Check bucket and prefix.") from error
        except PermissionError as error:
            raise SourceAccessError(f"{what} may not be read: {_said(error)}", fix="Check the credentials.") from error
        except Exception as error:
            kind = SourceAccessError if _REFUSED.search(f"{type(error).__name__} {error}") else SourceUnavailableError
            raise kind(
                f"{what} cannot be read: {_said(error)}", fix="Check the address and the credentials."
            ) from error


def _split(path: str) -> tuple[str, re.Pattern[str] | None]:
    """The part of a path before the first glob, and the pattern for what lies below it."""
    parts = tuple(path.split("/"))
    at = next((index for index, part in enumerate(parts) if MAGIC.search(part)), None)
    return (path, None) if at is None else ("/".join(parts[:at]), glob_pattern(parts[at:]))


def _known_hosts(file: str) -> Any:
    """Refuses a server whose key is not written down; fsspec by itself gives the password to whoever answers."""
    import paramiko

    class KnownHosts(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # of any type
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            known = paramiko.HostKeys(file) if os.path.exists(file) else paramiko.HostKeys()
            if not known.check(hostname, key):
                raise paramiko.SSHException(f"the host {hostname} with this key is not known in {file}")

    return KnownHosts()


def _tag(info: Mapping[str, Any]) -> str:
    """What changes with the content; empty where a backend tells nothing."""
    found = next((str(info[name]) for name in _TAGS if info.get(name)), "")
    return hashlib.sha256(f"{found} {info.get('size')}".encode()).hexdigest() if found else ""


def _failed(key: str, error: str, message: str) -> Failed:
    return Failed(key=key, uri=key, error=error, message=message, fix="Check the object, or leave it out.")


def _said(error: BaseException) -> str:
    return redact(str(error).strip() or type(error).__name__).splitlines()[0][:MESSAGE_CHARACTERS]
