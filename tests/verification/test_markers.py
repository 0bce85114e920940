import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.verification.markers import markers, render_marker, strip_markers

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
    ],
)
def test_what_only_looks_like_a_marker_is_none(text: str) -> None:
    assert markers(text) == []


@given(NUMBERS)
def test_parsing_undoes_rendering(numbers: list[int]) -> None:
    (marker,) = markers(f"The warranty is 24 months {render_marker(numbers)}.")
    assert list(marker.numbers) == numbers
    assert render_marker(marker.numbers) == marker.text


@pytest.mark.parametrize("numbers", [[], [0], [1000], [3, -1]])
def test_impossible_numbers_are_not_rendered(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="1 to 999"):
        render_marker(numbers)


@given(st.text(alphabet=st.sampled_from("ab .\n\t[]^1230,-–【】†`<>/think|é\u200b"), max_size=80))
def test_stripping_keeps_a_way_back(text: str) -> None:
    found = markers(text)
    assert all(marker.text == text[marker.start : marker.end] for marker in found)
    stripped = strip_markers(text)
    assert [text[origin] for origin in stripped.origins] == list(stripped.text)
    assert list(stripped.origins) == sorted(set(stripped.origins))
    if not found:
        assert stripped.text == text
