"""Markers judged, and markers written."""

from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import grounded
from grounded.errors import UsageError
from grounded.protocols import Judgement
from grounded.records import Passage, Report, VerifierRef
from grounded.verification import STYLES, SourceNames, Style, markers, strip_markers

# Which marker belongs where does not depend on a model.
verify = partial(grounded.verify, verifier="containment")
cite = partial(grounded.cite, verifier="containment")

SOURCES = [
    Passage.from_text(text, title=title, uri=uri, number=number)
    for number, (text, title, uri) in enumerate(
        [
            ("The warranty on kettles lasts 24 months.", "handbook.md", "files/handbook.md"),
            ("The kettle is bright red. The lid is deep blue.", "Smith 2020", "https://kb.example/smith"),
            ("Express delivery costs 12 euros.", "Price list", "https://kb.example/prices"),
            ("Express delivery costs 12 euros.", "Price list", "https://kb.example/prices"),
        ],
        start=1,
    )
]
WARRANTY, RED, BLUE, PRICE = (
    "The warranty on kettles lasts 24 months",
    "The kettle is bright red",
    "The lid is deep blue",
    "Express delivery costs 12 euros",
)
SENTENCES = (
    WARRANTY,
    RED,
    BLUE,
    PRICE,
    "The kettle is made of gold",
    "The kettle is bright red and the lid is of gold",
)


def statuses(answer: str) -> list[tuple[str, str]]:
    return [(citation.marker, citation.status) for citation in verify(answer, SOURCES).citations]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (f"{WARRANTY} [1].", [("[1]", "correct")]),
        (f"{WARRANTY} [2].", [("[2]", "wrong_source")]),
        (f"{WARRANTY} [1][1].", [("[1]", "correct"), ("[1]", "redundant")]),
        (f"{WARRANTY} [1, 9].", [("[1, 9]", "correct"), ("[1, 9]", "dangling")]),
        (f"{WARRANTY} [handbook.md].", [("[handbook.md]", "correct")]),
        (f"{WARRANTY} (Smith, 2020).", [("(Smith, 2020)", "wrong_source")]),
        (f"{WARRANTY} (Jones et al., 2001).", [("(Jones et al., 2001)", "dangling")]),
        (f"{PRICE} [Price list].", [("[Price list]", "correct")]),
        (f"[{PRICE}](https://kb.example/prices).", [(f"[{PRICE}](https://kb.example/prices)", "correct")]),
        (f"{RED} [^a].\n\n[^a]: Smith 2020", [("[^a]", "correct")]),
        (f"{RED}². {WARRANTY}.²", [("²", "correct"), ("²", "wrong_source")]),
        (f"{RED} [2], and {PRICE} [3].", [("[2]", "correct"), ("[3]", "correct")]),
        (f"{RED} [3], and {PRICE} [3].", [("[3]", "wrong_source"), ("[3]", "redundant")]),
        (f"{RED} [2], and it is made of pure gold [2].", [("[2]", "correct"), ("[2]", "redundant")]),
        (f"{RED} ².", [("²", "correct")]),
        (f"According to Smith (2020), {RED}.", [("(2020)", "correct")]),
        (f"As Smith (2020) notes, {RED}.", [("(2020)", "correct")]),
        (f"Smith (2020) found that {WARRANTY}.", [("(2020)", "wrong_source")]),
        ("Hello [1]!", [("[1]", "unchecked")]),
    ],
)
def test_each_marker_is_judged(answer: str, expected: object) -> None:
    assert statuses(answer) == expected


def test_a_wrong_source_comes_with_the_right_one() -> None:
    (citation,) = verify(f"{WARRANTY} [2].", SOURCES).citations
    assert citation.better == (SOURCES[0].id,)
    (citation,) = verify("The kettle is made of gold [2].", SOURCES).citations
    assert citation.better == ()


def test_what_is_supported_without_a_marker_is_missing_one() -> None:
    report = verify(f"{WARRANTY}. {RED} [1]. {PRICE} [3]. The kettle is made of gold.", SOURCES)
    assert [claim.text for claim in report.uncited] == [f"{WARRANTY}."]
    assert report.citation_recall == pytest.approx(1 / 3)


