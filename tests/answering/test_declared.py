"""A question runs a query only when it is one of the query's questions, and only with allowed values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grounded import Query
from grounded.answering import matches, same_value
from grounded.text.terms import terms

COUNT = "How many products are there?"
COLOURED = "How many {colour} products are there from {place}?"


def query(*questions: str, sql: str = "SELECT 1", **parameters: str) -> Query:
    allowed: dict[str, tuple[str, ...] | str] = {**parameters}
    return Query(uri="sqlite:///shop.db", sql=sql, questions=questions, parameters=allowed)


QUERIES = {
    "coloured": query(COLOURED, sql="SELECT :colour, :place", colour="SELECT 1", place="SELECT 1"),
    "count": query(COUNT),
    "price": query("What is the average price of a product?"),
}


def meant(question: str) -> list[tuple[str, dict[str, str]]]:
    return [(match.name, dict(match.values)) for match in matches(question, QUERIES)]


@pytest.mark.parametrize(
    "question",
    [COUNT, "how many product do we have in total", "What's the number of products?", "Give me the count of products"],
)
def test_the_same_question_in_other_words_is_it(question: str) -> None:
    assert meant(question) == [("count", {})]


@pytest.mark.parametrize(
    "question",
    [
        "How many products are not there?",
        "How many red products are there?",
        "How many products were there before 2020?",
        "How many products and mugs are there?",
        "How many more products are there?",
        "What is the total price of a product?",
        "Which products are there?",
        "Product price average?",
        "",
        "How many?",
    ],
)
def test_one_word_more_or_another_order_is_another_question(question: str) -> None:
    assert meant(question) == []


def test_values_are_what_stands_there_as_it_is_written() -> None:
    assert meant("How many dark-red Products are there from São Paulo?") == [
        ("coloured", {"colour": "dark-red", "place": "São Paulo"})
    ]
    assert meant("How many products are there from Lisbon?") == []


@given(st.text(max_size=40))
def test_only_an_allowed_value_is_ever_used(written: str) -> None:
    found = same_value(written, ["dark red", "blue"])
    assert found is None or [term.stem for term in terms(written)] == [term.stem for term in terms(found)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sql": "SELECT :colour"},
        {"parameters": {"colour": ("red",)}},
        {"sql": "SELECT :colour", "parameters": {"colour": ("red",)}},
        {"questions": ()},
        {"max_rows": 0},
        {"seconds": 0},
    ],
)
def test_a_query_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Query(**{"uri": "sqlite:///x", "sql": "SELECT 1", "questions": (COUNT,), **wrong})
