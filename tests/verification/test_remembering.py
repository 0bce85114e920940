"""A pair is judged once, whoever asks, and an error is never remembered as a judgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.verification.remembering import Remembering

PAIRS = st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))


def judged(pair: tuple[str, str]) -> Judgement:
    return Judgement(ord(pair[0]) / 255, 0.0, 1.0 - ord(pair[0]) / 255, reason="".join(pair))


class Counting:
    """Counts what it is asked; fails while it is told to."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.fails = False
        self.short = False
        self.begun, self.may_end = Event(), Event()
        self.may_end.set()

    @property
    def ref(self) -> VerifierRef:
        return VerifierRef(name="counting", version="1")

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        self.asked.update(pairs)
        self.begun.set()
        self.may_end.wait(10)
        if self.fails:
            raise RuntimeError("out of order")
        return [judged(pair) for pair in pairs][: -1 if self.short else None]


@given(st.lists(st.lists(PAIRS, max_size=6), max_size=8), st.integers(1, 12))
def test_it_says_what_the_model_says_in_the_order_asked(calls: list[list[tuple[str, str]]], most: int) -> None:
    model = Counting()
    remembering = Remembering(model, most)
    for pairs in calls:
        assert remembering.judge(pairs) == [judged(pair) for pair in pairs]
    if most >= 9:
        assert set(model.asked.values()) <= {1}


def test_the_pairs_asked_for_longest_ago_are_forgotten() -> None:
    model = Counting()
    remembering = Remembering(model, 2)
    for pair in (("a", "x"), ("b", "x"), ("a", "x"), ("c", "x"), ("a", "x"), ("b", "x")):
        remembering.judge([pair])
    assert model.asked == {("a", "x"): 1, ("b", "x"): 2, ("c", "x"): 1}


def test_a_pair_that_another_thread_asks_about_is_waited_for() -> None:
    model = Counting()
    model.may_end.clear()
    remembering, together = Remembering(model), Barrier(4)

    def ask() -> list[Judgement]:
        together.wait(10)
        return remembering.judge([("a", "x")])

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(ask) for _ in range(4)]
        assert model.begun.wait(10)
        model.may_end.set()
        assert all(each.result(10) == [judged(("a", "x"))] for each in found)
    assert model.asked == {("a", "x"): 1}


@pytest.mark.parametrize("fault", ["fails", "short"])
def test_an_error_is_not_remembered(fault: str) -> None:
    model = Counting()
    remembering = Remembering(model)
    setattr(model, fault, True)
    for _ in range(2):
        with pytest.raises((RuntimeError, ValueError)):
            remembering.judge([("a", "x"), ("b", "x")])
    setattr(model, fault, False)
    assert remembering.judge([("b", "x")]) == [judged(("b", "x"))]
    assert model.asked[("b", "x")] == 3


def test_it_stands_for_its_model() -> None:
    model = Counting()
    assert Remembering(model).ref == model.ref
    assert not hasattr(Remembering(model), "cannot_read")
