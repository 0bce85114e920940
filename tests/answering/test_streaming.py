from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.answering.streaming import Shown, Step, VisibleText, Withdrawn, visible_text

ALPHABET = [
    "<think>",
    "</think>",
    "<THINKING>",
    "</thinking >",
    "<",
    "thi",
    "Dr. ",
    "24 months",
    ". ",
    "! ",
    "[1]",
    " [2]",
    "\n",
    "\n\n",
    "- ",
    "| a | b |\n",
    " ",
    "é",
    "保証。",
    "word ",
    "The ",
    "# ",
    "```\n",
    "x: 1; y: 2\n",
]
texts = st.lists(st.sampled_from(ALPHABET), max_size=40).map("".join)


def run(pieces: list[str]) -> tuple[str, list[Step]]:
    stream = VisibleText()
    steps = [step for piece in pieces for step in stream.feed(piece)]
    steps += stream.finish()
    return stream.text, steps


def cut(text: str, borders: list[int]) -> list[str]:
    places = [0, *sorted(border % (len(text) + 1) for border in borders), len(text)]
    return [text[a:b] for a, b in pairwise(places)]


def since_withdrawal(steps: list[Step]) -> list[Step]:
    last = max((i for i, step in enumerate(steps) if isinstance(step, Withdrawn)), default=-1)
    return steps[last + 1 :]


@given(texts, st.lists(st.integers(min_value=0, max_value=400), max_size=30))
def test_the_result_does_not_depend_on_piece_borders(text: str, borders: list[int]) -> None:
    whole_text, whole = run([text])
    cut_text, pieces = run(cut(text, borders))
    assert cut_text == whole_text == visible_text(text)
    assert "".join(s.text for s in since_withdrawal(pieces) if isinstance(s, Shown)) == whole_text
    assert [s for s in pieces if not isinstance(s, Shown)] == [s for s in whole if not isinstance(s, Shown)]


@pytest.mark.parametrize(
    ("written", "visible"),
    [
        ("<think>24 or 12?</think>\n\nIt is 24.", "It is 24."),
        ("<think>never closed. It is 12.", ""),
        ("Hm, 12? No.</think>It is 24.", "It is 24."),
        ("It is 24.<THINK>sure?</THINK> [1]", "It is 24. [1]"),
        ("<think>a<think>b</think>It is 24.", "It is 24."),
        ("5 < 6 and <thinly> sliced <thi", "5 < 6 and <thinly> sliced <thi"),
        ("", ""),
    ],
)
def test_thinking_is_not_answer_text(written: str, visible: str) -> None:
    assert visible_text(written) == visible
    assert run(list(written))[0] == visible


def test_thinking_is_never_shown_even_for_a_moment() -> None:
    _, steps = run(list("<think>secret plan.</think>Fine."))
    assert "".join(step.text for step in steps if isinstance(step, Shown)) == "Fine."


def test_text_before_an_unopened_tag_is_withdrawn() -> None:
    _, steps = run(["Is it 12? ", "No.", "</think>", "It is 24."])
    withdrawn = [step for step in steps if isinstance(step, Withdrawn)]
    assert [step.span.end for step in withdrawn] == [len("Is it 12? No.")]
    assert [step.text for step in since_withdrawal(steps) if isinstance(step, Shown)] == ["It is 24."]


def test_a_very_long_sentence_stays_cheap() -> None:
    started = time.perf_counter()
    text, _ = run(["note: "] + ["word "] * 20_000)
    assert len(text) == 100_005
    assert time.perf_counter() - started < 5
