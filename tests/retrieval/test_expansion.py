"""Passages read with what stands around them: their spans stay those of the text, and nothing is said twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.records import Locator, Passage, Span
from grounded.retrieval.expansion import Expand, expanded
from grounded.retrieval.neighbours import MERGED_CHARACTERS

SECTIONS = {
    (): ["Welcome.", "This is the shop."],
    ("Warranty",): ["Warranty lasts two years.", "It begins with delivery."],
    ("Warranty", "Kettles"): ["Kettles have three years.", "Descale them."],
    ("Returns",): ["Thirty days.", "Unused only."],
}


def shelf(sections: dict[tuple[str, ...], list[str]]) -> tuple[str, list[Passage]]:
    """A document of short chunks, one line each, and its passages in order."""
    text, passages = "", list[Passage]()
    for path, lines in sections.items():
        for line in lines:
            span = Span(start=len(text), end=len(text) + len(line))
            locators = (Locator(kind="heading", path=path),) if path else ()
            identity = f"chunk {len(passages)}"
            passages.append(
                Passage(id=identity, document_id="d", version="v", text=line, span=span, locators=locators, score=0.5)
            )
            text += line + "\n"
    return text, passages


TEXT, CHUNKS = shelf(SECTIONS)


def grow(found: list[Passage], expand: Expand, *, chunks: list[Passage] = CHUNKS, text: str = TEXT) -> list[Passage]:
    def near(document_id: str, version: str, start: int, end: int) -> list[Passage]:
        assert (document_id, version) == ("d", "v")
        return [each for each in chunks if each.span and each.span.start < end and each.span.end > start]

    return expanded(found, expand, near=near, slice_text=lambda *place: text[place[2] : place[3]])


def test_neighbours_are_one_chunk_to_either_side() -> None:
    (grown,) = grow([CHUNKS[3]], "neighbours")
    assert grown.id == "chunk 3"
    assert grown.text == "Warranty lasts two years.\nIt begins with delivery.\nKettles have three years."
    assert [each.fields["path"] for each in grown.locators] == [("Warranty",), ("Warranty", "Kettles")]
    (first,) = grow([CHUNKS[0]], "neighbours")
    assert first.text == "Welcome.\nThis is the shop."


@pytest.mark.parametrize(
    ("hit", "text"),
    [
        (2, "Warranty lasts two years.\nIt begins with delivery.\nKettles have three years.\nDescale them."),
        (5, "Kettles have three years.\nDescale them."),
        (7, "Thirty days.\nUnused only."),
    ],
)
def test_a_section_is_what_stands_under_the_same_heading_and_below_it(hit: int, text: str) -> None:
    (grown,) = grow([CHUNKS[hit]], "section")
    assert grown.text == text


def test_slides_and_sheets_are_sections() -> None:
    slides = [
        each.model_copy(update={"locators": (Locator(kind="slide", number=1 + n // 2),)})
        for n, each in enumerate(CHUNKS[:6])
    ]
    (grown,) = grow([slides[2]], "section", chunks=slides)
    assert grown.text == "Warranty lasts two years.\nIt begins with delivery."


def test_what_lies_in_a_better_passage_is_not_said_again() -> None:
    grown = grow([CHUNKS[4], CHUNKS[5], CHUNKS[3], CHUNKS[0]], "neighbours")
    assert [each.id for each in grown] == ["chunk 4", "chunk 0"]
    assert grown[0].text == "It begins with delivery.\nKettles have three years.\nDescale them."
    later = grow([CHUNKS[2], CHUNKS[5]], "neighbours")
    assert [each.text for each in later] == [
        "This is the shop.\nWarranty lasts two years.\nIt begins with delivery.",
        "Kettles have three years.\nDescale them.\nThirty days.",
    ]


def test_what_the_reader_may_not_see_never_comes_along() -> None:
    (grown,) = grow([CHUNKS[3]], "section", chunks=CHUNKS[3:5])
    assert grown.text == "It begins with delivery.\nKettles have three years."


def test_given_text_and_none_stay_as_they_are() -> None:
    given_text = Passage.from_text("Given.")
    assert grow([given_text, CHUNKS[1]], "none") == [given_text, CHUNKS[1]]
    assert grow([given_text], "section") == [given_text]


@given(
    lengths=st.lists(st.integers(1, 2500), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
    expand=st.sampled_from(["neighbours", "section"]),
)
def test_spans_are_exact_limited_and_apart(lengths: list[int], order: object, expand: Expand) -> None:
    text, chunks = shelf({("One",): ["x" * length for length in lengths]})
    found = chunks[:]
    order.shuffle(found)  # type: ignore[attr-defined]
    found = found[: 1 + len(found) // 2]
    grown = grow(found, expand, chunks=chunks, text=text)
    assert grown[0].id == found[0].id
    for passage in grown:
        assert passage.span is not None
        assert passage.span.slice(text) == passage.text
        own = next(each for each in chunks if each.id == passage.id)
        assert own.text in passage.text
        assert len(passage.text) <= max(MERGED_CHARACTERS, len(own.text))
    spans = sorted((each.span.start, each.span.end) for each in grown if each.span)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    for passage in found:
        assert any(
            each.span and passage.span and each.span.start <= passage.span.start and passage.span.end <= each.span.end
            for each in grown
        ), "nothing found is lost"
