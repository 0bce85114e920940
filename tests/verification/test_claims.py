from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.records import Passage
from grounded.verification.claims import draft
from grounded.verification.naming import SourceNames


def named(titles: Sequence[str]) -> SourceNames:
    return SourceNames.of([Passage.from_text("x", title=title) for title in titles])


def claims(answer: str, titles: Sequence[str] = ()) -> list[str]:
    return [item.span.slice(answer) for item in draft(answer, names=named(titles)).drafts if not item.skip]


def skipped(answer: str, titles: Sequence[str] = ()) -> dict[str, str]:
    return {item.span.slice(answer): item.skip for item in draft(answer, names=named(titles)).drafts if item.skip}


@pytest.mark.parametrize(
    "sentence",
    [
        "Hello!",
        "Hi there,",
        "Thank you for your question!",
        "Sure, I'd be happy to help.",
        "You're welcome!",
        "I hope this helps!",
        "Let me know if you have any other questions.",
        "Please let me know if you would like details about the warranty.",
        "Feel free to contact us.",
        "Is there anything else you would like to know?",
        "How long is the warranty?",
        "I could not find this in the sources.",
        "I'm sorry, but I don't have that information.",
        "The provided documents do not mention the price.",
        "There is no information about the price.",
        "The sources do not contain any information about 2023.",
        "Here is a summary of the main points:",
        "Here is what I found:",
        "## Warranty",
        "**Warranty**",
        "---",
        "|---|---|",
        "https://example.com/handbook",
        "As an AI language model, I do not have access to real-time data.",
        "I recommend checking the official website.",
        "For the latest figures, I recommend that you contact support.",
        "Enjoy your tea!",
        "Thank you for shopping with us!",
        "Hallo!",
        "¿Quiere más?",
        "Some reasons for this include:",
        "There are several ways to do it:",
        "Product | Price\n--- | ---",
        "Warranty\n========",
    ],
)
def test_nothing_to_check(sentence: str) -> None:
    assert claims(sentence) == []
    assert skipped(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Unfortunately, the warranty is only 12 months.",
        "I could not find the price, but it is 40 euros.",
        "I could not find a warranty shorter than 24 months.",
        "I think the warranty lasts 24 months.",
        "Sure, the warranty lasts 24 months.",
        "I am happy to say that your kettle is covered.",
        "Did you know that the warranty lasts 99 years?",
        "The warranty lasts 99 years, right?",
        "Isn't the warranty 99 years?",
        "Feel free to return the kettle.",
        "Let me know if you need help, because the warranty ended.",
        "Thanks to Maria Schmidt, the plant was saved.",
        "Hello, the warranty is void!",
        "The warranty lasts 24 months and covers:",
        "# The warranty lasts 99 years.",
        "The policy does not cover pets.",
        "The handbook does not include a chapter on pets.",
        "You are entitled to a refund.",
        "Yes.",
        "```\nThe warranty lasts 99 years.\n```",
        "- red",
        "Colour: red",
        "保证期为24个月。",
        "Die Garantie dauert 24 Monate.",
        "The warranty is void in Germany:",
        "Die Garantie gilt nicht in Deutschland:",
        "The warranty never ends and covers batteries, including:",
        "## Warranty: 99 years",
        "The warranty is void?",
        "As an AI language model, I know that the warranty is void.",
        "As an AI language model, I cannot lie, so the warranty is void.",
        "I recommend contacting Maria Schmidt, who founded the company.",
        "The warranty is void in Germany, I recommend contacting support.",
        "Enjoy the free kettle, which has a lid.",
        "He is a forward.",
        'The theory is known as "Who says what?"',
        "The warranty is void. | It is red.\n--- | ---",
    ],
)
def test_courtesy_never_hides_a_claim(sentence: str) -> None:
    assert claims(sentence)


def test_markers_after_the_full_stop_belong_to_the_sentence_before() -> None:
    answer = "The warranty is 24 months. [1] Refunds take 30 days.[2][3]\nIt is free. \n[4]"
    found = [(item.span.slice(answer), [m.numbers for m in item.markers]) for item in draft(answer).drafts]
    assert found == [
        ("The warranty is 24 months. [1]", [(1,)]),
        ("Refunds take 30 days.[2][3]", [(2,), (3,)]),
        ("It is free. \n[4]", [(4,)]),
    ]


def test_abbreviations_do_not_end_a_sentence() -> None:
    assert claims("Dr. Smith paid 5 euros, e.g. in Paris. Then he left.") == [
        "Dr. Smith paid 5 euros, e.g. in Paris.",
        "Then he left.",
    ]


def test_a_unit_of_one_letter_is_no_initial() -> None:
    assert claims(
        "It weighs 1,200 g. The lid is 9 m long. J. Smith runs it at 230 V. Bye for now, R. Roe owns it."
    ) == [
        "It weighs 1,200 g.",
        "The lid is 9 m long.",
        "J. Smith runs it at 230 V.",
        "Bye for now, R. Roe owns it.",
    ]


