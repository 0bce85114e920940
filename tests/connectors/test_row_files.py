"""Row files as records, Delta tables by version, and LlamaIndex readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grounded.errors import SourceError, SourceNotFoundError, UsageError
from grounded.protocols import Connector
from grounded.records import Change, Checkpoint, Delete, Document, Failed, Listing, Upsert
from grounded.testing.connectors import ConnectorContract
from grounded_connectors.delta import DeltaConnector
from grounded_connectors.readers import ReaderConnector
from grounded_connectors.row_files import RowFilesConnector
from tests.ingestion.parsers.making import workbook
from tests.ingestion.support import Base

ROWS: list[dict[str, Any]] = [{"id": 1, "name": "Kettle", "price": 49.5}, {"id": 2, "name": "Mug", "price": 7}]


def documents(changes: list[Change]) -> dict[str, Document]:
    return {c.document.key: c.document for c in changes if isinstance(c, Upsert) and isinstance(c.document, Document)}


def texts(changes: list[Change]) -> list[str]:
    return [document.text for document in documents(changes).values()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "rows"
    root.mkdir()
    (root / "a.csv").write_text("id,name,price\n1,Kettle,49.5\n\n2,Mug,7\n")
    (root / "b.tsv").write_text("\ufeffid\tname\tprice\n1\tKettle\t49.5\n2\tMug\t7\n")
    (root / "c.jsonl").write_text("\n".join(map(json.dumps, ROWS)) + "\n")
    return root


def written(root: Path, name: str) -> Path:
    """A table in a binary format."""
    path = root / name
    if name.endswith(".xlsx"):
        path.write_bytes(workbook({"Prices": [list(ROWS[0]), *(list(row.values()) for row in ROWS)]}))
        return path
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(ROWS)
    if name.endswith(".parquet"):
        pq.write_table(table, path, row_group_size=1)
    else:
        with pa.ipc.new_file(path, table.schema) as out:
            out.write_table(table)
    return path


class TestContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _folder(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> Connector:
        return RowFilesConnector(f"rows://{self.folder}", key="id")

    def edit(self) -> None:
        (self.folder / "a.csv").write_text("id,name,price\n1,Kettle,50\n3,Lid,2\n")

    def spoil(self) -> None:
        (self.folder / "z.csv").write_text("id,name\n,Nameless\n")

    def hide(self) -> None:
        (self.folder / "a.csv").write_bytes(b"id,name\n1,\xff\n")


@pytest.mark.parametrize("name", ["a.csv", "b.tsv", "c.jsonl", "d.xlsx", "e.parquet", "f.arrow"])
def test_every_format_gives_the_same_rows(folder: Path, name: str) -> None:
    if not (folder / name).exists():
        written(folder, name)
    changes = list(RowFilesConnector(f"rows://{folder / name}", key="id").changes())
    assert texts(changes)[0] == "id: 1; name: Kettle; price: 49.5"
    assert texts(changes)[1] in ("id: 2; name: Mug; price: 7", "id: 2; name: Mug; price: 7.0")
    assert changes[-1] == Listing(complete=True)
    first = next(iter(documents(changes).values()))
    assert first.key.endswith("/1")
    assert first.segments[1].locator.fields["column"] == "name"
    numbered = documents(list(RowFilesConnector(f"rows://{folder / name}").changes()))
    assert next(iter(numbered.values())).segments[0].locator.kind == "sheet_row"
    assert [document.text for document in numbered.values()] == texts(changes)


def test_bad_rows_and_bad_files_are_said_and_nothing_is_retired(folder: Path) -> None:
    (folder / "a.csv").write_text("id,name\n1,Kettle\n1,Other\n,Nameless\n3,Lid,and more\n")
    (folder / "c.jsonl").write_text('{"id": 1}\n[1]\n')
    (folder / "note.txt").write_text("no rows")
    changes = list(RowFilesConnector(f"rows://{folder}", key="id").changes())
    failed = [change.message for change in changes if isinstance(change, Failed)]
    assert failed == [
        "Row 3 of a.csv has the key of an earlier row.",
        "Row 4 of a.csv has no value for id.",
        "Line 2 of c.jsonl is no object.",
        "note.txt is no row file.",
    ]
    assert "id: 3; name: Lid; column 3: and more" in texts(changes)
    assert not changes[-1].complete  # type: ignore[union-attr]
    with pytest.raises(SourceNotFoundError):
        RowFilesConnector(f"rows://{folder}/none.csv").check()


def test_one_changed_row_is_one_changed_document(folder: Path, base: Base) -> None:
    source = f"rows://{folder / 'a.csv'}"
    assert base.sync(RowFilesConnector(source, key="id")).documents_added == 2
    (folder / "a.csv").write_text("id,name,price\n0,Lid,2\n1,Kettle,49.5\n2,Mug,8\n")
    report = base.sync(RowFilesConnector(source, key="id"))
    assert (report.documents_added, report.documents_updated, report.documents_unchanged) == (1, 1, 1)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
    feed = {"delta.enableChangeDataFeed": "true"}
    deltalake.write_deltalake(tmp_path / "products", pa.Table.from_pylist(ROWS[:1]), configuration=feed)
    deltalake.write_deltalake(tmp_path / "products", pa.Table.from_pylist([{**ROWS[1], "price": 7.0}]), mode="append")
    return tmp_path / "products"


def delta(lake: Path, state: dict[str, Any] | None = None, **options: Any) -> list[Change]:
    return list(DeltaConnector(f"delta://{lake}", key="id", **options).changes(state))


def state_of(changes: list[Change]) -> dict[str, Any]:
    return next(change.state for change in changes if isinstance(change, Checkpoint))


def test_a_delta_table_is_cited_by_version_and_its_feed_followed(lake: Path) -> None:
    import deltalake
    import pyarrow as pa

    first = delta(lake)
    assert sorted(texts(first)) == ["id: 1; name: Kettle; price: 49.5", "id: 2; name: Mug; price: 7.0"]
    kettle = documents(first)["products/1"]
    assert kettle.segments[2].locator.label() == "products 1 (price), version 1"
    assert first[-1] == Listing(complete=True)
    assert [type(change) for change in delta(lake, state_of(first))] == [Checkpoint]
    table = deltalake.DeltaTable(lake)
    table.update(updates={"price": "8.0"}, predicate="id = 2")
    table.delete("id = 1")
    deltalake.write_deltalake(lake, pa.Table.from_pylist([{"id": 3, "name": "Lid", "price": 2.0}]), mode="append")
    second = delta(lake, state_of(first))
    assert sorted(texts(second)) == ["id: 2; name: Mug; price: 8.0", "id: 3; name: Lid; price: 2.0"]
    assert [change.key for change in second if isinstance(change, Delete)] == ["products/1"]
    assert not any(isinstance(change, Listing) for change in second)
    assert state_of(second)["version"] == 4
    assert len(texts(delta(lake, state_of(first), template="{{ name }}"))) == 2
    assert len(texts(delta(lake, version=0))) == 1


def test_a_delta_table_without_feed_is_compared_whole(lake: Path, base: Base) -> None:
    import deltalake
    import pyarrow as pa

    place = lake.parent / "plain"
    many = [{"id": number, "name": f"Item {number}"} for number in range(10)]
    deltalake.write_deltalake(place, pa.Table.from_pylist(many))
    assert base.sync(DeltaConnector(f"delta://{place}", key=["id"])).documents_added == 10
    deltalake.DeltaTable(place).delete("id = 3")
    report = base.sync(DeltaConnector(f"delta://{place}", key=["id"]))
    assert (report.documents_retired, report.documents_unchanged, report.chunks_embedded) == (1, 9, 0)


def test_delta_errors_are_typed(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        DeltaConnector(f"delta://{tmp_path}/none", key="id").check()
    with pytest.raises(SourceError, match="no column 'nope'"):
        DeltaConnector(f"delta://{lake}", key="nope").check()
    with pytest.raises(UsageError):
        DeltaConnector("delta://", key="id")
    onelake = "abfss://shop@onelake.dfs.fabric.microsoft.com/lake.Lakehouse/Tables/products"
    assert DeltaConnector(f"delta+{onelake}", key="id").source == f"delta+{onelake}"


def test_llama_index_readers_have_keys_that_last(tmp_path: Path) -> None:
    core = pytest.importorskip("llama_index.core", reason="LlamaIndex is not installed")
    (tmp_path / "a.txt").write_text("The kettle holds 1.7 litres.")
    (tmp_path / "b.txt").write_text("The mug is blue.")

    def connector() -> ReaderConnector:
        return ReaderConnector(core.SimpleDirectoryReader(str(tmp_path)), complete=True, metadata=["file_type"])

    first, second = list(connector().changes()), list(connector().changes())
    assert first == second
    assert sorted(documents(first)) == [f"{tmp_path}/a.txt", f"{tmp_path}/b.txt"]
    assert documents(first)[f"{tmp_path}/a.txt"].metadata == {"file_type": "text/plain"}
    assert first[-1] == Listing(complete=True)


class Reader:
    """A reader as LlamaIndex has them."""

    class Item:
        def __init__(self, id_: str, text: str, **metadata: Any) -> None:
            self.id_, self.text, self.metadata = id_, text, metadata

    def __init__(self, *items: Item, broken: bool = False) -> None:
        self._items, self._broken = items, broken

    def load_data(self) -> list[Item]:
        if self._broken:
            raise RuntimeError("https://me:secret@host refused")
        return list(self._items)


def test_readers_without_keys_or_permissions_fail_and_errors_show_no_secret() -> None:
    random = "9b2f8a52-7d3c-4b51-9c1e-0f6f2f4f5a11"
    items = [Reader.Item(random, "x"), Reader.Item("k", "y", groups=["a", "b"]), Reader.Item("l", "z")]
    changes = list(ReaderConnector(Reader(*items), principals="groups", complete=True).changes())
    assert [change.key for change in changes if isinstance(change, Failed)] == ["document 1 without key", "l"]
    assert documents(changes)["k"].principals == ("a", "b")
    assert not changes[-1].complete  # type: ignore[union-attr]
    with pytest.raises(SourceError) as caught:
        list(ReaderConnector(Reader(broken=True)).changes())
    assert "secret" not in str(caught.value)
