import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.verification.quantities import Quantity, quantities


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
        ("K-300", "k-300"),
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
