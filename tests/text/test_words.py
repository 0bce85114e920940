"""What is kept for words: the same as when it is asked for, and never without bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from grounded.text.words import LONGEST, Words


@given(st.lists(st.text(max_size=3)), st.integers(1, 4))
def test_it_says_what_it_was_made_of_and_keeps_at_most_so_many(asked: list[str], most: int) -> None:
    words = Words(str.upper, most)
    for word in asked:
        assert words[word] == word.upper()
        assert len(words) <= most


def test_a_kept_word_is_looked_up_once_and_a_long_one_or_a_long_number_is_not_kept() -> None:
    looked_up: list[str] = []
    words = Words(looked_up.append, 10)
    for word in ("short", "short", "x" * LONGEST, "y" * (LONGEST + 1), "2026", "No.20261128", "2026"):
        words[word]
    assert looked_up == ["short", "x" * LONGEST, "y" * (LONGEST + 1), "2026", "No.20261128"]
    assert len(words) == 3
