from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grounded.errors import ModelFileError
from grounded.models.entailment import VOCABULARY as FOLDER
from grounded.models.wordpiece import WordPiece

tokenizers = pytest.importorskip("tokenizers", reason="the reference implementation is not installed")


@cache
def ours() -> WordPiece:
    return WordPiece.load(FOLDER)


@cache
def reference() -> object:
    """BERT's tokenizer without its special tokens, which ours never reads from a text."""
    vocabulary = {piece: index for index, piece in enumerate((FOLDER / "vocab.txt").read_text().split("\n")) if piece}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = tokenizers.normalizers.BertNormalizer()
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return made


def assert_same(text: str) -> None:
    expected = reference().encode(text)  # type: ignore[attr-defined]
    assert ours().ids(text) == expected.ids
    assert ours().spans(text) == expected.offsets


# Characters that meet a rule: accents alone and composed, Hangul, CJK, controls, zero width, punctuation.
TRICKY = (
    "aeioußİıſΣู́̈̈é한글각ᄀ漢字豈𠮷 \t\n\r\x0b\x00\x1f\x85\u00ad\u200b\u200d\u2028\u3000"
    ".,-_'’#[]()$+<=>^`|~≠;“„…क्षि😀👩🏽‍🚀"
)
WORDS = st.sampled_from(["unaffordable", "Straße", "naïve", "[SEP]", "[UNK]", "##ing", "don't", "x" * 101, "é" * 99])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.text(TRICKY, max_size=8) | st.text(max_size=8) | WORDS, max_size=12).map("".join))
@example("a" * 100 + " " + "a" * 101)
@example("ab\u0301c \u0301 e\u0301\u0302")
@example("\ufffd\x00 x\ue000y")
def test_same_pieces_and_offsets_as_the_reference(text: str) -> None:
    assert_same(text)


def test_code_points_as_in_the_reference() -> None:
    """All that scripts and symbols use; of the rest, which is private or unassigned, one in 97."""
    used = [*range(0xD800), *range(0xF900, 0x20000), *range(0x2F800, 0x2FA20), *range(0xE0000, 0xE0200)]
    codes = [*used, *range(0xE000, 0xF900, 97), *range(0x20000, sys.maxunicode, 97)]
    for start in range(0, len(codes), 4096):
        assert_same(" ".join(f"{chr(code)}b a{chr(code)}b" for code in codes[start : start + 4096]))


@given(st.text(st.characters(), max_size=40))
def test_lone_surrogates_vanish(text: str) -> None:
    with_surrogates = "\ud800".join(text) + "\udfff"
    cleaned = "".join(char for char in text if not "\ud800" <= char <= "\udfff")
    assert ours().ids(with_surrogates) == ours().ids(cleaned)
    assert all(0 <= start < end <= len(with_surrogates) for start, end in ours().spans(with_surrogates))


@given(st.text(max_size=60), st.integers(0, 20))
def test_a_limit_keeps_the_first_pieces(text: str, limit: int) -> None:
    assert ours().ids(text, limit) == ours().ids(text)[:limit]


def test_a_full_cache_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grounded.models.wordpiece._CACHED_WORDS", 3)
    fresh = WordPiece.load(FOLDER)
    text = "one two three four five one two three four five"
    assert fresh.ids(text) == ours().ids(text)
    assert len(fresh._cache) <= 3


@pytest.mark.parametrize("damage", ["{", "{}", '{"space": 1, "isolated": [], "removed": [], "changed": {}}'])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n")
    (tmp_path / "characters.json").write_text(damage)
    with pytest.raises(ModelFileError, match="tokenizer files"):
        WordPiece.load(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"vocab\.txt"):
        WordPiece.load(tmp_path)
