from __future__ import annotations

from datetime import date
from typing import get_args

import pytest

from grounded.answering.outcomes import (
    after_checking,
    after_generating,
    before_generating,
    declines,
    explanation,
    said_out_of_force,
)
from grounded.records import Claim, Evidence, Generation, Outcome, Passage, Report, Span, Verdict, VerifierRef
from tests.answering.helpers import passage

PHRASE = "The sources do not hold an answer."


def report(*verdicts: tuple[Verdict, bool]) -> Report:
    text = "." * len(verdicts)
    claims = [
        Claim(text=".", span=Span(start=i, end=i + 1), verdict=verdict, conflict=conflict)
        for i, (verdict, conflict) in enumerate(verdicts)
    ]
    return Report.of(claims, text=text, passages=(), verifier=VerifierRef(name="test", version="1"))


def test_every_outcome_but_an_answer_has_a_sentence_for_people() -> None:
    said = {outcome: explanation(outcome) for outcome in get_args(Outcome)}
    assert said.pop("answered") == ""
    assert all(sentence.endswith(".") for sentence in said.values())
    assert len(set(said.values())) == len(said)


def test_declining_before_a_generator_is_asked() -> None:
    assert before_generating((), 1.0, threshold=None) == "declined_no_passages"
    assert before_generating((passage("x"),), 0.2, threshold=0.3) == "declined_insufficient"
    assert before_generating((passage("x"),), 0.3, threshold=0.3) is None
    assert before_generating((passage("x"),), 0.0, threshold=None) is None


@pytest.mark.parametrize(
    ("generation", "outcome"),
    [
        (Generation(text="It lasts 24 months [1]."), None),
        (Generation(text="It lasts 24", finish="length"), None),
        (Generation(text="It lasts", finish="filtered"), "blocked_by_provider"),
        (Generation(text="", finish="refused"), "blocked_by_provider"),
        (Generation(text=" \n"), "declined_insufficient"),
        (Generation(text="<think>The warranty is 24 months.</think>"), "declined_insufficient"),
        (Generation(text=PHRASE), "declined_insufficient"),
        (Generation(text="<think>hm</think> “the sources do  not hold an answer”"), "declined_insufficient"),
        (Generation(text="Sorry, the sources do not hold an answer to this."), "declined_insufficient"),
        (Generation(text=f"It lasts 24 months [1]. On returns: {PHRASE}"), None),
        (Generation(text="The sources do not hold an answer. The price is 29 euros [2]."), None),
        (Generation(text="Maria said the sources do not hold an answer [3]."), None),
    ],
)
def test_what_came_back(generation: Generation, outcome: Outcome | None) -> None:
    assert after_generating(generation, no_answer=(PHRASE,)) == outcome


def test_no_phrase_matches_nothing() -> None:
    assert not declines("It lasts 24 months.", ())
    assert not declines("It lasts 24 months.", ("", " . "))


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        ([], "answered"),
        ([("not_a_claim", False)], "answered"),
        ([("supported", False), ("unsupported", False)], "answered"),
        ([("contradicted", False)], "answered"),
        ([("check_failed", False), ("not_a_claim", False)], "check_failed"),
        ([("check_failed", False), ("supported", False)], "answered"),
        ([("contradicted", True)], "declined_conflict"),
        ([("contradicted", True), ("contradicted", False)], "answered"),
        ([("contradicted", True), ("supported", False)], "answered"),
    ],
)
def test_what_the_check_says(verdicts: list[tuple[Verdict, bool]], outcome: Outcome) -> None:
    assert after_checking(report(*verdicts)) == outcome


def test_only_what_is_out_of_force_is_noted_as_such() -> None:
    text = "The kettle is red."
    passages = (
        Passage(id="now", text="A red kettle.", title="Terms 2026"),
        Passage(id="then", text="A red kettle.", title="Terms 2024", effective_to=date(2026, 1, 1)),
    )
    evidence = tuple(
        Evidence(
            passage_id=each.id,
            title=each.title,
            span=Span(start=0, end=13),
            text=each.text,
            relation="supports",
            score=0.9,
        )
        for each in passages
    )
    claim = Claim(text=text, span=Span(start=0, end=18), verdict="unsupported", evidence=evidence)
    verifier = VerifierRef(name="made", version="1")
    report = Report.of([claim], text=text, passages=passages, verifier=verifier, on=date(2026, 6, 1))
    assert said_out_of_force(report) == ("Terms 2024 says so but is not in force.",)
    earlier = Report.of([claim], text=text, passages=passages, verifier=verifier, on=date(2025, 6, 1))
    assert said_out_of_force(earlier) == ()
