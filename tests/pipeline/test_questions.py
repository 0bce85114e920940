"""What is searched for in a conversation."""

from __future__ import annotations

import pytest

from grounded.pipeline.questions import standalone_question
from grounded.records import Message

BEFORE = "What does express delivery of a toaster cost?"
TURNS = (Message(role="user", content=BEFORE), Message(role="assistant", content="9 euros."))


@pytest.mark.parametrize("question", ["And how long does it take?", "Delivery to Norway?", "How about a large kettle?"])
def test_a_question_that_leans_is_put_behind_the_one_before(question: str) -> None:
    assert standalone_question(question, TURNS) == f"{BEFORE} {question}"


def test_a_question_that_stands_alone_stays_alone() -> None:
    question = "Which warranty covers the heating element of an industrial kettle?"
    assert standalone_question(question, TURNS) == question
    assert standalone_question("Delivery?", ()) == "Delivery?"
