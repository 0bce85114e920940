import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.verification.quantities import Quantity, quantities
from grounded.verification.values import agrees


def one(text: str) -> Quantity:
    (found,) = quantities(text)
    return found


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("24 months", "two years"),
        ("24 months", "twenty-four months"),
        ("24-month", "24 months"),
        ("14 days", "two weeks"),
        ("90 minutes", "1.5 hours"),
        ("half a year", "6 months"),
        ("1,000", "1000"),
        ("1.000,5 EUR", "€1,000.50"),
        ("1 000 kg", "1 tonne"),
        ("$1.5 million", "1,500,000 dollars"),
        ("€20k", "20,000 euros"),
        ("12 %", "12 percent"),
        ("a dozen", "12"),
        ("two hundred and five", "205"),
        ("1,5 litres", "1500 ml"),
        ("3 March 2026", "March 3, 2026"),
        ("3 March 2026", "2026-03-03"),
        ("3rd of March 2026", "03/03/2026"),
        ("March 2026", "3 March 2026"),
        ("9 am", "9:00"),
        ("5:30 pm", "17:30"),
        ("the 3rd", "third"),
        ("the 86th", "eighty-sixth"),
        ("the 86th", "eighty sixth"),
        ("K-300", "k-300"),
        ("half of", "50%"),
        ("one in five", "20 %"),
        ("9 out of 10", "90 percent"),
        ("half a million", "500,000"),
        ("twenty-five millions pounds", "£25 million"),
        ("the 1990s", "in 1994"),
        ("the 1990's", "May 1994"),
        ("nineteenth century", "in 1865"),
        ("19th century", "the 1860s"),
    ],
)
def test_equal_values(mine: str, theirs: str) -> None:
    assert one(mine).equals(one(theirs))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("24 months", "12 months"),
        ("24 months", "3 years"),
        ("1.5 kg", "15 kg"),
        ("12%", "21%"),
        ("€5", "€6"),
        ("-5 °C", "5 °C"),
        ("3 March 2026", "5 March 2026"),
        ("3 March 2026", "3 March 2025"),
        ("9:00", "10:00"),
        ("20 days", "21 days"),
        ("13 days", "two weeks"),
        ("1,200", "1,300"),
        ("the 1990s", "in 1989"),
        ("18th century", "in 1865"),
        ("half of", "80%"),
    ],
)
def test_conflicting_values(mine: str, theirs: str) -> None:
    assert one(mine).conflicts(one(theirs))
    assert not one(mine).equals(one(theirs))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("€5", "$5"), ("12%", "12 percentage points"), ("5 kg", "5 m"), ("K-300", "K-200"), ("3 March 2026", "2026")],
)
def test_neither_equal_nor_conflicting(mine: str, theirs: str) -> None:
    assert not one(mine).equals(one(theirs))
    assert not one(mine).conflicts(one(theirs))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("nearly 100", "98"),
        ("about 50 km", "48.3 km"),
        ("over 250", "300"),
        ("120 or more", "131"),
        ("up to 30", "28"),
        ("12%", "12.3%"),
        ("1.2 million", "1,234,567"),
        ("7 million", "7,482,500"),
        ("two-thirds", "67%"),
        ("67%", "two-thirds"),
        ("26 miles", "42 km"),
        ("5 kg", "11 lbs"),
        ("5 kg", "11 pounds"),
        ("68 °F", "20 °C"),
        ("90 days", "3 months"),
        ("one and a half years", "18 months"),
        ("2018–19", "in 2019"),
    ],
)
def test_agreeing_in_other_form(mine: str, theirs: str) -> None:
    assert agrees(one(mine), one(theirs))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("12.3%", "12%"),
        ("12 lbs", "5 kg"),
        ("over 300", "250"),
        ("nearly 100", "50"),
        ("100", "98"),
        ("84 days", "3 months"),
        ("in 1994", "the 1990s"),
        ("3 March 2026", "in 2026"),
        ("-5 °C", "5 °C"),
    ],
)
def test_what_may_not_be_said_of_a_value(mine: str, theirs: str) -> None:
    assert not agrees(one(mine), one(theirs))


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.sampled_from(["", " km", " %", " years", " lbs"]))
def test_a_value_agrees_with_itself_and_never_conflicts_with_what_it_agrees_with(a: int, b: int, unit: str) -> None:
    mine, theirs = one(f"{a}{unit}"), one(f"{b}{unit}")
    assert agrees(mine, one(f"{a:,}{unit}"))
    assert not (agrees(mine, theirs) and mine.conflicts(theirs))
    if a < 1000 and a != b:
        assert mine.conflicts(theirs)


def test_ranges_share_their_unit() -> None:
    low, high = quantities("10 to 20 kg")
    assert (low.kind, low.values, high.values) == ("weight", (10.0,), (20.0,))


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("at least 24 months", "min"),
        ("up to 24 months", "max"),
        ("within 24 months", "max"),
        ("no more than 24 months", "max"),
        ("about 24 months", "about"),
        ("lasts 24 months", ""),
    ],
)
def test_bounds(text: str, bound: str) -> None:
    assert one(text).bound == bound


def test_one_as_a_pronoun_counts_nothing() -> None:
    assert quantities("one of the best") == []


@given(st.text(alphabet=st.sampled_from("0123456789.,-/: €$%kgmMarch amonths twof'\u00a0年"), max_size=40))
def test_quantities_are_ordered_slices(text: str) -> None:
    position = 0
    for found in quantities(text):
        assert position <= found.start < found.end <= len(text)
        position = found.end
