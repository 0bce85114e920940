"""Gates: absolute limits, and no regression that is more than chance; what cannot be told does not pass."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from grounded.errors import ConfigurationError, SchemaError, SourceNotFoundError
from grounded.evaluation.plans import first_problem
from grounded.evaluation.statistics import compare
from grounded.evaluation.statistics.sizes import ERROR_RATE
from grounded.records import Experiment, Gate, GateCheck, Manifest, MetricCard, Record, Row, Summary, Trial

ROWS_NAMED = 10
_BEFORE, _NOW = "baseline", "now"


class Regressions(Record):
    """What may not be worse than in the baseline.

    Attributes:
        metrics: Names; None takes every repeatable metric of which more or less is better.
        error_rate: Chance that a gate fails although nothing is worse, over all metrics together.
        tolerance: By how much a metric may be worse all the same, in its own unit.
    """

    metrics: tuple[str, ...] | None = None
    error_rate: float = Field(default=ERROR_RATE, gt=0.0, lt=1.0)
    tolerance: float = Field(default=0.0, ge=0.0)


class GateRules(Record):
    """What a gate asks for; one TOML file.

    Attributes:
        variant: The one that is to go out; None takes the last one.
        limits: By metric the least value where more is better, the greatest where less is.
        confident: Whether the whole 95 % interval must keep a limit, not only the value.
        max_missing: Largest share of rows without an answer, and of judgements that failed.
        regressions: None compares with no baseline.
    """

    variant: str | None = None
    limits: dict[str, float] = Field(default_factory=dict)
    confident: bool = False
    max_missing: float = Field(default=0.0, ge=0.0, le=1.0)
    regressions: Regressions | None = Regressions()

    @classmethod
    def read(cls, path: str | Path) -> GateRules:
        """Read rules from a TOML file.

        Raises:
            SourceNotFoundError: The file cannot be read.
            ConfigurationError: It is no TOML, or a value is wrong or unknown.
        """
        file = Path(path)
        try:
            return cls.model_validate(tomllib.loads(file.read_text("utf-8")))
        except OSError as error:
            raise SourceNotFoundError(f"The gate {str(file)!r} cannot be read: {error.strerror}.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file.name} is not valid TOML: {error}.") from error
        except ValidationError as error:
            known = ", ".join(cls.model_fields)
            raise ConfigurationError(f"{file.name}: {first_problem(error)}.", fix=f"It may hold: {known}.") from error


def read_experiment(path: str | Path) -> Experiment:
    """Read an experiment.

    Raises:
        SourceNotFoundError: The file cannot be read.
        SchemaError: It is no experiment, or of a newer release.
    """
    file = Path(path)
    try:
        return Experiment.from_json(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise SchemaError(f"{file.name} is no experiment: it is not UTF-8 text.") from error
    except OSError as error:
        raise SourceNotFoundError(f"The experiment {str(file)!r} cannot be read: {error.strerror}.") from error


def gate(experiment: Experiment, rules: GateRules, baseline: Experiment | None = None) -> Gate:
    """Whether a variant may go out.

    Args:
        experiment: What was measured now.
        rules: What is asked for.
        baseline: What was measured before, of the same data set; its variant of the same name is compared with, else
            its last one.

    Raises:
        ConfigurationError: The rules name a variant or a metric that the experiment does not have.
    """
    names = [each.name for each in experiment.variants]
    variant = rules.variant or names[-1]
    if variant not in names:
        raise ConfigurationError(f"There is no variant {variant!r}.", fix=f"There are: {', '.join(names)}.")
    checks = [*_complete(experiment, rules, variant), *_limits(experiment, rules, variant)]
    if baseline is not None and rules.regressions is not None:
        checks += _regressions(experiment, baseline, rules.regressions, variant)
    return Gate(variant=variant, checks=tuple(checks), baseline=baseline.dataset.hash if baseline else "")


def manifest_of(experiment: Experiment, found: Gate, rules: GateRules, written: str, *, created: datetime) -> Manifest:
    """What exactly was gated.

    Args:
        experiment: What was measured.
        found: What the gate found.
        rules: What it asked for.
        written: The experiment's file, as text.
        created: Now, with time zone.
    """
    variant = next(each for each in experiment.variants if each.name == found.variant)
    plain = {key: value for key, value in variant.options.items() if isinstance(value, str | int | float | bool)}
    arguments = {f"verifier.{key}": value for key, value in experiment.verifier.arguments.items()}
    limits = {f"limit.{key}": value for key, value in rules.limits.items()}
    thresholds = {**arguments, **limits}
    if "sufficiency_threshold" in variant.options:
        thresholds["sufficiency"] = variant.options["sufficiency_threshold"]
    return Manifest(
        created=created,
        software=experiment.software,
        variant=variant.name,
        options=plain,
        knowledge_base=experiment.knowledge_base,
        template=variant.template,
        generator=variant.generator,
        verifier=experiment.verifier,
        dataset=experiment.dataset,
        experiment=hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest(),
        thresholds={key: value for key, value in thresholds.items() if isinstance(value, str | int | float)},
        gate=found,
    )


def _complete(experiment: Experiment, rules: GateRules, variant: str) -> Iterator[GateCheck]:
    trials = [trial for trial in experiment.trials if trial.variant == variant]
    unanswered = [trial.row for trial in trials if trial.answer is None]
    lost = len(experiment.rows) - len(trials) + len(unanswered)
    share = lost / len(experiment.rows) if experiment.rows else 1.0
    why = f" It was stopped: {experiment.stopped}." if experiment.stopped else ""
    yield GateCheck(
        kind="missing",
        variant=variant,
        passed=share <= rules.max_missing,
        message=f"{lost} of {len(experiment.rows)} questions have no answer; {rules.max_missing:.0%} may.{why}",
        value=share,
        limit=rules.max_missing,
        rows=tuple(unanswered[:ROWS_NAMED]),
    )
    for card in experiment.metrics:
        failed = [trial.row for trial in trials if (found := trial.value(card.name)) and found.status == "failed"]
        if failed:
            yield GateCheck(
                kind="missing",
                variant=variant,
                metric=card.name,
                passed=len(failed) / len(trials) <= rules.max_missing,
                message=f"{len(failed)} of {len(trials)} values of {card.name} could not be measured.",
                value=len(failed) / len(trials),
                limit=rules.max_missing,
                rows=tuple(failed[:ROWS_NAMED]),
            )


def _limits(experiment: Experiment, rules: GateRules, variant: str) -> Iterator[GateCheck]:
    for name, limit in rules.limits.items():
        card = _card(experiment, name)
        summary = experiment.summary(variant, name)
        if summary is None or summary.value is None:
            message = f"{name} could not be measured on any row."
            yield GateCheck(kind="floor", variant=variant, metric=name, passed=False, message=message, limit=limit)
            continue
        higher = card.better != "lower"
        value = _judged_by(summary, rules, higher=higher)
        passed = value is not None and (value >= limit if higher else value <= limit)
        end = " (the end of its 95 % interval)" if rules.confident else ""
        shown = "unknown" if value is None else f"{value:.3g}"
        sign = "at least" if higher else "at most"
        yield GateCheck(
            kind="floor",
            variant=variant,
            metric=name,
            passed=passed,
            message=f"{name} is {shown}{end}; it must be {sign} {limit:g} ({summary.rows} rows).",
            value=value,
            limit=limit,
            rows=() if passed else _worst(experiment.trials, variant, card),
        )


def _judged_by(summary: Summary, rules: GateRules, *, higher: bool) -> float | None:
    if not rules.confident:
        return summary.value
    return summary.low if higher else summary.high


def _regressions(experiment: Experiment, baseline: Experiment, rules: Regressions, variant: str) -> Iterator[GateCheck]:
    names = [each.name for each in baseline.variants]
    before = variant if variant in names else names[-1]
    different = tuple(_not_comparable(experiment, baseline))
    if different:
        message = f"The baseline cannot be compared with: {'; '.join(different)}. Make a new baseline."
        yield GateCheck(kind="comparable", variant=variant, passed=False, message=message)
        return
    cards = [card for card in experiment.metrics if card.repeatable and card.better != "neither"]
    if rules.metrics is not None:
        cards = [_card(experiment, name) for name in rules.metrics]
    known = {card.name: card.version for card in baseline.metrics}
    for card in cards:
        if known.get(card.name) != card.version:
            message = f"{card.name} was not measured in the baseline, or in another version."
            yield GateCheck(
                kind="comparable",
                variant=variant,
                metric=card.name,
                passed=rules.metrics is None and card.name not in known,
                message=message,
            )
    cards = [card for card in cards if known.get(card.name) == card.version]
    yield from _compared(experiment, baseline, rules, variant, before, cards)


def _compared(
    experiment: Experiment,
    baseline: Experiment,
    rules: Regressions,
    variant: str,
    before: str,
    cards: Sequence[MetricCard],
) -> Iterator[GateCheck]:
    old = [each.model_copy(update={"variant": _BEFORE}) for each in baseline.trials if each.variant == before]
    new = [each.model_copy(update={"variant": _NOW}) for each in experiment.trials if each.variant == variant]
    rows = [row.model_copy(update={"tags": (), "kind": None}) for row in experiment.rows]
    for found in compare(rows, [_BEFORE, _NOW], cards, [*old, *new], error_rate=rules.error_rate):
        card = _card(experiment, found.metric)
        worse = found.finding == "worse" and abs(found.difference or 0.0) > rules.tolerance
        if found.finding == "not_available":
            message = f"{card.name} has no value in both on any row."
        else:
            sure = "" if found.p_adjusted is None else f", p = {found.p_adjusted:.3g} after correction"
            level = " by claim" if found.level == "claim" else ""
            chance = "; not enough data to tell" if found.finding == "not_enough_data" else ""
            message = f"{card.name}{level} changed by {found.difference:+.3g}{sure} ({found.rows} rows){chance}."
        yield GateCheck(
            kind="regression",
            variant=variant,
            metric=card.name,
            passed=not worse,
            message=message,
            value=found.difference,
            limit=rules.tolerance,
            rows=_fallen(old, new, card, experiment.rows) if worse else (),
        )


def _not_comparable(experiment: Experiment, baseline: Experiment) -> Iterator[str]:
    if experiment.dataset.hash != baseline.dataset.hash:
        yield f"it is of another data set version ({baseline.dataset.name} {baseline.dataset.hash[:12]})"
    one, other = experiment.verifier, baseline.verifier
    if (one.name, one.version, one.arguments) != (other.name, other.version, other.arguments):
        yield f"its verifier was {other.name} {other.version}"
    models = [each.judge.model or each.judge.name if each.judge else "" for each in (experiment, baseline)]
    if models[0] != models[1]:
        yield f"its judge was {models[1] or 'none'}"


def _card(experiment: Experiment, name: str) -> MetricCard:
    card = experiment.card(name)
    if card is None:
        known = ", ".join(each.name for each in experiment.metrics)
        raise ConfigurationError(f"The metric {name!r} was not measured.", fix=f"Measured: {known}.")
    return card


def _worst(trials: Sequence[Trial], variant: str, card: MetricCard) -> tuple[str, ...]:
    sign = 1 if card.better != "lower" else -1
    known = [
        (sign * value.value, trial.row)
        for trial in trials
        if trial.variant == variant and (value := trial.value(card.name)) and value.value is not None
    ]
    return tuple(row for _, row in sorted(known)[:ROWS_NAMED])


def _fallen(old: Sequence[Trial], new: Sequence[Trial], card: MetricCard, rows: Sequence[Row]) -> tuple[str, ...]:
    """Rows by how much they lost, most first."""
    sign = 1 if card.better != "lower" else -1
    before, now = ({each.row: each.value(card.name) for each in some} for some in (old, new))
    lost = []
    for row in rows:
        one, other = before.get(row.id), now.get(row.id)
        if one and other and one.value is not None and other.value is not None:
            lost.append((sign * (other.value - one.value), row.id))
    return tuple(row for change, row in sorted(lost)[:ROWS_NAMED] if change < 0)
