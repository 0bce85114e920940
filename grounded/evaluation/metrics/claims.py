"""Metrics of claims and citations, counted from the verifier's report."""

from __future__ import annotations

from collections.abc import Sequence

from grounded.evaluation.metrics.base import Measure, Sample, metric, missing, numbered, share
from grounded.records import Citation, Claim, MetricValue, Report

_NOTHING = "Nothing was said that can be checked."


def groundedness() -> Measure:
    """Supported claims among those checked."""

    @metric("groundedness", "Groundedness", needs=("report",), per_claim=True)
    def measured(sample: Sample) -> MetricValue:
        """Supported claims / (supported + contradicted + unsupported + not checkable), by the embedded verifier."""
        checked = _checked(sample.report)
        right = sum(claim.is_supported for claim in checked)
        reason = f"{right} of {numbered(len(checked), 'claim')} supported." + _first_failing(checked)
        return share(measured.card, right, len(checked), reason, _NOTHING)

    return measured


def faithfulness() -> Measure:
    """How faithful the answer is on average over its claims."""

    @metric("faithfulness", "Faithfulness", needs=("report",))
    def measured(sample: Sample) -> MetricValue:
        """The mean over claims of how likely they are supported.

        Finer than groundedness for ranking answers; chosen among seven ways by ``benchmarks/faithfulness.py``.
        """
        checked = _checked(sample.report)
        if not checked:
            return missing(measured.card, _NOTHING)
        known = [likely for claim in checked if (likely := _likely(claim)) is not None]
        if len(known) < len(checked):
            lost = numbered(len(checked) - len(known), "claim")
            return MetricValue(metric=measured.card.name, status="failed", reason=f"{lost} could not be checked.")
        reason = f"Least: {min(known):.2f}, of {numbered(len(known), 'claim')}." + _first_failing(checked)
        return MetricValue(metric=measured.card.name, value=sum(known) / len(known), reason=reason)

    return measured


def citation_precision() -> Measure:
    """Correct citations among those made."""

    @metric("citation_precision", "Citation precision", needs=("report",), per_claim=True)
    def measured(sample: Sample) -> MetricValue:
        """Cited (claim, passage) pairs whose passage supports the claim / all cited pairs (ALCE, Gao et al. 2023)."""
        pairs = _pairs(sample.report)
        right = sum(each.status == "correct" for each in pairs)
        wrong = [f"{each.marker} {each.status}" for each in pairs if each.status != "correct"]
        reason = f"{right} of {numbered(len(pairs), 'citation')} correct." + (
            f" {', '.join(wrong[:3])}." if wrong else ""
        )
        return share(measured.card, right, len(pairs), reason, "Nothing is cited.")

    return measured


def citation_recall() -> Measure:
    """Supported claims with a correct citation."""

    @metric("citation_recall", "Citation recall", needs=("report",), per_claim=True)
    def measured(sample: Sample) -> MetricValue:
        """Supported claims with at least one correct marker / supported claims (ALCE, Gao et al. 2023)."""
        supported = sample.report.supported if sample.report else ()
        cited = sum(any(each.status == "correct" for each in claim.citations) for claim in supported)
        reason = f"{cited} of {numbered(len(supported), 'supported claim')} cited correctly."
        return share(measured.card, cited, len(supported), reason, "No claim is supported.")

    return measured


def _checked(report: Report | None) -> list[Claim]:
    return [claim for claim in report.claims if claim.verdict != "not_a_claim"] if report else []


def _likely(claim: Claim) -> float | None:
    """How well a claim is supported: its probability, else its raw score; None when the check failed."""
    return claim.support if claim.support is not None else claim.score


def _first_failing(checked: Sequence[Claim]) -> str:
    failing = next((claim for claim in checked if not claim.is_supported), None)
    if failing is None:
        return ""
    said = failing.text if len(failing.text) <= 80 else f"{failing.text[:79]}…"
    return f" {failing.verdict}: “{said}”" + (f" ({failing.reason})" if failing.reason else "")


def _pairs(report: Report | None) -> list[Citation]:
    """The citations that ``Report.citation_precision`` counts."""
    if report is None:
        return []
    cited = [each for claim in _checked(report) for each in claim.citations if each.status != "redundant"]
    return cited + [each for each in report.stray_citations if each.status == "dangling"]
