"""Labelled claims from what people have: pairs of score and label, labelled answers, and reviewed reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from grounded.errors import UsageError
from grounded.records import Claim, Evidence, Report, VerifierRef

if TYPE_CHECKING:
    from grounded.verification.verifying import Verifier

Label = bool | Literal["supported", "contradicted", "unsupported"] | None
"""What a person says of a claim; ``True`` is ``supported``, ``False`` not supported, None not looked at."""

_WORDS: tuple[Literal["supported", "contradicted", "unsupported"], ...] = ("supported", "contradicted", "unsupported")


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled claim.

    Attributes:
        score: The verifier's raw score, ``Claim.score``, in [0, 1].
        is_supported: What a person says.
        called: Whether the verifier without calibration calls it supported; only such claims can be promised.
        contradiction: Raw score of the strongest evidence against it, in [0, 1]; 0 when none was found.
        is_contradicted: What a person says; None when not asked.
        group: What claims that are not independent share, such as their answer; None: independent of all others.
    """

    score: float
    is_supported: bool
    called: bool = True
    contradiction: float = 0.0
    is_contradicted: bool | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        for number in (self.score, self.contradiction):
            if not _is_share(number):
                raise UsageError(f"A score must be a number in [0, 1], not {number!r}.")
        if self.is_supported not in (True, False):
            raise UsageError(f"Whether a claim is supported must be true or false, not {self.is_supported!r}.")


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was read.

    Attributes:
        examples: The labelled claims, in order.
        verifier: The verifier that every report among them names; None without reports.
        skipped: Labelled claims whose check failed, so that they have no score.
    """

    examples: tuple[Example, ...]
    verifier: VerifierRef | None
    skipped: int


def labelled(items: Iterable[Any], verifier: Verifier) -> Labelled:
    """Read labelled claims of any of the forms that ``calibrate`` takes.

    Raises:
        UsageError: An item is none of them, its labels do not fit its claims, or reports name several verifiers.
    """
    if isinstance(items, str | bytes | Mapping | Report) or not isinstance(items, Iterable):
        raise UsageError(f"Labelled examples must be a list of them, not a {type(items).__name__}.")
    found: list[Example] = []
    reference: VerifierRef | None = None
    skipped = 0
    for number, item in enumerate(items, start=1):
        if isinstance(item, Example):
            found.append(item)
        elif (pair := _pair(item)) is not None:
            found.append(Example(pair[0], pair[1], called=pair[0] >= verifier.thresholds.support))
        else:
            report, labels = _report(item, verifier, number)
            if reference is not None and not same_verifier(report.verifier, reference):
                raise UsageError(f"Example {number} was made by another verifier than those before it.")
            reference = report.verifier
            claims = [claim for claim in report.claims if claim.verdict != "not_a_claim"]
            fitting = list(_fitting(claims, labels, number))
            failures = [claim for claim, _ in fitting if claim.score is None or claim.verdict == "check_failed"]
            skipped += len(failures)
            found += [
                _example(claim, label, report, verifier, str(number))
                for claim, label in fitting
                if claim not in failures
            ]
    return Labelled(tuple(found), reference, skipped)


def same_verifier(one: VerifierRef, other: VerifierRef) -> bool:
    """Whether the raw scores of the two mean the same: name, version and arguments, whatever their calibration."""
    return (one.name, one.version, _settings(one)) == (other.name, other.version, _settings(other))


def against(evidence: Iterable[Evidence]) -> float:
    """Raw score of the strongest evidence against a claim; 0 when there is none."""
    return max((each.score for each in evidence if each.relation == "contradicts"), default=0.0)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0


def _settings(verifier: VerifierRef) -> dict[str, Any]:
    return {name: value for name, value in verifier.arguments.items() if name != "calibration"}


def _pair(item: Any) -> tuple[float, bool] | None:
    if isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], int | float):
        return item[0], item[1]
    if isinstance(item, Mapping) and "score" in item and "supported" in item:
        return item["score"], item["supported"]
    return None


def _report(item: Any, verifier: Verifier, number: int) -> tuple[Report, Sequence[Any]]:
    if isinstance(item, Report) or (isinstance(item, Mapping) and {"claims", "verifier", "text"} <= item.keys()):
        report = item if isinstance(item, Report) else Report.from_dict(item)
        return report, [_held(claim) for claim in report.claims if claim.verdict != "not_a_claim"]
    if isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], Report):
        return item[0], _listed(item[1], number)
    if isinstance(item, Mapping) and "report" in item and "labels" in item:
        stored = item["report"]
        report = stored if isinstance(stored, Report) else Report.from_dict(stored)
        return report, _listed(item["labels"], number)
    if isinstance(item, Mapping) and {"answer", "sources"} <= item.keys() and {"label", "labels"} & item.keys():
        prepared = verifier.prepare(item["sources"], question=item.get("question"))
        report = prepared.report(item["answer"])
        return report, _listed(item["labels"], number) if "labels" in item else _of_all(item["label"], report, number)
    raise UsageError(
        f"Example {number} is no labelled example.",
        fix='Allowed: (score, is_supported); {"answer": …, "sources": [...], "labels": [...]} with a label for each '
        'claim; {"report": …, "labels": [...]}; a report with reviews; or an Example.',
    )


def _held(claim: Claim) -> Label:
    """What the last person to review a claim says of it; None when nobody did, or holds it no claim."""
    return next((word for review in claim.reviews[-1:] for word in _WORDS if review.verdict == word), None)


def _listed(labels: Any, number: int) -> Sequence[Any]:
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise UsageError(f"The labels of example {number} must be a list, one for each claim.")
    return labels


def _of_all(label: Any, report: Report, number: int) -> Sequence[Any]:
    """A label of a whole answer speaks for each claim only when it is right, or has but one claim."""
    count = sum(claim.verdict != "not_a_claim" for claim in report.claims)
    if _is_supported(label, number) or count == 1:
        return [label] * count
    raise UsageError(
        f"Example {number} is labelled wrong as a whole, and which of its {count} claims is wrong is not said.",
        fix='Give "labels" with one label for each claim. Leaving wrong answers out would make the promise false.',
    )


def _fitting(claims: Sequence[Claim], labels: Sequence[Any], number: int) -> Iterator[tuple[Claim, Label]]:
    """Claims with their labels: in order, or each label with the text of its claim."""
    if labels and all(isinstance(label, Mapping) for label in labels):
        by_text = {" ".join(claim.text.split()): claim for claim in claims}
        for label in labels:
            claim = by_text.get(" ".join(str(label.get("claim", "")).split()))
            if claim is None:
                raise UsageError(f"Example {number} has no claim {label.get('claim')!r}.", fix=_shown(claims))
            if label.get("label") is not None:
                yield claim, label["label"]
        return
    if len(labels) != len(claims):
        raise UsageError(f"Example {number} has {len(claims)} claims and {len(labels)} labels.", fix=_shown(claims))
    yield from ((claim, label) for claim, label in zip(claims, labels, strict=True) if label is not None)


def _shown(claims: Sequence[Claim]) -> str:
    listed = "; ".join(f"{number}: {' '.join(claim.text.split())[:80]!r}" for number, claim in enumerate(claims, 1))
    return f"Its claims: {listed or 'none'}."


def _is_supported(label: Any, number: int) -> bool:
    if isinstance(label, bool):
        return label
    if label in _WORDS:
        return bool(label == "supported")
    raise UsageError(f"{label!r} is no label (example {number}).", fix=f"Allowed: true, false, {', '.join(_WORDS)}.")


def _example(claim: Claim, label: Any, report: Report, verifier: Verifier, group: str) -> Example:
    is_supported = _is_supported(label, int(group))
    score = claim.score if claim.score is not None else 0.0
    # A calibration demotes claims that the verifier itself calls supported; those still count as called.
    demoted = "calibration" in report.verifier.arguments and claim.verdict == "unsupported"
    return Example(
        score=score,
        is_supported=is_supported,
        called=claim.is_supported or (demoted and score >= verifier.thresholds.support),
        contradiction=against(claim.evidence),
        is_contradicted=label == "contradicted" if is_supported or isinstance(label, str) else None,
        group=group,
    )
