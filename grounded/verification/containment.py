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
from grounded.verification.objections import Kind, Objection, Ruling

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
ELSEWHERE = "no source says this in these words"
FOREIGN = "only word-for-word containment is judged in this language"
ANOTHER_ORDER = "the source has these words in another order"
OTHER_WAY_ROUND = Objection("doubt", "the source has these names the other way round")
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
        return [self._rule(window, analyse(claim)) for window, claim in pairs]

    def _rule(self, text: str, claim: Analysis) -> Ruling:
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
            exchanged = exchanged_name(claim, analyse(text)) if alike else None
            return _neither(1.0 - missing / len(claim.items), exchanged or ELSEWHERE)
        window = analyse(text)
        if len(window.items) < min(self.support_coverage, self.conflict_overlap) * len(claim.items):
            return _neither(len(window.items) / len(claim.items), ELSEWHERE)
        keys = window_keys(claim, window, agreeing=True)
        share = coverage(claim, keys)
        clash = self._clash(window, claim, share)
        if clash:
            return _against("denial", clash)
        if share < self.support_coverage:
            return _neither(share, ELSEWHERE)
        return self._supported(window, claim, keys)

    def _clash(self, window: Analysis, claim: Analysis, share: float) -> str:
        if not claim.quantities or not window.quantities or share == 0.0:
            return ""
        clash = slot_conflict(claim, window, least_overlap=self.conflict_overlap)
        return clash.reason(claim, window) if clash else ""

    def _supported(self, window: Analysis, claim: Analysis, keys: Sequence[str]) -> Ruling:
        exact = verbatim(claim, window)
        if exact is None and claim.is_unspaced:
            return _neither(self.support_coverage, FOREIGN)
        found = exact or align(claim, window, keys)
        english = claim.is_english and window.is_english
        if negation_flip(claim, window, found):
            return _against("opposite", "the source says the opposite")
        if found.score < self.support_coverage:
            return _neither(found.score, OTHER_WAY_ROUND if _names_turned(claim, window) else ANOTHER_ORDER)
        if exact is None and not english:
            return _neither(found.score, FOREIGN)
        against = (verbatim_objection if exact else objection)(claim, window, found)
        if against:
            return _neither(found.score, against)
        return Ruling(found.score, 0.0, 1.0 - found.score, reason="the source says it in these words")


def _reckoned(found: Calculation) -> Ruling:
    if found.holds:
        return Ruling(1.0, 0.0, 0.0, reason=f"{CALCULATED}{found.shown}")
    return _neither(0.0, Objection("denial", f"the numbers of the source give {found.shown}"))


def _names_turned(claim: Analysis, window: Analysis) -> bool:
    """Whether two names have changed places and no passive voice explains it."""
    mine = [item.key for item in claim.items if item.is_name]
    theirs = [item.key for item in window.items if item.is_name and item.key in mine]
    return len(set(mine)) > 1 and mine != theirs and not {"by"} & (claim.words | window.words)


def _against(kind: Kind, reason: str) -> Ruling:
    return Ruling(0.0, 0.9, 0.1, reason=reason, objection=Objection(kind, reason))


def _neither(score: float, why: Objection | str) -> Ruling:
    """Neither: the score still says how close it came, below one half so that nobody takes it for support."""
    against = why if isinstance(why, Objection) else Objection("distance", why)
    support = min(score, 1.0) * _BELOW_HALF
    return Ruling(support, 0.0, 1.0 - support, reason=against.reason, objection=against)
