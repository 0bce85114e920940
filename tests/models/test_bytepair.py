"""Byte pairs: the ids of the reference implementation, spans that add up at white space."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grounded.errors import ModelFileError
from grounded.models.bytepair import BytePair
from grounded.models.embedder import FOLDER, byte_pairs_of
from grounded.text.packing import unpack

OURS = byte_pairs_of(FOLDER)


@cache
def reference() -> Any:
    """GPT-2's tokenizer over the same tokens; its ids are ranks."""
    tokenizers = pytest.importorskip("tokenizers", reason="the reference implementation is not installed")
    ranks = unpack((FOLDER / "vocabulary.bin").read_bytes())
    letters = {byte: chr(byte) for byte in (*range(33, 127), *range(161, 173), *range(174, 256))}
    letters |= {byte: chr(256 + n) for n, byte in enumerate(byte for byte in range(256) if byte not in letters)}
    written = {"".join(letters[byte] for byte in token): rank for token, rank in ranks.items()}
    merges = [_halves(token, ranks, letters) for token in ranks if len(token) > 1]
    made = tokenizers.Tokenizer(tokenizers.models.BPE(written, merges))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


def _halves(token: bytes, ranks: dict[bytes, int], letters: dict[int, str]) -> tuple[str, str]:
    """The two tokens of which the last merge made a token: merging with lower ranks only leaves two parts."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        best = min(
            range(len(parts) - 1),
            key=lambda place: min(ranks.get(parts[place] + parts[place + 1], len(ranks)), len(ranks)),
        )
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    left, right = ("".join(letters[byte] for byte in part) for part in parts)
    return left, right


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@example("Don't tell naïve K2-300 users: 12,000 €!")
@example("日本語のテキスト 🙂🏽 हिन्दी")
@example("getAddrInfo(snake_case, HTTPServer)")
def test_ids_are_those_of_the_reference(text: str) -> None:
    line = " ".join(text.split())
    ids = {rank: identity for rank, identity in enumerate(OURS._ids)}
    assert OURS.ids(line) == [ids[rank] for rank in reference().encode(line).ids]


@given(st.text(max_size=80))
def test_spans_are_ordered_and_cover_everything_but_white_space(text: str) -> None:
    spans = OURS.spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    covered = {place for start, end in spans for place in range(start, end)}
    assert covered >= {place for place, letter in enumerate(text) if not letter.isspace()}


@given(st.text(max_size=30), st.sampled_from([" ", "\n", "\t\n  ", "   "]), st.text(max_size=30))
def test_a_cut_at_white_space_changes_no_span(left: str, blank: str, right: str) -> None:
    offset = len(left) + len(blank)
    moved = [(start + offset, end + offset) for start, end in OURS.spans(right)]
    assert OURS.spans(left + blank + right) == [*OURS.spans(left), *moved]


@given(st.text("aab'é漢 \n\x1c\u3000", max_size=60))
def test_every_word_has_its_spans_where_it_stands(text: str) -> None:
    words = re.finditer(r"\S+", text)
    expected = [(word.start() + first, word.start() + end) for word in words for first, end in OURS.spans(word.group())]
    assert OURS.spans(text) == expected
    assert OURS.starts(text) == [start for start, _ in expected]


def test_scripts_it_cannot_read_are_not_split_finer() -> None:
    assert len(OURS.ids("การรับประกัน")) > len("การรับประกัน") >= len(OURS.spans("การรับประกัน"))


def test_indentation_takes_no_room() -> None:
    assert OURS.ids("def f():\n        return 1\n\n\n    x") == OURS.ids("def f():\nreturn 1\nx")


def test_a_limit_cuts_and_a_long_run_is_cut_too() -> None:
    assert OURS.ids("one two three four", 2) == OURS.ids("one two")
    run = "abc漢" * 1000
    parts = [run[start : start + 1024] for start in range(0, len(run), 1024)]
    expected = [(1024 * n + first, 1024 * n + end) for n, part in enumerate(parts) for first, end in OURS.spans(part)]
    assert OURS.spans(run) == expected
    assert OURS.starts(run) == [start for start, _ in expected]
    assert len(OURS.ids("ab" * 5000)) >= 5


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("{}")
    (tmp_path / "vocabulary.bin").write_bytes(b"no")
    with pytest.raises(ModelFileError, match="tokenizer files"):
        BytePair.load(tmp_path)