def test_a_definition_is_no_claim_unless_it_states_something() -> None:
    report = verify(f"{RED} [^1].\n\n[^1]: Smith 2020, p. 3\n[^2]: The warranty lasts 99 years.", SOURCES)
    assert [claim.text for claim in report.unsupported] == ["[^2]: The warranty lasts 99 years."]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("[n]", f"Hello! {WARRANTY} [1]. **{RED} [2].**\n\n- {PRICE} [3]\n\nIt is made of gold."),
        ("【n】", f"Hello! {WARRANTY} 【1】. **{RED} 【2】.**\n\n- {PRICE} 【3】\n\nIt is made of gold."),
        ("ⁿ", f"Hello! {WARRANTY}¹. **{RED}².**\n\n- {PRICE}³\n\nIt is made of gold."),
        (
            "[title]",
            f"Hello! {WARRANTY} [handbook.md]. **{RED} [Smith 2020].**\n\n- {PRICE} [3]\n\nIt is made of gold.",
        ),
        ("(author year)", f"Hello! {WARRANTY} [1]. **{RED} (Smith 2020).**\n\n- {PRICE} [3]\n\nIt is made of gold."),
        (
            "[^n]",
            f"Hello! {WARRANTY} [^1]. **{RED} [^2].**\n\n- {PRICE} [^3]\n\nIt is made of gold.\n\n"
            "[^1]: handbook.md\n[^2]: Smith 2020\n[^3]: Price list\n",
        ),
    ],
)
def test_markers_are_written_where_they_belong(style: Style, expected: str) -> None:
    answer = f"Hello! {WARRANTY}. **{RED}.**\n\n- {PRICE}\n\nIt is made of gold."
    report = cite(answer, SOURCES, style=style)
    assert report.text == expected
    assert {citation.status for citation in report.citations} == {"correct"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (f"{WARRANTY} [1].", f"{WARRANTY} [1]."),
        (f"{WARRANTY} 【1】.", f"{WARRANTY} 【1】."),
        (f"{WARRANTY} [2].", f"{WARRANTY} [1]."),
        (f"{WARRANTY} [1, 2] [9].", f"{WARRANTY} [1]."),
        (f"{WARRANTY}. [3]", f"{WARRANTY} [1]."),
        ("It is made of gold [1].", "It is made of gold."),
        (f"[{WARRANTY}](https://kb.example/prices).", f"{WARRANTY} [1]."),
        (f"{RED}, and {PRICE}.", f"{RED}, and {PRICE} [2, 3]."),
        (f'"{WARRANTY}."', f'"{WARRANTY}." [1]'),
        (f"| {WARRANTY} |", f"| {WARRANTY} [1] |"),
        (f"```\n{WARRANTY}.\n```", f"```\n{WARRANTY}.\n```"),
        (f"<think>{WARRANTY}.</think>{RED}.", f"<think>{WARRANTY}.</think>{RED} [2]."),
        (f"{WARRANTY}.\n\n[9]", f"{WARRANTY} [1].\n\n"),
        ("Hello [1]!", "Hello [1]!"),
        ("", ""),
    ],
)
def test_right_markers_stay_and_wrong_ones_are_put_right(answer: str, expected: str) -> None:
    assert cite(answer, SOURCES).text == expected


def test_a_marker_is_not_written_where_it_is_not_read() -> None:
    answer = f"[^1]: {WARRANTY}. {RED}.\n\n{RED}."
    assert cite(answer, SOURCES).text == f"[^1]: {WARRANTY}. {RED}.\n\n{RED} [2]."


def test_what_could_not_be_checked_is_left_alone() -> None:
    class Broken:
        ref = VerifierRef(name="broken", version="1")

        def judge(self, pairs: Any) -> list[Judgement]:
            raise RuntimeError("broken")

    answer = "Kettles come with a long warranty [2]. The kettle shines in scarlet."
    report = grounded.cite(answer, SOURCES, verifier=Broken())
    assert (report.text, report.complete) == (answer, False)


def test_an_unknown_style_is_refused() -> None:
    style: Any = "(n)"
    with pytest.raises(UsageError, match="author year"):
        cite("x", SOURCES, style=style)


PIECES = st.sampled_from([f"{sentence}{end}" for sentence in SENTENCES for end in (".", "", ".\n\n- ", " \t")])
NOISE = st.sampled_from(
    [
        " ",
        "\n",
        "[1]",
        " [2]",
        "[9]",
        "¹",
        "[^1]",
        "[^1]: ",
        "(",
        ")",
        '"',
        "**",
        "`",
        "```\n",
        "| ",
        "<think>",
        "保证期。",
    ]
)


@given(st.lists(PIECES | NOISE, max_size=8).map(" ".join), st.sampled_from(STYLES))
@example("The warranty on kettles lasts 24 months [1] ¹", "[n]")
def test_after_citing_all_is_cited_and_nothing_else_has_changed(answer: str, style: Style) -> None:
    report: Report = cite(answer, SOURCES, style=style)
    names = SourceNames.of(SOURCES)
    before = strip_markers(answer, markers(answer, names)).text.split()
    after = strip_markers(report.text, markers(report.text, names)).text.split()
    assert after[: len(before)] == before
    assert not after[len(before) :] or style == "[^n]"
    assert cite(report.text, SOURCES, style=style).text == report.text
    for claim in report.supported:
        assert all(citation.status == "correct" for citation in claim.citations)
