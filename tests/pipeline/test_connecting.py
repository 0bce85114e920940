"""How what names a source becomes the connector that reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from grounded import connector, registry
from grounded.credentials import fill, redact, without_credentials
from grounded.errors import ConfigurationError, UnknownNameError, UsageError
from grounded.records import Change, Listing
from grounded_connectors.files import FilesConnector


class Probe:
    """A connector that keeps what it was given."""

    source = scope = "probe"

    def __init__(self, uri: str, *, limit: int = 3, deep: bool = False, names: Sequence[str] | None = None) -> None:
        self.uri, self.limit, self.deep, self.names = uri, limit, deep, names

    def covers(self, key: str) -> bool:
        return True

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        yield Listing(complete=True)


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("probe", "tests.pipeline.test_connecting:Probe", "grounded.connectors")
    installed = {**registry._installed("connectors"), "probe": point}
    monkeypatch.setattr(registry, "_installed", lambda group: installed)


def made(uri: str, **options: Any) -> Probe:
    found = connector(uri, **options)
    assert isinstance(found, Probe)
    return found


@pytest.mark.usefixtures("probe")
def test_the_scheme_names_the_plug_in_and_options_are_read_as_their_types() -> None:
    assert made("probe+inner://host/x").uri == "probe+inner://host/x"
    found = made("PROBE://host", limit="12", deep="true", names="one")
    assert (found.limit, found.deep, found.names) == (12, True, ["one"])
    assert made("probe://host", names='["a", "b"]').names == ["a", "b"]
    assert made("probe://host", names=["a", "b"]).names == ["a", "b"]


@pytest.mark.usefixtures("probe")
def test_wrong_options_are_named_with_what_is_allowed() -> None:
    with pytest.raises(UsageError, match="limit, deep, names"):
        connector("probe://host", limits=3)
    with pytest.raises(UsageError, match=r"'limit'.*integer"):
        connector("probe://host", limit="many")
    with pytest.raises(UsageError, match="made already"):
        connector(made("probe://host"), limit=3)
    with pytest.raises(UnknownNameError, match="probe"):
        connector("nowhere://host")


@pytest.mark.usefixtures("probe")
def test_secrets_are_fetched_when_the_connector_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_PASSWORD", "p@ss/word")
    assert made("probe://me:${PROBE_PASSWORD}@host").uri == "probe://me:p%40ss%2Fword@host"
    assert made("probe://host", names="${PROBE_PASSWORD}").names == ["p@ss/word"]
    with pytest.raises(ConfigurationError, match="NO_SUCH_SECRET"):
        connector("probe://me:${NO_SUCH_SECRET}@host")


def test_a_path_is_files_and_is_taken_as_it_is(tmp_path: Path) -> None:
    for given in (tmp_path, str(tmp_path), tmp_path.as_uri()):
        found = connector(given, include_hidden=True)
        assert isinstance(found, FilesConnector)
        assert found.scope == tmp_path.as_posix()
    assert connector("${HOME}").scope.endswith("${HOME}")


def test_what_is_shown_holds_no_credentials() -> None:
    assert without_credentials("postgresql://me:secret@host:5432/shop?sslpassword=x#y") == "postgresql://host:5432/shop"
    assert without_credentials("sqlite:///tmp/a.db") == "sqlite:///tmp/a.db"
    assert without_credentials("https://u@host/a?b=c", keep_query=True) == "https://host/a?b=c"
    assert redact("cannot reach postgresql://me:secret@host/db now") == "cannot reach postgresql://host/db now"
    assert fill("a $${NAME} b") == "a ${NAME} b"
