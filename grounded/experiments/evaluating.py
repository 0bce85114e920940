"""Runs experiments: asks every question of a data set in every variant, measures, and compares."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grounded import __version__
from grounded.answering import llm
from grounded.errors import UsageError
from grounded.evaluation.cache import Cache
from grounded.evaluation.datasets import read_dataset
from grounded.evaluation.judges import SCHEMA, Judge, Judged
from grounded.evaluation.metrics import Metric, as_metrics
from grounded.evaluation.plans import Plan, Setup, check_names
from grounded.evaluation.running import Pace, Progress
from grounded.evaluation.statistics import compare, summarise
from grounded.experiments.scoring import verifier_ref
from grounded.experiments.trying import Resolved, Running
from grounded.pipeline.opening import open_ledger
from grounded.records import (
    DataSet,
    Experiment,
    KnowledgeBaseRef,
)
from grounded.settings import KnowledgeBaseSettings
from grounded.twins import twin
from grounded.verification import Verifier
from grounded.verification.remembering import Remembering

if TYPE_CHECKING:
    from grounded.pipeline.knowledge_base import KnowledgeBase
    from grounded.protocols import EntailmentModel


def evaluate(
    dataset: DataSet | str | Path,
    variants: Sequence[Mapping[str, Any]],
    *,
    knowledge_base: KnowledgeBase | None = None,
    metrics: Sequence[Metric | str] | None = None,
    judge: Any = None,
    repeats: int = 1,
    verifier: EntailmentModel | str | None = None,
    name: str = "",
    nonce: str | None = None,
    reference_date: date | None = None,
    concurrency: int = 4,
    requests_per_minute: float | None = None,
    cost_ceiling: float | None = None,
    cache: str | Path | None = None,
    progress: Callable[[Progress], object] = lambda progress: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Experiment:
    """Ask every question in every variant, measure the answers, and say which differences are more than chance.

    With a cache the run goes on where it was interrupted, and a second run asks nothing again. A question that fails
    is a trial with a problem; it is asked again by the next run.

    Args:
        dataset: A data set, or the path of one.
        variants: Options of ``KnowledgeBase.ask`` with a ``name`` each, and perhaps ``given`` and ``prices`` (see
            ``Setup``); the first is what others are compared with.
        knowledge_base: What is asked; None when the rows bring their own ``contexts``.
        metrics: Names or metrics; None takes all that can be measured on this machine.
        judge: What ``llm`` takes; asked for metrics that need one.
        repeats: How often each judgement is asked for.
        verifier: As in ``grounded.verify``.
        name: Of the experiment; the data set's by default.
        nonce: The boundary code of every prompt; made from the data set's hash by default, so that prompts repeat.
        reference_date: The day that decides which sources are in force; that of the first run with this cache by
            default.
        concurrency: Questions at the same time.
        requests_per_minute: At most so many new questions are begun in a minute.
        cost_ceiling: No new question is begun once new answers have cost this much.
        cache: A file that keeps answers and values; None keeps nothing.
        progress: Told after each trial.
        cancel: Asked between trials; True stops, and what is there is compared.

    Raises:
        DataSetError: The data set has broken rows.
        UsageError: An option, a metric or a variant is wrong.
        ExperimentError: The cache cannot be used.
    """
    questions = dataset if isinstance(dataset, DataSet) else read_dataset(dataset)
    setups = [Setup.of(each) for each in variants]
    check_names([each.name for each in setups])
    if not setups:
        raise UsageError("There is no variant.", fix="Give at least one: variants=[{'name': 'plain'}].")
    asked = _judge(judge, repeats)
    chosen = tuple(_with_judge(metric, asked) for metric in as_metrics(metrics))
    started, clock = datetime.now(UTC), time.monotonic()
    ref, judging = questions.ref, _judging_once(verifier)
    with Cache(Path(cache) if cache is not None else None) as kept:
        today = kept.remembered(f"day of {ref.hash}", date.today().isoformat())
        running = Running(
            knowledge_base=knowledge_base,
            setups=[Resolved.of(each) for each in setups],
            metrics=chosen,
            judge=asked,
            cache=kept,
            verifier=judging,
            verifier_ref=verifier_ref(judging),
            base=_knowledge_base_ref(knowledge_base),
            nonce=nonce or ref.hash[:16],
            day=reference_date or date.fromisoformat(today),
            pace=Pace(requests_per_minute),
        )
        found = running.run(questions.rows, concurrency, cost_ceiling, progress, cancel)
    names, cards = [each.name for each in setups], tuple(metric.card for metric in chosen)
    return Experiment(
        name=name or questions.name,
        started=started,
        seconds=time.monotonic() - clock,
        software=f"grounded-rag {__version__}",
        nonce=running.nonce,
        dataset=ref,
        knowledge_base=running.base,
        verifier=running.verifier_ref,
        judge=asked.ref if asked else None,
        variants=tuple(each.variant for each in running.setups),
        metrics=cards,
        rows=questions.rows,
        passages=tuple(found.packing.passages),
        texts=tuple(found.packing.texts),
        trials=found.trials,
        summaries=summarise(questions.rows, names, cards, found.trials),
        comparisons=compare(questions.rows, names, cards, found.trials),
        stopped=found.stopped,
    )


aevaluate = twin(evaluate)


def _judging_once(verifier: Verifier | EntailmentModel | str | None) -> Verifier | EntailmentModel:
    """The verifier, which reads what several variants say in the same words once; one with settings stays as it is."""
    return verifier if isinstance(verifier, Verifier) else Remembering(Verifier(verifier).model)


def evaluate_plan(
    plan: Plan,
    *,
    progress: Callable[[Progress], object] = lambda progress: None,
    cancel: Callable[[], bool] = lambda: False,
    wait: float = 0.0,
) -> Experiment:
    """Run a plan; ``Plan.read`` reads one.

    Args:
        plan: What to do.
        progress: As for ``evaluate``.
        cancel: As for ``evaluate``.
        wait: Seconds to wait while another process holds the knowledge base.
    """
    from grounded.pipeline.knowledge_base import KnowledgeBase

    options: dict[str, Any] = {
        **{key: getattr(plan, key) for key in ("name", "metrics", "judge", "repeats", "verifier", "cache")},
        **{key: getattr(plan, key) for key in ("concurrency", "requests_per_minute", "cost_ceiling")},
        "reference_date": date.fromisoformat(plan.reference_date) if plan.reference_date else None,
        "progress": progress,
        "cancel": cancel,
    }
    variants = [{**each.options, **each.model_dump(exclude={"options"})} for each in plan.variants]
    if plan.kb is None:
        return evaluate(plan.dataset, variants, **options)
    with KnowledgeBase.open(plan.kb, wait=wait) as knowledge_base:
        return evaluate(plan.dataset, variants, knowledge_base=knowledge_base, **options)


def _judge(given: Any, repeats: int) -> Judge | None:
    if given is None or isinstance(given, Judge):
        return given
    return Judge(llm(given, schema=SCHEMA) if isinstance(given, str) else llm(given), repeats=repeats)


def _with_judge(metric: Metric, judge: Judge | None) -> Metric:
    return metric.asking(judge) if isinstance(metric, Judged) and judge is not None else metric


def _knowledge_base_ref(knowledge_base: KnowledgeBase | None) -> KnowledgeBaseRef | None:
    if knowledge_base is None:
        return None
    settings = KnowledgeBaseSettings.read(knowledge_base.path)
    with open_ledger(knowledge_base.path, settings, read_only=True) as ledger:
        documents, _ = ledger.totals()
        return KnowledgeBaseRef(version=ledger.content_version(), documents=documents, embedder=settings.embedder)
