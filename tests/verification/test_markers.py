from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.records import Passage
from grounded.verification.markers import STYLES, Style, markers, render_marker, strip_markers
from grounded.verification.naming import SourceNames, author_of

NAMES = SourceNames.of(
    [
        Passage.from_text("a", title="Smith 2020", uri="https://kb.example/smith", number=1),
        Passage.from_text("b", title="handbook.md", uri="files/handbook.md", number=2),
        Passage.from_text("c", title="Price list", uri="https://www.example.com/prices/", number=3),
        Passage.from_text("d", title="Doe et al. (2019). On kettles", uri="doe2019.pdf", number=4),
        Passage.from_text("e", title="Price list", number=5),
    ]
)
NUMBERS = st.lists(st.integers(1, 999), min_size=1, max_size=6, unique=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24 months [1].", [("[1]", (1,))]),
        ("months[1].", [("[1]", (1,))]),
        ("months [1, 3].", [("[1, 3]", (1, 3))]),
        ("months [1-3].", [("[1-3]", (1, 2, 3))]),
        ("months [1–3, 5].", [("[1–3, 5]", (1, 2, 3, 5))]),
        ("months [1][2].", [("[1]", (1,)), ("[2]", (2,))]),
        ("months [^1].", [("[^1]", (1,))]),
        ("months [^handbook].", [("[^handbook]", ())]),
        ("months 【1】.", [("【1】", (1,))]),
        ("months 【2†handbook.pdf】.", [("【2†handbook.pdf】", (2,))]),
        ("months 【4:0†handbook】.", [("【4:0†handbook】", ())]),
        ("months [1](https://example.com/a).", [("[1](https://example.com/a)", (1,))]),
        ("months [[1]](https://example.com/a).", [("[[1]](https://example.com/a)", (1,))]),
        ("months ([1]).", [("([1])", (1,))]),
        ("months [^1^].", [("[^1^]", (1,))]),
        ("months [Source 1] (source 2).", [("[Source 1]", (1,)), ("(source 2)", (2,))]),
        ("months¹.", [("¹", (1,))]),
        ("months.¹,³ It", [("¹,³", (1, 3))]),
        ("months¹⁻³ x", [("¹⁻³", (1, 2, 3))]),
        ("months<sup>2</sup>.", [("<sup>2</sup>", (2,))]),
    ],
)
def test_markers_are_read(text: str, expected: object) -> None:
    assert [(marker.text, marker.numbers) for marker in markers(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "in [2019] it was",
        "[0] is nothing",
        "from [3-1]",
        "`rows[1]` is code",
        "```\nrows[1]\n```",
        "```\nrows[1]",
        "<think>see [1]</think>",
        "set rows[1] = 2",
        "call rows[1].name",
        "a [link](https://example.com)",
        "a [note] and [x]",
        "[1] ".replace("1", "12345"),
        "(1)",
        "5 m², 3 km² and 10³",
        "CO² and x² and R²",
        "10 ² x",
        "(Smith 2020) of no such source",
        "[handbook.md] of no such source",
        "[1000]",
    ],
)
def test_what_only_looks_like_a_marker_is_none(text: str) -> None:
    assert markers(text) == []


