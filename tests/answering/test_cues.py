from __future__ import annotations

import pytest

from grounded.answering.cues import AnswerKind, expected_kinds, holds_kind, without_cue


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("How long is the warranty?", {"duration"}),
        ("how many days do I have to return it", {"duration"}),
        ("How much does express delivery cost?", {"money", "number"}),
        ("How many employees work there?", {"number"}),
        ("When does the contract end?", {"date"}),
        ("In which year was it built?", {"date"}),
        ("Who approves travel?", {"person"}),
        ("Where are the keys kept?", {"place"}),
        ("Can I return opened items?", set()),
    ],
)
def test_kinds_of_questions(question: str, kinds: set[AnswerKind]) -> None:
    assert expected_kinds(question) == kinds


@pytest.mark.parametrize(
    ("kind", "text", "holds"),
    [
        ("duration", "It lasts 24 months.", True),
        ("duration", "a two-year warranty", True),
        ("duration", "The 24 kettles are red.", False),
        ("money", "It costs €29.", True),
        ("money", "It costs 29 euros.", True),
        ("money", "price: 29", True),
        ("money", "It weighs 29 kg.", False),
        ("number", "There are twelve.", True),
        ("number", "There are some.", False),
        ("date", "It ends on 3 March.", True),
        ("date", "It was built in 1889.", True),
        ("date", "It is red.", False),
        ("person", "It was signed by Maria Lopez.", True),
        ("person", "Ask your line manager.", True),
        ("person", "It was signed.", False),
        ("place", "They hang in Room 4.", True),
        ("place", "They hang high.", False),
    ],
)
def test_texts_that_hold_an_answer(kind: AnswerKind, text: str, holds: bool) -> None:
    assert holds_kind(kind, text) is holds


def test_words_that_only_say_what_is_wanted_are_left_out() -> None:
    assert without_cue("How long is the warranty?").split() == ["is", "the", "warranty?"]
    assert without_cue("The long road") == "The long road"
