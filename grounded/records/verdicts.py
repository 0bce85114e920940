"""Claims, their verdicts and the report that adds them up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, Self, get_args

from pydantic import AwareDatetime, Field, model_validator

from grounded.errors import UsageError
from grounded.records.base import Record, Span
from grounded.records.documents import Passage
from grounded.records.evidence import Citation, Evidence

Verdict = Literal["supported", "contradicted", "unsupported", "not_a_claim", "check_failed"]
HumanVerdict = Literal["supported", "contradicted", "unsupported", "not_a_claim"]
Policy = Literal["flag", "strip", "abstain", "repair"]
"""What is done about sentences that are not supported; see ``grounded.verification.policies``."""

_WORST_FIRST: tuple[Verdict, ...] = (
    "contradicted",
    "check_failed",
    "unsupported",
    "supported",
    "not_a_claim",
)

Probability = Field(default=None, ge=0.0, le=1.0)


class ClaimPart(Record):
    """A part of a claim, a clause or the cell of a table, with a verdict of its own; ``span`` lies in the answer."""

    text: str
    span: Span
    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""


class Review(Record):
    """What a person says of a verdict; it stands beside the verdict and never replaces it.

    Attributes:
        verdict: What the person holds to be right; the verifier's own when they accept it.
        by: Who says so.
        at: When, with a time zone.
    """

    verdict: HumanVerdict
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    at: AwareDatetime


class Claim(Record):
    """One sentence of an answer and what the sources say about it.

    Attributes:
        text: ``answer[span]``.
        support: Probability that the sources support it; None while uncalibrated or failed.
        contradiction: Probability that they contradict it; None while uncalibrated or failed.
        score: The verifier's raw number in [0, 1], higher means better supported; None when nothing was scored.
        conflict: Sources disagree, and none of them is in force over the others.
        evidence: Best first; both sides when the sources conflict.
        citations: The markers that belong to this sentence.
        reason: Why, in words.
        reviews: What people said of the verdict, in the order they said it; figures never follow from it.
    """

    text: str
    span: Span
    verdict: Verdict
    support: float | None = Probability
    contradiction: float | None = Probability
    score: float | None = Probability
    conflict: bool = False
    parts: tuple[ClaimPart, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    citations: tuple[Citation, ...] = ()
    reason: str = ""
    reviews: tuple[Review, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(self.span) != len(self.text):
            raise ValueError("the span of a claim must be as long as its text")
        if self.parts and self.verdict != worst_verdict(part.verdict for part in self.parts):
            raise ValueError("the verdict of a claim is the worst of its parts")
        if self.verdict == "check_failed" and (self.support is not None or self.contradiction is not None):
            raise ValueError("a failed check has no probabilities")
        return self

    @property
    def is_supported(self) -> bool:
        """Whether the verdict is ``supported``."""
        return self.verdict == "supported"

    @property
    def is_partly_supported(self) -> bool:
        """Whether the claim is not supported although a part of it is; ``parts`` says which."""
        return not self.is_supported and any(part.verdict == "supported" for part in self.parts)

    @property
    def neither(self) -> float | None:
        """Probability that the sources neither support nor contradict it; None while uncalibrated or failed."""
        if self.support is None or self.contradiction is None:
            return None
        return max(0.0, 1.0 - self.support - self.contradiction)


class VerifierRef(Record):
    """Which verifier judged, with the arguments it was built with."""

    name: str
    version: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    calibrated: bool = False


class Report(Record):
    """What the verifier found, sentence by sentence.

    Build it with ``Report.of``: the figures follow from the claims, and a report whose figures do not is refused.

    Attributes:
        groundedness: ``supported / (supported + contradicted + unsupported + check_failed)``; None when there
            is nothing to check.
        complete: False when anything is ``check_failed``.
        citation_precision: Cited (claim, passage) pairs whose passage supports the claim / all cited pairs;
            None without citations. After ALCE (Gao et al. 2023, section 3).
        citation_recall: Supported claims with at least one correct marker / supported claims; None without
            supported claims.
        citations: Every marker of the answer in order, those outside claims too.
        text: The answer the report speaks of: the one returned.
        policy: What was to be done about sentences that are not supported.
        original: What was found in the answer as written, when that is not ``text``: a policy changed it, or it is
            withheld.
        on: The day that decided which sources are in force; None when it is not known.
    """

    claims: tuple[Claim, ...]
    groundedness: float | None = Probability
    complete: bool
    citation_precision: float | None = Probability
    citation_recall: float | None = Probability
    verifier: VerifierRef
    passages: tuple[Passage, ...] = ()
    stray_citations: tuple[Citation, ...] = ()
    warnings: tuple[str, ...] = ()
    text: str
    policy: Policy = "flag"
    original: Report | None = None
    on: date | None = None

    @classmethod
    def of(
        cls,
        claims: Iterable[Claim],
        *,
        text: str,
        passages: Sequence[Passage],
        verifier: VerifierRef,
        stray_citations: Iterable[Citation] = (),
        warnings: Iterable[str] = (),
        policy: Policy = "flag",
        original: Report | None = None,
        on: date | None = None,
    ) -> Report:
        """A report whose figures are computed from its claims."""
        kept, stray = tuple(claims), tuple(stray_citations)
        return cls(
            claims=kept,
            **_figures(kept, stray),
            verifier=verifier,
            passages=tuple(passages),
            stray_citations=stray,
            warnings=tuple(warnings),
            text=text,
            policy=policy,
            original=original,
            on=on,
        )

    @model_validator(mode="after")
    def _figures_follow_from_claims(self) -> Self:
        for name, expected in _figures(self.claims, self.stray_citations).items():
            if getattr(self, name) != expected:
                raise ValueError(f"{name} must be {expected!r}, which is what the claims say")
        if any(claim.span.slice(self.text) != claim.text for claim in self.claims):
            raise ValueError("every claim must be a slice of the report's text")
        if self.original is not None and self.original.original is not None:
            raise ValueError("an original has no original of its own")
        return self

    @property
    def is_withheld(self) -> bool:
        """Whether nothing of the answer as written is returned."""
        return self.original is not None and not self.claims

    @property
    def supported(self) -> tuple[Claim, ...]:
        """Claims with that verdict, in order."""
        return self._with("supported")

    @property
    def contradicted(self) -> tuple[Claim, ...]:
        """Claims with that verdict, in order."""
        return self._with("contradicted")

    @property
    def unsupported(self) -> tuple[Claim, ...]:
        """Claims with that verdict, in order."""
        return self._with("unsupported")

    @property
    def failed(self) -> tuple[Claim, ...]:
        """Claims whose check failed, in order."""
        return self._with("check_failed")

    @property
    def uncited(self) -> tuple[Claim, ...]:
        """Supported claims without any marker, in order: what ``grounded.cite`` would add markers to."""
        return tuple(claim for claim in self.supported if not claim.citations)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every marker of the answer, in order of place."""
        found = [citation for claim in self.claims for citation in claim.citations]
        return tuple(sorted([*found, *self.stray_citations], key=lambda citation: citation.span.start))

    def worst(self, count: int = 1) -> tuple[Claim, ...]:
        """The ``count`` claims that most need a look: worst verdict first, then lowest score, then order."""
        ranked = sorted(
            (claim for claim in self.claims if claim.verdict not in ("supported", "not_a_claim")),
            key=lambda claim: (_WORST_FIRST.index(claim.verdict), claim.score or 0.0, claim.span.start),
        )
        return tuple(ranked[:count])

    def review(
        self,
        claim: int,
        *,
        by: str,
        reason: str,
        verdict: HumanVerdict | None = None,
        at: datetime | None = None,
    ) -> Report:
        """This report with what a person says of one verdict; the verdict and all figures stay as they are.

        Args:
            claim: Place in ``claims``, from 0.
            by: Who says so.
            reason: Why, in their words.
            verdict: What they hold to be right; None accepts what the verifier said.
            at: When, with a time zone; now by default.

        Raises:
            UsageError: There is no such claim, a name, reason or time zone is missing, or a failed check is accepted.
        """
        if not 0 <= claim < len(self.claims):
            raise UsageError(f"There is no claim {claim} in a report of {len(self.claims)}.", fix="Count from 0.")
        judged = self.claims[claim]
        held = judged.verdict if verdict is None else verdict
        if held == "check_failed":
            raise UsageError("A check that failed has no verdict to accept.", fix="Say which verdict is right.")
        if held not in get_args(HumanVerdict):
            raise UsageError(f"{held!r} is no verdict.", fix=f"Allowed: {', '.join(get_args(HumanVerdict))}.")
        if not by.strip() or not reason.strip():
            raise UsageError("A review needs a name and a reason.")
        when = at if at is not None else datetime.now(UTC).replace(microsecond=0)
        if when.tzinfo is None:
            raise UsageError("The time of a review needs a time zone.", fix="For example datetime.now(UTC).")
        added = Review(verdict=held, by=by.strip(), reason=reason.strip(), at=when)
        reviewed = judged.model_copy(update={"reviews": (*judged.reviews, added)})
        return self.model_copy(update={"claims": (*self.claims[:claim], reviewed, *self.claims[claim + 1 :])})

    def labels(self) -> tuple[tuple[float, bool], ...]:
        """Raw score and whether a person holds it supported, for each scored claim that was reviewed.

        The last review of a claim counts. What a person calls no claim is left out. Made for calibration.
        """
        reviewed = [(claim.score, claim.reviews[-1].verdict) for claim in self.claims if claim.reviews]
        return tuple(
            (score, verdict == "supported")
            for score, verdict in reviewed
            if score is not None and verdict != "not_a_claim"
        )

    def explain(self) -> str:
        """The report in a few plain lines: each claim, its verdict, why, and the evidence that decides."""
        from grounded.render.plain import report_plain

        return report_plain(self)

    def to_html(self, *, title: str = "Verification report") -> str:
        """The report as one page for people: no script, nothing loaded from elsewhere, foreign text escaped."""
        from grounded.render.html import report_html

        return report_html(self, title=title)

    def to_markdown(self, *, title: str = "Verification report") -> str:
        """The report as Markdown; foreign text is escaped."""
        from grounded.render.markdown import report_markdown

        return report_markdown(self, title=title)

    def _with(self, verdict: Verdict) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.claims if claim.verdict == verdict)


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole from its parts: contradicted < check_failed < unsupported < supported.

    Parts that are no claim do not count; when all are, or there are none, neither is the whole.
    """
    return min(verdicts, key=_WORST_FIRST.index, default="not_a_claim")


def groundedness_of(verdicts: Iterable[Verdict]) -> float | None:
    """``supported / (supported + contradicted + unsupported + check_failed)``; None when nothing is to check."""
    checked = [verdict for verdict in verdicts if verdict != "not_a_claim"]
    return checked.count("supported") / len(checked) if checked else None


def _figures(claims: Sequence[Claim], stray: Sequence[Citation]) -> dict[str, Any]:
    supported = [claim for claim in claims if claim.is_supported]
    # ALCE counts (claim, passage) pairs: citing one passage twice for one claim is one pair, not two.
    pairs = [
        c for claim in claims if claim.verdict != "not_a_claim" for c in claim.citations if c.status != "redundant"
    ]
    pairs += [citation for citation in stray if citation.status == "dangling"]
    correct = sum(citation.status == "correct" for citation in pairs)
    cited = sum(any(c.status == "correct" for c in claim.citations) for claim in supported)
    return {
        "groundedness": groundedness_of(claim.verdict for claim in claims),
        "complete": all(claim.verdict != "check_failed" for claim in claims),
        "citation_precision": correct / len(pairs) if pairs else None,
        "citation_recall": cited / len(supported) if supported else None,
    }
