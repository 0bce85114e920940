"""What follows from cited numbers, and above all what does not."""

from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grounded import verify
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.verification.analysis import analyse
from grounded.verification.arithmetic import calculation

IN_YEARS = "Revenue was 100 million euros in 2020 and 112 million euros in 2021."


@pytest.mark.parametrize(
    ("claim", "source", "shown"),
    [
        ("Revenue grew 12%.", "Revenue was 100 in 2020 and 112 in 2021.", "112 / 100 - 1 = 12%"),
        ("Revenue grew 12% in 2021.", IN_YEARS, "112,000,000 / 100,000,000 - 1 = 12%"),
        ("Revenue fell by 10.7%.", "Revenue was 112 in 2020 and 100 in 2021.", "100 / 112 - 1 = -10.71%"),
        ("Revenue rose by 12 million euros.", IN_YEARS, "112,000,000 - 100,000,000 = 12,000,000"),
        ("Revenue doubled.", "Revenue rose from 100 to 200.", "200 / 100 = 2"),
        ("Unemployment rose 5 percentage points.", "Unemployment rose from 10% to 15%.", "15 - 10 = 5"),
        (
            "The north and south plants employ 20 people in total.",
            "The north plant employs 12 people and the south plant 8.",
            "12 + 8 = 20",
        ),
        ("On average the plants employ 10 people.", "The plants employ 12 people and 8 people.", "(12 + 8) / 2 = 10"),
    ],
)
def test_what_follows_is_supported_and_shown(claim: str, source: str, shown: str) -> None:
    (found,) = verify(claim, [source]).claims
    assert (found.verdict, found.reason) == ("supported", f"calculated: {shown}")
    assert found.evidence[0].text == source


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Revenue grew 20%.", IN_YEARS),
        ("Revenue fell 12%.", IN_YEARS),
        ("Revenue grew 12% in 2020.", IN_YEARS),
        ("Profit grew 12%.", IN_YEARS),
        ("Acme's revenue grew 12%.", IN_YEARS),
        ("Revenue did not grow 12%.", IN_YEARS),
        ("Revenue grew at least 12%.", IN_YEARS),
        ("Revenue grew 12%.", "Revenue was 100 and costs were 112."),
        ("Revenue grew 12%.", "Revenue was 100 and 112."),
        ("Revenue grew 12%.", "Revenue of the toaster division was 100 in 2020 and 112 in 2021."),
        ("Revenue grew 12%.", "Revenue rose by 100 in 2020 and by 112 in 2021."),
        ("Revenue grew 12%.", "Revenue growth was 100 in 2020 and 112 in 2021."),
        ("Revenue grew 12%.", "Revenue may rise from 100 in 2020 to 112 in 2021."),
        ("Revenue grew 12%.", "Revenue was 100 in 2020, 90 in 2021 and 112 in 2022."),
        ("Unemployment rose 5%.", "Unemployment rose from 10% to 15%."),
        ("Alice has 20 apples in total.", "Alice has 12 apples and Bob has 8 apples."),
        ("The plants employ 20 people in total.", "The plants employ 12 people and in total 8 people."),
    ],
)
def test_nothing_is_supported_that_does_not_follow(claim: str, source: str) -> None:
    (found,) = verify(claim, [source]).claims
    assert found.verdict != "supported"


@settings(max_examples=60)
@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(0, 2_000), st.sampled_from(["grew", "fell"]))
def test_only_the_right_percentage_is_supported(before: int, after: int, said: int, moved: str) -> None:
    window = analyse(f"Revenue was {before} crates in 2020 and {after} crates in 2021.")
    found = calculation(analyse(f"Revenue {moved} {said}%."), window)
    change = 100 * (after / before - 1)
    right = (change > 0) == (moved == "grew") and change != 0 and abs(abs(change) - said) <= 0.5 + 1e-6
    assert found is None or not found.holds or right


@settings(max_examples=60)
@given(st.lists(st.integers(13, 5_000), min_size=2, max_size=6), st.integers(13, 40_000))
def test_only_the_right_total_is_supported(parts: list[int], said: int) -> None:
    listed = ", ".join(f"{part} people" for part in parts[:-1]) + f" and {parts[-1]} people"
    window = analyse(f"The plants employ {listed}.")
    assume(said not in parts)
    found = calculation(analyse(f"The plants employ {said} people in total."), window)
    assert found is None or found.holds == (said == sum(parts))
    exact = calculation(analyse(f"The plants employ {sum(parts)} people in total."), window)
    assert exact is None or exact.holds


def test_a_model_does_not_overrule_what_the_numbers_give() -> None:
    class Sure:
        ref = VerifierRef(name="sure", version="1")

        def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
            return [Judgement(0.95, 0.02, 0.03)] * len(pairs)

    (claim,) = verify("Revenue grew 20%.", [IN_YEARS], verifier=Sure()).claims
    assert claim.verdict != "supported"
