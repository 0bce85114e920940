"""KEY=VALUE means the same to every option."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.cli.pairs import pairs, value_of
from grounded.cli.reading import conditions
from grounded.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024", 2024),
        ("-7", -7),
        ("0", 0),
        ("2.50", 2.5),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ('"2024"', "2024"),
        ('"true"', "true"),
        ("kettle", "kettle"),
        ("null", "null"),
        ("007", "007"),
        ("1e5", "1e5"),
        ("NaN", "NaN"),
        ("٣", "٣"),
        ("9223372036854775808", "9223372036854775808"),
        ("a=b", "a=b"),
        ('"', '"'),
        ('"a" or "b"', '"a" or "b"'),
        ("", ""),
    ],
)
def test_a_value_is_a_number_a_truth_or_a_text(text: str, value: object) -> None:
    read = value_of(text)
    assert read == value
    assert type(read) is type(value)
    assert pairs([f"key={text}"], "-m") == {"key": value}
    assert conditions([f"key={text}"]) == {"key": value}


def test_filters_take_lists_and_ranges() -> None:
    assert conditions(['year={"gte": 2024}', 'colour=["red", "blue"]', "note=[sic]"]) == {
        "year": {"gte": 2024},
        "colour": ["red", "blue"],
        "note": "[sic]",
    }


@given(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1) | st.booleans())
def test_whole_numbers_and_truths_come_back(value: int) -> None:
    assert value_of(str(value).lower()) == value


@pytest.mark.parametrize("pair", ["year", "=2024", ""])
def test_what_is_no_pair_names_the_option(pair: str) -> None:
    with pytest.raises(UsageError, match="--where"):
        pairs([pair], "--where")
