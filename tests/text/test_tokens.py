"""Counts are tiktoken's own, token for token, with no network and no environment variable."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import zlib
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grounded.errors import UnknownNameError
from grounded.text import packing, tokens
from grounded.text.tokens import Encoding, encoding, encoding_for

NAMES = ("cl100k_base", "o200k_base")
SUMS = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
TRICKY = (
    "",
    " ",
    "<|endoftext|><|im_start|>system<|endofprompt|>",
    "Don't WE'LL 12345678 --- \n\n\t x  y\r\n\r\n /// z",
    "Zoë naïve 中文字符 日本語 العربية हिन्दी ภาษาไทย 👩‍👩‍👧 \u202eabc\u2066 \ufeff\u00ad\u200b",
    "e\u0301\u0301 \x00\x1c\x1f\x85\u2028\u3000 ǅ ʰ ǅʰ's",
    "\ud800 lone \udfff surrogates \ud83d\ude00",
    "a" * 3000 + " " * 500 + "\n" * 500 + "!?" * 500,
    "def f(x):\n    return {\n        'a': x,\n    }\n",
)
_PEER = """
import json, sys, tiktoken
texts = json.load(sys.stdin)
names = ("cl100k_base", "o200k_base")
print(json.dumps({n: [tiktoken.get_encoding(n).encode_ordinary(t) for t in texts] for n in names}))
"""


@pytest.mark.parametrize("name", NAMES)
def test_packed_data_is_the_published_file(name: str) -> None:
    packed = resources.files("grounded.text").joinpath("data", f"{name}.bin").read_bytes()
    published = packing.original(packed)
    assert hashlib.sha256(published).hexdigest() == SUMS[name]
    assert packing.unpack(packing.pack(published)) == packing.unpack(packed)


def test_same_tokens_as_tiktoken_with_its_own_files(tmp_path: Path) -> None:
    spec = find_spec("llama_index.core")
    if spec is None or spec.origin is None:
        pytest.skip("llama-index-core carries tiktoken's files; it is not installed")
    cache = Path(spec.origin).parent / "_static" / "tiktoken_cache"
    handbook = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parents[2].glob("docs/**/*.md"))]
    texts = [*TRICKY, *handbook]
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(cache)}
    run = subprocess.run(
        [sys.executable, "-c", _PEER],
        input=json.dumps(texts),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    for name, expected in json.loads(run.stdout).items():
        ours = encoding(name)
        assert [ours.encode(text) for text in texts] == expected
        assert [ours.count(text) for text in texts] == [len(each) for each in expected]


@given(st.text(max_size=200) | st.text("ab A'é中1/.!\n\r\t \u3000<|>[]", max_size=60))
@example("\ud800")
@example("<|endoftext|>")
def test_any_text_counts_as_ordinary_text(text: str) -> None:
    for name in NAMES:
        ours = encoding(name)
        assert ours.count(text) == len(ours.encode(text))
        clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        assert ours.decode(ours.encode(text)) == clean


@given(st.text("ab!1/é\u0301'中\n\r\t \u3000\x1c", max_size=40))
@settings(max_examples=300)
def test_long_blank_runs_are_cut_as_the_pattern_cuts_them(text: str) -> None:
    for name in NAMES:
        whole = encoding(name)
        assert Encoding(whole._core, longest_blank=1).encode(text) == whole.encode(text)


@given(st.lists(st.text("ab!1/é\u0301中<. \r\n\t", max_size=20), max_size=8))
@settings(max_examples=200)
def test_blocks_add_up(lines: list[str]) -> None:
    text = "\n".join(lines)
    patch = pytest.MonkeyPatch()
    patch.setattr(tokens, "BLOCK_CHARACTERS", 4)
    try:
        blocks = list(tokens._blocks(text))
    finally:
        patch.undo()
    assert "".join(blocks) == text
    for name in NAMES:
        assert sum(encoding(name).count(block) for block in blocks) == encoding(name).count(text)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", NAMES)
def test_a_million_blanks_neither_panic_nor_hang(name: str) -> None:
    ours = encoding(name)
    blanks = " " * 1_200_000
    assert ours.count("x" + blanks + "y") > 1000
    assert ours.count(blanks + "\n") > 1000
    assert ours.count(blanks) > 1000


def test_threads_share_one_encoding() -> None:
    seen: list[Encoding] = []
    threads = [threading.Thread(target=lambda: seen.append(encoding("cl100k_base"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len({id(each) for each in seen}) == 1


@pytest.mark.parametrize(
    ("model", "name", "exact"),
    [
        ("gpt-4o-mini", "o200k_base", True),
        ("openai:gpt-4.1-nano", "o200k_base", True),
        ("ft:gpt-4o-2024-08-06:acme", "o200k_base", True),
        ("GPT-5", "o200k_base", True),
        ("o3-mini", "o200k_base", True),
        ("o1", "o200k_base", True),
        ("gpt-oss-20b", "o200k_base", True),
        ("gpt-4-turbo", "cl100k_base", True),
        ("azure:gpt-35-turbo", "cl100k_base", True),
        ("gpt-3.5-turbo-16k", "cl100k_base", True),
        ("ollama:llama3.2", "o200k_base", False),
        ("olmo-2", "o200k_base", False),
        ("claude-sonnet-4", "o200k_base", False),
        ("", "o200k_base", False),
    ],
)
def test_encoding_of_a_model(model: str, name: str, exact: bool) -> None:
    found, is_exact = encoding_for(model)
    assert (found.name, is_exact) == (name, exact)


def test_unknown_encoding_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="o200k_base"):
        encoding("p50k_base")


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"x\x9c\x00"])
def test_damaged_data_is_refused(damage: bytes) -> None:
    with pytest.raises(ValueError, match="packed"):
        packing.unpack(damage)


def test_truncated_data_is_refused() -> None:
    content = zlib.decompress(packing.pack(b"YQ== 0\nYg== 1\n"))
    with pytest.raises(ValueError, match="incomplete"):
        packing.unpack(zlib.compress(content[:-1]))
