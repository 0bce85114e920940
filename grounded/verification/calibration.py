"""``calibrate``: what the scores of a verifier mean on your own labelled answers, and what can be promised of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grounded.errors import CalibrationError, CalibrationMismatchError, SourceNotFoundError, UsageError
from grounded.records import VerifierRef
from grounded.records.calibrations import Calibration, RiskPoint, Scaling
from grounded.verification.aggregation import Finding
from grounded.verification.guarantees import choose, labels_needed, more_needed, risk_curve
from grounded.verification.labelling import Example, against, labelled, same_verifier
from grounded.verification.scaling import BINS, expected_error, fit, held_out, reliability

if TYPE_CHECKING:
    from grounded.protocols import EntailmentModel
    from grounded.verification.verifying import Verifier

LEAST_LABELS = 30
"""Labelled claims without which no probability is fitted."""
LEAST_CONTRADICTED = 20
"""Claims labelled contradicted, and as many that are not, without which contradiction gets no probability."""
KEPT_SCORES = 1000
_SEED = 20


def calibrate(
    examples: Iterable[Any],
    *,
    error_rate: float | None = 0.05,
    confidence: float = 0.95,
    verifier: Verifier | EntailmentModel | str | None = None,
) -> Calibration:
    """Fit probabilities and a threshold on labelled claims, and promise no more than they show.

    The promise is that of ``grounded.verification.guarantees``: with the stated confidence, at most ``error_rate`` of
    the claims called supported are not. It speaks of claims like the labelled ones, of which it takes one of each
    answer (drawn by a fixed seed), because claims of one answer are right or wrong together. Probabilities are fitted
    on all claims. A calibration only ever makes a verifier stricter.

    Args:
        examples: Labelled claims, any mixture of: ``(score, is_supported)`` with the raw ``Claim.score``; mappings
            with ``answer``, ``sources``, perhaps ``question``, and ``labels``, one for each claim in order or
            ``{"claim": text, "label": …}``; mappings with ``report`` and ``labels``, or such pairs; reports that
            people reviewed (``Report.review``), where their last word counts; ``Example``s. A
            label is true, false, ``supported``, ``contradicted``, ``unsupported`` or None. One ``label`` for a
            whole answer is taken when every claim is right or there is but one: wrong answers must say where.
        error_rate: Largest share of wrong claims among those called supported, in (0, 1); None fits probabilities
            and promises nothing.
        confidence: How sure that must be, in (0, 1).
        verifier: Whose scores these are, as in ``verify``; answers are checked with it.

    Returns:
        A record to store with ``to_json`` and to use with ``Verifier(model, calibration=…)``.

    Raises:
        UsageError: An argument or an example is wrong.
        CalibrationMismatchError: A report was made by another verifier.
        CalibrationError: There are too few labels, or too many of them are wrong, to promise this; ``needed`` says
            how many more it would take.
    """
    for name, value in (("error_rate", error_rate), ("confidence", confidence)):
        if value is not None and not 0.0 < value < 1.0:
            raise UsageError(f"{name} must lie between 0 and 1, not {value}.")
    judge = _uncalibrated(verifier)
    found = labelled(examples, judge)
    if found.verifier is not None and not same_verifier(found.verifier, judge.ref):
        raise CalibrationMismatchError(
            f"The reports were made by {found.verifier.name} {found.verifier.version}, not by {_shown(judge.ref)}.",
            fix="Pass the verifier they were made with.",
        )
    grouped, groups = _grouped(found.examples)
    single = _one_of_each(grouped, groups)
    called = sorted(((each.score, each.is_supported) for each in single if each.called), key=lambda pair: -pair[0])
    chosen = _chosen(called, len(single), error_rate, confidence)
    if len(grouped) < LEAST_LABELS:
        raise CalibrationError(
            f"{len(grouped)} labelled claims are too few to fit a probability; it takes {LEAST_LABELS}.",
            needed=LEAST_LABELS - len(grouped),
        )
    scores, truths = [each.score for each in grouped], [each.is_supported for each in grouped]
    after = reliability(held_out(scores, truths, groups), truths)
    return Calibration(
        verifier=judge.ref,
        error_rate=error_rate,
        confidence=confidence,
        chosen=chosen,
        labels=len(single),
        support=fit(scores, truths),
        contradiction=_contradiction(grouped),
        curve=risk_curve(called, len(single), confidence=confidence),
        reliability=after,
        ece_before=min(expected_error(reliability(scores, truths)), 1.0),
        ece_after=min(expected_error(after), 1.0),
        scores=_spaced(sorted(each.score for each in single)),
        notes=_notes(grouped, len(single), found.skipped),
    )


def matching(calibration: Calibration | str | Path, verifier: VerifierRef) -> Calibration:
    """A calibration, from a file when it is a path, that is one of this verifier.

    Raises:
        SourceNotFoundError: The file cannot be read.
        SchemaError: The file is no calibration.
        CalibrationMismatchError: It was made with another verifier.
    """
    if isinstance(calibration, str | Path):
        try:
            calibration = Calibration.from_json(Path(calibration).read_bytes())
        except OSError as error:
            raise SourceNotFoundError(
                f"The calibration {str(calibration)!r} cannot be read: {error.strerror}.",
                fix="Make one with: grounded calibrate labelled.jsonl --out calibration.json",
            ) from error
    if not isinstance(calibration, Calibration):
        raise UsageError(f"A calibration is a record or the path of one, not a {type(calibration).__name__}.")
    if not same_verifier(calibration.verifier, verifier):
        raise CalibrationMismatchError(
            f"This calibration was made with {_shown(calibration.verifier)}, not with {_shown(verifier)}; "
            "its probabilities and its promise would be false.",
            fix="Calibrate anew with this verifier, or use the verifier it was made with.",
        )
    return calibration


def reference(verifier: VerifierRef, calibration: Calibration | None) -> VerifierRef:
    """How a report names a verifier: with its calibration, when it has one."""
    if calibration is None:
        return verifier
    found = {"threshold": calibration.threshold, "promise": calibration.promise}
    return verifier.model_copy(update={"arguments": {**verifier.arguments, "calibration": found}, "calibrated": True})


def apply(calibration: Calibration | None, finding: Finding) -> Finding:
    """The finding after the promise: support that scores below the threshold is no support."""
    if calibration is None or finding.verdict != "supported" or finding.support >= calibration.threshold:
        return finding
    short = f"the score {finding.support:.3f} is below the calibrated threshold {calibration.threshold:.3f}"
    return replace(finding, verdict="unsupported", reason=short, supporting=frozenset())


def probabilities(
    calibration: Calibration | None, finding: Finding, verifier: VerifierRef
) -> tuple[float | None, float | None]:
    """P(supported) and P(contradicted), each None where nothing tells; together at most 1 after a calibration.

    What a raw score means was learned on claims in general. Of one with evidence against it that says too much, so
    its probability of support gives way to that of the contradiction.
    """
    if finding.verdict == "check_failed":
        return None, None
    if calibration is None:
        return (finding.support, finding.contradiction) if verifier.calibrated else (None, None)
    support = calibration.support.probability(finding.support)
    if calibration.contradiction is None:
        return (None if finding.verdict == "contradicted" else support), None
    contradiction = calibration.contradiction.probability(against(finding.evidence))
    if finding.verdict == "contradicted":
        return min(support, 1.0 - contradiction), contradiction
    return support, min(contradiction, 1.0 - support)


def _uncalibrated(verifier: Verifier | EntailmentModel | str | None) -> Verifier:
    from grounded.verification.verifying import Verifier

    return (verifier if isinstance(verifier, Verifier) else Verifier(verifier)).calibrated_by(None)


def _shown(verifier: VerifierRef) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in sorted(verifier.arguments.items()))
    return f"{verifier.name} {verifier.version}{f' ({arguments})' if arguments else ''}"


def _grouped(examples: Sequence[Example]) -> tuple[list[Example], list[int]]:
    """The examples in a fixed random order of their groups, with the number of each group."""
    groups: dict[object, list[Example]] = {}
    for index, each in enumerate(examples):
        groups.setdefault(index if each.group is None else each.group, []).append(each)
    order = list(groups.values())
    random.Random(_SEED).shuffle(order)
    return [each for group in order for each in group], [n for n, group in enumerate(order) for _ in group]


def _one_of_each(examples: Sequence[Example], groups: Sequence[int]) -> list[Example]:
    members: dict[int, list[Example]] = {}
    for group, each in zip(groups, examples, strict=True):
        members.setdefault(group, []).append(each)
    draw = random.Random(_SEED)
    return [draw.choice(each) for each in members.values()]


def _chosen(
    called: Sequence[tuple[float, bool]], labels: int, error_rate: float | None, confidence: float
) -> RiskPoint | None:
    if error_rate is None:
        return None
    chosen = choose(called, labels, error_rate=error_rate, confidence=confidence)
    if chosen is not None:
        return chosen
    least = labels_needed(error_rate, confidence)
    needed, point = more_needed(called, error_rate=error_rate, confidence=confidence)
    promise = f"at most {100 * error_rate:.3g} % wrong at {100 * confidence:.3g} % confidence"
    if point is None:
        raise CalibrationError(
            f"To show {promise}, {least} labelled claims that the verifier calls supported are needed even when all of "
            f"them are right; there are {len(called)} in {labels} independent labels.",
            needed=needed,
            fix=f"Label {needed} more of them, each from another answer.",
        )
    seen = f"{point.wrong} of the {point.called} best-scored claims called supported are wrong"
    if needed is None:
        raise CalibrationError(
            f"{seen} ({point.risk:.1%}), which is no sign of {promise}.",
            needed=None,
            fix="More labels will not help: allow a higher error rate, or use a better verifier.",
        )
    raise CalibrationError(
        f"{seen}, so the true share may be {point.bound:.1%}; that does not show {promise}.",
        needed=needed,
        fix=f"If others turn out like these, about {needed} more of them must be labelled; or allow a higher rate.",
    )


def _contradiction(examples: Sequence[Example]) -> Scaling | None:
    known = [each for each in examples if each.is_contradicted is not None]
    positive = sum(bool(each.is_contradicted) for each in known)
    if min(positive, len(known) - positive) < LEAST_CONTRADICTED:
        return None
    return fit([each.contradiction for each in known], [bool(each.is_contradicted) for each in known])


def _spaced(scores: Sequence[float]) -> tuple[float, ...]:
    if len(scores) <= KEPT_SCORES:
        return tuple(scores)
    return tuple(scores[(2 * index + 1) * len(scores) // (2 * KEPT_SCORES)] for index in range(KEPT_SCORES))


def _notes(examples: Sequence[Example], single: int, skipped: int) -> tuple[str, ...]:
    notes = []
    if single < len(examples):
        notes.append(
            f"The promise rests on one claim of each of {single} answers, not on all {len(examples)} claims: those of "
            "one answer are right or wrong together."
        )
    if skipped:
        notes.append(f"{skipped} labelled claims have no score, because their check failed; they are left out.")
    if len(examples) < 20 * BINS:
        notes.append(f"With {len(examples)} labels the calibration error is itself uncertain, and rather too high.")
    return tuple(notes)
