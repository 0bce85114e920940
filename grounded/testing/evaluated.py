"""``@grounded_eval``: a test that fails when answers to a data set are not good enough."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grounded.errors import UsageError

if TYPE_CHECKING:
    from grounded.evaluation.metrics import Metric
    from grounded.records import DataSet

_ARGUMENT = "experiment"


def grounded_eval(
    dataset: DataSet | str | Path,
    *,
    limits: Mapping[str, float],
    kb: str | Path | None = None,
    baseline: str | Path | None = None,
    metrics: Sequence[Metric | str] | None = None,
    cache: str | Path | None = None,
    max_missing: float = 0.0,
    **variant: Any,
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Run a data set before a test, and fail it unless limits are kept and nothing got worse.

    The test may take the argument ``experiment`` for assertions of its own, beside fixtures.

    Args:
        dataset: A data set, or the path of one.
        limits: By metric the least value, or the greatest where less is better.
        kb: Folder of the knowledge base; None when the rows bring their own contexts.
        baseline: JSON of an earlier experiment; a regression that is more than chance fails.
        metrics: As for ``grounded.evaluate``; those of the limits by default.
        cache: A file that keeps answers between runs.
        max_missing: Largest share of rows without an answer.
        variant: Options of ``KnowledgeBase.ask``, such as ``llm`` and ``template``; ``given=True`` judges the answers
            that the rows hold.

    Raises:
        UsageError: There are no limits.
    """
    if not limits:
        raise UsageError("A test without limits cannot fail.", fix='Give limits={"groundedness": 0.9}.')

    def decorate(test: Callable[..., object]) -> Callable[..., object]:
        signature = inspect.signature(test)

        @functools.wraps(test)
        def checked(*arguments: object, **fixtures: object) -> object:
            __tracebackhide__ = True  # pytest then points at the test
            made, problem = _examined(dataset, limits, kb, baseline, metrics, cache, max_missing, variant)
            if problem:
                raise AssertionError(problem)
            given = {_ARGUMENT: made} if _ARGUMENT in signature.parameters else {}
            return test(*arguments, **fixtures, **given)

        # pytest asks for fixtures by the names it sees here.
        shown = [each for name, each in signature.parameters.items() if name != _ARGUMENT]
        checked.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
        return checked

    return decorate


def _examined(
    dataset: DataSet | str | Path,
    limits: Mapping[str, float],
    kb: str | Path | None,
    baseline: str | Path | None,
    metrics: Sequence[Metric | str] | None,
    cache: str | Path | None,
    max_missing: float,
    variant: Mapping[str, Any],
) -> tuple[Any, str]:
    from grounded.evaluation.gates import GateRules, gate, read_experiment
    from grounded.experiments.evaluating import evaluate
    from grounded.pipeline.knowledge_base import KnowledgeBase

    options: dict[str, Any] = {"metrics": metrics if metrics is not None else list(limits), "cache": cache}
    asked = [{"name": "tested", **variant}]
    if kb is None:
        made = evaluate(dataset, asked, **options)
    else:
        with KnowledgeBase.open(kb) as knowledge_base:
            made = evaluate(dataset, asked, knowledge_base=knowledge_base, **options)
    rules = GateRules(limits=dict(limits), max_missing=max_missing)
    found = gate(made, rules, read_experiment(baseline) if baseline is not None else None)
    lines = [f"  {each.message}" + (f" Rows: {', '.join(each.rows)}." if each.rows else "") for each in found.failed]
    return made, "\n".join(["The answers are not good enough:", *lines]) if lines else ""
