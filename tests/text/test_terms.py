from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from grounded.text.normalise import normalise
from grounded.text.terms import _fold, _stem, content_stems, terms


def test_terms_are_folded_and_stemmed() -> None:
    found = terms("The Kettle’s WARRANTIES cost 1,000.50 in K2-300.")
    assert [term.text for term in found] == [
        "the",
        "kettle",
        "warranties",
        "cost",
        "1,000.50",
        "in",
        "k2",
        "300",
    ]
    assert [term.stem for term in found][1:3] == ["kettl", "warranti"]


_STEMS = """
    generously:generous skies:sky dying:die gently:gentl exceeding:exceed internal:internal evening:evening
    communism:communism organization:organiz rationality:ration hopefulness:hope sensibilities:sensibl
    apologised:apologis geologists:geolog conditional:condit triplicate:triplic electrical:electr
    probate:probat cease:ceas controlling:control falling:fall feed:feed agreed:agre luxuriating:luxuri
    happily:happili cries:cri tie:tie gas:gas caresses:caress kiwis:kiwi abilities:abil analogously:analog
    fluently:fluentli adjustable:adjust replacement:replac adoption:adopt revival:reviv bowdlerize:bowdler
    rolled:roll knackeries:knackeri warranties:warranti repository:repositori university:universiti news:news
    inning:inning herring:herring
"""


def test_stems_are_those_that_knowledge_bases_hold() -> None:
    """Stored vectors depend on them: as ``snowballstemmer`` 3.1.1 makes them, which earlier releases used."""
    expected = [pair.split(":")[1] for pair in _STEMS.split()]
    assert [_stem(pair.split(":")[0]) for pair in _STEMS.split()] == expected


def test_function_words_are_left_out_of_content() -> None:
    assert content_stems("How long is the warranty?") == ["long", "warranti"]


def test_unspaced_scripts_are_terms_by_character() -> None:
    assert content_stems("保証は24ヶ月") == ["保", "証", "は", "24", "ヶ", "月"]


@given(st.text())
def test_terms_point_into_the_text(text: str) -> None:
    position = 0
    for term in terms(text):
        assert position <= term.start < term.end <= len(text)
        assert term.stem
        position = term.end


def test_normalising_unifies_what_looks_alike() -> None:
    assert normalise("  “Ｗarranty”\u200b —\n 24\u00a0months… ").text == '"warranty" - 24 months...'


@given(st.text(), st.data())
def test_normalised_ranges_lead_back(text: str, data: st.DataObject) -> None:
    result = normalise(text)
    assert len(result.text) == len(result.starts) == len(result.ends)
    assert list(result.starts) == sorted(result.starts)
    start = data.draw(st.integers(0, len(result.text)))
    end = data.draw(st.integers(start, len(result.text)))
    span = result.origin(start, end)
    assert 0 <= span.start <= span.end <= len(text)
    assert bool(span.slice(text)) == (start < end)


@given(st.text(alphabet=st.characters(max_codepoint=126, min_codepoint=32)))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text).text
    assert normalise(once).text == once


def test_stems_are_the_same_on_many_threads() -> None:
    words = [
        f"{start}{end}" for start in ("relat", "warrant", "deliver", "hope") for end in ("ional", "ies", "fulness")
    ]
    texts = [f"{word}{'abcdefghij'[n % 10]}s {word}{'klmnopqrst'[n % 10]}ing" for n, word in enumerate(words * 200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(content_stems, texts))
    _fold.cache_clear()
    assert found == [content_stems(text) for text in texts]
