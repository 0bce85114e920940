"""A verifier on trial: how often it is right on labelled claims, beside simple floors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from grounded.benchmarking.measures import area, balanced, best_threshold, f1, interval
from grounded.records import Record, VerifierRef
from grounded.text.sentences import sentences
from grounded.verification import Verifier
from grounded.verification.analysis import stems_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grounded.benchmarking.formats import LabelledClaim

EMBEDDED = 40
"""Sentences of a source that are embedded for the floor, those with most words in common first."""


class Figure(Record):
    """A figure in percent with its 95 % bootstrap interval over groups; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        return f"{self.value:.1f}" + (f" [{self.low:.1f}, {self.high:.1f}]" if self.low is not None else "")


class VerifierTrial(Record):
    """What one verifier came to on one set. A claim that could not be checked counts as not supported.

    Attributes:
        claims: How many were tried.
        of: How many there were; more than ``claims`` when the trial was stopped.
        groups: How many sources they share among them.
        supported: How many people call supported.
        called_supported: How many the verifier does, at its own threshold.
        failed: How many could not be checked.
        figures: ``balanced_accuracy``, ``area`` (of the raw score) and ``f1`` (of finding what is not supported).
        precision: Of those called supported, the share in percent that is; None when there are none.
        touches_gold: Of the supported claims called so, the share in percent whose evidence touches a gold sentence.
        floors: Balanced accuracy of word overlap and of embedding similarity at the threshold best for these rows.
        milliseconds: Of processor time a claim.
    """

    set: str
    verifier: VerifierRef
    claims: int = Field(ge=0)
    of: int = Field(ge=0)
    groups: int
    supported: int
    called_supported: int
    failed: int
    figures: dict[str, Figure]
    precision: float | None = None
    touches_gold: float | None = None
    floors: dict[str, float] = Field(default_factory=dict)
    milliseconds: float

    @property
    def complete(self) -> bool:
        """Whether every claim was tried and could be checked."""
        return self.claims == self.of and not self.failed


class Tried(Record):
    """What became of one claim.

    Attributes:
        said: Whether the whole claim is called supported.
        score: The lowest raw score of its sentences.
        touched: Whether the evidence touches a gold sentence.
        failed: Whether a check failed.
    """

    said: bool
    score: float
    touched: bool
    failed: bool


def try_claim(claim: LabelledClaim, verifier: Verifier) -> Tried:
    """Check one claim with all that belongs to the verifier: sentences, rules, windows, model."""
    report = verifier.prepare(list(claim.passages), question=claim.question or None).report(claim.claim)
    checked = [each for each in report.claims if each.verdict != "not_a_claim"]
    spans = [(item.span.start, item.span.end) for each in checked for item in each.evidence]
    return Tried(
        said=bool(checked) and all(each.is_supported for each in checked),
        score=min((each.score if each.score is not None else 0.0 for each in checked), default=0.0),
        touched=any(a < end and start < b for gold in claim.gold for a, b in gold for start, end in spans),
        failed=any(each.verdict == "check_failed" for each in checked),
    )


def try_verifier(
    claims: Sequence[LabelledClaim],
    verifier: Verifier,
    *,
    floors: bool = True,
    progress: Callable[[int], object] = lambda done: None,
) -> VerifierTrial:
    """All figures of one verifier on the claims of one set. Interrupting it returns those of what was tried so far.

    Args:
        claims: Of one set, in an order that may be cut anywhere.
        verifier: What judges.
        floors: Whether to compute the floors as well.
        progress: Told how many are done.
    """
    started, tried = time.process_time(), []
    try:
        for claim in claims:
            tried.append(try_claim(claim, verifier))
            progress(len(tried))
    except KeyboardInterrupt:
        floors = False
    spent = time.process_time() - started
    done = list(claims[: len(tried)])
    label, said = _flags(each.is_supported for each in done), _flags(each.said for each in tried)
    right = [each.touched for each, claim in zip(tried, done, strict=True) if each.said and claim.is_supported]
    has_gold = any(claim.gold for claim in done)
    return VerifierTrial(
        set=claims[0].data if claims else "",
        verifier=verifier.ref,
        claims=len(done),
        of=len(claims),
        groups=len({claim.group for claim in done}),
        supported=int(label.sum()),
        called_supported=int(said.sum()),
        failed=sum(each.failed for each in tried),
        figures=_figures([claim.group for claim in done], label, said, np.array([each.score for each in tried])),
        precision=100.0 * float(label[said].mean()) if said.any() else None,
        touches_gold=100.0 * sum(right) / len(right) if has_gold and right else None,
        floors=_floors(done, label) if floors else {},
        milliseconds=1000 * spent / max(1, len(done)),
    )


def overlap(claim: LabelledClaim) -> float:
    """Share of the claim's words that the best sentence has."""
    mine = stems_of(claim.claim)
    found = [len(mine & stems_of(span.slice(text))) for text in claim.passages for span in sentences(text)]
    return max(found, default=0) / max(1, len(mine))


def similarity(claim: LabelledClaim) -> float:
    """Cosine of the claim and the nearest sentence among those that share most words with it."""
    from grounded.models.embedder import default_embedder

    mine = stems_of(claim.claim)
    texts = [span.slice(text) for text in claim.passages for span in sentences(text)]
    texts.sort(key=lambda text: -len(mine & stems_of(text)))
    vectors = default_embedder().embed_documents([claim.claim, *texts[:EMBEDDED]])
    return float((vectors[1:] @ vectors[0]).max()) if len(vectors) > 1 else 0.0


def _figures(
    groups: Sequence[str], label: NDArray[np.bool_], said: NDArray[np.bool_], score: NDArray[np.float64]
) -> dict[str, Figure]:
    return {
        "balanced_accuracy": _figure(groups, lambda at: balanced(label[at], said[at])),
        "area": _figure(groups, lambda at: area(label[at], score[at])),
        "f1": _figure(groups, lambda at: f1(label[at], said[at])),
    }


def _figure(groups: Sequence[str], figure: Callable[[NDArray[np.intp]], float]) -> Figure:
    value = figure(np.arange(len(groups))) if groups else math.nan
    if math.isnan(value):
        return Figure(value=None)
    low, high = interval(groups, figure) or (None, None)
    return Figure(value=value, low=low, high=high)


def _floors(claims: Sequence[LabelledClaim], label: NDArray[np.bool_]) -> dict[str, float]:
    if label.all() or not label.any():
        return {}
    return {
        "overlap": best_threshold(label, np.array([overlap(each) for each in claims])),
        "embedding": best_threshold(label, np.array([similarity(each) for each in claims])),
    }


def _flags(values: Iterable[bool]) -> NDArray[np.bool_]:
    return np.array(list(values), dtype=bool)
