from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.answering.sufficiency import FEATURES, SUFFICIENCY_THRESHOLD, features, sufficiency
from grounded.models.embedder import default_embedder
from grounded.records import Passage
from tests.answering.helpers import passage

PASSAGES = (
    passage("The warranty on kettles lasts 36 months from the day of delivery. Keep the receipt.", number=1),
    passage("Express delivery costs 9 euros and arrives on the next working day.", number=2),
    passage("Unused appliances can be sent back within 30 days.", number=3, headings=("Returns",)),
)


def best_dense(question: str, passages: Sequence[Passage]) -> float:
    embedder = default_embedder()
    vectors = embedder.embed_documents([one.text for one in passages])
    return float((vectors @ embedder.embed_query(question)).max())


@pytest.mark.parametrize(
    ("question", "is_answerable"),
    [
        ("How long is the warranty on a kettle?", True),
        ("What does express delivery cost?", True),
        ("Can I return an unused appliance?", True),
        ("for how many months am I covered if my kettle breaks", True),
        ("Who is the chief executive of the company?", False),
        ("What is the capital of Portugal?", False),
        ("How many employees work in the Oslo office?", False),
    ],
)
def test_plain_cases_fall_on_the_right_side(question: str, is_answerable: bool) -> None:
    level = sufficiency(question, PASSAGES, best_dense(question, PASSAGES))
    assert (level >= SUFFICIENCY_THRESHOLD) is is_answerable


def test_no_passages_hold_no_answer() -> None:
    assert sufficiency("How long is the warranty?", (), 1.0) == 0.0


def test_a_name_found_nowhere_counts_against() -> None:
    values = [
        dict(zip(FEATURES, features(f"Does the warranty cover {name}?", PASSAGES, 0.5), strict=True))
        for name in ("kettles", "Zanzibar")
    ]
    assert [value["missing_names"] for value in values] == [0.0, 1.0]


def test_headings_count_as_content() -> None:
    without = tuple(one.model_copy(update={"locators": ()}) for one in PASSAGES)
    asked = "What are the rules on returns?"
    assert sufficiency(asked, PASSAGES, 0.4) > sufficiency(asked, without, 0.4)


words = st.lists(st.sampled_from(["how", "long", "kettle", "24", "Bergen", "?", "\n", "保証", "the"]), max_size=12)
texts = words.map(" ".join)


@given(texts, st.lists(texts, max_size=4), st.floats(min_value=-1, max_value=1))
def test_it_is_a_probability_that_grows_with_similarity(question: str, held: list[str], dense: float) -> None:
    passages = [passage(text, number=n) for n, text in enumerate(held, 1)]
    level = sufficiency(question, passages, dense)
    assert 0 <= level <= 1
    assert level <= sufficiency(question, passages, min(1.0, dense + 0.2))
    assert all(-1 <= value <= 1 for value in features(question, passages, dense))
    assert level == pytest.approx(sufficiency(question, passages[::-1], dense))
