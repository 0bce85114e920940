"""A claim in the words of its source: the same values in the source's form, and nothing else changed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grounded.verification.analysis import analyse
from grounded.verification.values import rounds
from grounded.verification.wording import as_written


@pytest.mark.parametrize(
    ("claim", "context", "read"),
    [
        (
            "Holders get 1.10 euros a share.",
            "The board proposes EUR 1.10 per share.",
            "Holders get EUR 1.10 a share.",
        ),
        ("Write before mid-December.", "Write before 15 December.", "Write before 15 December."),
        ("They lapse at the end of March.", "They expire on 31 March.", "They lapse at 31 March."),
        ("It takes 5–7 days.", "It takes 5 to 7 days.", "It takes 5 to 7 days."),
        ("The U.S. grew.", "The United States grew.", "The United States grew."),
        ("The chief executive left.", "CEO Petra Lang left.", "The CEO left."),
        ("Hold it for 10 seconds.", "Hold it for ten seconds.", "Hold it for ten seconds."),
        ("About 4.2 billion euros.", "EUR 4,213 million.", "About 4.2 billion euros."),
    ],
)
def test_the_same_is_read_in_the_form_of_the_source(claim: str, context: str, read: str) -> None:
    assert as_written(claim, context) == read


@pytest.mark.parametrize(
    ("claim", "context"),
    [
        ("It costs over 250 euros.", "It costs 300 euros."),
        ("It was built in 1931.", "It opened on 5 May 1931."),
        ("They lapse at the end of March.", "They expire on 2 March."),
        ("They lapse at the end of March.", "One expires on 30 March, one on 31 March."),
        ("It has two USB ports.", "It uses 2 bands."),
        ("Give it to us.", "The United States grew."),
        ("It costs 12 euros.", "It costs EUR 13."),
    ],
)
def test_what_is_not_the_same_stays(claim: str, context: str) -> None:
    assert as_written(claim, context) == claim


WORDS = (
    "12 euros,EUR 12,12%,12 percent,ten seconds,10 seconds,mid-May,15 May,UK,United Kingdom,the,fell,3 to 5,3-5,"
    "over 250,1000,cats,in 2019,nineteen,€5.50"
)
PIECES = st.lists(st.sampled_from(WORDS.split(",")), max_size=8).map("; ".join)


@given(PIECES, PIECES)
@example("5 EUR", "€5.50")  # rounded
def test_every_value_stays_or_is_what_was_rounded(claim: str, context: str) -> None:
    read = as_written(claim, context)
    assert as_written(read, context) == read
    values = analyse(claim).quantities
    if not any(part in claim for part in ("mid-May", "-")):
        after = analyse(read).quantities
        assert len(after) >= len(values)
        assert all(
            any(one.equals(other) or other.equals(one) or rounds(one, other) for other in after) for one in values
        )
