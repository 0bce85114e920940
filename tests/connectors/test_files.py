from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from grounded.errors import SourceError, SourceNotFoundError, UsageError
from grounded.protocols import Connector
from grounded.records import Failed, Listing, RawDocument, Upsert
from grounded.testing.connectors import ConnectorContract
from grounded_connectors.files import FilesConnector

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    for name in ("b.md", "a.txt", "sub/c.md", "sub/deep/d.md", ".hidden", ".git/config", "__pycache__/x.pyc"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    base = root / "base"
    base.mkdir()
    (base / "kb.toml").write_text("schema = 1")
    (base / "ledger.sqlite").write_text("not a document")
    return root


def names(connector: FilesConnector, root: Path) -> list[str]:
    found = []
    for change in connector.changes():
        if isinstance(change, Upsert):
            found.append(Path(change.document.key).relative_to(root).as_posix())
    return found


def listing(connector: FilesConnector) -> Listing:
    last = list(connector.changes())[-1]
    assert isinstance(last, Listing)
    return last


class TestContract(ConnectorContract):
    foreign_keys = ("/elsewhere/a.txt",)

    @pytest.fixture(autouse=True)
    def _tree(self, tree: Path) -> None:
        self.tree = tree

    def make(self) -> Connector:
        return FilesConnector(self.tree, max_bytes=1000)

    def edit(self) -> None:
        (self.tree / "b.md").write_text("other")
        (self.tree / "sub/c.md").unlink()
        (self.tree / "new.md").write_text("new")

    def spoil(self) -> None:
        (self.tree / "large.md").write_text("x" * 1001)

    def hide(self) -> None:
        shutil.rmtree(self.tree)


class TestGlobContract(TestContract):
    def make(self) -> Connector:
        return FilesConnector(self.tree / "**" / "*.md", max_bytes=1000)


def test_a_folder_is_listed_sorted_without_hidden_files_caches_and_knowledge_bases(tree: Path) -> None:
    connector = FilesConnector(tree)
    assert names(connector, tree) == ["a.txt", "b.md", "sub/c.md", "sub/deep/d.md"]
    assert listing(connector) == Listing(complete=True)
    assert connector.total() == 4


def test_hidden_files_on_request(tree: Path) -> None:
    assert ".hidden" in names(FilesConnector(tree, include_hidden=True), tree)
    assert not FilesConnector(tree).covers((tree / ".hidden").as_posix())


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.md", ["b.md"]),
        ("**/*.md", ["b.md", "sub/c.md", "sub/deep/d.md"]),
        ("sub/**", ["sub/c.md", "sub/deep/d.md"]),
        ("sub/?.md", ["sub/c.md"]),
        ("[ab].*", ["a.txt", "b.md"]),
        ("[!a].*", ["b.md"]),
        ("*/deep/*", ["sub/deep/d.md"]),
        ("*.xlsx", []),
    ],
)
def test_globs(tree: Path, pattern: str, expected: list[str]) -> None:
    connector = FilesConnector(tree / pattern)
    assert names(connector, tree) == expected
    assert listing(connector).complete
    covered = [name for name in ("a.txt", "b.md", "sub/c.md", "sub/deep/d.md") if connector.covers(f"{tree}/{name}")]
    assert covered == expected


def test_a_file_whose_name_looks_like_a_glob_is_taken_literally(tmp_path: Path) -> None:
    path = tmp_path / "notes [1].txt"
    path.write_text("x")
    assert names(FilesConnector(path), tmp_path) == ["notes [1].txt"]


def test_a_document_carries_bytes_uri_and_fingerprint(tree: Path) -> None:
    change = next(iter(FilesConnector(tree / "a.txt").changes()))
    assert isinstance(change, Upsert)
    document = change.document
    assert isinstance(document, RawDocument)
    assert document.content == b"content of a.txt"
    assert document.uri == (tree / "a.txt").as_uri()
    assert len(document.fingerprint) == 64
    (tree / "a.txt").write_text("other")
    again = next(iter(FilesConnector(tree / "a.txt").changes()))
    assert isinstance(again, Upsert)
    assert again.document.key == document.key
    assert again.document.fingerprint != document.fingerprint


