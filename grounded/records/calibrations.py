"""What a verifier's scores turned out to mean on labelled claims: probabilities, a threshold and how sure it is."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from grounded.records.base import Record
from grounded.records.verdicts import VerifierRef

CLIP = 0.05
"""Scores nearer than this to 0 or 1 count as this far away, so that no logarithm runs off.

A rule that withholds support scores 0, and some of these claims are right all the same: with 0.005 a few of them bent
the whole map. Held-out log loss on 480 claims each of FActScore and Factcheck-GPT: 0.426 and 0.459, before 0.440 and
0.474; with 0.1 it is 0.428 and 0.457 (``benchmarks/calibration.py``).
"""


class Scaling(Record):
    """A rising map from a raw score to a probability: ``sigmoid(slope · logit(score) + offset)``.

    After Platt 1999, "Probabilistic outputs for support vector machines", on the log-odds of the score.

    Attributes:
        slope: How sharply it rises, ≥ 0; 1 with ``offset`` 0 leaves a score as it is.
        offset: Shift of the log-odds.
    """

    slope: float = Field(ge=0.0)
    offset: float

    def probability(self, score: float) -> float:
        """The probability for a raw score in [0, 1]."""
        clipped = min(max(score, CLIP), 1.0 - CLIP)
        odds = self.slope * math.log(clipped / (1.0 - clipped)) + self.offset
        return 1.0 / (1.0 + math.exp(-odds)) if odds > -700 else 0.0


class RiskPoint(Record):
    """What follows from calling supported whatever scores ``threshold`` or more.

    Attributes:
        threshold: Raw score in [0, 1].
        called: Labelled claims that would be called supported.
        wrong: Those of them that are not.
        coverage: ``called`` as a share of all labelled claims.
        risk: ``wrong / called``.
        bound: Exact upper bound of the true share (Clopper and Pearson 1934) at the stated confidence, for this
            point alone; the chosen threshold is chosen so that its bound holds although many were looked at.
    """

    threshold: float = Field(ge=0.0, le=1.0)
    called: int = Field(ge=1)
    wrong: int = Field(ge=0)
    coverage: float = Field(ge=0.0, le=1.0)
    risk: float = Field(ge=0.0, le=1.0)
    bound: float = Field(ge=0.0, le=1.0)


class ReliabilityBin(Record):
    """Claims of similar predicted probability, each predicted by a map that was fitted without it.

    Attributes:
        predicted: Mean predicted probability.
        observed: Share that is supported.
        count: How many claims.
    """

    predicted: float = Field(ge=0.0, le=1.0)
    observed: float = Field(ge=0.0, le=1.0)
    count: int = Field(ge=1)


class Calibration(Record):
    """What ``calibrate`` found; one JSON file, valid for one verifier only.

    Attributes:
        verifier: Whose scores these are: name, version and arguments.
        error_rate: The promised largest share of wrong claims among those called supported; None: no promise.
        confidence: How sure the promise is: the share of labelled samples on which such a promise would be true.
        chosen: The point of the curve that keeps the promise with most coverage; None without a promise.
        labels: Independent labelled claims that the promise rests on, at most one of each answer.
        support: From the raw score to the probability that the sources support the claim.
        contradiction: The same for contradiction; None when there were too few contradicted claims to tell.
        curve: Risk against coverage, highest threshold first.
        reliability: Predicted against observed, lowest first.
        ece_before: Expected calibration error of the raw score read as a probability.
        ece_after: The same of the fitted probability, each claim predicted from other claims.
        scores: Raw scores of the labelled claims, sorted, at most ``KEPT_SCORES`` of them evenly spaced.
        notes: What a person should know of the labels.
    """

    verifier: VerifierRef
    error_rate: float | None = Field(default=None, gt=0.0, lt=1.0)
    confidence: float = Field(gt=0.0, lt=1.0)
    chosen: RiskPoint | None = None
    labels: int = Field(ge=1)
    support: Scaling
    contradiction: Scaling | None = None
    curve: tuple[RiskPoint, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    ece_before: float = Field(ge=0.0, le=1.0)
    ece_after: float = Field(ge=0.0, le=1.0)
    scores: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.error_rate is None) != (self.chosen is None):
            raise ValueError("a promise needs a threshold, and a threshold a promise")
        if self.chosen is not None and self.error_rate is not None and self.chosen.bound > self.error_rate + 1e-9:
            raise ValueError("the chosen threshold does not keep the promise")
        if any(low > high for low, high in zip(self.scores, self.scores[1:], strict=False)):
            raise ValueError("the scores must be sorted")
        return self

    @property
    def threshold(self) -> float:
        """Least raw score that is called supported; 0 when nothing is promised."""
        return self.chosen.threshold if self.chosen is not None else 0.0

    @property
    def promise(self) -> str:
        """What is promised, in words; empty when nothing is."""
        if self.error_rate is None:
            return ""
        return (
            f"at most {100 * self.error_rate:.3g} % of what is called supported is not, "
            f"at {100 * self.confidence:.3g} % confidence ({self.labels} labels)"
        )
