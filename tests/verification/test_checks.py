"""Which values speak against a claim, and which do not."""

from collections.abc import Sequence

import pytest

from grounded import verify
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.verification.agreement import unsaid
from grounded.verification.analysis import analyse
from grounded.verification.checks import slot_conflict
from grounded.verification.exchanges import exchanged_name


def clash(claim: str, window: str) -> list[tuple[str, str]]:
    mine, theirs = analyse(claim), analyse(window)
    found = slot_conflict(mine, theirs, least_overlap=0.9)
    pairs = found.pairs if found else ()
    return [(mine.text[a.start : a.end], theirs.text[b.start : b.end]) for a, b in pairs]


@pytest.mark.parametrize(
    ("claim", "window", "pairs"),
    [
        (
            "The warranty on kettles lasts 24 months.",
            "The warranty on kettles and toasters lasts 36 months from delivery.",
            [("24 months", "36 months")],
        ),
        (
            "The warranty lasts 24 months and costs 5 euros.",
            "The warranty lasts 36 months and costs 9 euros.",
            [("24 months", "36 months"), ("5 euros", "9 euros")],
        ),
        (
            "Sales rose from 100 to 120 units in 2021.",
            "Sales rose from 110 to 130 units in 2021.",
            [("100", "110"), ("120", "130")],
        ),
        ("The bridge was built in the 1990s.", "The bridge was built in 1987.", [("1990s", "1987")]),
    ],
)
def test_values_in_the_same_slot_clash(claim: str, window: str, pairs: list[tuple[str, str]]) -> None:
    assert clash(claim, window) == pairs


@pytest.mark.parametrize(
    ("claim", "window"),
    [
        ("The warranty lasts two years.", "The warranty lasts 24 months."),
        ("The box weighs 11 lbs.", "The box weighs 5 kg."),
        ("Half of the members voted.", "47% of the members voted."),
        ("The city has 1.2 million inhabitants.", "The city has 1,234,567 inhabitants."),
        ("The bridge was built in the 1990s.", "The bridge was built in 1994."),
        ("The trip takes over 250 days.", "The trip takes 300 days."),
        ("The fee is 5 euros.", "The fee and the deposit are 50 euros."),
        ("The warranty on kettles lasts 24 months.", "The extended warranty on kettles and toasters lasts 36 months."),
        ("Salah transferred in 2012.", "On 22 June 2017, Salah agreed a transfer to Liverpool."),
        ("Delivery costs 9 euros.", "Delivery by courier costs 12 euros."),
        ("The warranty lasts 24 months.", "The warranty on kettles lasts 36 months."),
        ("The kettle has a 24-month warranty.", "The kettle has a 12-month and the toaster a 24-month warranty."),
        ("The tower is 100 metres high.", "The tower is 120 metres wide."),
        ("Acme sold 100 cars.", "Acme bought 120 cars."),
    ],
)
def test_what_does_not_clash(claim: str, window: str) -> None:
    assert clash(claim, window) == []


@pytest.mark.parametrize(
    ("claim", "windows", "missing"),
    [
        ("It opened on 7 May 2018.", ["It opened on May 7.", "The year 2018 was warm."], []),
        ("It opened on 7 May 2018.", ["It opened on May 9.", "The year 2018 was warm."], ["7 May 2018"]),
        ("He won twelve cups in the 1990s.", ["He won a dozen cups.", "He retired in 1997."], []),
        ("She has two cats.", ["She has a cat and a kitten."], []),  # counted, not said
        ("It costs 40 euros.", ["It costs 45 euros."], ["40 euros"]),
        ("It costs nearly 100 dollars.", ["It costs $98."], []),
        ("The terrace was painted in 1616.", ["The Terrace (c. 1616–18), oil on panel."], []),
        ("The terrace was painted in 1618.", ["The Terrace (c. 1616–18), oil on panel."], []),
        ("The terrace was painted in 1617.", ["The Terrace (c. 1616–18), oil on panel."], ["1617"]),
        ("The terrace was painted on 3 May 1616.", ["The Terrace (c. 1616–18), oil on panel."], ["3 May 1616"]),
    ],
)
def test_what_no_window_says(claim: str, windows: list[str], missing: list[str]) -> None:
    mine = analyse(claim)
    found = unsaid(mine, [analyse(window) for window in windows])
    assert [mine.text[quantity.start : quantity.end] for quantity in found] == missing


@pytest.mark.parametrize(
    ("claim", "window", "is_other"),
    [
        ("Francisco Vasquez led the long expedition.", "Francisco Vázquez led the long expedition.", False),
        ("The orders of king Fredrick were clear.", "The orders of king Frederick were clear.", False),
        ("The mayor of Lille resigned in anger.", "The mayor of Lyon resigned in anger.", True),
    ],
)
def test_another_spelling_is_no_other_name(claim: str, window: str, is_other: bool) -> None:
    found = exchanged_name(analyse(claim), analyse(window))
    assert (found is not None and found.kind == "denial") is is_other


LONG = "Average levels of primary stability were lower when the density of spongy bone in the upper jaw was lower."


@pytest.mark.parametrize(("old", "new"), [("was lower", "was higher"), ("upper", "left"), ("spongy", "healthy")])
def test_one_exchanged_word_in_a_long_sentence_is_not_supported(old: str, new: str) -> None:
    assert verify(LONG, [LONG]).claims[0].verdict == "supported"
    assert verify(LONG.replace(old, new), [LONG]).claims[0].verdict != "supported"


class Believer:
    """A model that supports everything."""

    ref = VerifierRef(name="believer", version="1")

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        return [Judgement(0.9, 0.0, 0.1) for _ in pairs]


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("She was in charge of the orchestra for 8 years.", "supported"),
        ("She was in charge of the orchestra for 14 years.", "unsupported"),
        ("Some 60 people belonged to the orchestra she had.", "supported"),
        ("Some 90 people belonged to the orchestra she had.", "unsupported"),
        ("She left the orchestra in the 2000s.", "supported"),
        ("She left the orchestra in the 1990s.", "unsupported"),
    ],
)
def test_no_model_supports_a_value_that_is_nowhere_said(claim: str, verdict: str) -> None:
    source = "From 2001 to 2009 Ada Smith led the orchestra and its 58 players."
    assert verify(claim, [source], verifier=Believer()).claims[0].verdict == verdict
