"""Questions over all rows are declined with the reason, and only these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grounded import KnowledgeBase

ROWS = 120
EVERY = "How many orders are there in total?"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    folder = tmp_path_factory.mktemp("orders")
    lines = ["order,customer,product,price"]
    lines += [f"{1000 + n},Customer {n},kettle with a long description number {n},{10 + n}" for n in range(ROWS)]
    (folder / "orders.csv").write_text("\n".join(lines))
    with KnowledgeBase.open(folder / "kb", create=True) as kb:
        kb.ingest(folder / "orders.csv")
        yield kb


@pytest.mark.parametrize(
    "question",
    [EVERY, "What is the average price of the orders?", "What was the total price of all kettle orders?"],
)
def test_a_count_over_some_rows_is_declined_with_the_reason(orders: KnowledgeBase, question: str) -> None:
    answer = orders.ask(question, k=2, sufficiency_threshold=0.0)
    assert answer.outcome == "declined_insufficient"
    assert f"of {ROWS} rows" in answer.text
    assert "every row" in answer.text


def test_one_row_is_looked_up(orders: KnowledgeBase) -> None:
    answer = orders.ask("What is the price of order 1007?", k=2, sufficiency_threshold=0.0)
    assert "every row" not in answer.text


def test_all_rows_found_is_no_reason_to_decline(orders: KnowledgeBase) -> None:
    answer = orders.ask(EVERY, k=100, sufficiency_threshold=0.0)
    assert "every row" not in answer.text


def test_prose_may_state_a_number(tmp_path: Path) -> None:
    with KnowledgeBase.open(tmp_path / "kb", create=True) as kb:
        kb.ingest([{"key": "a", "text": "There are 412 orders in the archive, and 17 clerks."}])
        assert "every row" not in kb.ask(EVERY, sufficiency_threshold=0.0).text