def test_a_relative_path_gives_an_absolute_key(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert [c.document.key for c in FilesConnector("a.txt").changes() if isinstance(c, Upsert)] == [f"{tree}/a.txt"]


def test_a_missing_path_names_what_is_near(tree: Path) -> None:
    connector = FilesConnector(tree / "subb")
    with pytest.raises(SourceNotFoundError, match="sub"):
        list(connector.changes())
    assert connector.total() is None
    with pytest.raises(SourceNotFoundError):
        list(FilesConnector(tree / "nowhere" / "*.md").changes())


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(UsageError):
        FilesConnector(" ")


def test_a_knowledge_base_is_no_source(tree: Path) -> None:
    with pytest.raises(SourceError, match="knowledge base"):
        list(FilesConnector(tree / "base").changes())


@pytest.mark.parametrize("inside", ["shard", "shard/deep", "ledger.sqlite", "*", "shard/*"])
def test_the_inside_of_a_knowledge_base_is_no_source(tree: Path, inside: str) -> None:
    (tree / "base" / "shard" / "deep").mkdir(parents=True)
    with pytest.raises(SourceError, match="knowledge base"):
        list(FilesConnector(tree / "base" / inside).changes())
    assert FilesConnector(tree / "base" / inside).total() is None


@posix_only
def test_what_was_read_through_a_link_is_not_covered_by_a_listing_that_skips_links(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.txt").write_text("x")
    (tree / "link.txt").symlink_to(tree / "a.txt")
    (tree / "linked").symlink_to(tmp_path / "outside")
    for name in ("link.txt", "linked/x.txt"):
        assert FilesConnector(tree / name).covers(f"{tree}/{name}")
        assert not FilesConnector(tree).covers(f"{tree}/{name}")
        assert FilesConnector(tree, follow_symlinks=True).covers(f"{tree}/{name}")
    (tree / "link.txt").unlink()
    assert FilesConnector(tree).covers(f"{tree}/link.txt")


@pytest.mark.parametrize("path", ["a\0b", "/tmp/\ud800"])
def test_what_cannot_be_a_path_is_a_usage_error(path: str) -> None:
    with pytest.raises(UsageError, match="cannot be a path"):
        FilesConnector(path)


def test_an_empty_folder_is_a_complete_listing_of_nothing(tmp_path: Path) -> None:
    assert list(FilesConnector(tmp_path).changes()) == [Listing(complete=True)]


def test_a_large_file_fails_alone(tree: Path) -> None:
    (tree / "big.txt").write_bytes(b"x" * 1000)
    changes = list(FilesConnector(tree, max_bytes=500).changes())
    failed = [change for change in changes if isinstance(change, Failed)]
    assert [Path(change.key).name for change in failed] == ["big.txt"]
    assert failed[0].error == "LimitExceededError"
    assert len([change for change in changes if isinstance(change, Upsert)]) == 4


def test_a_file_that_vanishes_is_not_named(tree: Path) -> None:
    changes = FilesConnector(tree).changes()
    first = next(changes)
    assert isinstance(first, Upsert)
    (tree / "sub" / "deep" / "d.md").unlink()
    assert [Path(c.document.key).name for c in changes if isinstance(c, Upsert)] == ["b.md", "c.md"]


@posix_only
def test_symbolic_links_never_hang_and_are_not_followed_out(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (tree / "loop").symlink_to(tree)
    (tree / "out").symlink_to(outside)
    (tree / "self").symlink_to(tree / "self")
    (tree / "broken").symlink_to(tree / "nothing")
    assert names(FilesConnector(tree), tree) == ["a.txt", "b.md", "sub/c.md", "sub/deep/d.md"]
    followed = names(FilesConnector(tree, follow_symlinks=True), tree)
    assert "out/secret.txt" in followed
    assert len(followed) == 5
    (tmp_path / "entry").symlink_to(tree)
    assert len(names(FilesConnector(tmp_path / "entry"), tmp_path)) == 4


@posix_only
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert list(FilesConnector(tmp_path).changes()) == [Listing(complete=True)]
    with pytest.raises(SourceError, match="neither"):
        list(FilesConnector(tmp_path / "pipe").changes())


@posix_only
def test_a_name_that_is_not_utf8_still_makes_a_key(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.txt", "w") as file:
        file.write("x")
    change = next(iter(FilesConnector(tmp_path).changes()))
    assert isinstance(change, Upsert)
    assert change.document.key.encode("utf-8").endswith(rb"caf\xe9.txt")


@pytest.fixture
def locked(tree: Path) -> Iterator[Path]:
    """The tree with one unreadable file and one unreadable folder; root can read them all the same."""
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("permissions do not bind this user")
    (tree / "a.txt").chmod(0)
    (tree / "sub").chmod(0)
    yield tree
    (tree / "sub").chmod(0o700)


def test_unreadable_files_fail_and_unreadable_folders_make_the_listing_incomplete(locked: Path) -> None:
    changes = list(FilesConnector(locked).changes())
    assert [Path(change.key).name for change in changes if isinstance(change, Failed)] == ["a.txt"]
    assert isinstance(changes[-1], Listing)
    assert not changes[-1].complete
    assert "sub" in changes[-1].reason


def test_a_folder_that_vanishes_makes_the_listing_incomplete(tree: Path) -> None:
    changes = FilesConnector(tree).changes()
    next(changes)
    shutil.rmtree(tree / "sub")
    last = list(changes)[-1]
    assert isinstance(last, Listing)
    assert not last.complete
    assert "sub" in last.reason


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read even by root")
def test_a_file_that_cannot_be_read_fails() -> None:
    changes = list(FilesConnector("/proc/self/mem").changes())
    assert isinstance(changes[0], Failed)
    assert changes[0].error == "OSError"
    assert changes[1] == Listing(complete=True)
