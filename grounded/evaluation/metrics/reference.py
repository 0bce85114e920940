"""Metrics against a reference answer, all measured on this machine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from grounded.evaluation.metrics.base import Found, Measure, Sample, metric, words
from grounded.text.terms import STOP_WORDS

_NEEDS = ("answer", "reference")
_ARTICLES = frozenset({"a", "an", "the"})
_MARKER = re.compile(r"\[\s*\d+(?:\s*[,;]\s*\d+)*\s*\]")
_NUMBER = re.compile(r"(?<![\w.,])[-+−]?\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?:\.\d+)?(?!\w)|(?<![\w.])[-+−]?\d+(?:\.\d+)?")
Similarity = Callable[[str, str], float]


def exact_match() -> Measure:
    """Whether the answer is the reference."""

    @metric("exact_match", "Exact match", needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Whether answer and reference have the same words, without case, punctuation, articles and markers (SQuAD)."""
        return _plain(sample.text or "") == _plain(sample.row.reference or "")

    return measured


def token_f1() -> Measure:
    """How far the words of answer and reference agree."""

    @metric("token_f1", "Token F1", needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Harmonic mean of precision and recall of the words (Rajpurkar et al. 2016, SQuAD); low for long answers."""
        said, wanted = _plain(sample.text or ""), _plain(sample.row.reference or "")
        if not said or not wanted:
            return float(said == wanted), "One of them has no words."
        shared = (Counter(said) & Counter(wanted)).total()
        f1 = 2 * shared / (len(said) + len(wanted))
        return f1, f"{shared} words shared, {len(said)} in the answer, {len(wanted)} in the reference."

    return measured


def numeric_match() -> Measure:
    """Whether the numbers of the reference are in the answer."""

    @metric("numeric_match", "Numeric match", needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Numbers of the reference that the answer holds / numbers of the reference; thousands separators aside."""
        wanted, said = numbers(sample.row.reference or ""), numbers(sample.text or "")
        if not wanted:
            return None
        found = (Counter(wanted) & Counter(said)).total()
        lost = list((Counter(wanted) - Counter(said)).elements())
        return found / len(wanted), f"Missing: {', '.join(f'{each:g}' for each in lost)}." if lost else "All are there."

    return measured


def semantic_similarity(similarity: Similarity | None = None) -> Measure:
    """How alike answer and reference are by the embedding model."""

    @metric("semantic_similarity", "Semantic similarity", needs=_NEEDS)
    def measured(sample: Sample) -> Found:
        """Cosine of the embeddings of answer and reference, below 0 as 0. Alike is not the same as right."""
        return max(0.0, (similarity or _embedded)(_unmarked(sample.text or ""), sample.row.reference or ""))

    return measured


def similarity(similarity: Similarity | None = None) -> Measure:
    """Semantic similarity on the usual scale."""

    @metric("similarity", "Similarity (1–5)", needs=_NEEDS, low=1.0, high=5.0)
    def measured(sample: Sample) -> Found:
        """1 + 4 × the cosine of the embeddings of answer and reference: local, on the scale that judges use."""
        alike = max(0.0, (similarity or _embedded)(_unmarked(sample.text or ""), sample.row.reference or ""))
        return min(5.0, 1 + 4 * alike), f"Cosine {alike:.2f}."

    return measured


def question_overlap() -> Measure:
    """Whether the answer speaks of what was asked."""

    @metric("question_overlap", "Question overlap", needs=("answer",))
    def measured(sample: Sample) -> Found:
        """Content words of the question that answer or its passages' titles repeat / all; a rough sign of relevance."""
        asked = [word for word in words(sample.row.question) if word not in STOP_WORDS]
        if not asked:
            return None
        titles = " ".join(passage.title for passage in sample.answer.passages) if sample.answer else ""
        said = set(words(f"{sample.text} {titles}"))
        return sum(word in said for word in asked) / len(asked)

    return measured


def numbers(text: str) -> list[float]:
    """The numbers of a text in order; ``1,000.5`` is one, markers and parts of codes are none."""
    found = (match.group() for match in _NUMBER.finditer(_unmarked(text)))
    return [float(re.sub("[,\u00a0\u202f]", "", each).replace("−", "-")) for each in found]


def _unmarked(text: str) -> str:
    return _MARKER.sub("", text)


def _plain(text: str) -> list[str]:
    return [word for word in words(_unmarked(text)) if word not in _ARTICLES]


def _embedded(one: str, other: str) -> float:
    if not one.strip() or not other.strip():
        return 0.0
    return float(_vector(one) @ _vector(other))


@lru_cache(maxsize=4096)
def _vector(text: str) -> Any:
    from grounded.models.embedder import default_embedder

    return default_embedder().embed_query(text)
