"""Object stores: S3 by a moto server, Azure Blob by Azurite, Google's by an emulator; an SFTP server; local files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grounded.errors import SourceAccessError, SourceError, SourceNotFoundError, SourceUnavailableError
from grounded.protocols import Connector
from grounded.records import Change, Failed, Listing, Offer, Upsert
from grounded.testing.connectors import ConnectorContract
from grounded_connectors.objects import ObjectsConnector
from tests.connectors.object_servers import SftpServer, google
from tests.ingestion.support import Base
from tests.servers import free_port, wait_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "bucket"
    for name in ("a.md", "sub/b.md", "sub/c.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"Content of {name}.")
    return root


def read(changes: list[Change]) -> dict[str, str]:
    fetched = {change.document.key: change.read() for change in changes if isinstance(change, Offer)}
    return {key: each.document.content.decode() for key, each in fetched.items() if isinstance(each, Upsert)}  # type: ignore[union-attr]


class TestContract(ConnectorContract):
    foreign_keys = ("file:///elsewhere/a.md",)

    @pytest.fixture(autouse=True)
    def _folder(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> Connector:
        return ObjectsConnector(f"fsspec+file://{self.folder}", max_bytes=1000)

    def edit(self) -> None:
        (self.folder / "a.md").write_text("Something else, and longer.")
        (self.folder / "sub" / "b.md").unlink()
        (self.folder / "new.md").write_text("New.")

    def spoil(self) -> None:
        (self.folder / "large.md").write_text("x" * 1001)

    def hide(self) -> None:
        shutil.rmtree(self.folder)


def test_only_what_changed_is_fetched(folder: Path, base: Base) -> None:
    connector = ObjectsConnector(f"fsspec+file://{folder}")
    assert base.sync(connector).documents_added == 3
    changes = list(connector.changes())
    assert changes[-1] == Listing(complete=True)
    assert base.sync(connector).documents_unchanged == 3
    (folder / "a.md").write_text("Something else.")
    os.utime(folder / "a.md", (2_000_000_000, 2_000_000_000))
    report = base.sync(connector)
    assert (report.documents_updated, report.documents_unchanged) == (1, 2)


def test_a_glob_a_limit_and_what_vanishes(folder: Path) -> None:
    connector = ObjectsConnector(f"fsspec+file://{folder}/**/*.md", max_bytes=18)
    changes = list(connector.changes())
    assert [change.key for change in changes if isinstance(change, Failed)] == [f"file://{folder}/sub/b.md"]
    assert connector.covers(f"file://{folder}/sub/b.md")
    assert not connector.covers(f"file://{folder}/sub/c.txt")
    (folder / "a.md").unlink()
    assert read(changes) == {}


def test_an_emptied_store_stops_and_a_missing_one_is_typed(folder: Path, base: Base) -> None:
    connector = ObjectsConnector(f"fsspec+file://{folder}")
    base.sync(connector)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert "empty" in base.sync(connector).retirement_refused
    folder.rmdir()
    with pytest.raises(SourceNotFoundError):
        connector.check()
    with pytest.raises(SourceNotFoundError):
        base.sync(connector)
    assert base.ledger.totals()[0] == 3


def test_what_is_shown_holds_no_credentials() -> None:
    connector = ObjectsConnector("sftp://me:hidden@host/folder")
    assert (connector.source, connector.scope) == ("sftp://host", "sftp://host/folder")
    lake = "abfss://shop@onelake.dfs.fabric.microsoft.com/lake.Lakehouse/Files/docs"
    assert ObjectsConnector(lake).scope == lake


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, Any]]:
    pytest.importorskip("moto", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            yield {"endpoint_url": f"http://127.0.0.1:{port}", "key": "me", "secret": "hidden"}
        finally:
            server.kill()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    pytest.importorskip("adlfs", reason="adlfs is not installed")
    program = Path.home() / ".cache/grounded-tests/azurite/node_modules/azurite/dist/src/blob/main.js"
    program = Path(os.environ.get("GROUNDED_AZURITE", program))
    if not program.is_file():
        pytest.skip("needs the Azure emulator: run .ci/servers")
    port = free_port()
    place = str(tmp_path_factory.mktemp("azurite"))
    command = ["node", str(program), "--blobPort", str(port), "--location", place, "--skipApiVersionCheck", "--silent"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            yield {"connection_string": _azurite(port)}
        finally:
            server.kill()


@pytest.fixture(scope="module")
def gcs() -> Iterator[dict[str, Any]]:
    with google() as settings:
        yield settings


def _azurite(port: int) -> str:
    # The account and key that every Azurite has; they open nothing else.
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    at = f"http://127.0.0.1:{port}/devstoreaccount1"
    return f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={at};"


def _filled(scheme: str, settings: dict[str, Any]) -> Callable[[str, str | None], None]:
    """Writes and removes objects of a bucket of our own."""
    import fsspec

    files = fsspec.filesystem(scheme, skip_instance_cache=True, **settings)
    files.mkdir("shop")

    def put(name: str, text: str | None) -> None:
        files.rm(f"shop/{name}") if text is None else files.pipe(f"shop/{name}", text.encode())

    return put


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "scheme"), [("s3", "s3"), ("azure", "az"), ("gcs", "gs")])
def test_a_real_store(kind: str, scheme: str, request: pytest.FixtureRequest, base: Base) -> None:
    settings = request.getfixturevalue(kind)
    put = _filled(scheme, settings)
    for name in ("docs/a.md", "docs/sub/b.md", "other/c.md"):
        put(name, f"Content of {name}.")

    def connector(place: str = "shop/docs") -> ObjectsConnector:
        return ObjectsConnector(f"{scheme}://{place}", settings=settings)

    connector().check()
    assert base.sync(connector()).documents_added == 2
    assert sorted(read(list(connector().changes()))) == [f"{scheme}://shop/docs/a.md", f"{scheme}://shop/docs/sub/b.md"]
    assert base.sync(connector()).documents_unchanged == 2
    put("docs/a.md", "Something else.")
    report = base.sync(connector())
    assert (report.documents_updated, report.documents_unchanged, report.ok) == (1, 1, True)
    put("docs/sub/b.md", None)
    assert base.sync(connector()).documents_retired == 1
    with pytest.raises(SourceError):
        connector("shop/nowhere").check()


@pytest.mark.slow
@pytest.mark.parametrize(
    "root",
    [
        "abfs://forms/docs",
        "abfss://forms@devstoreaccount1.dfs.core.windows.net/docs",
        "abfss://forms@onelake.dfs.fabric.microsoft.com/docs",
    ],
)
def test_every_form_of_an_azure_address(root: str, azure: dict[str, Any], base: Base) -> None:
    """The emulator stands for all of them; what OneLake itself answers is not tested."""
    import fsspec

    files = fsspec.filesystem("az", skip_instance_cache=True, **azure)
    if not files.exists("forms"):
        files.mkdir("forms")
    files.pipe("forms/docs/sub/a.md", b"Content.")
    connector = ObjectsConnector(root, settings=azure)
    connector.check()
    assert base.sync(connector).documents_added == 1
    assert [passage.uri for passage in base.passages()] == [f"{root}/sub/a.md"]
    assert connector.covers(f"{root}/sub/a.md")
    assert base.sync(connector).documents_unchanged == 1


@pytest.fixture
def sftp(folder: Path) -> Iterator[SftpServer]:
    pytest.importorskip("paramiko", reason="paramiko is not installed")
    server = SftpServer(folder.parent)
    yield server
    server.close()


def over_ssh(server: SftpServer, tmp_path: Path, path: str = "bucket", **settings: Any) -> ObjectsConnector:
    known = {"known_hosts": str(server.known_hosts(tmp_path / "known_hosts")), "look_for_keys": False}
    uri = f"sftp://reader:hidden@127.0.0.1:{server.port}/{path}"
    return ObjectsConnector(uri, settings={**known, "allow_agent": False, **settings})


def test_a_folder_over_ssh(sftp: SftpServer, folder: Path, tmp_path: Path, base: Base) -> None:
    connector = over_ssh(sftp, tmp_path, "bucket/**/*.md")
    connector.check()
    assert connector.source == f"sftp://127.0.0.1:{sftp.port}"
    assert base.sync(connector).documents_added == 2
    assert base.sync(connector).documents_unchanged == 2
    (folder / "a.md").write_text("Something else.")
    os.utime(folder / "a.md", (2_000_000_000, 2_000_000_000))
    report = base.sync(connector)
    assert (report.documents_updated, report.documents_unchanged, report.ok) == (1, 1, True)
    (folder / "sub" / "b.md").unlink()
    assert base.sync(connector).documents_retired == 1
    with pytest.raises(SourceNotFoundError):
        over_ssh(sftp, tmp_path, "bucket/nowhere").check()


def test_credentials_that_expire_are_typed_and_lose_nothing(sftp: SftpServer, tmp_path: Path, base: Base) -> None:
    assert base.sync(over_ssh(sftp, tmp_path)).documents_added == 3
    sftp.refuses = True
    with pytest.raises(SourceAccessError) as caught:
        base.sync(over_ssh(sftp, tmp_path))
    assert "hidden" not in str(caught.value)
    assert base.ledger.totals()[0] == 3
    sftp.refuses = False
    assert base.sync(over_ssh(sftp, tmp_path)).documents_unchanged == 3


def test_an_unknown_host_is_not_told_the_password(sftp: SftpServer, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    with pytest.raises(SourceAccessError, match="known"):
        over_ssh(sftp, tmp_path, known_hosts=str(tmp_path / "empty")).check()


def test_an_unreachable_store_is_typed() -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    config = {"retries": {"max_attempts": 0}, "connect_timeout": 2}
    settings = {"endpoint_url": "http://127.0.0.1:1", "key": "me", "secret": "hidden", "config_kwargs": config}
    with pytest.raises(SourceUnavailableError) as caught:
        ObjectsConnector("s3://shop/docs", settings=settings).check()
    assert "hidden" not in str(caught.value)
