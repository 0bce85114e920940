import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.text.sentences import sentences

LINES = st.lists(
    st.sampled_from(
        ["- item", "| a | b |", "```", "# Title", "", "One. Two!", "a: 1; b: 2", "x\ud800", "日本語。はい。"]
    )
)


def split(text: str) -> list[str]:
    return [span.slice(text) for span in sentences(text)]


def test_abbreviations_decimals_and_quotes_stay_together() -> None:
    assert split("Dr. Smith paid $3.5 million. See Fig. 3. “Really?” he asked.") == [
        "Dr. Smith paid $3.5 million.",
        "See Fig. 3.",
        "“Really?” he asked.",
    ]


def test_wrapped_lines_are_one_sentence_and_titles_are_their_own() -> None:
    text = "Warranty\nThe warranty of every kettle that we have ever sold lasts\n24 months from delivery."
    assert split(text) == [
        "Warranty",
        "The warranty of every kettle that we have ever sold lasts\n24 months from delivery.",
    ]


def test_list_items_lose_their_markers() -> None:
    assert split("Terms:\n- 24 months. Free.\n2) never\n> * quoted") == [
        "Terms:",
        "24 months.",
        "Free.",
        "never",
        "quoted",
    ]


def test_rows_tables_headings_and_code_are_units() -> None:
    text = "# A. Title\nproduct: K1; price: 3. 5\nproduct: K2; price: 4\n| a. B | c |\n```\nx = 1. Y\n```\nEnd."
    assert split(text) == [
        "A. Title",
        "product: K1; price: 3.",
        "5",
        "product: K2; price: 4",
        "| a. B | c |",
        "```",
        "x = 1. Y",
        "```",
        "End.",
    ]


@given(st.one_of(st.text(), LINES.map("\n".join)))
def test_spans_are_trimmed_ordered_and_leave_out_only_markers(text: str) -> None:
    position = 0
    for span in sentences(text):
        assert span.start >= position
        assert span.slice(text).strip() == span.slice(text) != ""
        assert re.fullmatch(r"[\s>\-*+•◦▪‣–#().\da-zA-Z]*", text[position : span.start])
        position = span.end
    assert re.fullmatch(r"[\s>\-*+•◦▪‣–#().\da-zA-Z]*", text[position:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It runs at 2.5 Gbit/s. To reset it, press.", ["It runs at 2.5 Gbit/s.", "To reset it, press."]),
        ("The value is x. Then we go on.", ["The value is x.", "Then we go on."]),
        ("See Roe v. The State.", ["See Roe v. The State."]),
        ("Ask J. Smith about it.", ["Ask J. Smith about it."]),
    ],
)
def test_a_letter_at_the_end_is_no_abbreviation_where_a_sentence_begins_behind_it(
    text: str, expected: list[str]
) -> None:
    assert split(text) == expected
