"""Which stretches of the sources are looked at for a claim."""

from hypothesis import given
from hypothesis import strategies as st

from grounded.records import Passage
from grounded.verification.network import deciding
from grounded.verification.windows import WindowIndex

WORDS = ("kettle", "toaster", "warranty", "costs", "lasts", "euros", "months", "red", "the", "a", "is", "24", "9")
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=2, max_size=8).map(lambda words: " ".join(words).capitalize())
TEXTS = st.lists(st.tuples(SENTENCES, st.sampled_from([". ", "\n", "\n\n"])), min_size=2, max_size=9).map(
    lambda pieces: "".join(f"{sentence}{end}" for sentence, end in pieces)
)


@given(st.lists(TEXTS, max_size=4), SENTENCES, st.integers(1, 6), st.sampled_from([6, 110]))
def test_a_shorter_ranking_chooses_what_a_longer_one_does(texts: list[str], claim: str, limit: int, words: int) -> None:
    passages = [Passage(id=str(number), text=text) for number, text in enumerate(texts)]
    index = WindowIndex.of(passages)
    for cited in ((), range(len(passages))):
        short, long = (index.rank(claim, limit=kept, cited=cited) for kept in (limit, 100))
        assert index.choose(short, limit=limit) == index.choose(long, limit=limit)
        stretches = max(1, limit // 3)
        found = index.contexts(short, limit=stretches, words=words)
        assert found == index.contexts(long, limit=stretches, words=words)
        assert all(window.text(passages).strip() for window in found)


def test_the_best_sentence_of_a_cited_passage_is_considered() -> None:
    passages = [
        Passage(id="a", text="The red kettle lasts 24 months. The red kettle costs 9 euros."),
        Passage(id="b", text="A toaster. A kettle."),
    ]
    index = WindowIndex.of(passages)
    claim = "The red kettle lasts 24 months and costs 9 euros."
    assert {window.passage for window in index.choose(index.rank(claim, limit=2), limit=2)} == {0}
    cited = index.choose(index.rank(claim, limit=2, cited=[1]), limit=2)
    assert [window.text(passages) for window in cited if window.passage == 1] == ["A kettle."]


def test_what_is_kept_apart_stands_beside_nothing() -> None:
    texts = ("The old warranty lasts 24 months.", "The new warranty lasts 36 months.", "A warranty needs a receipt.")
    passages = [Passage(id=str(number), text=text) for number, text in enumerate(texts)]
    index = WindowIndex.of(passages)
    ranking = index.rank("The warranty lasts 36 months.")

    def together(apart: set[int]) -> list[set[int]]:
        windows = index.contexts(ranking, limit=3, apart=apart)
        return [{number for number, _, _ in window.stretches} for window in windows if window.more]

    assert together(set()) == [{0, 1, 2}]
    assert together({0}) == [{1, 2}]
    assert together({0, 1}) == []
    assert {window.passage for window in index.contexts(ranking, limit=3, apart={0})} == {0, 1, 2}


# -- the sentence that decides ----------------------------------------------------------------------------------------

TERMS = "Warranty terms 2026\n\nThe warranty on kettles lasts 36 months. Every warranty needs a receipt. Stock: 12"


def shown(context: str, claim: str, *, against: bool = False) -> str:
    span = deciding(context, claim, against=against)
    return context[slice(*span)] if span else ""


def test_the_sentence_that_holds_the_claim_decides_and_no_heading() -> None:
    assert shown(TERMS, "A warranty needs receipts.") == "Every warranty needs a receipt."
    assert shown("Warranty terms\n\nThe terms of a warranty are long.", "These are warranty terms.") == (
        "The terms of a warranty are long."
    )
    assert shown(TERMS, "The toaster is red.") == ""


def test_the_sentence_with_another_value_decides_against_a_claim() -> None:
    assert shown(TERMS, "The warranty is 12 months.", against=True) == "The warranty on kettles lasts 36 months."
