"""Tries every question of a data set in every variant, several at once, and measures what comes of it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from grounded import __version__
from grounded.answering import llm
from grounded.errors import GenerationError, GroundedError, Retryable, UsageError
from grounded.evaluation.cache import Answered, Cache
from grounded.evaluation.judges import Judge
from grounded.evaluation.metrics import Metric, Sample
from grounded.evaluation.packing import Packing
from grounded.evaluation.plans import Setup
from grounded.evaluation.running import Pace, Progress, Runner
from grounded.pipeline.given import answered_from_texts, given_answer
from grounded.pipeline.questions import AskOptions, check_names, standalone_question
from grounded.prompting import DEFAULT_TEMPLATE, load_template
from grounded.protocols import Generator
from grounded.records import (
    DoneEvent,
    KnowledgeBaseRef,
    MetricValue,
    Passage,
    Problem,
    Row,
    TemplateRef,
    Trial,
    Variant,
    VerifierRef,
)

if TYPE_CHECKING:
    from grounded.pipeline.knowledge_base import KnowledgeBase
    from grounded.protocols import EntailmentModel
    from grounded.verification import Verifier

ATTEMPTS = 3
FAILURES_IN_A_ROW = 5
"""After so many failed calls a variant's model is taken to be gone, and the rest is not asked."""
REFUSED_OPTIONS = frozenset({"record", "redact", "hold", "nonce", "history", "reference_date", "verifier"})
"""Options of ``ask`` that belong to the experiment as a whole or to no experiment."""
_OURS = "grounded.evaluation"


@dataclass(frozen=True)
class Resolved:
    """A variant with what its options stand for."""

    setup: Setup
    options: Mapping[str, Any]
    template: TemplateRef
    no_answer: str
    generator: Generator | None

    @classmethod
    def of(cls, setup: Setup) -> Resolved:
        """A variant whose options are checked, its template loaded and its model ready.

        Raises:
            UsageError: An option does not exist, or belongs to the experiment as a whole.
            TemplateError: The template is missing or broken.
            ConfigurationError: A key or address of the model is missing or wrong.
        """
        check_names(setup.options, AskOptions)
        refused = sorted(REFUSED_OPTIONS & set(setup.options))
        if refused:
            raise UsageError(
                f"The variant {setup.name!r} sets {refused[0]!r}, which is the same for a whole experiment.",
                fix="Give it to evaluate, or leave it out.",
            )
        template = load_template(
            setup.options.get("template", DEFAULT_TEMPLATE), language=setup.options.get("language", "")
        )
        wanted = setup.options.get("llm")
        generator = None if wanted is None else llm(wanted)
        return cls(setup, {**setup.options, "llm": generator}, template.ref, template.no_answer, generator)

    @property
    def variant(self) -> Variant:
        """As the experiment tells of it."""
        shown = {key: _shown(value) for key, value in self.setup.options.items()}
        given = {"given": True} if self.setup.given else {}
        ref = self.generator.ref if self.generator else None
        return Variant(name=self.setup.name, options={**shown, **given}, template=self.template, generator=ref)


@dataclass(frozen=True)
class _Done:
    """What became of one task."""

    place: tuple[int, int]
    sample: Sample
    values: tuple[MetricValue, ...]
    cached: bool = False


@dataclass
class Found:
    """What an experiment has come to."""

    packing: Packing = field(default_factory=Packing)
    trials: tuple[Trial, ...] = ()
    stopped: str = ""