def test_lists_tables_and_code() -> None:
    answer = "The colours:\n- red [1]\n- blue\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = 1\n```\n"
    assert claims(answer) == ["red [1]", "blue", "| 1 | 2 |"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("<think>It is 5 months.</think>It is 24 months.", ["It is 24 months."]),
        ("It is 5 months.</think>It is 24 months.", ["It is 24 months."]),
        ("It is 24 months. <think>Or 5 months?", ["It is 24 months."]),
        ("<THINK class='x'>It is 5.</THINK >\nIt is 24 months.", ["It is 24 months."]),
        ("<think>a <think>b</think> It is 5.</think>It is 24 months.", ["It is 24 months."]),
        ("The tag `<think>` opens it. It is 24 months.", ["The tag `<think>` opens it.", "It is 24 months."]),
    ],
)
def test_reasoning_is_never_a_claim(answer: str, expected: object) -> None:
    assert claims(answer) == expected


def test_references_to_known_sources_are_no_claims() -> None:
    assert claims("The warranty is 24 months [1].\n\nSources:\n[1] Handbook, page 3", ["Handbook"]) == [
        "The warranty is 24 months [1]."
    ]


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("The kettle is red and the lid is blue.", ["The kettle is red", "the lid is blue."]),
        ("The kettle is red; the lid costs 5 euros [2].", ["The kettle is red", "the lid costs 5 euros [2]."]),
        ("The kettle is red, but it has no lid.", ["The kettle is red", "it has no lid."]),
        ("The kettle and the lid are red.", []),
        ("Between the first and the last it is red.", []),
        ("The warranty says that the kettle and the lid are covered.", []),
        ("We sell kettles, lids, and cups.", []),
    ],
)
def test_compound_sentences_are_split_only_where_safe(sentence: str, parts: list[str]) -> None:
    (item,) = draft(sentence).drafts
    assert [part.span.slice(sentence) for part in item.parts] == parts


@pytest.mark.parametrize(
    ("sentence", "scored"),
    [
        (
            "The kettle is red, has a lid and weighs 2 kg.",
            ["The kettle is red", "The kettle has a lid", "The kettle weighs 2 kg."],
        ),
        (
            "The kettle is red, and express delivery costs 12 euros.",
            ["The kettle is red", "express delivery costs 12 euros."],
        ),
        ("The cost of tea and coffee is 5 euros.", []),
        ("It covers fire, and water damage caused by frost.", []),
        ("She was founded in 1990 and sold in 1995.", []),
    ],
)
def test_parts_repeat_the_subject_they_share(sentence: str, scored: list[str]) -> None:
    (item,) = draft(sentence).drafts
    assert [part.text for part in item.parts] == scored


def test_the_cells_of_a_row_are_its_parts() -> None:
    answer = "| Product | Warranty | Price |\n|---|---|---|\n| Kettle [1] | 24 months | 40 \\| 50 euros [2] |\n"
    row = draft(answer).drafts[-1]
    assert [part.text for part in row.parts] == ["Kettle – Warranty: 24 months", "Kettle – Price: 40 \\| 50 euros"]
    assert [part.span.slice(answer) for part in row.parts] == ["24 months", "40 \\| 50 euros"]
    assert [marker.numbers for marker in row.markers] == [(1,), (2,)]


@pytest.mark.parametrize(
    "sentence", ["It costs approx. 5 euros.", "Am 3. März endet die Garantie.", "Die Garantie gilt ca. 24 Monate."]
)
def test_an_abbreviation_before_a_number_ends_nothing(sentence: str) -> None:
    assert claims(sentence) == [sentence]


def test_a_bare_yes_is_carried_by_what_follows() -> None:
    assert claims("Yes. The warranty is 24 months.") == ["The warranty is 24 months."]
    assert claims("Yes.") == ["Yes."]


FRAGMENTS = st.sampled_from(
    [
        "The warranty is 24 months",
        "It is red",
        ". ",
        "[1]",
        "\n",
        "\n\n",
        "- ",
        "# ",
        "| a |",
        "```",
        "`",
        "<think>",
        "</think>",
        "?",
        "e.g. ",
        "“quoted” ",
        "\u202e",
        "\u200b",
        "é",
        "保证期。",
        " and the lid is blue",
        "; ",
        "\ud800",
        "\x00",
    ]
)


@given(st.lists(FRAGMENTS | st.text(max_size=6), max_size=14).map("".join))
def test_drafts_are_ordered_slices(answer: str) -> None:
    drafts = draft(answer)
    position = 0
    for item in drafts.drafts:
        assert position <= item.span.start < item.span.end <= len(answer)
        assert not answer[item.span.start].isspace()
        assert not any(item.span.overlaps(hidden) for hidden in drafts.thought)
        assert all(item.span.contains(part.span) for part in item.parts)
        assert all(item.span.contains(marker.span) for marker in item.markers)
        position = item.span.end
