"""What an experiment found, in words that page, Markdown and terminal share."""

from __future__ import annotations

from collections.abc import Mapping

from grounded.records import Comparison, Experiment, Finding
from grounded.render.evaluation_charts import change_of, is_share

FINDINGS: Mapping[Finding, str] = {
    "worse": "worse",
    "better": "better",
    "changed": "changed",
    "not_enough_data": "not enough data to tell",
    "same": "the same on every row",
    "not_available": "not available",
}
"""The findings in words, those that matter most first."""

MOST_TOLD = 10_000
"""A difference that more questions than this would tell is as good as none; their number says nothing."""

_CONCLUSIONS = 5


def headline(experiment: Experiment) -> str:
    """What was compared on what, and whether anything differs, in one sentence."""
    rows, variants = len(experiment.rows), len(experiment.variants)
    size = f"{rows} question{'' if rows == 1 else 's'}"
    if variants == 1:
        return f"{experiment.variants[0].name} on {size}."
    found = _certain(experiment)
    if not experiment.comparisons:
        return f"{variants} variants on {size}."
    if not found:
        return f"{variants} variants on {size}: no difference that is more than chance."
    return f"{variants} variants on {size}: {len(found)} difference{'' if len(found) == 1 else 's'} beyond chance."


def conclusions(experiment: Experiment) -> list[str]:
    """The differences beyond chance, a sentence each, and how much of the rest cannot be told yet."""
    said = [_sentence(experiment, each) for each in _certain(experiment)]
    more = len(said) - _CONCLUSIONS
    said = said[:_CONCLUSIONS] + ([f"and {more} more"] if more > 0 else [])
    open_ones = [each for each in experiment.comparisons if each.finding == "not_enough_data" and not each.tag]
    if open_ones:
        metrics = list(dict.fromkeys(_title(experiment, each.metric) for each in open_ones))
        nearest = needed_words(min((each.more_needed for each in open_ones if each.more_needed), default=None))
        about = f" The nearest of them: {nearest}." if nearest else ""
        said.append(f"Not enough data to tell: {', '.join(metrics)}.{about}")
    lost = sum(trial.problem is not None for trial in experiment.trials)
    if lost:
        said.append(f"{lost} of {len(experiment.trials)} answers could not be had; they count in no figure.")
    failed = sum(value.status == "failed" for trial in experiment.trials for value in trial.values)
    if failed:
        said.append(f"{failed} judgement{'' if failed == 1 else 's'} failed; they are missing, not 0.")
    return said


def finding_words(each: Comparison) -> str:
    """A finding in words, with the questions still needed."""
    more = needed_words(each.more_needed)
    return f"{FINDINGS[each.finding]}: {more}" if more else FINDINGS[each.finding]


def needed_words(count: int | None) -> str:
    """How many more questions would tell, in words; nothing when that is not the question."""
    if not count:
        return ""
    if count > MOST_TOLD:
        return f"more than {MOST_TOLD:,} more questions needed"
    return f"about {count:,} more question{'' if count == 1 else 's'} needed"


def scope(experiment: Experiment) -> str:
    """What was checked, against how many sources, by what and when."""
    claims = sum(
        claim.verdict != "not_a_claim"
        for trial in experiment.trials
        if trial.answer is not None and trial.answer.report is not None
        for claim in trial.answer.report.claims
    )
    answers = sum(trial.answer is not None for trial in experiment.trials)
    base = experiment.knowledge_base
    held = f" of a knowledge base of {base.documents} documents" if base else ""
    verifier = experiment.verifier
    return (
        f"{answers} answers, {claims} claims, checked against {len(experiment.passages)} passages{held} by "
        f"{verifier.name} {verifier.version} on {experiment.started:%d %B %Y, %H:%M %Z}."
    )


def _certain(experiment: Experiment) -> list[Comparison]:
    order = list(FINDINGS)
    found = [each for each in experiment.comparisons if each.finding in ("better", "worse", "changed") and not each.tag]
    return sorted(found, key=lambda each: order.index(each.finding))


def _sentence(experiment: Experiment, each: Comparison) -> str:
    card = experiment.card(each.metric)
    level = ", claim by claim," if each.level == "claim" else ""
    change = ""
    if each.difference is not None:
        change = f" by {change_of(abs(each.difference), card, sign=False)}"
        if each.low is not None and each.high is not None:
            least, most = sorted((each.low, each.high), key=abs)
            # An interval that only just leaves out no difference may still be shown as touching it.
            change += (
                f" ({_end(least, each.difference, is_share(card))} to {_end(most, each.difference, is_share(card))})"
            )
    return f"{each.second} {_SAID[each.finding]} {each.first} in {_title(experiment, each.metric)}{level}{change}."


_SAID = {"better": "is better than", "worse": "is worse than", "changed": "differs from"}


def _end(value: float, difference: float, share: bool) -> str:
    """An end of an interval, counted in the direction of the difference."""
    shown = abs(value) if value * difference >= 0 else -abs(value)
    return f"{100 * shown:.1f}" if share else f"{shown:.3g}"


def _title(experiment: Experiment, metric: str) -> str:
    card = experiment.card(metric)
    return card.title if card else metric
