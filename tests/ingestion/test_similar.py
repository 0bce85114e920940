"""Documents that say nearly the same, compared with a comparison of each with each."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded import KnowledgeBase
from grounded.errors import UsageError
from grounded.ingestion.similar import HASHES, SHORTEST, _candidates, _common, _runs, _sketch
from tests.ingestion.support import HashEmbedder

WORDS = [f"word{n}" for n in range(300)]


def text(chance: random.Random, length: int = 120) -> str:
    return " ".join(chance.choices(WORDS, k=length)) + "."


def changed(chance: random.Random, before: str, words: int) -> str:
    parts = before.split()
    for place in chance.sample(range(len(parts)), words):
        parts[place] = "other"
    return " ".join(parts)


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeBase:
    knowledge_base = KnowledgeBase.open(tmp_path_factory.mktemp("kb") / "kb", create=True, embedder=HashEmbedder())
    chance = random.Random(5)
    letter, contract = text(chance), text(chance)
    knowledge_base.ingest(
        [
            {"key": "letter", "text": letter},
            {"key": "letter 2", "text": changed(chance, letter, 2)},
            {"key": "contract", "text": contract},
            {"key": "short", "text": "Too short to say."},
            {"key": "short 2", "text": "Too short to say."},
            *({"key": f"other {n}", "text": text(chance)} for n in range(60)),
        ]
    )
    knowledge_base.ingest([{"key": "copy", "text": contract}, {"key": "letter", "text": letter}], tenant="other")
    return knowledge_base


def test_what_is_nearly_the_same_is_named_with_its_share(kb: KnowledgeBase) -> None:
    (group,) = kb.reconcile(alike=0.8).alike
    assert {each.key for each in group.documents} == {"letter", "letter 2"}
    assert all(0.8 <= each.share < 1.0 for each in group.documents)
    assert kb.reconcile().alike == ()
    assert kb.reconcile(alike=0.99).alike == ()
    assert kb.reconcile(alike=0.8).agrees, "no difference between source, ledger and store"


def test_tenants_are_never_compared_with_each_other(kb: KnowledgeBase) -> None:
    assert kb.reconcile(alike=0.5, tenant="other").alike == ()


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1])
def test_a_share_is_a_share(kb: KnowledgeBase, share: float) -> None:
    with pytest.raises(UsageError, match="share"):
        kb.reconcile(alike=share)


def test_what_was_retired_is_not_named(tmp_path: Path) -> None:
    from grounded.pipeline.connecting import connector

    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as kb:
        letter = text(random.Random(1))
        both = [{"key": "a", "text": letter}, {"key": "b", "text": letter}]
        kb.ingest(connector(both, complete=True))
        assert len(kb.reconcile(alike=1.0).alike) == 1
        kb.ingest(connector(both[:1], complete=True), force_retire=True)
        assert kb.reconcile(alike=1.0).alike == ()


@given(seed=st.integers(0, 10_000), words=st.integers(0, 40))
def test_the_estimate_lies_near_the_share(seed: int, words: int) -> None:
    chance = random.Random(seed)
    before = text(chance)
    one, other = _runs(before), _runs(changed(chance, before, words))
    assert one is not None
    assert other is not None
    estimate = float(np.mean(_sketch(one) == _sketch(other)))
    assert abs(estimate - _common(one, other)) < 6 * (0.25 / HASHES) ** 0.5


def test_many_copies_are_compared_with_few_others_each() -> None:
    chance = random.Random(3)
    sketch = _sketch(_runs(text(chance)))  # type: ignore[arg-type]
    copies = 500
    pairs = list(_candidates([sketch] * copies))
    assert len(pairs) < 2 * copies * HASHES
    assert {number for pair in pairs for number in pair} == set(range(copies))


def test_a_short_text_says_nothing() -> None:
    assert _runs("word " * (SHORTEST - 1)) is None
    assert _runs("word " * SHORTEST) is not None
