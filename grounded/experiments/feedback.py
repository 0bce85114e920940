"""From production back into the loop: logged answers become rows, and what people say of claims becomes agreement.

People's labels stand beside verdicts as reviews and never replace them. How far the verifier agrees with them is
Cohen's kappa (Cohen 1960): the agreement beyond what two who answer at random, each at their own rate, would reach.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, Field, ValidationError

from grounded.benchmarking.measures import interval
from grounded.errors import SourceNotFoundError, UsageError
from grounded.records import AnswerRecord, Claim, DataSet, Experiment, HumanVerdict, Record, Report, Row, Trial

FEW_ANSWERS = 10
"""Labelled answers below which nothing is said of how metrics rank them."""

_WORDS: Mapping[str, HumanVerdict] = {
    "true": "supported",
    "yes": "supported",
    "1": "supported",
    "false": "unsupported",
    "no": "unsupported",
    "0": "unsupported",
    "supported": "supported",
    "contradicted": "contradicted",
    "unsupported": "unsupported",
    "not_a_claim": "not_a_claim",
    "nothing to check": "not_a_claim",
}


class ClaimLabel(Record):
    """What a person says of one claim of an experiment; a line of what the report's own form saves.

    Attributes:
        row: Id of the row.
        variant: Name of the variant.
        claim: Its number in the answer, from 1.
        text: The claim as the person read it; checked when it is given.
        dataset: Hash of the data set it was read in; checked when it is given.
    """

    row: str
    variant: str
    claim: int = Field(ge=1)
    label: HumanVerdict
    by: str = Field(min_length=1)
    reason: str = ""
    at: AwareDatetime
    text: str = ""
    dataset: str = ""


class Agreement(Record):
    """How far verdicts and people agree on what is supported.

    Attributes:
        claims: Labelled claims whose check did not fail; what people call no claim is left out.
        answers: Answers they stand in, which the interval draws.
        observed: Share on which both agree, in [0, 1]; None without claims.
        kappa: Cohen's kappa, at most 1; 0 is what chance reaches. None when it is not defined.
        low: Lower end of the 95 % bootstrap interval over answers; None when it cannot be told.
        high: Upper end.
        both: Both call it supported.
        verifier_only: The verifier alone does.
        people_only: People alone do.
        neither: Neither does.
        metrics: Rank correlation (Spearman) of each metric with the share of an answer's claims that people hold
            supported; only where there are at least ``FEW_ANSWERS`` answers and both vary.
    """

    claims: int
    answers: int
    observed: float | None = None
    kappa: float | None = None
    low: float | None = None
    high: float | None = None
    both: int = 0
    verifier_only: int = 0
    people_only: int = 0
    neither: int = 0
    metrics: dict[str, float] = Field(default_factory=dict)

    def __str__(self) -> str:
        """``κ = 0.71 [0.55, 0.84] over 120 claims of 48 answers``."""
        shown = "not defined" if self.kappa is None else f"{self.kappa:.2f}"
        ends = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"κ = {shown}{ends} over {self.claims} claims of {self.answers} answers"


def rows_from(records: Iterable[AnswerRecord], *, contexts: bool = True) -> DataSet:
    """Logged answers as rows of a data set, the newest of each question.

    Args:
        records: Newest first, as ``kb.answers`` gives them; redacted when they were kept, and not again here.
        contexts: Keep the texts that the answer was checked against, so that a row needs no knowledge base; without
            them the question is asked of one anew.
    """
    found: dict[tuple[str, tuple[str, ...]], Row] = {}
    for record in records:
        key = " ".join(record.question.split()).casefold(), record.principals
        if key in found or not record.question.strip():
            continue
        report = record.report.original or record.report if record.report is not None else None
        texts = tuple(passage.text for passage in report.passages) if report is not None and contexts else ()
        found[key] = Row(
            id=record.request_id,
            question=record.question,
            answer=record.answer if record.outcome == "answered" else None,
            contexts=tuple(text for text in texts if text.strip()),
            principals=record.principals,
            tags=("logged", record.outcome),
            origin=record.request_id,
        )
    return DataSet(name="logged answers", rows=tuple(found.values()))


def read_labels(path: Path) -> list[ClaimLabel]:
    """Labels from JSON Lines, as the report's form saves them, or from CSV with the same names as columns.

    Raises:
        SourceNotFoundError: The file cannot be read.
        UsageError: A line is no label; the message names it.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SourceNotFoundError(f"The labels {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not UTF-8 text.", fix="Save it as UTF-8.") from error
    lines = _table(text) if path.suffix.lower() == ".csv" else _json_lines(text, path)
    return [_label(content, path, number) for number, content in lines]


def labelled(experiment: Experiment, labels: Iterable[ClaimLabel]) -> Experiment:
    """The experiment with what people say beside its verdicts; a label that is there already is not put in twice.

    Raises:
        UsageError: A label is of another data set, or names a row, variant or claim that is not there.
    """
    trials = {(trial.row, trial.variant): trial for trial in experiment.trials}
    for label in labels:
        if label.dataset and label.dataset != experiment.dataset.hash:
            raise UsageError(f"The label of {label.row!r} is of another data set than the experiment.")
        trial = trials.get((label.row, label.variant))
        if trial is None:
            raise UsageError(f"The experiment has no row {label.row!r} of a variant {label.variant!r}.")
        trials[label.row, label.variant] = _reviewed(trial, label)
    return experiment.model_copy(update={"trials": tuple(trials.values())})