@dataclass
class Running:
    """One run. Its methods are called from several threads."""

    knowledge_base: KnowledgeBase | None
    setups: Sequence[Resolved]
    metrics: Sequence[Metric]
    judge: Judge | None
    cache: Cache
    verifier: Verifier | EntailmentModel
    verifier_ref: VerifierRef
    base: KnowledgeBaseRef | None
    nonce: str
    day: date
    pace: Pace
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    failures: dict[str, int] = field(default_factory=dict)
    spent: float = 0.0

    def run(
        self,
        rows: Sequence[Row],
        concurrency: int,
        ceiling: float | None,
        progress: Callable[[Progress], object],
        cancel: Callable[[], bool],
    ) -> Found:
        """Run every trial, or as many as may be run."""
        tasks = [(row, variant) for row in range(len(rows)) for variant in range(len(self.setups))]

        def stop() -> str:
            if cancel():
                return "interrupted"
            dear = ceiling is not None and self.spent >= ceiling
            return f"the cost ceiling of {ceiling:g} was reached" if dear else ""

        runner: Runner[tuple[int, int], _Done] = Runner(
            lambda task: self._trial(rows, task), concurrency=concurrency, stop=stop
        )
        found = Found()
        trials: list[Trial] = []
        waiting: dict[tuple[int, int], _Done] = {}
        state, begun, fresh = Progress(done=0, of=len(tasks)), time.monotonic(), 0
        try:
            for done in runner.run(tasks):
                # Packed in the order of the plan, whichever came first, so that a second run writes the same file.
                waiting[done.place] = done
                while len(trials) < len(tasks) and (ready := waiting.pop(tasks[len(trials)], None)):
                    trials.append(_packed(found.packing, self.setups[ready.place[1]].setup.name, ready))
                fresh += not done.cached
                speed = (time.monotonic() - begun) / fresh if fresh else None
                state = replace(
                    state,
                    done=state.done + 1,
                    cached=state.cached + done.cached,
                    failed=state.failed + (done.sample.answer is None),
                    cost=self.spent,
                    seconds_left=None if speed is None else speed * (state.of - state.done - 1),
                )
                progress(state)
        finally:
            self.stopping.set()
        found.trials = tuple(trials)
        found.stopped = runner.stopped
        return found

    def _trial(self, rows: Sequence[Row], task: tuple[int, int]) -> _Done:
        row, resolved = rows[task[0]], self.setups[task[1]]
        key = self._key(row, resolved)
        kept = self.cache.answer(key)
        try:
            found = kept or self._answered(row, resolved, key)
            self.failures[resolved.setup.name] = 0
        except GroundedError as error:
            if isinstance(error, GenerationError):
                with self.lock:
                    self.failures[resolved.setup.name] = self.failures.get(resolved.setup.name, 0) + 1
            problem = Problem(error=type(error).__name__, message=error.message, fix=error.fix)
            sample = Sample(row, problem=problem)
            return _Done(task, sample, tuple(metric.measure(sample) for metric in self.metrics))
        sample = Sample(row, found.answer, None, found.retrieved, found.seconds, found.cost)
        return _Done(task, sample, self._values(key, sample), cached=kept is not None)

    def _answered(self, row: Row, resolved: Resolved, key: str) -> Answered:
        """A new answer, kept before anything else is done with it."""
        name = resolved.setup.name
        if self.failures.get(name, 0) >= FAILURES_IN_A_ROW:
            raise GenerationError(
                f"Not asked: the model of {name!r} failed {FAILURES_IN_A_ROW} times in a row.",
                fix="Run it again when the model is there; what was answered is kept.",
            )
        if not resolved.setup.given:
            self.pace.wait(self.stopping)
        found = self._asked_again(row, resolved)
        answer = found.answer.model_copy(update={"request_id": key[:32]})
        cost = _cost(resolved.setup, found)
        with self.lock:
            self.spent += cost or 0.0
        found = Answered(answer, found.retrieved, found.seconds, cost)
        self.cache.keep_answer(key, found)
        return found

    def _asked_again(self, row: Row, resolved: Resolved) -> Answered:
        """An answer, asked for again when trying again may help."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return self._ask(row, resolved)
            except GenerationError as error:
                if not isinstance(error, Retryable) or self.stopping.wait(2.0**attempt):
                    raise
        return self._ask(row, resolved)

    def _ask(self, row: Row, resolved: Resolved) -> Answered:
        began = time.perf_counter()
        checking: dict[str, Any] = {"reference_date": self.day, "verifier": self.verifier}
        if resolved.setup.given:
            answer = given_answer(row, self.knowledge_base, no_answer=resolved.no_answer, **checking)
            return Answered(answer, answer.passages, None, None)
        if row.contexts:
            answer = answered_from_texts(row, resolved.options, nonce=self.nonce, **checking)
            return Answered(answer, answer.passages, time.perf_counter() - began, None)
        if self.knowledge_base is None:
            raise UsageError(
                f"The row {row.id!r} brings no contexts, and there is no knowledge base.",
                fix="Give knowledge_base=, --kb, or contexts in the row.",
            )
        who = {"principals": row.principals} if row.principals else {}
        options = {**resolved.options, **checking, **who, "nonce": self.nonce, "history": row.history}
        for event in self.knowledge_base.stream(row.question, **options):
            if isinstance(event, DoneEvent):
                seconds = time.perf_counter() - began
                return Answered(event.answer, self._retrieved(row, options), seconds, None)
        raise AssertionError("a stream always ends with DoneEvent")  # pragma: no cover

    def _retrieved(self, row: Row, options: Mapping[str, Any]) -> tuple[Passage, ...]:
        """What a search finds, for the metrics of retrieval; the prompt may hold less of it, in another order."""
        if not row.sources or self.knowledge_base is None:
            return ()
        reading = {key: options[key] for key in ("k", "where", "tenant", "principals", "on") if key in options}
        return self.knowledge_base.search(standalone_question(row.question, row.history), **reading)

    def _values(self, key: str, sample: Sample) -> tuple[MetricValue, ...]:
        """Values of all metrics, those that can be kept only once."""
        place = _hash([key, sample.row.model_dump(mode="json", exclude_defaults=True)])
        kept = self.cache.values(place)
        found = {}
        for metric in self.metrics:
            identity = _identity(metric, self.judge)
            found[identity or metric.card.name] = kept.get(identity) or metric.measure(sample)
        fresh = {name: value for name, value in found.items() if "/" in name}
        if fresh.keys() - kept.keys():
            self.cache.keep_values(place, {**kept, **fresh})
        return tuple(found.values())

    def _key(self, row: Row, resolved: Resolved) -> str:
        """A hash of everything that decides an answer."""
        asked = {"question", "history", "principals", "contexts", *(["answer"] if resolved.setup.given else [])}
        return _hash(
            [
                __version__,
                self.base.model_dump(mode="json") if self.base and not row.contexts else None,
                self.nonce,
                self.day.isoformat(),
                self.verifier_ref.model_dump(mode="json"),
                resolved.variant.model_dump(mode="json", exclude={"name"}),
                resolved.setup.prices.model_dump() if resolved.setup.prices else None,
                row.model_dump(mode="json", include=asked),
                bool(row.sources),
            ]
        )


def _packed(packing: Packing, variant: str, done: _Done) -> Trial:
    sample = done.sample
    if sample.answer is None:
        problem = sample.problem or Problem(error="GroundedError", message="There is no answer.")
        return packing.failed(sample.row.id, variant, problem, done.values)
    return packing.answered(
        sample.row.id,
        variant,
        sample.answer,
        retrieved=sample.retrieved,
        values=done.values,
        seconds=sample.seconds,
        cost=sample.cost,
    )


def _identity(metric: Metric, judge: Judge | None) -> str:
    """What a kept value goes by; empty when it may not be kept, since a metric of somebody else may have changed."""
    card = metric.card
    if card.source == "judge":
        return f"{card.name}/{card.version}/{_hash(judge.ref.model_dump(mode='json')) if judge else ''}"
    home = getattr(getattr(metric, "function", metric), "__module__", "")
    return f"{card.name}/{card.version}" if home.startswith(_OURS) else ""


def _cost(setup: Setup, found: Answered) -> float | None:
    usage = found.answer.usage
    if setup.prices is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    return setup.prices.of(usage.input_tokens, usage.output_tokens)


def _shown(value: Any) -> Any:
    """An option as JSON can hold it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return value.ref.model_dump(mode="json") if isinstance(value, Generator) else str(value)


def _hash(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
