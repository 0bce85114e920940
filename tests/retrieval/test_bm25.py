"""Lexical vectors: valid for any text, deterministic, codes whole and in parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.retrieval.bm25 import K1, _lexical_terms, _pairs, _terms_in, document_vector, query_vector
from grounded.retrieval.points import check_sparse
from grounded.text.terms import terms

ROOT = Path(__file__).parents[2]


def _overlap(question: str, text: str) -> float:
    """Inner product without the rarity that the store adds."""
    document = document_vector(text)
    values = dict(zip(document.indices, document.values, strict=True))
    query = query_vector(question)
    return sum(value * values.get(index, 0.0) for index, value in zip(query.indices, query.values, strict=True))


@given(st.text())
def test_any_text_gives_valid_vectors(text: str) -> None:
    document, query = check_sparse(document_vector(text)), check_sparse(query_vector(text))
    assert document.indices == query.indices
    assert all(0 < value < K1 + 1 for value in document.values)
    assert all(value == 1 for value in query.values)


def test_lone_surrogates_are_terms_too() -> None:
    check_sparse(document_vector("broken \ud800 text"))


@pytest.mark.parametrize("text", ["", " \n", "and of the", "—…!"])
def test_function_words_alone_are_empty(text: str) -> None:
    assert query_vector(text).indices == ()


def test_indices_are_the_same_in_every_process() -> None:
    script = "from grounded.retrieval.bm25 import query_vector; print(query_vector('warranty K2-300').indices)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(query_vector("warranty K2-300").indices)
    # Stored vectors depend on this number: a change of the hash makes every knowledge base useless.
    assert query_vector("warranty").indices == (2943458277,)


def test_word_forms_meet() -> None:
    assert _overlap("warranties", "The WARRANTY lasts") > 0
    assert _overlap("guarantee", "The warranty lasts") == 0


def test_codes_are_found_whole_and_in_parts() -> None:
    text = "Order the K2-300 descaler."
    assert _overlap("K2-300", text) > _overlap("K2 and the 300", text) > 0
    assert _overlap("k2‑300", text) == _overlap("K2-300", text)
    assert _overlap("K2-300", text) > _overlap("K2-300", "Order the K2 descaler, 300 ml.")


@pytest.mark.parametrize(
    ("question", "right", "scrambled"),
    [
        ("保修", "产品保修期", "修理保证"),
        ("保証期間", "この製品の保証期間は二年です。", "期待間に証人を保つ。"),
        ("ケトル", "ケトルの保証は二年です。", "トケイとルケ。"),
        ("ประกัน", "กาต้มน้ำมีประกันสองปี", "กรัปนะ"),
        ("ການຮັບປະກັນ", "ການຮັບປະກັນແມ່ນສອງປີ", "ກັນຮບະປາກນ"),
        ("អាពាហ៍", "ថ្ងៃអាពាហ៍ពិពាហ៍", "ហ៍ពអា"),
    ],
    ids=["Chinese", "Japanese", "Katakana", "Thai", "Lao", "Khmer"],
)
def test_unspaced_scripts_match_by_pairs(question: str, right: str, scrambled: str) -> None:
    """A text with the same characters in another order says something else."""
    assert _overlap(question, right) > 1.2 * _overlap(question, scrambled) > 0


def test_repetition_saturates_and_length_dilutes() -> None:
    once, twice = _overlap("kettle", "kettle"), _overlap("kettle", "kettle kettle")
    assert once < twice < 2 * once
    assert _overlap("kettle", "kettle " + "lamp " * 300) < once


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("address info", "getAddressInfo(host)"),
        ("parse url", "def parse_url(text):"),
        ("HTTP server", "class HTTPServer:"),
        ("server error", "_serverError = None"),
        ("getAddressInfo", "getAddressInfo(host)"),
    ],
)
def test_names_in_code_are_found_by_their_parts(question: str, name: str) -> None:
    assert _overlap(question, name) > 0
    assert set(query_vector(question).indices) <= set(document_vector(name).indices)


@given(st.text(alphabet="aé1²_ \n'’sſ.-漢かก", max_size=12))
def test_terms_that_cannot_be_pairs_are_found_without_looking_for_pairs(text: str) -> None:
    found = [term for term in terms(text) if not term.is_stop_word]
    assert list(_terms_in(text))[: len(found)] == [term.stem for term in found]
    assert set(_pairs(found)) <= set(_terms_in(text))


_WORDS_AND_SPACES = (
    st.text(alphabet="aBC1²_ \t\n\x1c\x85\xa0\u2028\u3000'’sſ.,-‑/:漢かก\ud800", max_size=40) | st.text()
)


@given(_WORDS_AND_SPACES)
def test_the_terms_of_a_text_are_those_of_its_words(text: str) -> None:
    assert sorted(_lexical_terms(text)) == sorted(_terms_in(text))


def test_a_word_of_any_length_gives_the_same_every_time() -> None:
    for word in ("getAddressInfo", "漢" * 500, "get" + "AddressInfo" * 50):
        assert document_vector(word) == document_vector(word)
        assert sorted(_lexical_terms(word)) == sorted(_terms_in(word))
