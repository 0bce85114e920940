"""The default verifier: the small network of the package beside counts of what the evidence lacks."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from grounded.models.entailment import EntailmentNetwork, Logits, default_network
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.text.sentences import sentences
from grounded.verification.analysis import Analysis, analyse, stems_of
from grounded.verification.features import NAMES, covered, features
from grounded.verification.phrases import is_title
from grounded.verification.wording import as_written

ENOUGH = 0.8
"""Share of what a whole context covers of a claim that one of its sentences must cover to be shown alone."""
ABOUT = 0.6
"""Share of a claim's content that a context must have before it may contradict; or all of it but one word."""
_ANSWERS = re.compile(r"[?？]\s+\S")
"""A fragment that stands behind its question. Why it is the answer often takes a step from one sentence to another, and
the network takes what it cannot follow for the contrary: of 19 such claims that it contradicted 17 were right."""
NETWORK_NAMES = ("network", "worst_word", "mean_word")
"""What is taken of the network for support, before ``features.NAMES``."""


class TrainedModel:
    """An ``EntailmentModel`` trained by this project; its numbers are probabilities. Thread-safe.

    A claim longer than the network reads is judged in pieces, and is supported only as far as every one of them is. Its
    values are read as the source writes them.

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
        cut = {claim: self._network.pieces(claim) for claim in {claim for _, claim in pairs}}
        pieces = [[(context, piece, as_written(piece, context)) for piece in cut[claim]] for context, claim in pairs]
        logits = iter(self._network.read([(context, read) for own in pieces for context, _, read in own]))
        answers = [bool(_ANSWERS.search(claim)) for _, claim in pairs]
        return [
            _together([self._judgement(*piece, next(logits), is_answer=is_answer) for piece in own])
            for own, is_answer in zip(pieces, answers, strict=True)
        ]

    def _judgement(self, context: str, claim: str, read: str, logits: Logits, *, is_answer: bool) -> Judgement:
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
        contradiction = (1.0 - support) * against if is_about and not is_answer else 0.0
        return Judgement(
            support,
            contradiction,
            1.0 - support - contradiction,
            span=deciding(context, claim, against=contradiction > support),
            reason=_reason(claim, _doubtful(read, logits), support, contradiction),
        )


def _together(pieces: Sequence[Judgement]) -> Judgement:
    """The judgement of a claim from those of its pieces: the least support, the most contradiction."""
    weakest = min(pieces, key=lambda each: each.support)
    against = max(pieces, key=lambda each: each.contradiction)
    support, contradiction = weakest.support, against.contradiction
    shown = against if contradiction > support else weakest
    return replace(shown, support=support, contradiction=contradiction, neither=1.0 - support - contradiction)


def network_features(logits: Logits) -> tuple[float, float, float]:
    """The log odds of support, and how unsupported the worst and the average word of the claim are, in [0, 1]."""
    words = [_sigmoid(logit) for _, _, logit in logits.words] or [1.0]
    other = max(logits.contradicted, logits.neither)
    rest = other + math.log1p(math.exp(min(logits.contradicted, logits.neither) - other))
    return logits.supported - rest, max(words), sum(words) / len(words)


def deciding(context: str, claim: str, *, against: bool = False) -> tuple[int, int] | None:
    """The sentence of a context that covers nearly all of a claim that the whole covers; None when none does.

    Args:
        context: The evidence.
        claim: The claim's text.
        against: Whether a sentence that speaks against it is looked for: another value stands there in the place of
            the claim's, so the words decide, and of sentences with the same words one with a value of that kind.
    """
    mine = analyse(claim)
    kinds = {quantity.kind for quantity in mine.quantities}
    least = ENOUGH * _share(mine, context, against)
    found: list[tuple[bool, bool, float, int, int, int]] = []
    for span in sentences(context):
        text = span.slice(context)
        share = _share(mine, text, against)
        if share >= least and share > 0.0:
            other = against and any(quantity.kind in kinds for quantity in analyse(text).quantities)
            # A heading names a thing and says nothing of it.
            found.append((other, not is_title(text), share, -len(span), span.start, span.end))
    return max(found)[4:] if found else None


def _share(claim: Analysis, text: str, words_alone: bool) -> float:
    """How much of a claim a text has; of its words alone, where it has any."""
    if words_alone and claim.stems:
        return len(claim.stems & stems_of(text)) / len(claim.stems)
    return covered(claim, text)


def _reason(claim: str, doubtful: Sequence[str], support: float, contradiction: float) -> str:
    if support >= 0.5:
        return "the source says so in other words"
    shown = ", ".join(repr(words) for words in doubtful if words in claim)
    tail = f": {shown}" if shown else ""
    return f"the source speaks against it{tail}" if contradiction >= 0.5 else f"the source does not say all of it{tail}"


def _doubtful(claim: str, logits: Logits) -> list[str]:
    """The words of a claim that the network finds unsupported, whole and in order, at most a few."""
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
    return [claim[start:end] for start, end in spans[:3]]


def _sigmoid(number: float) -> float:
    if number >= 0:
        return 1.0 / (1.0 + math.exp(-number))
    small = math.exp(number)
    return small / (1.0 + small)