def agreement(experiments: Iterable[Experiment] = (), reports: Iterable[Report] = ()) -> Agreement:
    """How far the verifier agrees with the people who reviewed its claims; the last review of a claim counts."""
    judged: list[tuple[str, bool, bool]] = []
    answers: list[tuple[Trial, float]] = []
    for number, experiment in enumerate(experiments):
        for trial in experiment.trials:
            report = trial.answer.report if trial.answer is not None else None
            pairs = list(_pairs(report.claims)) if report is not None else []
            judged += [(f"{number}:{trial.row}:{trial.variant}", said, held) for said, held in pairs]
            if pairs:
                answers.append((trial, sum(held for _, held in pairs) / len(pairs)))
    for number, report in enumerate(reports):
        judged += [(f"report {number}", said, held) for said, held in _pairs(report.claims)]
    said, held = (np.array([each[place] for each in judged], dtype=bool) for place in (1, 2))
    groups = [each[0] for each in judged]
    value = kappa(said, held)
    ends = interval(groups, lambda at: kappa(said[at], held[at])) if judged else None
    return Agreement(
        claims=len(judged),
        answers=len(set(groups)),
        observed=float((said == held).mean()) if judged else None,
        kappa=None if math.isnan(value) else value,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        both=int((said & held).sum()),
        verifier_only=int((said & ~held).sum()),
        people_only=int((~said & held).sum()),
        neither=int((~said & ~held).sum()),
        metrics=_ranked(answers),
    )


def kappa(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Cohen's kappa of two raters who say yes or no; NaN when chance alone would make them always agree."""
    if not len(one):
        return math.nan
    observed = float((one == other).mean())
    chance = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return math.nan if chance == 1.0 else (observed - chance) / (1.0 - chance)


def _pairs(claims: Sequence[Claim]) -> Iterator[tuple[bool, bool]]:
    """Whether the verifier calls a reviewed claim supported, and whether people do."""
    for claim in claims:
        checked = claim.verdict not in ("check_failed", "not_a_claim")
        if claim.reviews and checked and claim.reviews[-1].verdict != "not_a_claim":
            yield claim.is_supported, claim.reviews[-1].verdict == "supported"


def _ranked(answers: Sequence[tuple[Trial, float]]) -> dict[str, float]:
    found = {}
    for metric in dict.fromkeys(value.metric for trial, _ in answers for value in trial.values):
        pairs = [
            (value.value, held)
            for trial, held in answers
            if (value := trial.value(metric)) is not None and value.value is not None
        ]
        if len(pairs) >= FEW_ANSWERS and len({x for x, _ in pairs}) > 1 and len({y for _, y in pairs}) > 1:
            x, y = (_ranks([pair[place] for pair in pairs]) for place in (0, 1))
            found[metric] = float(np.corrcoef(x, y)[0, 1])
    return found


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks, the mean rank for ties."""
    _, inverse, repeats = np.unique(np.array(values), return_inverse=True, return_counts=True)
    middle: NDArray[np.float64] = np.cumsum(repeats) - (repeats - 1) / 2
    return middle[inverse.reshape(-1)]


def _reviewed(trial: Trial, label: ClaimLabel) -> Trial:
    report = trial.answer.report if trial.answer is not None else None
    if trial.answer is None or report is None or label.claim > len(report.claims):
        count = 0 if report is None else len(report.claims)
        raise UsageError(f"{label.row!r}, {label.variant!r}: there is no claim {label.claim}; there are {count}.")
    claim = report.claims[label.claim - 1]
    if label.text and " ".join(label.text.split()) != " ".join(claim.text.split()):
        raise UsageError(
            f"{label.row!r}, {label.variant!r}: claim {label.claim} reads {claim.text!r}, not {label.text!r}.",
            fix="Label the report of this very experiment.",
        )
    if any((each.by, each.at, each.verdict) == (label.by, label.at, label.label) for each in claim.reviews):
        return trial
    reason = label.reason.strip() or "no reason given"
    added = report.review(label.claim - 1, verdict=label.label, by=label.by, reason=reason, at=label.at)
    return trial.model_copy(update={"answer": trial.answer.model_copy(update={"report": added})})


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise UsageError(f"{path.name}, line {number}: is not JSON.") from error


def _table(text: str) -> Iterator[tuple[int, Any]]:
    table = csv.DictReader(text.splitlines())
    for row in table:
        given = {name: value.strip() for name, value in row.items() if name and isinstance(value, str)}
        yield table.line_num, {name: value for name, value in given.items() if value}


def _label(content: Any, path: Path, number: int) -> ClaimLabel:
    if not isinstance(content, Mapping):
        raise UsageError(f"{path.name}, line {number}: is no object.")
    known = {name: value for name, value in content.items() if name in ClaimLabel.model_fields}
    word = str(known.get("label", "")).strip().casefold()
    if word not in _WORDS:
        allowed = ", ".join(dict.fromkeys(_WORDS.values()))
        raise UsageError(f"{path.name}, line {number}: {known.get('label')!r} is no label.", fix=f"Allowed: {allowed}.")
    try:
        return ClaimLabel.model_validate({"at": datetime.now(UTC), **known, "label": _WORDS[word]})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise UsageError(
            f"{path.name}, line {number}: {problems}.", fix="A label needs row, variant, claim, label and by."
        ) from error
