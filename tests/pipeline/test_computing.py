"""Questions over all rows, answered by allowed queries through the whole pipeline."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grounded import KnowledgeBase, Query
from grounded.cli.app import run
from grounded.errors import ConfigurationError, SourceNotFoundError
from grounded.settings import ProjectSettings
from tests.ingestion.support import HashEmbedder
from tests.pipeline.test_bad_input import Scripted

COUNT = "How many products are there?"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE products (id INTEGER PRIMARY KEY, colour TEXT, price REAL)")
        rows = [(n, "red" if n % 3 else "blue", n / 2) for n in range(1, 121)]
        database.executemany("INSERT INTO products VALUES (?, ?, ?)", rows)
    database.close()
    return tmp_path / "shop.db"


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as knowledge_base:
        yield knowledge_base


def count(shop: Path, **more: Any) -> dict[str, Query]:
    asked: dict[str, Any] = {
        "uri": f"sqlite:///{shop}",
        "sql": "SELECT count(*) AS products FROM products",
        "questions": (COUNT,),
        "text": "There are {{ products }} products.",
    }
    return {"product count": Query(**{**asked, **more})}


def test_the_answer_is_computed_cited_and_checked(kb: KnowledgeBase, shop: Path) -> None:
    answer = kb.ask("How many products do we have in total?", queries=count(shop), verifier="containment")
    assert (answer.outcome, answer.text) == ("answered", "There are 120 products. [1]")
    (citation,) = answer.citations
    assert citation.status == "correct"
    (evidence,) = citation.evidence
    assert evidence.text == "There are 120 products."
    (place,) = evidence.locators
    assert (place.fields["table"], place.fields["row"]) == ("product count", 1)
    assert place.fields["statement"] == "SELECT count(*) AS products FROM products"
    assert answer.freshness.watermark is not None
    assert any("SELECT count(*)" in note for note in answer.notes)
    assert kb.prompt(COUNT, queries=count(shop)).passages[0].text == "There are 120 products."


def test_a_row_more_is_another_answer_at_once(kb: KnowledgeBase, shop: Path) -> None:
    assert "120" in kb.ask(COUNT, queries=count(shop), verifier="containment").text
    with sqlite3.connect(shop) as database:
        database.execute("INSERT INTO products VALUES (121, 'green', 9)")
    database.close()
    assert "121" in kb.ask(COUNT, queries=count(shop), verifier="containment").text


def test_every_row_is_in_the_answer_with_its_place(kb: KnowledgeBase, shop: Path) -> None:
    queries = count(shop, sql="SELECT colour, count(*) AS n FROM products GROUP BY colour ORDER BY colour", text="")
    answer = kb.ask(COUNT, queries=queries, verifier="containment")
    assert answer.text == "colour: blue; n: 40 [1]\ncolour: red; n: 80 [1]"
    assert [each.evidence[0].locators[0].fields["row"] for each in answer.citations] == [1, 2]


def test_what_a_model_makes_of_the_rows_is_checked_against_them(kb: KnowledgeBase, shop: Path) -> None:
    right = kb.ask(COUNT, queries=count(shop), llm=Scripted("There are 120 products [1]."), verifier="containment")
    assert right.report is not None
    assert right.report.groundedness == 1.0
    wrong = kb.ask(COUNT, queries=count(shop), llm=Scripted("There are 121 products [1]."), verifier="containment")
    assert wrong.report is not None
    assert wrong.report.groundedness == 0.0


def test_only_the_allowed_values_reach_the_database(kb: KnowledgeBase, shop: Path) -> None:
    queries = count(
        shop,
        sql="SELECT count(*) AS n FROM products WHERE colour = :colour",
        questions=("How many {colour} products are there?",),
        parameters={"colour": "SELECT DISTINCT colour FROM products"},
        text="There are {{ n }} such products.",
    )
    known = kb.ask("How many blue products are there?", queries=queries, verifier="containment")
    assert known.text == "There are 40 such products. [1]"
    assert "(colour=blue)" in known.notes[0]
    for other in ("crimson", "blue' OR 'a'='a", "blue or red"):
        assert not kb.ask(f"How many {other} products are there?", queries=queries, verifier="containment").answered


def test_who_may_not_ask_a_query_learns_nothing_of_it(kb: KnowledgeBase, shop: Path) -> None:
    queries = count(shop, principals=("sales",))
    told = kb.ask(COUNT, queries=queries, principals=["sales"], record=True, verifier="containment")
    assert told.answered
    others: list[dict[str, Any]] = [{}, {"principals": ["ops"]}, {"principals": ["sales"], "tenant": "other"}]
    for reading in others:
        answer = kb.ask(COUNT, queries=queries, **reading)
        assert not answer.answered
        assert "120" not in answer.to_json()
        assert "SELECT" not in answer.to_json()
    assert kb.answers(principals=["ops"]) == []
    assert kb.answers(principals=[]) == []
    assert len(kb.answers()) == 1


def test_no_value_declines_and_a_broken_database_is_an_error(kb: KnowledgeBase, shop: Path) -> None:
    nothing = count(shop, sql="SELECT sum(price) AS products FROM products WHERE id > 999", text="")
    answer = kb.ask(COUNT, queries=nothing)
    assert answer.outcome == "declined_insufficient"
    assert "no value" in answer.text
    with pytest.raises(SourceNotFoundError):
        kb.ask(COUNT, queries=count(shop.with_name("other.db")))
    with pytest.raises(ConfigurationError, match="runs no queries"):
        kb.ask(COUNT, queries=count(shop, uri=str(shop)))


def test_rows_that_do_not_fit_the_window_are_not_answered_in_part(kb: KnowledgeBase, shop: Path) -> None:
    queries = count(shop, sql="SELECT id, colour, price FROM products", text="", max_rows=200)
    assert kb.ask(COUNT, queries=queries, window=1800, reserve=200).outcome == "declined_no_passages"


FILE = """
tenant = "north"
[queries.count]
uri = "sqlite:///{shop}"
sql = "SELECT count(*) AS products FROM products"
questions = ["How many products are there?"]
text = "There are {{{{ products }}}} products."
seconds = "2s"
"""


def test_queries_of_grounded_toml_answer_on_the_command_line(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop.parent)
    (shop.parent / "grounded.toml").write_text(FILE.format(shop=shop))
    (shop.parent / "a.txt").write_text("Nothing about numbers.")
    assert run(["ingest", "a.txt"]) == 0
    capsys.readouterr()
    assert run(["--json", "ask", COUNT]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "There are 120 products. [1]"


@pytest.mark.parametrize(
    "wrong",
    [
        'uri = "postgresql://me:hidden@host/shop"',
        'uri = "sqlite:///x"\nseconds = "soon"',
        'uri = "sqlite:///x"\nsqll = 1',
    ],
)
def test_a_wrong_query_in_the_file_is_named_without_its_secret(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "grounded.toml").write_text(f'[queries.q]\nsql = "SELECT 1"\nquestions = ["How many?"]\n{wrong}\n')
    with pytest.raises(ConfigurationError) as caught:
        ProjectSettings.find(tmp_path)
    assert "hidden" not in str(caught.value)
