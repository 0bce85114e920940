"""``grounded reconcile`` and ``grounded retry`` over the sources of ``grounded.toml``, as they are declared there."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from grounded import KnowledgeBase
from grounded.cli.app import run

FILE = """
kb = "kb"
[sources.hr]
uri = "hr"
every = "10m"
principals = ["hr"]
metadata = {team = "people"}

[sources.shop]
uri = "sqlite:///%s"
tables = "products"
tenant = "north"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grounded.toml").write_text(FILE % (tmp_path / "shop.db"))
    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "pay.md").write_text("Everybody earns the same.\n")
    (tmp_path / "hr" / "leave.md").write_bytes(b"")
    (tmp_path / "open.md").write_bytes(b"")
    execute(
        tmp_path, "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO products VALUES (1, '')"
    )
    return tmp_path


def execute(project: Path, *statements: str) -> None:
    with sqlite3.connect(project / "shop.db") as database:
        for statement in statements:
            database.execute(statement)
    database.close()


def said(capsys: pytest.CaptureFixture[str], *command: str, code: int) -> Any:
    capsys.readouterr()
    assert run(["--json", *command]) == code
    return json.loads(capsys.readouterr().out)


def test_dead_letters_come_back_as_they_are_declared(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(project, "UPDATE products SET name = CAST(x'ff' AS TEXT)")
    said(capsys, "watch", "--once", code=5)
    said(capsys, "ingest", "open.md", code=5)
    said(capsys, "retry", code=5)
    (project / "hr" / "leave.md").write_text("Thirty days of leave.\n")
    (project / "open.md").write_text("Open from nine to five.\n")
    execute(project, "UPDATE products SET name = 'Kettle'")
    assert said(capsys, "retry", code=0)["documents_added"] == 3
    with KnowledgeBase.open(project / "kb") as kb:
        assert not [each for each in kb.search("Thirty days of leave.") if "leave" in each.text]
        (found,) = (
            each for each in kb.search("leave", principals=["hr"], where={"team": "people"}) if "leave" in each.text
        )
        assert found.principals == ("hr",)
        assert [each.text for each in kb.search("Open from nine to five.")] == ["Open from nine to five."]
        assert kb.search("Kettle", tenant="north")


def test_declared_sources_are_compared_as_they_are_declared(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "hr" / "leave.md").unlink()
    execute(project, "UPDATE products SET name = 'Kettle'")
    said(capsys, "watch", "--once", code=0)
    found = said(capsys, "reconcile", "--declared", code=0)
    assert [(each["source"].partition(":")[0], each["same"]) for each in found["sources"]] == [
        ("files", 1),
        ("sqlite", 1),
    ]
    execute(project, "INSERT INTO products VALUES (2, 'Mug')", "UPDATE products SET name = 'Kettle K2' WHERE id = 1")
    (shop,) = said(capsys, "reconcile", "shop", code=5)["sources"]
    assert (shop["missing"], shop["changed"], shop["tenant"]) == (["products/2"], ["products/1"], "north")
    said(capsys, "reconcile", "shop", "--repair", code=0)
    assert said(capsys, "reconcile", "shop", "hr", code=0)["sources"][0]["same"] == 2


def test_a_name_that_is_neither_source_nor_path_is_wrong_use(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said_nothing = run(["reconcile", "nowhere"])
    assert said_nothing == 2
    assert "nowhere" in capsys.readouterr().err
