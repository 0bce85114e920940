"""What says a claim the other way round, and what only looks like it."""

from collections.abc import Sequence

import pytest

from grounded import verify
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.verification import Thresholds, Verifier
from grounded.verification.analysis import analyse
from grounded.verification.reversals import reversal

REVENUE = "Acme reported revenue of EUR 4.2 billion, up 8% from the previous year."
MEMORY = "For large inputs a generator expression therefore uses much less memory."
KEYS = "Only workspace owners can rotate keys."
BRIDGE = "At the time it had the longest main span in the world."
SUNDAY = "On the first Sunday of each month admission is free for everyone."
SHIPPING = "Shipping costs are non-refundable."


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Acme's revenue fell by 8 percent.", REVENUE),
        ("Generator expressions use more memory.", MEMORY),
        ("Any member of the workspace can rotate keys.", KEYS),
        ("It still has the longest main span in the world.", BRIDGE),
        ("Admission is free every Sunday.", SUNDAY),
        ("Shipping is refunded as well.", SHIPPING),
    ],
)
def test_it_is_told(claim: str, source: str) -> None:
    found = reversal(analyse(claim), source)
    assert found is not None
    assert found.kind == "denial"
    assert not verify(claim, [source]).claims[0].is_supported


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Acme's revenue grew by 8 percent.", REVENUE),
        ("Revenue rose 8% while profit fell 3%.", "Profit was down 3%, and revenue rose by 8 percent."),
        ("Generator expressions use less memory.", MEMORY),
        ("A list uses more memory than a generator expression.", MEMORY),
        ("Only owners of the workspace can rotate any keys.", KEYS),
        ("It had the longest main span in the world.", BRIDGE),
        ("Admission is free on the first Sunday of every month.", SUNDAY),
        ("Shipping costs are not refunded.", SHIPPING),
        ("Die Versandkosten werden erstattet.", SHIPPING),
        ("The moon is made of cheese.", REVENUE),
    ],
)
def test_it_is_not_seen_where_it_is_not(claim: str, source: str) -> None:
    assert reversal(analyse(claim), source) is None


def test_not_refunded_is_non_refundable() -> None:
    assert verify("Shipping costs will not be refunded.", [SHIPPING]).claims[0].is_supported


class Lenient:
    """A model that finds a little support everywhere."""

    ref = VerifierRef(name="lenient", version="1", arguments={}, calibrated=False)

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        return [Judgement(0.4, 0.0, 0.6) for _ in pairs]


def test_it_is_told_below_one_half_too_where_less_supports() -> None:
    verifier = Verifier(Lenient(), thresholds=Thresholds(support=0.3))
    grew = verify("Acme's revenue grew by 8 percent.", [REVENUE], verifier=verifier)
    fell = verify("Acme's revenue fell by 8 percent.", [REVENUE], verifier=verifier)
    assert grew.claims[0].is_supported
    assert not fell.claims[0].is_supported
