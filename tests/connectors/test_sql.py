"""Tables, views and queries as documents, on SQLite; the same on real servers in test_sql_servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounded.errors import SourceError, SourceNotFoundError, TemplateError, UsageError
from grounded.protocols import Connector
from grounded.records import Change, Checkpoint, Delete, Document, Failed, Listing, Unchanged, Upsert
from grounded.testing.connectors import ConnectorContract
from grounded_connectors.positions import packed, unpacked
from grounded_connectors.rows import render
from grounded_connectors.sql import SqlConnector
from tests.ingestion.support import Base

PRODUCTS = """
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price NUMERIC, note TEXT, changed INTEGER);
INSERT INTO products VALUES (1, 'Kettle K2', 49.9, NULL, 1), (2, 'Mug', 7, 'Blue
and white', 2), (3, 'Lid', 2, '', 3);
CREATE VIEW cheap AS SELECT id, name FROM products WHERE price < 10;
CREATE TABLE "order lines" ("order/no" TEXT, line INT, item TEXT, PRIMARY KEY ("order/no", line));
INSERT INTO "order lines" VALUES ('A/1', 1, 'Mug'), ('A/1', 2, 'Lid');
"""


class Shop:
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        self.uri = f"sqlite:///{path}"
        self._connection = sqlite3.connect(path, isolation_level=None)

    def run(self, script: str, *values: Any) -> None:
        if values:
            self._connection.execute(script, values)
        else:
            self._connection.executescript(script)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "shop.db")
    made.run(PRODUCTS)
    yield made
    made.close()


def documents(changes: list[Change]) -> dict[str, Document]:
    return {c.document.key: c.document for c in changes if isinstance(c, Upsert) and isinstance(c.document, Document)}


def read(connector: SqlConnector, checkpoint: dict[str, Any] | None = None) -> list[Change]:
    return list(connector.changes(checkpoint))


def last_checkpoint(changes: list[Change]) -> dict[str, Any]:
    return [change.state for change in changes if isinstance(change, Checkpoint)][-1]


class TestContract(ConnectorContract):
    foreign_keys = ("orders/1", "products2/1")

    @pytest.fixture(autouse=True)
    def _shop(self, shop: Shop) -> None:
        self.shop = shop

    def make(self) -> Connector:
        return SqlConnector(self.shop.uri, tables="products")

    def edit(self) -> None:
        self.shop.run("UPDATE products SET price = 1, changed = 9 WHERE id = 2; DELETE FROM products WHERE id = 1")
        self.shop.run("INSERT INTO products VALUES (4, 'New', 1, '', 10)")

    def spoil(self) -> None:
        self.shop.run("INSERT INTO products VALUES (9, CAST(x'ff41' AS TEXT), 1, '', 11)")

    def hide(self) -> None:
        self.shop.run("DROP TABLE products")


class TestCursorContract(TestContract):
    def make(self) -> Connector:
        return SqlConnector(self.shop.uri, tables=["products"], cursor="changed", batch=2)


def test_rows_are_rendered_and_each_value_leads_to_its_column(shop: Shop) -> None:
    found = documents(read(SqlConnector(shop.uri, tables="products")))
    assert sorted(found) == ["products/1", "products/2", "products/3"]
    kettle, mug = found["products/1"], found["products/2"]
    assert kettle.text == "id: 1; name: Kettle K2; price: 49.9; changed: 1"
    assert mug.text == "id: 2; name: Mug; price: 7; changed: 2\n\nnote: Blue\nand white"
    assert kettle.title == "products 1"
    price = next(each for each in kettle.segments if each.locator.fields["column"] == "price")
    assert price.span.slice(kettle.text) == "price: 49.9"
    assert price.locator.label() == "products 1 (price)"
    assert price.locator.fields["snapshot"].endswith("+00:00")


def test_all_tables_with_a_primary_key_are_read_unless_some_are_named(shop: Shop) -> None:
    connector = SqlConnector(shop.uri)
    assert set(documents(read(connector))) == {"products/1", "products/2", "products/3"} | {
        "order lines/A%2F1,1",
        "order lines/A%2F1,2",
    }
    assert connector.covers("dropped since/1")
    assert connector.total() == 5
    connector.check()


def test_a_view_needs_a_key_and_a_query_too(shop: Shop) -> None:
    changes = read(SqlConnector(shop.uri, tables=["cheap", "products"]))
    assert [change.key for change in changes if isinstance(change, Failed)] == ["cheap/"]
    assert "key=" in next(change.fix for change in changes if isinstance(change, Failed))
    assert len(documents(changes)) == 3
    assert changes[-1] == Listing(complete=False, reason="cheap has no primary key.")
    assert set(documents(read(SqlConnector(shop.uri, tables="cheap", key="id")))) == {"cheap/2", "cheap/3"}
    query = SqlConnector(shop.uri, query="SELECT name, id AS n FROM products WHERE note <> ':x' ;", key="n", name="q")
    assert set(documents(read(query))) == {"q/2", "q/3"}
    with pytest.raises(UsageError, match="key"):
        SqlConnector(shop.uri, query="SELECT 1")


def test_a_template_title_filters_principals_and_a_link(shop: Shop) -> None:
    shop.run(
        "ALTER TABLE products ADD COLUMN seen_by TEXT; UPDATE products SET seen_by = 'sales, support' WHERE id < 3"
    )
    connector = SqlConnector(
        shop.uri,
        tables="products",
        template="{{ name }} costs {{ price }} EUR.{% if note %} {{ note }}{% endif %}",
        title="name",
        metadata=["price"],
        principals="seen_by",
        link="https://shop.example/{id}",
    )
    changes = read(connector)
    kettle = documents(changes)["products/1"]
    assert kettle.text == "Kettle K2 costs 49.9 EUR."
    assert (kettle.title, kettle.metadata, kettle.principals) == ("Kettle K2", {"price": 49.9}, ("sales", "support"))
    assert kettle.uri == "https://shop.example/1"
    assert kettle.segments[0].locator.label() == "products 1"
    # A row that names nobody is not public.
    assert [change.key for change in changes if isinstance(change, Failed)] == ["products/3"]


@pytest.mark.parametrize(
    ("template", "problem"),
    [("{{ name", "template"), ("{{ ''.__class__ }}", "template"), ("{% for x in range(9) %}{{ x ", "template")],
)
def test_a_template_runs_in_the_sandbox(shop: Shop, template: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        read(SqlConnector(shop.uri, tables="products", template=template))


def test_null_and_duplicate_keys_are_said_and_nothing_is_retired(shop: Shop) -> None:
    shop.run("CREATE TABLE loose (k TEXT, v TEXT); INSERT INTO loose VALUES (NULL,'a'),(NULL,'b'),('x','c'),('x','d')")
    changes = read(SqlConnector(shop.uri, tables="loose", key="k"))
    assert {key: document.text for key, document in documents(changes).items()} == {"loose/x": "k: x; v: c"}
    assert [change.key for change in changes if isinstance(change, Failed)] == ["loose/(no key)", "loose/x"]
    assert not changes[-1].complete  # type: ignore[union-attr]


def test_broken_text_fails_alone(shop: Shop) -> None:
    shop.run("UPDATE products SET name = CAST(x'ff41' AS TEXT) WHERE id = 2")
    changes = read(SqlConnector(shop.uri, tables="products"))
    assert [change.key for change in changes if isinstance(change, Failed)] == ["products/2"]
    assert set(documents(changes)) == {"products/1", "products/3"}


def test_what_is_missing_is_typed(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        SqlConnector(f"sqlite:///{tmp_path}/none.db").check()
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(SourceNotFoundError, match="gone"):
        SqlConnector(shop.uri, tables="gone").check()
    dropped = read(SqlConnector(shop.uri, tables=["gone", "products"]))
    assert isinstance(dropped[0], Failed)
    assert dropped[0].error == "SourceNotFoundError"
    for options in ({"cursor": "nope"}, {"title": "nope"}, {"deleted": "nope"}, {"columns": ["name", "nope"]}):
        failed = read(SqlConnector(shop.uri, tables="products", **options))[0]
        assert isinstance(failed, Failed)
        assert "nope" in failed.message
        assert "price" in failed.fix


def test_the_database_is_not_written_to(shop: Shop) -> None:
    with (
        pytest.raises(SourceError, match=r"readonly|read-only"),
        SqlConnector(shop.uri)._database.reading("x") as opened,
    ):
        opened.exec_driver_sql("DELETE FROM products")


def test_a_cursor_reads_what_moved_and_a_census_finds_what_is_gone(shop: Shop) -> None:
    def connector() -> SqlConnector:
        return SqlConnector(shop.uri, tables="products", cursor="changed")

    first = read(connector())
    assert first[-1] == Listing(complete=True)
    state = last_checkpoint(first)
    shop.run("UPDATE products SET price = 8, changed = 4 WHERE id = 2; DELETE FROM products WHERE id = 1")
    second = read(connector(), state)
    # The row at the cursor is read again: another one may have got the same value since.
    assert list(documents(second)) == ["products/3", "products/2"]
    assert [change.key for change in second if isinstance(change, Unchanged)] == []
    third = read(connector(), last_checkpoint(second))
    assert list(documents(third)) == ["products/2"]
    assert [change.key for change in third if isinstance(change, Unchanged)] == ["products/3"]
    assert third[-1] == Listing(complete=True)
    silent = read(SqlConnector(shop.uri, tables="products", cursor="changed", deletions="never"), state)
    assert not any(isinstance(change, Listing | Unchanged) for change in silent)


def test_rows_without_a_cursor_value_are_always_read_and_lookback_goes_back(shop: Shop) -> None:
    state = last_checkpoint(read(SqlConnector(shop.uri, tables="products", cursor="changed")))
    shop.run("INSERT INTO products VALUES (4, 'New', 1, '', NULL), (5, 'Late', 1, '', 2)")
    assert set(documents(read(SqlConnector(shop.uri, tables="products", cursor="changed"), state))) == {
        "products/3",
        "products/4",
    }
    late = read(SqlConnector(shop.uri, tables="products", cursor="changed", lookback=1), state)
    assert set(documents(late)) == {"products/2", "products/3", "products/4", "products/5"}


def test_a_pass_that_was_cut_off_goes_on_behind_its_last_position(shop: Shop) -> None:
    begun: list[Change] = []
    for change in SqlConnector(shop.uri, tables="products", cursor="changed", batch=1).changes(None):
        begun.append(change)
        if isinstance(change, Checkpoint):
            break
    rest = read(SqlConnector(shop.uri, tables="products", cursor="changed", batch=1), last_checkpoint(begun))
    assert list(documents(rest)) == ["products/2", "products/3"]
    assert [change.key for change in rest if isinstance(change, Unchanged)] == ["products/1"]


def test_another_template_or_another_column_reads_everything_again(shop: Shop) -> None:
    state = last_checkpoint(read(SqlConnector(shop.uri, tables="products", cursor="changed")))
    other = SqlConnector(shop.uri, tables="products", cursor="changed", template="{{ name }}")
    assert len(documents(read(other, state))) == 3
    shop.run("ALTER TABLE products ADD COLUMN colour TEXT")
    assert len(documents(read(SqlConnector(shop.uri, tables="products", cursor="changed"), state))) == 3


def test_rows_marked_as_deleted_are_deletions(shop: Shop) -> None:
    state = last_checkpoint(read(SqlConnector(shop.uri, tables="products", cursor="changed", deleted="note")))
    shop.run("UPDATE products SET note = 'yes', changed = 9 WHERE id = 3")
    changes = read(SqlConnector(shop.uri, tables="products", cursor="changed", deleted="note"), state)
    assert [change.key for change in changes if isinstance(change, Delete)] == ["products/3"]


def test_a_knowledge_base_follows_a_table(shop: Shop, base: Base) -> None:
    def sync(**options: Any) -> Any:
        return base.sync(SqlConnector(shop.uri, tables="products", cursor="changed"), **options)

    assert sync().documents_added == 3
    again = sync()
    assert (again.documents_unchanged, again.chunks_embedded, again.ok, again.warnings) == (3, 0, True, ())
    shop.run("UPDATE products SET price = 8, changed = 4 WHERE id = 2; DELETE FROM products WHERE id = 1")
    report = sync(force_retire=True)
    assert (report.documents_updated, report.documents_retired) == (1, 1)
    assert any("price: 8" in text for text in base.texts())
    assert not any("Kettle K2" in text for text in base.texts()), "a row that is gone is found once more"
    shop.run("DELETE FROM products")
    assert sync().retirement_refused
    assert base.ledger.totals()[0] == 2


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8),
        st.none() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=300) | st.booleans(),
        max_size=6,
    )
)
@settings(max_examples=40)
def test_spans_of_columns_are_their_parts_of_the_text(row: dict[str, Any]) -> None:
    text, spans = render(row, tuple(row))
    assert [span.slice(text).startswith(f"{column}: ") for column, span in spans] == [True] * len(spans)
    assert sorted(column for column, _ in spans) == sorted(
        column for column, value in row.items() if value is not None and str(value).strip()
    )
    for one, other in pairwise(spans):
        assert text[one[1].end : other[1].start] in ("; ", "\n\n")


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False)
    | st.datetimes()
    | st.dates()
    | st.uuids()
    | st.binary()
)
@settings(max_examples=40)
def test_positions_survive_a_checkpoint(value: Any) -> None:
    assert unpacked(Checkpoint.from_dict(Checkpoint(state={"v": packed(value)}).to_dict()).state["v"]) == value
