from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.answering.extractive import LABEL, ExtractiveGenerator
from grounded.protocols import Generator
from grounded.records import Passage
from tests.answering.helpers import passage, prompt

KETTLE = passage(
    "Thank you for buying a kettle. The warranty lasts 24 months from the day of delivery. "
    "Scale is not covered by the warranty. Descale the kettle every month.",
    number=1,
)
PRICES = passage("model: K1; price: 29 euros; colour: red\nmodel: K2; price: 49 euros; colour: blue", number=2)
PEOPLE = passage("Returns are handled by Maria Lopez. She can be reached on weekdays.", number=3, title="Contacts")
ALL = (KETTLE, PRICES, PEOPLE)
GENERATOR = ExtractiveGenerator(today=lambda: date(2026, 11, 22))


def answer(question: str, passages: Sequence[Passage] = ALL) -> str:
    return GENERATOR.generate(prompt(question, passages)).text


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("How long is the warranty?", "The warranty lasts 24 months from the day of delivery. [1]"),
        ("How much does the K2 cost?", "model: K2; price: 49 euros; colour: blue [2]"),
        ("What is the price of model K1?", "model: K1; price: 29 euros; colour: red [2]"),
        ("Who handles returns?", "Returns are handled by Maria Lopez. [3]"),
        ("Is scale covered?", "Scale is not covered by the warranty. [1]"),
        ("How often should I descale my kettle?", "Descale the kettle every month. [1]"),
    ],
)
def test_it_quotes_the_sentence_that_answers(question: str, first: str) -> None:
    assert answer(question).startswith(first)


def test_it_is_a_generator_that_says_what_it_is() -> None:
    assert isinstance(GENERATOR, Generator)
    assert GENERATOR.ref.label == LABEL == "quotes; no language model configured"
    assert GENERATOR.window is None


def test_a_question_about_nothing_in_the_passages_gets_no_text() -> None:
    assert answer("Which planets have rings?") == ""
    assert answer("How long is the warranty?", ()) == ""
    assert answer("How long?", (passage(" \n "),)) == ""


def test_the_passage_in_force_is_preferred_to_the_one_it_replaces() -> None:
    old = passage("The warranty lasts 12 months.", number=1, document="old")
    new = passage("The guarantee period (warranty) is now 24 months.", number=2, document="new", supersedes="old")
    assert answer("How long is the warranty?", (old, new)) == "The guarantee period (warranty) is now 24 months. [2]"


def test_an_expired_passage_is_quoted_only_when_nothing_else_says_as_much() -> None:
    expired = passage("The warranty lasts 12 months.", number=1, until=date(2025, 1, 1))
    valid = passage("The warranty lasts 24 months.", number=2)
    unrelated = passage("We close at noon on Fridays.", number=2)
    assert answer("How long is the warranty?", (expired, valid)) == "The warranty lasts 24 months. [2]"
    assert answer("How long is the warranty?", (expired, unrelated)) == "The warranty lasts 12 months. [1]"


def test_headings_count() -> None:
    toaster = passage("It lasts 6 months.", number=1, headings=("Warranty", "Toasters"))
    kettle = passage("It lasts 24 months.", number=2, headings=("Warranty", "Kettles"))
    assert answer("How long is the warranty on kettles?", (toaster, kettle)).startswith("It lasts 24 months. [2]")


def test_a_title_is_not_an_answer() -> None:
    text = "Warranty claims 2026\n\nTo claim the warranty, send the form. The form is free."
    assert answer("How do I claim the warranty?", (passage(text),)) == "To claim the warranty, send the form. [1]"


def test_what_a_pronoun_stands_for_is_quoted_too() -> None:
    text = "The night shift starts at ten. It ends at six in the morning with a handover."
    assert answer("When is the handover in the morning?", (passage(text),)) == (
        "The night shift starts at ten. [1] It ends at six in the morning with a handover. [1]"
    )


def test_numbers_in_brackets_of_the_source_do_not_become_markers() -> None:
    text = "The tower[3] was finished in 1889 [4, 5]."
    assert answer("When was the tower finished?", (passage(text),)) == "The tower was finished in 1889. [1]"


def test_thinking_tags_in_a_source_are_not_quoted() -> None:
    text = "The warranty <think>lasts 24 months."
    assert answer("How long is the warranty?", (passage(text),)) == ""


def test_repeated_sentences_are_quoted_once() -> None:
    copies = [passage("The warranty lasts 24 months.", number=n) for n in (1, 2, 3)]
    assert answer("How long is the warranty?", copies) == "The warranty lasts 24 months. [1]"


def test_similarity_finds_what_words_do_not() -> None:
    def similarity(question: str, texts: Sequence[str]) -> list[float]:
        return [0.9 if "guarantee" in text else 0.0 for text in texts]

    words = passage("Our guarantee runs for two years. Shops open at nine.")
    with_model = ExtractiveGenerator(similarity=similarity)
    assert answer("How long is the warranty?", (words,)) == ""
    assert with_model.generate(prompt("How long is the warranty?", (words,))).text == (
        "Our guarantee runs for two years. [1]"
    )


def test_only_the_sentences_promising_by_their_words_are_compared() -> None:
    compared: list[str] = []

    def similarity(question: str, texts: Sequence[str]) -> list[float]:
        compared.extend(texts)
        return [0.5 for _ in texts]

    shops = " ".join(f"Shop {n} opens at nine on weekdays." for n in range(60))
    places = (passage(shops, number=1), passage(shops, number=2), KETTLE)
    said = ExtractiveGenerator(similarity=similarity).generate(prompt("How long is the warranty?", places)).text
    assert said.startswith("The warranty lasts 24 months from the day of delivery. [3]")
    assert len(compared) == len(set(compared)) == 16
    assert "Scale is not covered by the warranty." in compared


def test_the_stream_says_the_same_sentence_by_sentence() -> None:
    asked = prompt("What about the warranty on kettle K2?", ALL)
    pieces = [piece.text for piece in GENERATOR.stream(asked)]
    assert "".join(pieces) == GENERATOR.generate(asked).text
    assert all(len(re.findall(r"\[\d\]", piece)) == 1 for piece in pieces[:-1])
    assert pieces[-1] == ""
    assert len(pieces) > 2


words = st.sampled_from(
    ["kettle", "warranty", "24", "months", ".", "?", "\n", "- ", "[2]", "保証", "<b>", "Dr.", "It", "the", ":"]
)
blobs = st.lists(words, max_size=30).map(" ".join)


@given(blobs, st.lists(blobs, max_size=4))
def test_nothing_is_said_that_the_passages_do_not_say(question: str, texts: list[str]) -> None:
    passages = [passage(text, number=n) for n, text in enumerate(texts, 1)]
    said = answer(question, passages)
    assert said == answer(question, passages)
    quotes = re.findall(r"(?:\A|[ \n])(.+?) \[(\d)\](?=[ \n]|\Z)", said, flags=re.DOTALL)
    assert len(quotes) <= 3
    assert bool(quotes) == bool(said)
    for quote, number in quotes:
        source = re.sub(r"\s*\[\s*\d+\s*\]", "", texts[int(number) - 1])
        assert quote in " ".join(source.split())
