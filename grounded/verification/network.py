"""The default verifier: the small network of the package beside counts of what the evidence lacks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from grounded.models.entailment import EntailmentNetwork, Logits, default_network
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.text.sentences import sentences
from grounded.verification.analysis import analyse
from grounded.verification.features import NAMES, covered, features

ENOUGH = 0.8
"""Share of what a whole context covers of a claim that one of its sentences must cover to be shown alone."""
ABOUT = 0.6
"""Share of a claim's content that a context must have before it may contradict; or all of it but one word."""
NETWORK_NAMES = ("network", "worst_word", "mean_word")
"""What is taken of the network for support, before ``features.NAMES``."""


class TrainedModel:
    """An ``EntailmentModel`` trained by this project; its numbers are probabilities. Thread-safe.

    Support is a logistic function of the network's logits and of :mod:`grounded.verification.features`, at most a
    fixed step above what the network alone says; its weights stand in the model's ``build.json``, fitted by
    ``training/verifier/fit.py`` on rows that the network never saw. Contradiction is the network's share of what
    support leaves.

    Args:
        network: Another network of the same kind; that of the package by default.
    """

    def __init__(self, network: EntailmentNetwork | None = None) -> None:
        self._network = network if network is not None else default_network()
        stack = self._network.manifest["stack"]
        self._weights: Mapping[str, float] = stack["weights"]
        self._bias = float(stack["bias"])
        self._ceiling = float(stack["ceiling"])

    @property
    def ref(self) -> VerifierRef:
        """Name and identity of the model."""
        name, _, version = self._network.identity.partition("@")
        return VerifierRef(name=name, version=version, arguments={}, calibrated=True)

    def cannot_read(self, claim: str) -> str:
        """Why a claim cannot be judged: the model was trained on English; empty when it can."""
        return "" if analyse(claim).is_english else "the model reads English only, and no source says it in these words"

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """Judge ``(context, claim)`` pairs, in the order given.

        Raises:
            ModelFileError: A model file is missing or corrupted.
        """
        return [
            self._judgement(context, claim, logits)
            for (context, claim), logits in zip(pairs, self._network.read(pairs), strict=True)
        ]

    def _judgement(self, context: str, claim: str, logits: Logits) -> Judgement:
        measured = dict(
            zip((*NETWORK_NAMES, *NAMES), (*network_features(logits), *features(claim, context)), strict=True)
        )
        odds = self._bias + sum(self._weights[name] * value for name, value in measured.items())
        # Words in common do not outvote a network that is sure of the contrary.
        support = _sigmoid(min(odds, measured["network"] + self._ceiling))
        against = _sigmoid(logits.contradicted - logits.neither)
        # Evidence speaks against a claim only when it is about the same thing.
        absent = round((1.0 - measured["coverage"]) * len(analyse(claim).items))
        is_about = measured["coverage"] >= ABOUT or (measured["coverage"] > 0.0 and absent <= 1)
        contradiction = (1.0 - support) * against if is_about else 0.0
        return Judgement(
            support,
            contradiction,
            1.0 - support - contradiction,
            span=deciding(context, claim),
            reason=_reason(claim, logits, support, contradiction),
        )


def network_features(logits: Logits) -> tuple[float, float, float]:
    """The log odds of support, and how unsupported the worst and the average word of the claim are, in [0, 1]."""
    words = [_sigmoid(logit) for _, _, logit in logits.words] or [1.0]
    other = max(logits.contradicted, logits.neither)
    rest = other + math.log1p(math.exp(min(logits.contradicted, logits.neither) - other))
    return logits.supported - rest, max(words), sum(words) / len(words)


def deciding(context: str, claim: str) -> tuple[int, int] | None:
    """The sentence of a context that covers nearly all of a claim that the whole covers; None when none does."""
    mine = analyse(claim)
    found = [(covered(mine, span.slice(context)), -len(span), span.start, span.end) for span in sentences(context)]
    whole = covered(mine, context)
    if not found or whole == 0.0:
        return None
    share, _, start, end = max(found)
    return (start, end) if share >= ENOUGH * whole else None


def _reason(claim: str, logits: Logits, support: float, contradiction: float) -> str:
    if support >= 0.5:
        return "the source says so in other words"
    doubtful = _doubtful(claim, logits)
    tail = f": {doubtful}" if doubtful else ""
    return f"the source speaks against it{tail}" if contradiction >= 0.5 else f"the source does not say all of it{tail}"


def _doubtful(claim: str, logits: Logits) -> str:
    """The words of the claim that the network finds unsupported, whole and in order, at most a few."""
    spans: list[tuple[int, int]] = []
    for start, end, logit in logits.words:
        if logit < 0.0:
            continue
        while start and claim[start - 1].isalnum():
            start -= 1
        while end < len(claim) and claim[end].isalnum():
            end += 1
        if spans and start <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return ", ".join(repr(claim[start:end]) for start, end in spans[:3])


def _sigmoid(number: float) -> float:
    if number >= 0:
        return 1.0 / (1.0 + math.exp(-number))
    small = math.exp(number)
    return small / (1.0 + small)
