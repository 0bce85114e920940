"""The verifier without a model: a claim is supported when a source says it in (nearly) the same words."""

from __future__ import annotations

from collections.abc import Sequence

from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.verification.agreement import CALCULATED
from grounded.verification.alignment import align, coverage, verbatim, window_keys
from grounded.verification.analysis import Analysis, analyse, stems_of
from grounded.verification.arithmetic import Calculation, calculation, may_reckon
from grounded.verification.checks import negation_flip, objection, slot_conflict, verbatim_objection
from grounded.verification.exchanges import exchanged_name

SUPPORT_COVERAGE = 0.9
"""Share of a claim's content that must stand, in order, in one window.

Measured on Fool Me Twice (2,549 adversarial claims): at 0.85, 5 of 23 claims called supported were refuted ones
with a changed adjective; at 0.9, with the checks of what lies between the words, 1 of 15. Between verbatim sentences
and their number-changed copies it makes no difference.
"""
CONFLICT_OVERLAP = 0.9
"""Share of a claim, its differing value counted as found, before that value is a conflict."""
ALIKE = 0.7
"""Share of a claim that must stand in a window before another name in it is held against the claim."""
LEAST_ITEMS = 2
"""Content words and quantities a claim needs before containment says anything about it."""
MISCALCULATED = "the numbers of the source give"
OPPOSITE = "the source says the opposite"
ANOTHER_ORDER = "the source has these words in another order"
OTHER_WAY_ROUND = "the source has these names the other way round"
_DENIALS = (
    OPPOSITE,
    MISCALCULATED,
    "the source does not give the unit",
    "the source does not name",
    "no column of the source",
    "the source only asks",
    "one of claim and source is negated",
)
"""How reasons begin that a model may not overrule."""
_DOUBTS = (
    OTHER_WAY_ROUND,
    "the source limits",
    "the source is less certain",
    "the source restricts it",
    "the source does not go as far",
    "the source speaks of",
    "the source names",
)
"""How reasons begin that only a model that is sure may overrule; what merely stands further apart any may."""
SURE = 0.75
"""Least support of a model that overrules a doubt. Doubts are there for claims with one word changed; of claims that
people labelled, 86 % of those doubted were supported (8,000 claims of eight sets)."""
_BELOW_HALF = 0.49


class ContainmentModel:
    """An ``EntailmentModel`` that sees words, numbers, names and negation, and no meaning.

    It is precise and blind: what a source says in other words is ``neither``. Its numbers are not probabilities.
    Thread-safe.

    Attributes:
        support_coverage: Share of the claim's items that must be found, in [0, 1].
        conflict_overlap: The same share before a differing value is a conflict, in [0, 1].
    """

    def __init__(
        self, *, support_coverage: float = SUPPORT_COVERAGE, conflict_overlap: float = CONFLICT_OVERLAP
    ) -> None:
        self.support_coverage = support_coverage
        self.conflict_overlap = conflict_overlap

    @property
    def ref(self) -> VerifierRef:
        """Name, version and thresholds."""
        return VerifierRef(
            name="containment",
            version="1",
            arguments={"support_coverage": self.support_coverage, "conflict_overlap": self.conflict_overlap},
            calibrated=False,
        )

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """Judge ``(window, claim)`` pairs, in the order given."""
        return [self._judge(window, analyse(claim)) for window, claim in pairs]

    def _judge(self, text: str, claim: Analysis) -> Judgement:
        if len(claim.items) < LEAST_ITEMS:
            return _neither(0.0, "too short to be checked on its own")
        if may_reckon(claim):
            found = calculation(claim, analyse(text))
            if found is not None:
                return _reckoned(found)
        # Most windows fall here, before the costlier reading of their numbers.
        stems = stems_of(text)
        missing = sum(item.quantity < 0 and item.key not in stems for item in claim.items)
        if missing > (1.0 - min(self.support_coverage, self.conflict_overlap)) * len(claim.items):
            alike = missing <= (1.0 - ALIKE) * len(claim.items)
            reason = exchanged_name(claim, analyse(text)) if alike else ""
            return _neither(1.0 - missing / len(claim.items), reason or "no source says this in these words")
        window = analyse(text)
        if len(window.items) < min(self.support_coverage, self.conflict_overlap) * len(claim.items):
            return _neither(len(window.items) / len(claim.items), "no source says this in these words")
        keys = window_keys(claim, window)
        share = coverage(claim, keys)
        clash = self._clash(window, claim, share)
        if clash:
            return Judgement(0.0, 0.9, 0.1, reason=clash)
        if share < self.support_coverage:
            return _neither(share, "no source says this in these words")
        return self._supported(window, claim, keys)

    def _clash(self, window: Analysis, claim: Analysis, share: float) -> str:
        if not claim.quantities or not window.quantities or share == 0.0:
            return ""
        clash = slot_conflict(claim, window, least_overlap=self.conflict_overlap)
        return clash.reason(claim, window) if clash else ""

    def _supported(self, window: Analysis, claim: Analysis, keys: Sequence[str]) -> Judgement:
        exact = verbatim(claim, window)
        if exact is None and claim.is_unspaced:
            return _neither(self.support_coverage, "only word-for-word containment is judged in this language")
        found = exact or align(claim, window, keys)
        english = claim.is_english and window.is_english
        if negation_flip(claim, window, found):
            return Judgement(0.0, 0.9, 0.1, reason=OPPOSITE)
        if found.score < self.support_coverage:
            return _neither(found.score, OTHER_WAY_ROUND if _names_turned(claim, window) else ANOTHER_ORDER)
        if exact is None and not english:
            return _neither(found.score, "only word-for-word containment is judged in this language")
        speaks_against = verbatim_objection if exact else objection
        reason = speaks_against(claim, window, found)
        if reason:
            return _neither(found.score, reason)
        return Judgement(found.score, 0.0, 1.0 - found.score, reason="the source says it in these words")


def _reckoned(found: Calculation) -> Judgement:
    if found.holds:
        return Judgement(1.0, 0.0, 0.0, reason=f"{CALCULATED}{found.shown}")
    return _neither(0.0, f"{MISCALCULATED} {found.shown}")


def _names_turned(claim: Analysis, window: Analysis) -> bool:
    """Whether two names have changed places and no passive voice explains it."""
    mine = [item.key for item in claim.items if item.is_name]
    theirs = [item.key for item in window.items if item.is_name and item.key in mine]
    return len(set(mine)) > 1 and mine != theirs and not {"by"} & (claim.words | window.words)


def overruled_by(judgement: Judgement) -> float:
    """The support that a model must find where the claim's words stand and seem to say something else.

    More than 1 where no model may; 0 where nothing seems so.
    """
    reason = judgement.reason
    if reason.startswith(_DENIALS) or "' stands against '" in reason or "' where the sentence says '" in reason:
        return 1.1
    return SURE if reason.startswith(_DOUBTS) else 0.0


def _neither(score: float, reason: str) -> Judgement:
    """Neither: the score still says how close it came, below one half so that nobody takes it for support."""
    support = min(score, 1.0) * _BELOW_HALF
    return Judgement(support, 0.0, 1.0 - support, reason=reason)
