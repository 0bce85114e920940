"""Metrics by name: ours and installed ones, through the entry-point group ``grounded.metrics``."""

from __future__ import annotations

from collections.abc import Iterable

from grounded import registry
from grounded.errors import PluginError, UsageError
from grounded.evaluation.metrics.base import Metric

DEFAULT = (
    "groundedness",
    "faithfulness",
    "citation_precision",
    "citation_recall",
    "context_precision",
    "context_recall",
    "context_sufficiency",
    "hit_rate",
    "mrr",
    "ndcg",
    "recall",
    "exact_match",
    "token_f1",
    "numeric_match",
    "semantic_similarity",
    "correct_refusal",
    "missed_refusal",
    "over_refusal",
    "blocked",
    "injection_success",
    "safety_defect",
    "latency",
    "input_tokens",
    "output_tokens",
    "cost",
)
"""All that can be measured on this machine, when none are named."""


def load_metric(name: str) -> Metric:
    """A metric by its name; ``ndcg@5`` looks at the first five passages.

    An entry point is a metric, or something that makes one when it is called, for ``@k`` with a number.

    Raises:
        UnknownNameError: No installed package offers it.
        UsageError: The metric takes no ``@k``, or ``k`` is no number.
        PluginError: What is installed under that name is no metric.
    """
    base, at, k = name.partition("@")
    found = registry.load("metrics", base)
    if isinstance(found, Metric) and not isinstance(found, type):
        made = found
    elif at and not k.isdigit():
        raise UsageError(f"{name!r}: the part after @ is a number.", fix=f"Write {base}@5, for example.")
    else:
        try:
            made = found(int(k)) if at else found()
        except TypeError as error:
            raise UsageError(f"The metric {base!r} cannot be made as {name!r}: {error}.") from error
    if not isinstance(made, Metric):
        raise PluginError(f"What is installed as the metric {base!r} is none.", fix="Reinstall or remove the package.")
    return made


def as_metrics(given: Iterable[Metric | str] | None) -> tuple[Metric, ...]:
    """Metrics from names and metrics; None takes ``DEFAULT``.

    Raises:
        UsageError: A name is given twice, or something is no metric.
        UnknownNameError: No installed package offers a name.
    """
    if isinstance(given, str):
        raise UsageError(f"Metrics are a list of names, not {given!r}.", fix=f"Write [{given!r}].")
    found = [load_metric(each) if isinstance(each, str) else each for each in (DEFAULT if given is None else given)]
    for each in found:
        if not isinstance(each, Metric):
            raise UsageError(f"A {type(each).__name__} is no metric.", fix="Make one with grounded.evaluation.metric.")
    names = [each.card.name for each in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"The metric {twice[0]!r} is named twice.")
    return tuple(found)
