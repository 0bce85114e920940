"""How likely the passages hold an answer to the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from grounded.answering.cues import expected_kinds, holds_kind, without_cue
from grounded.records import Passage
from grounded.text.sentences import sentences
from grounded.text.terms import content_stems, terms

FEATURES = ("dense", "best", "sentence", "missing_names", "kind", "short")
"""Names of what ``features`` returns, in order."""

SUFFICIENCY_THRESHOLD = 0.30
"""Below it, an answer is not to be expected.

The highest that keeps 90 % of MTRAG's answerable questions; 58 % of its unanswerable ones are then declined.
More figures, and where it fails: training/sufficiency/README.md.
"""

# From training/sufficiency/fit.py, fitted only on sets whose licence allows it. Bias first, then FEATURES.
_WEIGHTS = (-6.96, 7.2, 2.8, 0.7, -0.58, 0.14, -1.35)

_NAME = re.compile(r"[A-ZÀ-Þ0-9]")


def features(question: str, passages: Sequence[Passage], best_dense: float) -> tuple[float, ...]:
    """What the judgement rests on, each in [-1, 1], in the order of ``FEATURES``.

    ``dense``: best cosine between question and passages. ``best``: rarity-weighted share of the question's
    content in the best passage. ``sentence``: the same for the best two neighbouring sentences.
    ``missing_names``: share of the question's names and numbers found nowhere. ``kind``: whether those
    sentences hold the kind of answer asked for, 0.5 when the wording does not tell. ``short``: how little
    content the question has.
    """
    asked = frozenset(content_stems(without_cue(question))) or frozenset(content_stems(question))
    places = [frozenset(content_stems(_with_headings(passage))) for passage in passages]
    weights = _rarity(asked, places)
    names = _names(question) & asked
    missing = names - frozenset().union(*places)
    text, sentence = _best_sentences(asked, weights, passages)
    kinds = expected_kinds(question)
    fits = 0.5 if not kinds else float(any(holds_kind(kind, text) for kind in kinds))
    return (
        max(-1.0, min(1.0, best_dense)),
        max((_share(asked & place, weights) for place in places), default=0.0),
        sentence,
        len(missing) / len(names) if names else 0.0,
        fits,
        1.0 / (1 + len(asked)),
    )


def sufficiency(question: str, passages: Sequence[Passage], best_dense: float) -> float:
    """How likely the passages hold an answer to the question.

    Args:
        question: The standalone question.
        passages: What was retrieved, in any order; no passages, no answer.
        best_dense: Best cosine of the default embedder between the question and any of the passages.

    Returns:
        A number in [0, 1], higher is more likely; compare it with ``SUFFICIENCY_THRESHOLD``.
    """
    if not passages:
        return 0.0
    bias, *weights = _WEIGHTS
    values = features(question, passages, best_dense)
    return 1 / (1 + math.exp(-bias - sum(w * v for w, v in zip(weights, values, strict=True))))


def _with_headings(passage: Passage) -> str:
    headings = [str(name) for place in passage.locators if place.kind == "heading" for name in place.fields["path"]]
    return " ".join([passage.title, *headings, passage.text])


def _rarity(asked: frozenset[str], places: Sequence[frozenset[str]]) -> dict[str, float]:
    held = Counter(stem for place in places for stem in asked & place)
    count = len(places)
    return {stem: math.log(2 + (count - held[stem] + 0.5) / (held[stem] + 0.5)) for stem in sorted(asked)}


def _share(found: frozenset[str], weights: dict[str, float]) -> float:
    total = sum(weights.values())
    return sum(weights[stem] for stem in sorted(found)) / total if total else 0.0


def _names(question: str) -> frozenset[str]:
    """Stems of capitalised words and numbers; the first word of a sentence proves nothing."""
    opening = {span.start for span in sentences(question)}
    return frozenset(
        term.stem
        for term in terms(question)
        if term.start not in opening and _NAME.match(question[term.start : term.end])
    )


def _best_sentences(asked: frozenset[str], weights: dict[str, float], passages: Sequence[Passage]) -> tuple[str, float]:
    """The two neighbouring sentences (or the only one) that hold most of the question, and their share."""
    best = ("", 0.0)
    for passage in passages:
        spans = sentences(passage.text)
        windows = [(one.start, other.end) for one, other in pairwise(spans)] or [(s.start, s.end) for s in spans]
        for start, end in windows:
            text = passage.text[start:end]
            share = _share(asked & frozenset(content_stems(text)), weights)
            if share > best[1]:
                best = (text, share)
    return best