@pytest.mark.parametrize(
    ("text", "expected", "rest"),
    [
        ("It is red (Smith 2020).", [((1,),)], "It is red."),
        ("It is red (see Smith, 2020, p. 3; Doe et al., 2019).", [((1,), (4,))], "It is red."),
        ("Smith (2020) says it.", [((1,),)], "Smith says it."),
        ("Doe et al. (2019) say it.", [((4,),)], "Doe et al. say it."),
        ("It is red (Jones et al., 2011).", [((),)], "It is red."),
        ("It was in May (Jones 2011).", [], "It was in May (Jones 2011)."),
        ("It was then (March 2020).", [], "It was then (March 2020)."),
        ("It is red [handbook.md, p. 3].", [((2,),)], "It is red."),
        ("It is red [Handbook.md; PRICE LIST].", [((2,), (3, 5))], "It is red."),
        ("It is red [other.pdf].", [((),)], "It is red."),
        ("It is red (source: Price list).", [((3, 5),)], "It is red."),
        ("It is on the list (Price list).", [], "It is on the list (Price list)."),
        ("It [costs 5 euros](http://example.com/prices#a).", [((3,),)], "It costs 5 euros."),
        ("It is red ([source](https://kb.example/smith)).", [((1,),)], "It is red."),
        ("It is red <https://kb.example/smith>.", [((1,),)], "It is red."),
        ("It is red [link](https://nowhere.example).", [], "It is red [link](https://nowhere.example)."),
        ("It is red 【3:0†handbook.md】.", [((2,),)], "It is red."),
        ("It is red [^a].\n\n[^a]: [Prices](https://example.com/prices)", [((3,),), ()], "It is red."),
        ("It is red [^1].\n\n[^1]: Handbook.md, page 3", [((2,),), ()], "It is red."),
        ("It is red [^5].\n\n[^5]: Price list", [((5,),), ()], "It is red."),
        ("It is red [^4].\n\n[^4]: It is not blue.", [((4,),), ()], "It is red."),
    ],
)
def test_names_of_sources_are_markers(text: str, expected: object, rest: str) -> None:
    found = markers(text, NAMES)
    assert [marker.targets for marker in found] == expected
    assert strip_markers(text, found).text.partition("\n")[0] == rest


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Smith 2020", ("Smith", "2020", False)),
        ("smith_2020b.pdf", ("Smith", "2020b", False)),
        ("Smith, J., & Doe, K. (2020). On kettles", ("Smith", "2020", True)),
        ("Müller und Søren 1998", ("Müller", "1998", True)),
        ("March 2020", None),
        ("Paris 2024 Olympics", None),
        ("The history of tea 2020", None),
        ("Handbook", None),
        ("A" * 100_000 + " 2020", None),
        ("A-" * 100 + "!" * 100, None),
    ],
)
def test_sources_named_after_author_and_year(title: str, expected: object) -> None:
    assert author_of(title) == expected


@given(NUMBERS, st.sampled_from(STYLES))
def test_parsing_undoes_rendering(numbers: list[int], style: Style) -> None:
    text = (
        f"The warranty is long {render_marker(numbers, style, NAMES)}."
        if style != "ⁿ"
        else (f"The warranty is long{render_marker(numbers, style, NAMES)}.")
    )
    found = markers(text, NAMES)
    assert [number for marker in found for number in marker.numbers] == numbers
    assert strip_markers(text, found).text == "The warranty is long."


TITLES = st.text(alphabet="aZ 2019()[]|.,;:¹-_&é\n", max_size=12) | st.sampled_from(
    ["Smith 2020", "Doe et al. 2020", "smith_2020.pdf", "Price list", "x.md", "Source 2", "1", "[1]", "See x.md"]
)


@given(st.lists(st.tuples(TITLES, TITLES), min_size=1, max_size=4), st.sampled_from(STYLES), st.data())
def test_whatever_sources_are_called_their_markers_read_back(
    called: list[tuple[str, str]], style: Style, data: st.DataObject
) -> None:
    names = SourceNames.of(
        [Passage(id=str(n), text="x", title=title, uri=uri) for n, (title, uri) in enumerate(called)]
    )
    numbers = data.draw(st.lists(st.integers(1, len(called)), min_size=1, unique=True))
    found = markers(f"It is red{'' if style == 'ⁿ' else ' '}{render_marker(numbers, style, names)}.", names)
    assert [number for marker in found for number in marker.numbers] == numbers


def test_as_many_numbers_as_there_are_sources() -> None:
    names = SourceNames.of([Passage(id=str(n), text="x") for n in range(2500)])
    assert [marker.numbers for marker in markers("It is red [2500].", names)] == [(2500,)]
    assert markers("It is red [2501].", names) == []
    assert render_marker([2019], names=names) == "[2019]"


@pytest.mark.parametrize("numbers", [[], [0], [1000], [3, -1]])
def test_impossible_numbers_are_not_rendered(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="1 to 999"):
        render_marker(numbers)


@given(
    st.lists(
        st.sampled_from(
            ["handbook.md", "Smith", " 2020", "(", ")", "](", "https://kb.example/smith", "[^a]", ": ", "¹"]
        )
        | st.text(alphabet="ab .\n\t[]^1230,-–【】†`<>/think|é\u200b", max_size=9),
        max_size=20,
    ).map("".join)
)
def test_stripping_keeps_a_way_back(text: str) -> None:
    found = markers(text, NAMES)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert all(marker.text == text[marker.start : marker.end] for marker in found)
    stripped = strip_markers(text, found)
    assert [text[origin] for origin in stripped.origins] == list(stripped.text)
    assert list(stripped.origins) == sorted(set(stripped.origins))
    if not found:
        assert stripped.text == text
